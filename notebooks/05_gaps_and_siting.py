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
# # 05 缺口与选址 · Gaps and siting
#
# 哪里缺什么, 多少人, 为什么; 新设施建在哪里, 服务的人最多。
#
# What is missing where, for how many and why; where new facilities serve most people.

# %% tags=["parameters"]
study = "study.toml"

# %%
import bishan_gis as bg

results = bg.run(study, write=False, findings=True)
gaps = results.findings.gaps
gaps

# %%
for sentence in gaps.sentences(5):
    print(sentence)

# %%
for sentence in gaps.sentences(2, lang="en"):
    print(sentence)

# %% [markdown]
# `unknown` 是资料不足以判断的地方, 不算缺口也不算覆盖。· `unknown`: the data cannot tell; neither a gap nor covered.

# %%
gaps.areas.table[["rank", "service", "zone_name", "people", "level_min", "nearest_min", "reason"]].head(8).round(1)

# %%
# %matplotlib inline
from bishan_gis.output.static_maps import static_map

figure = static_map(results, "gaps", service="nursery")
figure.set_dpi(75)
figure

# %% [markdown]
# ## 政策逐条 · The policy, element by element

# %%
policy = results.findings.policy
policy["verdict"].value_counts()

# %% [markdown]
# ## 选址 · Siting
# 候选地来自用地, 没有用地图层时沿街取点。先后按各自多服务的人数。· Candidates come from land use, else from streets.

# %%
plan = results.findings.plans[0].plan
plan.summary()

# %%
plan.curve

# %% [markdown]
# 换一个模型: 使总步行时间最少的三处 (p-中位)。· Another model: the three sites with the least walking in all (p-median).

# %%
from bishan_gis.planning.study_sites import study_sites

study_sites(results, service="nursery", model="p_median", sites=3).plan
