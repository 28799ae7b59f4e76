"""What every command shares: the program, its options, errors as one line, progress."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

__all__ = ["Json", "Lang", "Quiet", "StudyPath", "app", "door", "print_json", "progress_bars"]

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="15 分钟生活圈规划工具 · Planning tools for the 15-minute life circle.",
    epilog="退出码 exit codes: 0 正常 fine · 1 超过 gaps --fail-above · 2 输入有误 bad input · 3 没有数据 no data · "
    "4 无法写出 output failed · 5 网络 network",
)

StudyPath = Annotated[Path, typer.Argument(metavar="STUDY", help="study.toml 或其文件夹 · or its folder")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="只在出错时说话 · speak only of errors")]
Json = Annotated[bool, typer.Option("--json", help="以 JSON 输出结果 · print the result as JSON")]
Lang = Annotated[str, typer.Option(help="zh | en; 默认随研究 · default: the study's", metavar="LANG")]


def _language(wanted: str) -> str:
    if wanted in ("zh", "en"):
        return wanted
    locale = os.environ.get("LC_ALL") or os.environ.get("LANG") or ""
    return "en" if locale.startswith("en") else "zh"


@contextmanager
def door(lang: str, *, as_json: bool) -> Iterator[dict[str, str]]:
    """Turn errors of ours into one line and an exit code; nothing else is hidden."""
    from bishan_gis.errors import BishanGisError

    state = {"lang": _language(lang)}
    try:
        yield state
    except BishanGisError as err:
        if as_json:
            print_json({"ok": False, "error": type(err).__name__, "message": err.message(state["lang"])})
        label = "错误" if state["lang"] == "zh" else "error"
        typer.echo(f"{label}: {err.message(state['lang'])}", err=True)
        raise typer.Exit(err.exit_code) from err
    except (OSError, MemoryError) as err:
        # What happens between a check and the reading: a file goes, a disk fails, memory ends.
        zh, en = _outside(err)
        text = zh if state["lang"] == "zh" else en
        if as_json:
            print_json({"ok": False, "error": type(err).__name__, "message": text})
        typer.echo(f"{'错误' if state['lang'] == 'zh' else 'error'}: {text}", err=True)
        raise typer.Exit(2) from err
    except KeyboardInterrupt as err:
        typer.echo("已中断,没有写出任何结果 · interrupted, nothing was written", err=True)
        raise typer.Exit(130) from err


def _outside(err: OSError | MemoryError) -> tuple[str, str]:
    """Say in both languages what the machine refused."""
    if isinstance(err, MemoryError):
        return (
            "内存不足;请关闭其他程序, 增大 cells.size_m 或 reach.grid_m, 或缩小研究区 (见 [limits])",
            "out of memory; close other programs, enlarge cells.size_m or reach.grid_m, or study a smaller area "
            "(see [limits])",
        )
    file = f"{err.filename}: " if err.filename else ""
    reason = " ".join(str(err.strerror or err).split())
    return (
        f"{file}读取或写入时出错: {reason};请检查文件是否还在, 磁盘和权限是否正常, 然后重新运行",
        f"{file}failed while it was read or written: {reason}; check that it is still there, the disk and the "
        "permissions, and run again",
    )


def print_json(value: Any) -> None:
    """Print a value as JSON."""
    import json

    typer.echo(json.dumps(value, ensure_ascii=False, indent=2, default=str))


@contextmanager
def progress_bars(quiet: bool) -> Iterator[Any]:
    """Yield ``progress(step, done, total)`` that draws a bar per step on standard error."""
    if quiet:
        yield None
        return
    from bishan_gis.progress import step_bars

    with step_bars() as bars:
        yield bars
