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
# # 03 生活圈 · Life circles
#
# 5、10、15 分钟步行圈, 与同等半径的直线圈对照。圈供观看, 人数按精确时间统计。
#
# Circles of 5, 10 and 15 minutes on foot beside plain circles. Circles are for the eye; people are counted by exact time.

# %% tags=["parameters"]
study = "study.toml"
service = "kindergarten"

# %%
import bishan_gis as bg

results = bg.run(study, write=False)
circles = results.circles.query("service == @service").sort_values("cutoff_min", ascending=False)
ax = results.zones.query("zone_kind == 'township'").boundary.plot(color="#595959", linewidth=0.5, figsize=(5, 5))
circles.plot("cutoff_min", ax=ax, cmap="cividis", alpha=0.7)
places = results.facilities.query("service == @service")
places.plot(ax=ax, color="#d55e00", markersize=6)
ax.set_axis_off()
ax.set_title(f"5, 10, 15 minutes on foot: {service} (synthetic)");

# %% [markdown]
# ## 步行与直线 · On foot and as the crow flies
# 直线 1000 米圈里的人, 不都能在 15 分钟 (1000 米) 内走到。· Not everybody within 1000 m walks there in 15 minutes (1000 m).

# %%
on_foot = results.coverage.query("zone_kind == 'district' and age_group == 'all'")
on_foot.pivot(index="service", columns="cutoff_min", values="people_covered")

# %%
results.radii.head(6)

# %% [markdown]
# ## 从任意一点出发 · From any place
# 一个地点的服务区, 以及走得到的街道长度。· The ground around one place, and the streets within reach.

# %%
costs = bg.edge_costs(results.network, bg.load_profile("adult"))
start = places.head(1).rename(columns={"facility_id": "origin_id"})[["origin_id", "x", "y"]]
# progress=True 显示进度条; 所有耗时的函数都可以这样用。· A bar while it runs, as in every function that takes long.
areas = bg.service_areas(
    results.network, costs, start, cutoffs_s=[300, 600, 900], direction="to", grid_m=25, off_network_m=60, progress=True
)
areas.assign(hectares=(areas.area / 1e4).round(1)).drop(columns="geometry")

# %% [markdown]
# ## 谁在走 · Who walks
# 同样的街道, 老人和轮椅使用者的 15 分钟更短; 轮椅不能走台阶。· The same streets, other travellers: shorter circles, no steps.

# %%
import pandas as pd

sizes = {}
for profile in ("adult", "child", "elderly", "wheelchair"):
    slow = bg.edge_costs(results.network, bg.load_profile(profile))
    ground = bg.service_areas(
        results.network, slow, start, cutoffs_s=[900], direction="to", grid_m=25, off_network_m=60
    )
    sizes[profile] = round(float(ground.area.sum()) / 1e4, 1)
pd.Series(sizes, name="hectares within 15 minutes")
