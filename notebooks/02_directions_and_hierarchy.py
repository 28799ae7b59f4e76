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
# # 02 方向与层级 · Directions and hierarchy
#
# 发展方向是街镇的名单 (此处为**假设**); 城镇层级按人口或按研究文件划定。
#
# Development directions are lists of townships (**assumed** here); the tiers of towns follow people, or the study file.

# %% tags=["parameters"]
study = "study.toml"

# %%
import bishan_gis as bg
from bishan_gis.planning.policy_measures import assign_tiers, direction_figures, rank_size

results = bg.run(study, write=False)
results.study.directions.zones

# %% [markdown]
# ## 各方向 · Directions
# 人口、面积、密度、15 分钟覆盖 (各类设施的平均)。· People, area, density, and coverage within 15 minutes, mean over services.

# %%
direction_figures(results).round(3)

# %%
from bishan_gis.output.fonts import font_properties
from bishan_gis.output.maps.context import Context

# 与地图同色 · the colours of the maps
color = Context(results).direction_colors
shown = results.zones.query("zone_kind == 'direction'")
towns = results.zones.query("zone_kind == 'township'")
ax = shown.plot(color=[color[n] for n in shown["name"]], alpha=0.35, figsize=(5, 5))
towns.boundary.plot(ax=ax, color="#595959", linewidth=0.5)
shown.boundary.plot(ax=ax, color="#1a1a1a", linewidth=1.4)
for name, at in zip(towns["name"], towns.representative_point(), strict=True):
    ax.annotate(name, (at.x, at.y - 900), ha="center", color="#595959", fontproperties=font_properties(), fontsize=8)
for name, at in zip(shown["name"], shown.representative_point(), strict=True):
    ax.annotate(name, (at.x, at.y + 500), ha="center", fontproperties=font_properties(), fontsize=14)
ax.set_axis_off()
ax.set_title("发展方向与街镇 (假设) · Directions and townships (assumed)", fontproperties=font_properties());

# %% [markdown]
# ## 各级相加相等 · Sums agree at every level
# 单元在街镇界线处切开, 所以街镇之和等于方向之和, 等于全区。· Cells are split at township borders, so levels re-sum exactly.

# %%
covered = results.coverage.query("age_group == 'all' and cutoff_min == 15 and service == 'park'")
covered.groupby("zone_kind")[["people", "people_covered", "people_unknown"]].sum()

# %% [markdown]
# ## 城镇层级 · Tiers of towns

# %%
people = results.zones.query("zone_kind == 'township'").set_index("zone_id")["name"].to_frame()
people["people"] = results.cells.groupby("zone_id")["people"].sum()
towns = people.set_index("name")["people"]
rank_size(towns)

# %%
assign_tiers(towns)

# %% [markdown]
# ## 每一级该有的, 有没有 · What each level should have
# `n_services` 该级要求的设施类数, `n_present` 本镇街内有, `n_reached` 覆盖一半以上的人。
#
# `n_services` asked for at a level, `n_present` stand in the town, `n_reached` cover at least half of its people.

# %%
from bishan_gis.planning.gaps import find_gaps

find_gaps(results).hierarchy
