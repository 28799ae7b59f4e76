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
# # 06 情景 · Scenarios
#
# 新增、关闭、搬迁设施, 新路, 新住房, 人口增长: 谁受益, 谁受损。情景里新增的一切都是**假设**。
#
# Facilities added, closed or moved, new streets, housing, growth: who gains, who loses. Everything a scenario adds is **assumed**.

# %% tags=["parameters"]
study = "study.toml"
service = "nursery"

# %%
import tempfile
from pathlib import Path

import bishan_gis as bg

base = bg.run(study, write=False)
towns = base.zones.query("zone_kind == 'township'").set_index("name").to_crs(4326).representative_point()
town = towns.index[1]
file = Path(tempfile.mkdtemp()) / "scenario.toml"
file.write_text(
    f"""
[scenario]
name = "新增一所托儿所"
name_en = "One more nursery"

[[add_facility]]
service = "{service}"
name = "假设托儿所"
lon = {towns.iloc[1].x:.6f}
lat = {towns.iloc[1].y:.6f}
capacity = 90
year = 2028

[[grow_population]]
township = "{town}"
factor = 1.1
year = 2030
""",
    encoding="utf-8",
)
scenario = bg.load_scenario(file)
scenario.years

# %% [markdown]
# 只改设施时, 没有碰到的部分取自原来的运行, 结果与整个重算相同。· Where only facilities change, the rest is taken from the base run.

# %%
after = bg.run_scenario(study, scenario, year=2028, base=base)
comparison = bg.compare(base, after)
comparison

# %% [markdown]
# ## 谁更近了 · Who is nearer

# %%
comparison.times[["zone_kind", "zone_name", "service", "age_group", "people_sooner", "people_found", "mean_change_s"]].query(
    "age_group == 'all'"
)

# %%
from matplotlib.colors import LinearSegmentedColormap

from bishan_gis.output.fonts import font_properties
from bishan_gis.output.tokens import CHANGE

# 蓝: 更近; 橙: 更远; 以 0 为中心 · blue: nearer, orange: farther, centred on 0
ramp = LinearSegmentedColormap.from_list("change", [CHANGE["gain"], CHANGE["same"], CHANGE["loss"]])
change = comparison.cells.assign(minutes=comparison.cells["value_change_s"] / 60)
most = change["minutes"].abs().max()
ax = base.zones.query("zone_kind == 'township'").boundary.plot(color="#595959", linewidth=0.5, figsize=(6, 5))
words = {"label": "分钟 · min", "shrink": 0.6}
change.plot("minutes", ax=ax, cmap=ramp, vmin=-most, vmax=most, legend=True, legend_kwds=words)
new = after.facilities.query("service == @service and name == '假设托儿所'")
new.plot(ax=ax, color="#7a0177", edgecolor="white", markersize=70)
ax.set_axis_off()
for text in (*ax.figure.axes[1].get_yticklabels(), ax.figure.axes[1].yaxis.label):
    text.set_fontproperties(font_properties())
ax.set_title("步行时间的变化 (情景, 假设) · Change of walking time (scenario, assumed)", fontproperties=font_properties());

# %% [markdown]
# 命令行: `bishan-gis compare STUDY scenario.toml --series`; 试算页 `maps/whatif.html` 可在浏览器里放置设施并存成 `scenario.toml`。
#
# On the command line: `bishan-gis compare STUDY scenario.toml --series`; the page `maps/whatif.html` saves a `scenario.toml`.
