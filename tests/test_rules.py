"""Who may pass on foot, rule by rule."""

from __future__ import annotations

from pathlib import Path

import pytest

from bishan_gis.errors import BrokenFileError, MissingFileError, SchemaError
from bishan_gis.network.rules import NO_RULE, apply_rules, load_rules

RULES = load_rules()


def decide(**tags: str) -> str:
    """Return the rule that decides, with a minus where it denies."""
    tags = {k.replace("__", ":"): v for k, v in tags.items()}
    found = apply_rules([tags], RULES)
    return ("" if found.allow[0] else "-") + found.names[found.rule[0]]


@pytest.mark.parametrize(
    ("tags", "rule"),
    [
        ({"highway": "residential"}, "street"),
        ({"highway": "residential", "oneway": "yes"}, "street"),
        ({"highway": "residential", "sidewalk": "separate"}, "street"),
        ({"highway": "motorway"}, "-motorway"),
        ({"highway": "motorway_link", "foot": "yes"}, "-motorway"),
        ({"highway": "trunk"}, "trunk"),
        ({"highway": "trunk", "sidewalk": "both", "expressway": "yes"}, "trunk_sidewalk"),
        ({"highway": "trunk", "expressway": "yes"}, "-trunk_expressway"),
        ({"highway": "trunk", "expressway": "yes", "foot": "yes"}, "foot_yes"),
        ({"highway": "trunk_link", "sidewalk": "no"}, "-trunk_no_sidewalk"),
        ({"highway": "trunk", "motorroad": "yes"}, "-motorroad"),
        ({"highway": "primary", "motorroad": "yes", "foot": "designated"}, "foot_yes"),
        ({"highway": "primary", "foot": "no"}, "-foot_no"),
        ({"highway": "footway", "foot": "private"}, "-foot_no"),
        ({"highway": "service", "access": "private"}, "-access_private"),
        ({"highway": "service", "access": "private", "foot": "yes"}, "foot_yes"),
        ({"highway": "service", "access": "no;private"}, "-access_private"),
        ({"highway": "service", "access": "customers"}, "service"),
        ({"highway": "service", "service": "emergency_access"}, "-service_private"),
        ({"highway": "footway", "vehicle": "no", "footway": "crossing"}, "footpath"),
        ({"highway": "pedestrian", "area": "yes"}, "pedestrian"),
        ({"highway": "steps", "conveying": "yes"}, "steps"),
        ({"highway": "path", "sac_scale": "alpine_hiking"}, "-mountain"),
        ({"highway": "path", "sac_scale": "hiking"}, "footpath"),
        ({"highway": "corridor", "indoor": "yes", "level": "-1"}, "indoor"),
        ({"highway": "cycleway"}, "cycleway"),
        ({"highway": "cycleway", "foot": "no"}, "-foot_no"),
        ({"highway": "bus_guideway"}, "-vehicles_only"),
        ({"highway": "raceway"}, "-vehicles_only"),
        ({"highway": "construction", "foot": "yes"}, "-not_built"),
        ({"highway": "proposed"}, "-not_built"),
        ({"highway": "services"}, "-service_area"),
        ({"highway": "hyperloop"}, "-" + NO_RULE),
        ({"railway": "rail"}, "-not_a_street"),
        ({"railway": "platform"}, "platform"),
        ({"railway": "platform", "access": "no"}, "-not_a_street"),
        ({"route": "ferry", "foot": "yes"}, "-not_a_street"),
        ({"waterway": "river"}, "-not_a_street"),
    ],
)
def test_ways(tags: dict[str, str], rule: str) -> None:
    assert decide(**tags) == rule


@pytest.mark.parametrize(
    ("tags", "both"),
    [
        ({"highway": "residential", "oneway": "yes"}, (True, True)),
        ({"highway": "footway", "oneway:foot": "yes"}, (True, False)),
        ({"highway": "footway", "foot:oneway": "-1"}, (False, True)),
        ({"highway": "footway", "foot:backward": "no"}, (True, False)),
        ({"highway": "steps", "conveying": "backward"}, (False, True)),
        ({"highway": "motorway", "oneway:foot": "yes"}, (False, False)),
    ],
)
def test_directions(tags: dict[str, str], both: tuple[bool, bool]) -> None:
    found = apply_rules([tags], RULES)
    assert (found.forward[0], found.backward[0]) == both


@pytest.mark.parametrize(
    ("tags", "rule"),
    [
        ({"barrier": "gate"}, None),
        ({"barrier": "bollard"}, None),
        ({"barrier": "kissing_gate"}, None),
        ({"barrier": "stile", "access": "no", "foot": "yes"}, None),
        ({"barrier": "gate", "access": "private"}, "barrier_private"),
        ({"barrier": "gate", "access": "private", "foot": "permissive"}, None),
        ({"barrier": "lift_gate", "foot": "no"}, "barrier_foot_no"),
        ({"barrier": "gate", "locked": "yes"}, "barrier_locked"),
        ({"barrier": "wall"}, "barrier_wall"),
        ({"barrier": "fence", "foot": "yes"}, None),
        ({"highway": "crossing", "access": "private"}, None),
    ],
)
def test_barriers(tags: dict[str, str], rule: str | None) -> None:
    found = RULES.blocks(tags)
    assert (found.id if found else None) == rule


def test_every_rule_says_why() -> None:
    for rule in (*RULES.way, *RULES.direction, *RULES.node):
        assert rule.zh
        assert rule.en
        assert rule.source
        assert rule.match
    assert "foot" in RULES.keys
    assert "barrier" in RULES.node_keys


def test_rules_are_checked(tmp_path: Path) -> None:
    file = tmp_path / "rules.toml"
    file.write_text(
        '[[way]]\nid = "a"\nmatch = { highway = ["x", "!y"] }\ndecision = "alow"\n'
        '[[way]]\nid = "a"\nmatch = { highway = "x" }\ndecision = "deny"\nnotes = ""\n[[ways]]\n'
    )
    with pytest.raises(SchemaError, match="mixes") as caught:
        load_rules(file)
    for part in ("'alow' is not one of", "occurs 2 times", "needs a list", "unknown field notes", "did you mean way"):
        assert part in caught.value.en
    file.write_text("[[way")
    with pytest.raises(BrokenFileError):
        load_rules(file)
    with pytest.raises(MissingFileError):
        load_rules(tmp_path / "none.toml")
