"""The rule table: from OSM tags to who may pass.

The rules are data (``data/walk_rules.toml``, ``cycle_rules.toml``, ``drive_rules.toml``): ordered, the first that
matches decides, each with its reason in two languages and its source.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bishan_gis.errors import BrokenFileError, InputError, MissingFileError, SchemaError, StudyError
from bishan_gis.schema import nearest_name

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["MODES", "NO_RULE", "Decisions", "Rule", "Rules", "apply_rules", "check_mode", "load_rules"]

#: What a way is counted under when no rule decides; it is denied.
NO_RULE = "no_rule"

#: Modes of travel for which the package has rules.
MODES = ("walk", "cycle", "drive")

_DATA = Path(__file__).parents[1] / "data"
_DECISIONS = {
    "way": ("allow", "deny"),
    "direction": ("forward", "backward", "both"),
    "node": ("pass", "block"),
    "through": ("yes", "no"),
}
_FIELDS = ("id", "match", "decision", "zh", "en", "source")


@dataclass(frozen=True)
class Rule:
    """One row of the table.

    Attributes
    ----------
    id : str
        Its name in counts and messages.
    match : tuple of (str, frozenset, bool)
        Conditions that must all hold: tag, values, whether the tag must have one of them (True) or none
        of them (False). ``*`` stands for any value.
    decision : str
        ``allow`` or ``deny``; ``forward``, ``backward`` or ``both``; ``pass`` or ``block``; ``yes`` or ``no``.
    zh, en : str
        What it means.
    source : str
        What it rests on.
    """

    id: str
    match: tuple[tuple[str, frozenset[str], bool], ...]
    decision: str
    zh: str = ""
    en: str = ""
    source: str = ""

    def holds(self, tags: Mapping[str, str]) -> bool:
        """Return whether every condition holds for these tags."""
        for key, values, wanted in self.match:
            value = tags.get(key)
            if value is None:
                found = False
            elif "*" in values or value in values:
                found = True
            else:
                found = ";" in value and not values.isdisjoint(p.strip() for p in value.split(";"))
            if found != wanted:
                return False
        return True


@dataclass(frozen=True)
class Rules:
    """The rules of one mode of travel.

    Attributes
    ----------
    mode : str
        ``walk``, ``cycle`` or ``drive``.
    way, direction, node : tuple of Rule
        In the order they are tried.
    table : str
        Which table of the package they are; empty for own ones.
    through : tuple of Rule
        Whether one may drive through, or only to what lies there; in the order they are tried.
    """

    mode: str
    way: tuple[Rule, ...]
    direction: tuple[Rule, ...] = ()
    node: tuple[Rule, ...] = ()
    table: str = ""
    through: tuple[Rule, ...] = ()

    @cached_property
    def keys(self) -> tuple[str, ...]:
        """Tag keys of ways that matter, in alphabetical order."""
        return _keys((*self.way, *self.direction, *self.through))

    @cached_property
    def node_keys(self) -> tuple[str, ...]:
        """Tag keys of nodes that matter, in alphabetical order."""
        return _keys(self.node)

    def blocks(self, tags: Mapping[str, str]) -> Rule | None:
        """Return the rule that blocks a node with these tags, or None when it can be passed."""
        rule = next((r for r in self.node if r.holds(tags)), None)
        return rule if rule is not None and rule.decision == "block" else None


@dataclass(frozen=True, eq=False)
class Decisions:
    """What the rules say about a list of ways.

    Attributes
    ----------
    allow : ndarray of bool
        May be used.
    forward, backward : ndarray of bool
        May be used along, against the drawn line; False where not allowed.
    rule : ndarray of int64
        Position of the deciding rule in `names`.
    names : tuple of str
        Rule ids, :data:`NO_RULE` last.
    local : ndarray of bool
        Not for through traffic.
    """

    allow: NDArray[np.bool_]
    forward: NDArray[np.bool_]
    backward: NDArray[np.bool_]
    rule: NDArray[np.int64]
    names: tuple[str, ...]
    local: NDArray[np.bool_]


def load_rules(path: str | Path | None = None, *, mode: str = "walk", table: str = "") -> Rules:
    """Read a rule table.

    Parameters
    ----------
    path : str or pathlib.Path, optional
        A TOML file in the form of ``data/walk_rules.toml``; the rules of the package for `mode` by default.
    mode : str
        ``walk``, ``cycle`` or ``drive``. A file of one's own that names its mode keeps that.
    table : str
        A table of the package for special travellers of this mode, such as ``emergency``. A table may say
        ``extends = "drive"``: its rules are tried first, then those of the mode.

    Returns
    -------
    Rules
        The rules in order.

    Raises
    ------
    StudyError
        There is no such mode.
    MissingFileError
        There is no such file.
    BrokenFileError
        The file is not TOML.
    SchemaError
        Rules lack an id, a condition or a decision, or repeat an id; all problems are named at once.

    Examples
    --------
    >>> [r.decision for r in load_rules(mode="drive").way if r.id == "motorway"]
    ['allow']
    """
    if mode not in MODES:
        known = ", ".join(MODES)
        raise StudyError(f"mode: 没有出行方式 {mode!r};可用: {known}", f"mode: no mode {mode!r}; known: {known}")
    file = _DATA / f"{table or mode}_rules.toml" if path is None else Path(path)
    name = file.name if path is None else str(path)
    if not file.is_file():
        raise MissingFileError(f"{name}: 找不到通行规则文件,请检查路径", f"{name}: no such rule table; check the path")
    try:
        data = tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as err:
        raise BrokenFileError(f"{name}: 不是有效的 TOML ({err})", f"{name}: not valid TOML ({err})") from err
    which = (table or mode) if path is None else ""
    rules = _parse(data, name, mode)
    if "extends" not in data:
        return replace(rules, table=which)
    base = load_rules(mode=str(data["extends"]))
    joined: dict[str, Any] = {part: getattr(rules, part) + getattr(base, part) for part in _DECISIONS}
    return replace(base, **joined, table=which)


def check_mode(mode: str, *, where: str = "mode") -> None:
    """Raise unless there is such a mode of travel.

    Parameters
    ----------
    mode : str
        One of :data:`MODES`.
    where : str
        What the reader knows the setting as.

    Raises
    ------
    InputError
        There is none.
    """
    if mode not in MODES:
        raise InputError(
            f"{where} = {mode!r}: 没有这种出行方式;可用: {'、'.join(MODES)}",
            f"{where} = {mode!r}: no such mode of travel; known: {', '.join(MODES)}",
        )


def apply_rules(tags: Iterable[Mapping[str, str]], rules: Rules) -> Decisions:
    """Decide about each way.

    Parameters
    ----------
    tags : iterable of mapping
        Tags of the ways. Each distinct combination of the keys that matter is decided once.
    rules : Rules
        The table.

    Returns
    -------
    Decisions
        In the order of `tags`.

    Examples
    --------
    >>> found = apply_rules([{"highway": "motorway"}, {"highway": "steps"}], load_rules())
    >>> found.allow.tolist()
    [False, True]
    """
    names = (*(r.id for r in rules.way), NO_RULE)
    keys = frozenset(rules.keys)
    known: dict[tuple[tuple[str, str], ...], int] = {}
    distinct: list[Mapping[str, str]] = []
    codes: list[int] = []
    for one in tags:
        # The same tags in another order are decided once more; ways have few tags, and rules many keys.
        combination = tuple([pair for pair in one.items() if pair[0] in keys])
        code = known.get(combination)
        if code is None:
            code = known[combination] = len(distinct)
            distinct.append(one)
        codes.append(code)
    which = np.array([_first(rules.way, t) for t in distinct], dtype=np.int64)
    may = np.array([r.decision == "allow" for r in rules.way] + [False])[which]
    side = [_first(rules.direction, t) for t in distinct]
    bound = [rules.direction[i].decision if i < len(rules.direction) else "" for i in side]
    forward = may & np.array([b != "backward" for b in bound], dtype=bool)
    backward = may & np.array([b != "forward" for b in bound], dtype=bool)
    ends = [_first(rules.through, t) for t in distinct]
    local = np.array([i < len(rules.through) and rules.through[i].decision == "no" for i in ends], dtype=bool)
    row = np.array(codes, dtype=np.int64)
    return Decisions(may[row], forward[row], backward[row], which[row], names, local[row])


def _first(rules: tuple[Rule, ...], tags: Mapping[str, str]) -> int:
    """Return the position of the first rule that holds, or the number of rules."""
    return next((i for i, rule in enumerate(rules) if rule.holds(tags)), len(rules))


def _keys(rules: Iterable[Rule]) -> tuple[str, ...]:
    return tuple(sorted({key for rule in rules for key, _, _ in rule.match}))


def _parse(table: dict[str, Any], name: str, mode: str) -> Rules:
    problems: list[str] = []
    mode = str(table.get("mode", mode))
    if mode not in MODES:
        problems.append(f"mode: {mode!r} is not one of {', '.join(MODES)}")
    known = ("mode", "extends", *_DECISIONS)
    problems += [f"{k}: unknown section" + _hint(k, known) for k in table if k not in known]
    sections: dict[str, Any] = {}
    for section, decisions in _DECISIONS.items():
        rules = [
            _parse_rule(row, f"{section}[{i}]", decisions, problems) for i, row in enumerate(table.get(section, []))
        ]
        ids = [r.id for r in rules]
        problems += [f"{section}: id {i} occurs {ids.count(i)} times" for i in sorted(set(ids)) if ids.count(i) > 1]
        sections[section] = tuple(rules)
    if not sections["way"]:
        problems.append("way: no rules")
    if problems:
        shown = "; ".join(problems[:8])
        raise SchemaError(
            f"{name}: 通行规则有 {len(problems)} 处错误: {shown}",
            f"{name}: {len(problems)} problems in the rules: {shown}",
        )
    return Rules(mode=mode, **sections)


def _parse_rule(row: dict[str, Any], where: str, decisions: tuple[str, ...], problems: list[str]) -> Rule:
    label = f"{where} {row.get('id', '')}".strip()
    problems += [f"{label}: unknown field {k}" + _hint(k, _FIELDS) for k in row if k not in _FIELDS]
    problems += [f"{label}: {k} is missing" for k in ("id", "match", "decision") if not row.get(k)]
    if row.get("decision") and row["decision"] not in decisions:
        problems.append(f"{label}: decision {row['decision']!r} is not one of {', '.join(decisions)}")
    match: list[tuple[str, frozenset[str], bool]] = []
    conditions = row.get("match") or {}
    for key, values in conditions.items() if isinstance(conditions, dict) else ():
        if not isinstance(values, list) or not values or not all(isinstance(v, str) for v in values):
            problems.append(f"{label}: {key} needs a list of values")
            continue
        negated = {v.startswith("!") for v in values}
        if len(negated) > 1:
            problems.append(f"{label}: {key} mixes values with !values")
        match.append((key, frozenset(v.removeprefix("!") for v in values), negated == {False}))
    return Rule(
        id=str(row.get("id", where)),
        match=tuple(match),
        decision=str(row.get("decision", "")),
        zh=str(row.get("zh", "")),
        en=str(row.get("en", "")),
        source=str(row.get("source", "")),
    )


def _hint(name: str, known: Iterable[str]) -> str:
    near = nearest_name(name, known)
    return f" (did you mean {near}?)" if near else ""
