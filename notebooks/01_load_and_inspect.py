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
# 从研究文件到一张地图, 五行代码。街道与大部分设施是**合成**数据, 只用于说明方法。
#
# From the study file to a map in five lines. The streets and most facilities are **synthetic** and only show the method.

# %%
import bishan_gis as bg

results = bg.run("../studies/bishan/study.toml", write=False)
results

# %% [markdown]
# ## 覆盖 · Coverage
# 每个分区, 设施, 时间阈值和年龄组一行; 人口之和在每一级都相同。
#
# One row per zone, service, cutoff and age group; the sums agree at every level.

# %%
table = results.coverage.query("zone_kind == 'direction' and age_group == 'all' and cutoff_min == 15")
share = table.assign(share=(table["people_covered"] / table["people"] * 100).round(1))
share.pivot(index="service", columns="zone_name", values="share").head(12)

# %% [markdown]
# ## 步行网络 · The walking network

# %%
results.network

# %%
results.network.rules

# %% [markdown]
# ## 一张图 · A picture

# %%
nursery = results.access.query("service == 'kindergarten'").set_index("origin_id")["value"] / 60
cells = results.cells.assign(minutes=results.cells["cell_id"].map(nursery).clip(upper=30))
ax = cells.plot("minutes", cmap="cividis_r", legend=True, figsize=(5, 8), legend_kwds={"label": "min"})
results.zones.query("zone_kind == 'township'").boundary.plot(ax=ax, color="#595959", linewidth=0.5)
ax.set_axis_off()
ax.set_title("Walking time to the nearest kindergarten (synthetic streets)");
