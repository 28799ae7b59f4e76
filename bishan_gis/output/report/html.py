"""The report as one HTML file that needs neither scripts nor a network."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from bishan_gis.output.tokens import css_variables

__all__ = ["data_file", "picture_uri", "render_html"]


def data_file(name: str) -> str:
    """Return a template of the package as text.

    Parameters
    ----------
    name : str
        File in ``bishan_gis/data``.
    """
    return (files("bishan_gis") / "data" / name).read_text(encoding="utf-8")


def picture_uri(picture: bytes) -> str:
    """Return a PNG or JPEG as a data address.

    Parameters
    ----------
    picture : bytes
        The file.
    """
    kind = "jpeg" if picture[:2] == b"\xff\xd8" else "png"
    return f"data:image/{kind};base64," + base64.b64encode(picture).decode("ascii")


def _sections(facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    words = facts["words"]
    there = [("policy", "policy"), ("zones", "places_head"), ("coverage", "coverage"), ("gaps", "gaps")]
    there += [("sites", "sites"), ("methods", "methods"), ("sources", "sources"), ("limits", "limits")]
    optional = ("policy", "gaps", "sites")
    return [(key, words[word]) for key, word in there if key not in optional or facts[key]]


def render_html(facts: Mapping[str, Any], pictures: Mapping[str, bytes]) -> str:
    """Return the report as HTML.

    Parameters
    ----------
    facts : mapping
        Of :func:`bishan_gis.output.report.facts.report_facts`.
    pictures : mapping
        Key of a map, or ``logo`` -> PNG (the logo also JPEG). A map without a picture is left out.

    Returns
    -------
    str
        The page; equal facts and pictures give equal text. Everything in it is escaped.
    """
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    env = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    small = facts["policy"]["pictures"] if facts["policy"] else []
    uris = dict.fromkeys([*(m["key"] for m in [*facts["maps"], *small]), "logo"], "")
    uris |= {key: picture_uri(data) for key, data in pictures.items()}
    return env.from_string(data_file("report_page.html")).render(
        f=facts,
        pictures=uris,
        sections=_sections(facts),
        style=Markup(css_variables() + data_file("report_page.css")),
        made_by=facts["words"]["made_by"].replace("{software}", facts["software"]),
    )
