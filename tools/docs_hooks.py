"""What the documentation takes from the package itself when it is built, so that the two cannot drift.

- ``<!-- standards -->`` and the like (``policy, measures, commands, errors``) become tables of the shipped data, the
  commands and the errors. Tags of sources ([S], [K], [P]) are kept.
- Pages of the API reference are made from the public names of the package, one page per room.
- Pages that stand in docs/ and not in the navigation are added to it.
"""

from __future__ import annotations

import csv
import html
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "bishan_gis" / "data"
sys.path.insert(0, str(ROOT))

ROOMS = {
    "run": "运行与结果 · Runs and results",
    "network": "路网 · network",
    "access": "可达性 · access",
    "places": "地点 · places",
    "planning": "规划 · planning",
    "sources": "读取 · sources",
    "output": "写出 · output",
    "many": "多个研究 · many",
}
#: Public objects that the top of the package does not name.
MORE = {
    "planning": [
        "planning.gaps.find_gaps",
        "planning.gaps.Gaps",
        "planning.study_sites.study_sites",
        "planning.site_plan.choose_sites",
        "planning.site_plan.SitePlan",
        "planning.policy.evaluate_policy",
        "planning.policy_measures.direction_figures",
        "planning.policy_measures.assign_tiers",
        "planning.standards.study_standards",
    ],
    "access": ["access.transit_times.transit_times", "access.decay.exponential", "access.decay.gaussian"],
    "output": ["output.static_maps.static_map", "output.write.write_results", "output.report.write_report"],
    "run": ["results.Findings", "thumbnail.small_map", "errors.BishanGisError", "datums.to_wgs84", "datums.from_wgs84"],
    "many": ["many.studies.run_many", "many.studies.ManyRun"],
}
#: Pages written elsewhere, where they exist: file -> title.
OTHERS = {
    "limits-and-guarantees.md": "限度与保证",
    "bad-input.md": "有误的输入",
    "scale.md": "规模",
    "licences.md": "许可",
}


def _table(head: list[str], rows: list[list[str]]) -> str:
    def line(cells: list[str]) -> str:
        shown = [html.escape(str(c), quote=False).replace("|", "\\|").replace("\n", " ") for c in cells]
        return "| " + " | ".join(shown) + " |"

    return "\n".join([line(head), "|" + "---|" * len(head), *(line(r) for r in rows)])


def _csv(name: str) -> list[dict[str, str]]:
    with (DATA / name).open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def standards_table(lang: str = "zh") -> str:
    """Return the table of standards, by standard, with clause, source and tag."""
    from bishan_gis.chinese import cite_zh

    zh = lang == "zh"
    parts, rows = [], _csv("standards.csv")
    for standard in dict.fromkeys(r["standard"] for r in rows):
        mine = [r for r in rows if r["standard"] == standard]
        body = [
            [
                cite_zh(r["clause"]) if zh else r["clause"],
                *([r["name_zh"]] if zh else []),
                r["name_en"],
                f"{r['op']} {r['value']}" + (f"–{r['value_max']}" if r["value_max"] else ""),
                _unit(r, zh=zh),
                r["status"],
                f"{r['source']} [{r['tag']}]",
                f"`{r['id']}`",
            ]
            for r in mine
        ]
        head = ["条款 clause", "内容", "what", "值 value", "单位 unit", "效力 status", "来源 source", "id"]
        if not zh:
            head = ["clause", "what", "value", "unit", "status", "source", "id"]
        parts.append(f"## {cite_zh(standard) if zh else standard}\n\n{_table(head, body)}")
    return "\n\n".join(parts)


def _unit(row: dict[str, str], *, zh: bool) -> str:
    from bishan_gis.chinese import cite_zh
    from bishan_gis.output.words import unit_words

    of = row["denominator"]
    parts = [row["unit"], of] if not zh else [unit_words(row["unit"], "zh") if row["unit"] else "", cite_zh(of)]
    return " / ".join(p for p in parts if p)


def policy_table(lang: str = "zh") -> str:
    """Return the catalogue of the policy: every element, its indicator, and what computes it or what it needs."""
    zh = lang == "zh"
    body = [
        [
            r["number"],
            r["phrase"],
            r["meaning"],
            r["indicator"],
            r["threshold"],
            r["function"].removeprefix("planning.") or "–",
            *([r["how_zh"] or r["needs"]] if zh else []),
            r["how_en"],
        ]
        for r in _csv("policy.csv")
    ]
    head = ["#", "原文", "meaning", "indicator", "threshold", "function", "所需数据", "needs"]
    return _table(head if zh else [h for h in head if h != "所需数据"], body)


def measures_table(lang: str = "zh") -> str:
    """Return the measures that a study may ask for."""
    zh = lang == "zh"
    data = tomllib.loads((DATA / "measures.toml").read_text(encoding="utf-8"))
    body = [
        [
            f"`{name}`",
            *([m["zh"]] if zh else []),
            m["en"],
            ", ".join(m["needs"]),
            ", ".join(m["may"]),
            m["unit"],
            "`" + m["function"].split(":")[-1] + "`",
        ]
        for name, m in data.items()
    ]
    head = ["measure", "含义", "meaning", "必填 needs", "可选 may", "单位 unit", "function"]
    return _table(head if zh else ["measure", "meaning", "needs", "may", "unit", "function"], body)


def commands_text() -> str:
    """Return every command with its help."""
    import typer

    from bishan_gis.cli import app

    group: Any = typer.main.get_command(app)
    parts = []
    for name in sorted(group.commands):
        command = group.commands[name]
        rows = []
        for p in command.params:
            shown = (", ".join(p.opts) if p.param_type_name == "option" else p.metavar or p.name.upper()) or p.name
            rows.append([f"`{shown}`", getattr(p, "help", "") or ""])
        parts.append(f"### bishan-gis {name}\n\n{command.help}\n\n{_table(['', ''], rows)}")
    return "\n\n".join(parts)


def errors_table() -> str:
    """Return the errors of the package, what each means and its exit code."""
    from bishan_gis import errors

    names = [n for n in errors.__all__ if n not in ("BishanGisError", "BishanGisWarning")]
    rows = []
    for name in names:
        kind = getattr(errors, name)
        builtin = next(b.__name__ for b in kind.__mro__ if b.__module__ == "builtins")
        rows.append([f"`{name}`", f"`{builtin}`", str(kind.exit_code), (kind.__doc__ or "").strip()])
    return _table(["error", "builtin", "exit", "meaning"], rows)


MADE = {
    "standards": standards_table,
    "policy": policy_table,
    "measures": measures_table,
    "commands": commands_text,
    "errors": errors_table,
    "standards-en": lambda: standards_table("en"),
    "policy-en": lambda: policy_table("en"),
    "measures-en": lambda: measures_table("en"),
}


def fill(markdown: str) -> str:
    """Put the tables into a page."""

    def made(match: re.Match[str]) -> str:
        return MADE[match[1]]()

    return re.sub(r"<!-- (" + "|".join(MADE) + r") -->", made, markdown)


def reference_pages() -> dict[str, str]:
    """Return the pages of the API reference: file -> Markdown."""
    import bishan_gis

    names: dict[str, list[str]] = {room: [] for room in ROOMS}
    for name, module in bishan_gis._LAZY.items():
        short = module.removeprefix("bishan_gis.")
        room = short.split(".")[0]
        names[room if room in names else "run"].append(f"{short}.{name}")
    for room, more in MORE.items():
        names[room] += [m for m in more if _there(m)]
    pages = {}
    for room, title in ROOMS.items():
        found = sorted(dict.fromkeys(names[room]), key=lambda n: n.rsplit(".", 1)[1].lower())
        body = "\n\n".join(f"::: bishan_gis.{n}" for n in found)
        pages[f"reference/{room}.md"] = f"# {title}\n\n{body}\n"
    return pages


def _there(name: str) -> bool:
    module, _, thing = name.rpartition(".")
    path = ROOT / "bishan_gis" / module.replace(".", "/")
    file = path.with_suffix(".py") if path.with_suffix(".py").exists() else path / "__init__.py"
    return file.exists() and re.search(rf"\b{thing}\b", file.read_text(encoding="utf-8")) is not None


def on_config(config: Any) -> Any:
    """Add the reference and the pages that are there to the navigation."""
    reference = [{title: f"reference/{room}.md"} for room, title in ROOMS.items()]
    config["nav"].append({"API": [{"命令行 · Command line": "commands.md"}, *reference]})
    docs = Path(config["docs_dir"])
    there = [{title: name} for name, title in OTHERS.items() if (docs / name).exists()]
    if there:
        config["nav"].insert(3, {"保证": there})
    return config


def on_files(files: Any, config: Any) -> Any:
    """Add the pages of the reference."""
    from mkdocs.structure.files import File

    for name, text in reference_pages().items():
        files.append(File.generated(config, name, content=text))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Fill in the tables."""
    return fill(markdown)


def on_page_content(content: str, **_: Any) -> str:
    """Show the roles of docstrings as plain names."""

    def plain(match: re.Match[str]) -> str:
        target = match[1]
        said = re.match(r"(.*?)\s*&lt;", target)
        return f"<code>{said[1] if said else target.split('.')[-1] if target.startswith('~') else target}</code>"

    return re.sub(r":(?:func|class|mod|data|meth|attr|exc):<code>(.*?)</code>", plain, content)


def on_post_page(output: str, page: Any, **_: Any) -> str:
    """Take our own worker in place of the one that the theme would fetch from the network."""
    depth = page.url.count("/")
    ours = f'<script src="{"../" * depth}assets/worker.js"></script>'
    return re.sub(r'<script src="https://unpkg\.com/[^"]*"></script>', ours, output)


def on_post_template(output_content: str, **_: Any) -> str:
    """Leave nothing of the network in pages that are not made from Markdown, such as 404.html."""
    return re.sub(r'<script src="https://unpkg\.com/[^"]*"></script>', "", output_content)


if __name__ == "__main__":
    subprocess.run([sys.executable, "-m", "mkdocs", "build", "--strict"], check=True, cwd=ROOT)
