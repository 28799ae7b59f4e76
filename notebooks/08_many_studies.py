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
# # 08 多个研究 · Many studies
#
# 一个市有许多区县: 每个研究是一项任务, 已完成且未改动的不再计算, 失败的不影响其他。
#
# A city has many districts: each study is a task, what is done and unchanged is kept, and one that fails leaves the others alone.

# %% tags=["parameters"]
parts = {"west": (9000, 5001), "east": (3200, 7400)}  # 北、南的人口 people of north and south (合成 synthetic)
scheduler = "sync"  # processes: 每核一个 one per core; tcp://host:port: Dask

# %%
import tempfile
from pathlib import Path

import pandas as pd

from bishan_gis.many import run_many
from helsinki import write_study

folder = Path(tempfile.mkdtemp())
for part, people in parts.items():
    write_study(folder / part, part=part, people=people)
run = run_many([folder], scheduler=scheduler, out=folder / "city")
sorted(run.states.values())

# %%
districts = pd.DataFrame(run.districts).set_index("id")
districts[["name_en", "kind", "people", "facilities"]]

# %% [markdown]
# 步行 5 分钟内可达的人口比例, 各区县各不相同。· Share of people within 5 minutes on foot: each district has its own.

# %%
rows = pd.concat({d["id"]: pd.DataFrame(d["coverage"]) for d in run.districts}, names=["study"])
rows = rows.query("cutoff_min == 5")
rows.assign(share=rows["people_covered"] / rows["people"]).droplevel(1).pivot(columns="service", values="share").round(3)

# %% [markdown]
# 再跑一次: 没有改动, 都保留。· Again: nothing has changed, all is kept.

# %%
sorted(run_many([folder], scheduler=scheduler).states.values())

# %%
sorted(file.name for file in run.files)

# %% [markdown]
# 命令行: `bishan-gis run-many studies --out city`。参数化的笔记本: `papermill 01_load_and_inspect.ipynb out.ipynb -p study 我的区/study.toml`。
#
# On the command line: `bishan-gis run-many studies --out city`. Notebooks take parameters:
# `papermill 01_load_and_inspect.ipynb out.ipynb -p study mine/study.toml`.
