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
# # 01 读取并查看 · Load and inspect
#
# 从研究文件到一张地图, 五行代码。`study.toml` 是从璧山数据中剪出的三个街镇, 几秒即可算完; 街道与设施是**合成**数据, 只用于说明方法。
# 完整的璧山研究: 把 `study` 换成 `../studies/bishan/study.toml`。
#
# From the study file to a map in five lines. `study.toml` is three townships cut out of the Bishan data and takes seconds; streets
# and facilities are **synthetic** and only show the method. For the whole study set `study` to `../studies/bishan/study.toml`.

# %% tags=["parameters"]
study = "study.toml"
service = "kindergarten"

# %%
import bishan_gis as bg

results = bg.run(study, write=False)
results

# %% [markdown]
# ## 设置 · Settings

# %%
results.study

# %% [markdown]
# ## 路网 · The walking network
# 街道只在共用节点处相接; 规则表决定谁可以通行。· Streets meet only at shared nodes; a table of rules says who may pass.

# %%
results.network

# %%
results.network.rules

# %% [markdown]
# ## 覆盖 · Coverage
# 每个分区、设施、阈值和年龄组一行; 各级之和相同。· One row per zone, service, cutoff and age group; sums agree at every level.

# %%
table = results.coverage.query("zone_kind == 'township' and age_group == 'all' and cutoff_min == 15")
share = table.assign(share=(table["people_covered"] / table["people"] * 100).round(1))
share.pivot(index="service", columns="zone_name", values="share")

# %% [markdown]
# ## 时间与状态 · Times and statuses
# `reached`、`beyond_cutoff`、`unreachable`、`off_network`、`unknown` 从不混为一谈。· The five statuses are never folded into one.

# %%
results.access.query("service == @service")["status"].value_counts()

# %%
minutes = results.access.query("service == @service").set_index("origin_id")["value"] / 60
cells = results.cells.assign(minutes=results.cells["cell_id"].map(minutes).clip(upper=30))
ax = cells.plot("minutes", cmap="cividis_r", legend=True, figsize=(5, 5), legend_kwds={"label": "min"})
results.zones.query("zone_kind == 'township'").boundary.plot(ax=ax, color="#595959", linewidth=0.5)
ax.set_axis_off()
ax.set_title(f"Walking time to the nearest {service} (synthetic)");

# %% [markdown]
# 可缩放的地图: `results.explore("cells", "people")`, 不需要联网; `.save("map.html")` 写出单个文件。
#
# A map to zoom: `results.explore("cells", "people")`; no internet is needed, and `.save("map.html")` writes one file.
