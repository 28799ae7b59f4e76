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
# # 02 可达性 · Accessibility
#
# 三种出行方式的路网, 最近设施, 服务区, 行程矩阵, 重力模型与两步移动搜索, 公平性, 以及无需联网的地图。
# 街道与大部分设施是**合成**数据, 只用于说明方法。
#
# Networks of three modes, the nearest facility, service areas, a travel matrix, gravity and floating catchments, equity, and a
# map that needs no internet. The streets and most facilities are **synthetic** and only show the method.

# %%
import pandas as pd
from IPython.display import ProgressBar

import bishan_gis as bg
from bishan_gis.access.decay import exponential

bar = ProgressBar(100)
bar.display()


def progress(step, done, total):
    bar.progress = int(100 * done / total)


results = bg.run("../studies/bishan/study.toml", write=False, progress=progress)
results

# %% [markdown]
# ## 各种方式的路网 · Networks by mode
# 步行、骑行和行车各有规则表; 行车网络带有车速、信号灯与禁止转向。
#
# Walking, cycling and driving have a table of rules each; the driving network also has speeds, signals and forbidden turns.

# %%
shown = ["nodes", "edges", "length_km", "components", "controls", "forbidden_turns"]
pd.DataFrame({mode: network.summary() for mode, network in results.networks.items()}).reindex(shown)

# %% [markdown]
# 路网可存为一个文件, 几毫秒即可打开。· A network can be saved in one file and opens in milliseconds.

# %%
import tempfile
from pathlib import Path

file = results.networks["drive"].save(Path(tempfile.mkdtemp()) / "drive.bgnet")
drive = bg.Network.load(file)
drive

# %% [markdown]
# ## 消防车 5 分钟到场 · Fire engines within 5 minutes
# 由消防站出发 (`direction="from"`), 出动 1 分钟 (`offset_s`), 车速随道路。
#
# From the stations, with 1 minute of turn-out; speed follows the street.

# %%
engine = bg.edge_costs(drive, bg.load_profile("fire_engine"))
fire = results.facilities.query("service == 'fire_station'")[["facility_id", "service", "x", "y"]].assign(offset_s=60)
origins = results.cells.rename(columns={"cell_id": "origin_id"})[["origin_id", "x", "y"]]
arrival = bg.nearest_cost(drive, engine, origins, fire, search_s=300, direction="from").table.set_index("origin_id")
people = results.cells.set_index("cell_id")["people"]
people.groupby(arrival["status"]).sum()

# %% [markdown]
# 服务区: 每个消防站 3 分钟和 5 分钟可到的地面。· The ground each station reaches in 3 and 5 minutes.

# %%
stations = fire.rename(columns={"facility_id": "origin_id"})
areas = bg.service_areas(drive, engine, stations, cutoffs_s=[180, 300], direction="from", grid_m=25, off_network_m=60)
m = bg.explore(results.zones.query("zone_kind == 'township'").boundary.to_frame("geometry"), name="townships", weight=1)
bg.explore(areas.sort_values("cutoff_s", ascending=False), "cutoff_s", m=m, name="service areas")

# %% [markdown]
# ## 行程矩阵与指标 · Travel matrix and measures
# 每个人口单元到每所幼儿园的步行时间, 30 分钟以内。· Walking time from every cell to every kindergarten, up to 30 minutes.

# %%
walk = results.network
on_foot = bg.edge_costs(walk, bg.load_profile("adult"))
schools = results.facilities.query("service == 'kindergarten'")
matrix = bg.travel_matrix(walk, on_foot, origins, schools[["facility_id", "x", "y"]], cutoff_s=1800)
matrix.describe()

# %%
places = schools.set_index("facility_id")["capacity"].astype(float).fillna(270.0)  # 9 x 30 where unknown: assumed
children = results.cells.set_index("cell_id")["0-14"]
measures = pd.DataFrame(
    {
        "gravity": bg.gravity(matrix, places, decay=exponential(rate_per_s=0.0693 / 60), origins=children.index),
        "e2sfca": bg.enhanced_two_step(matrix, places, children, steps_s=[300, 600, 900], weights=[1, 0.68, 0.22]),
        "third_nearest_s": bg.k_nearest_mean(matrix, k=3, origins=children.index),
    }
)
measures.describe().round(3)

# %% [markdown]
# ## 公平性 · Equity
# 儿童之间的基尼系数, 以及五个方向之间与内部的差异。· Gini among children; how much lies between and within the five directions.

# %%
direction = results.cells.set_index("cell_id")["direction"]
parts = bg.theil_groups(measures["e2sfca"], children, groups=direction)
{"gini": round(bg.gini(measures["e2sfca"], children), 3), "theil": parts}

# %% [markdown]
# ## 研究文件里的指标 · Measures of the study file
# `[[measures]]` 中的指标随运行一起计算。· Those listed under `[[measures]]` are computed by every run.

# %%
table = results.zone_measures.query("zone_kind == 'direction'")
table.pivot_table(index=["measure_name", "cutoff_s", "unit"], columns="zone_name", values="value").round(4)

# %% [markdown]
# ## 一张地图 · A map
# 不需要联网; `save("map.html")` 写出单个文件。· No internet is needed; `save("map.html")` writes a single file.

# %%
core = results.cells.query("direction == '中优'")
x, y = (sum(core[c] * core["people"]) / core["people"].sum() for c in "xy")
results.explore("kindergarten_places", bounds=(x - 2500, y - 2500, x + 2500, y + 2500), weight=0)
