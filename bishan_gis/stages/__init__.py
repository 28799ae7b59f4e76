"""The steps of a study, each kept on disk and computed again only when something it depends on has changed."""

from __future__ import annotations

from bishan_gis.stages.forms import NETWORK, TABLES

__all__ = ["NETWORK", "TABLES"]
