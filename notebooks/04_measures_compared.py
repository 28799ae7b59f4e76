# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 04 指标比较 · Measures compared
#
# 同一张行程矩阵, 不同的问题: 多远, 多少, 够不够分, 公平不公平。每个指标的公式与出处见文档“指标”一页。
#
# One travel matrix, different questions: how far, how many, enough for all, equal or not. Formulas and sources: page "Measures".

# %% tags=["parameters"]
study = "study.toml"
service = "kindergarten"
seats_where_unknown = 270.0  # 9 x 30 [P]

# %%
import pandas as pd

import bishan_gis as bg
from bishan_gis.access.decay import exponential

results = bg.run(study, write=False)
origins = results.cells.rename(columns={"cell_id": "origin_id"})[["origin_id", "x", "y"]]
schools = results.facilities.query("service == @service")
costs = bg.edge_costs(results.network, bg.load_profile("adult"))
matrix = bg.travel_matrix(results.network, costs, origins, schools[["facility_id", "x", "y"]], cutoff_s=1800)
matrix.describe()

# %%
seats = schools.set_index("facility_id")["capacity"].astype(float).fillna(seats_where_unknown)
children = results.cells.set_index("cell_id")["0-14"]
measures = pd.DataFrame(
    {
        "third_nearest_s": bg.k_nearest_mean(matrix, k=3, origins=children.index),
        "cumulative_15min": bg.cumulative_cutoff(matrix, seats, cutoff_s=900, origins=children.index),
        "gravity": bg.gravity(matrix, seats, decay=exponential(rate_per_s=0.0693 / 60), origins=children.index),
        "two_step": bg.two_step(matrix, seats, children, cutoff_s=900),
        "e2sfca": bg.enhanced_two_step(matrix, seats, children, steps_s=[300, 600, 900], weights=[1, 0.68, 0.22]),
    }
)
measures.describe().round(3)

# %% [markdown]
# ## 它们说的一样吗 · Do they agree?
# 秩相关: 越接近 1, 排出的先后越像。· Rank correlation: the nearer to 1, the more alike the order.

# %%
measures.assign(third_nearest_s=-measures["third_nearest_s"]).rank().corr().round(2)

# %%
frame = results.cells.set_index("cell_id").join(measures)
ax = frame.plot("e2sfca", cmap="cividis", scheme="quantiles", k=5, legend=True, figsize=(5, 5), legend_kwds={"fontsize": 7})
ax.set_axis_off()
ax.set_title("Kindergarten places per child, E2SFCA (synthetic)");

# %% [markdown]
# ## 公平性 · Equity
# 儿童之间的基尼系数; 泰尔指数分为方向之间与内部。· Gini among children; Theil between and within directions.

# %%
direction = results.cells.set_index("cell_id")["direction"]
print("gini", round(bg.gini(measures["e2sfca"], children), 3))
bg.theil_groups(measures["e2sfca"], children, groups=direction)

# %% [markdown]
# ## 行车 · By car
# 由设施出发的行程 (`direction="from"`), 如消防车; 这里借学校的位置作例。车速随道路。· Trips from facilities, as fire engines make them;
# here from the schools, as an example. Speeds follow the street; any OSM file becomes a network.

# %%
drive = bg.Network.from_osm(
    results.study.raw(results.study.inputs.osm),
    crs=results.study.crs,
    mode="drive",
    rules=bg.load_rules(mode="drive", table="emergency"),
)
engine = bg.edge_costs(drive, bg.load_profile("fire_engine"))
near = bg.nearest_cost(
    drive, engine, origins, schools[["facility_id", "service", "x", "y"]], search_s=300, direction="from"
).table
near.groupby("status")["value"].describe().round(0)

# %% [markdown]
# 研究文件里的 `[[measures]]` 随每次运行计算。· What `[[measures]]` of the study asks for is computed by every run.

# %%
results.zone_measures[["zone_name", "measure_name", "cutoff_s", "unit", "value"]].round(4)
