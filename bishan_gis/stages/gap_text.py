"""The files of the gaps, put together from the parts of the services."""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

from bishan_gis import __version__
from bishan_gis.output.gap_files import COLUMNS, column_rows, compact_json, place_csv
from bishan_gis.output.tables import no_formula
from bishan_gis.planning.gap_areas import missing_too
from bishan_gis.planning.gap_places import place_rows
from bishan_gis.sources.gap_files import GAPS_FORMAT
from bishan_gis.stages.gap_parts import LISTS
from bishan_gis.stages.gap_pieces import LISTED, STEP, csv_rows, cut, listed_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bishan_gis.stages.gap_parts import GapParts

__all__ = ["gap_texts"]

_HEAD = ("\ufeff" + ",".join(COLUMNS) + "\n").encode("utf-8")


def gap_texts(parts: GapParts) -> dict[str, bytes]:
    """Return the files of the gaps of a whole study.

    Parameters
    ----------
    parts : GapParts
        The parts.

    Returns
    -------
    dict
        ``gaps.geojson, gaps.csv, places.csv, gaps.json``: equal to what
        :func:`bishan_gis.output.gap_files.write_gaps` writes for :func:`bishan_gis.planning.gaps.find_gaps`.
    """
    answer = _Answer(parts)
    lists = {name: _List(answer, name) for name in LISTS}
    shown = {s: {name: one.shown(i) for name, one in lists.items()} for i, s in enumerate(answer.services)}
    listed = parts.listed(shown)
    rows = {name: one.records(listed) for name, one in lists.items()}
    features = ",".join(text for one in rows.values() for _, text in one)
    places = answer.places()
    layer = f'{{"type":"FeatureCollection","kind":{compact_json(answer.kind)},"features":[{features}]}}\n'
    return {
        "gaps.geojson": layer.encode("utf-8"),
        "gaps.csv": b"".join([_HEAD, *(one.lines() for one in lists.values())]),
        "places.csv": place_csv(places, answer.target_rows()),
        "gaps.json": answer.record(lists, places, {name: [text for text, _ in one] for name, one in rows.items()}),
    }


class _Answer:
    """What all lists share."""

    def __init__(self, parts: GapParts) -> None:
        self.parts = parts
        self.ground, self.targets = parts.ground_kept.value, parts.targets_kept.value
        self.names = parts.names_kept.value
        self.services = list(parts.parts)
        self.kept = [parts.parts[s].value for s in self.services]
        n = len(self.ground["people"])
        self.state = np.stack([p["state"] for p in self.kept]) if self.kept else np.zeros((0, n), np.uint8)
        self.deficient: NDArray[np.bool_] = self.state == 1
        self.people: NDArray[np.int64] = self.ground["people"]
        self.kind = parts.stages.kind_of(self.ground["kinds"])
        places = np.argsort(np.array([f"{s}/" for s in self.services], dtype=str))
        self.service_order = np.argsort(places)
        #: Name of the place of each cell, and of most of each township, as a CSV has it.
        self.csv_places = _csv_pairs(self.names["zh"], self.names["en"])
        whole = self.names["whole_zh"]
        self.csv_whole = dict(zip(whole, _csv_pairs(whole.values(), self.names["whole_en"].values()), strict=True))

    def place(self, cell: int, most: bool) -> tuple[str, str]:
        """Return what the place of an area is called."""
        if most:
            zone = self.ground["zone_id"][cell]
            return self.names["whole_zh"][zone], self.names["whole_en"][zone]
        return self.names["zh"][cell], self.names["en"][cell]

    def target_rows(self) -> dict[str, dict[str, Any]]:
        """Return what is asked for of each service."""
        return {s: self.targets["rows"][s][0] for s in self.services}

    def places(self) -> list[dict[str, Any]]:
        """Return what is missing by place."""
        names = ("people", "severity_ms", "counted_ms", "reason")
        sums = {name: np.stack([p[f"place {name}"] for p in self.kept]) for name in names}
        rows = list(self.target_rows().values())
        return place_rows(self.ground["places"], self.ground["place"], self.people, self.deficient, sums, rows)

    def record(self, lists: dict[str, _List], places: list[dict[str, Any]], rows: dict[str, list[str]]) -> bytes:
        """Return ``gaps.json``."""
        study, state = self.parts.study, self.state
        low, high = self._completeness()
        levels = dict(zip(self.targets["services"], self.targets["levels"], strict=True))
        totals = {
            "people": int(self.people.sum()),
            "people_lacking": int(self.people[self.deficient.any(axis=0)].sum()),
            "areas": lists["gaps"].n,
            "areas_unknown": lists["unknown"].n,
            "areas_short": lists["short"].n,
        }
        columns = self.kept[0]["people_columns"] if self.kept else []
        groups = list(self.kept[0]["people"]) if self.kept else []
        people = ",".join(p["people"][g] for g in groups for p in self.kept if p["people"][g])
        cells = {"id": self.ground["ids"], "people": self.people.tolist(), "zone_id": self.ground["zone_id"]}
        cells |= {"completeness_low": low, "completeness_high": high}
        texts: dict[str, str] = {
            "format": compact_json(GAPS_FORMAT[0]),
            "version": compact_json(GAPS_FORMAT[1]),
            "software": compact_json(f"bishan_gis {__version__}"),
            "study": compact_json(study.id),
            "label": compact_json(study.label()),
            "kind": compact_json(self.kind),
            "selection": compact_json(self.parts.selection),
            "totals": compact_json(totals),
            "services": "[" + ",".join(p["service"] for p in self.kept) + "]",
            "people": f'{{"columns":{compact_json(columns)},"rows":[{people}]}}',
            "places": compact_json(places),
            **{name: "[" + ",".join(texts) + "]" for name, texts in rows.items()},
            "not_listed": compact_json({name: one.rest() for name, one in lists.items()}),
            "hierarchy": compact_json(self._hierarchy()),
            "absent": compact_json(self.targets["absent"]),
            "no_level": compact_json([] if any(self.parts.selection.values()) else self.targets["no_level"]),
            "levels": compact_json({s: levels[s] for s in self.services}),
            "cells": compact_json(cells),
            "deficient": self._by_service("gaps cells"),
            "unknown_cells": self._by_service("unknown_cells"),
        }
        assert len(state) == len(self.services)
        return ("{" + ",".join(f'"{name}":{text}' for name, text in texts.items()) + "}\n").encode("utf-8")

    def _by_service(self, piece: str) -> str:
        both = zip(self.services, self.kept, strict=True)
        return "{" + ",".join(f"{compact_json(s)}:{p[piece].decode('ascii')}" for s, p in both) + "}"

    def _completeness(self) -> tuple[list[float], list[float]]:
        from bishan_gis.planning.gap_quality import completeness_bounds

        weights = dict(zip(self.targets["services"], self.targets["weights"], strict=True))
        low, high = completeness_bounds(self.state, np.array([weights[s] for s in self.services]))
        return [round(v, 6) for v in low.tolist()], [round(v, 6) for v in high.tolist()]

    def _hierarchy(self) -> dict[str, list[Any]]:
        import pandas as pd

        from bishan_gis.planning.gap_quality import hierarchy_completeness

        towns = pd.DataFrame({c: [v for p in self.kept for v in p["towns"][c]] for c in self.kept[0]["towns"]})
        there = [(z, s) for s, kept in self.parts.stages.places_kept.items() for z in kept.value["zones"]]
        facilities = pd.DataFrame(there, columns=["zone_id", "service"])
        people = towns.assign(zone_kind="township", age_group="all")
        return column_rows(hierarchy_completeness(people, facilities).round(6))


def _csv_pairs(zh: Iterable[str], en: Iterable[str]) -> list[bytes]:
    return csv_rows([[no_formula(text) for text in texts] for texts in (zh, en)])


class _List:
    """One list of areas over all services."""

    def __init__(self, answer: _Answer, name: str) -> None:
        self.answer, self.name = answer, name
        kept = answer.kept
        self.counts = [len(p[f"{name} score"]) for p in kept]
        self.n = sum(self.counts)
        self.service = np.repeat(np.arange(len(kept)), self.counts)
        self.row = np.concatenate([np.arange(n) for n in self.counts] or [np.zeros(0, dtype=np.int64)])
        both = {c: [p[f"{name} {c}"] for p in kept] for c in ("score", "people", "severity", "most", "cell", "member")}
        one = {c: np.concatenate(v) if v else np.zeros(0) for c, v in both.items()}
        self.cell, self.most = one["cell"].astype(np.int64), one["most"].astype(np.bool_)
        self.people, self.severity = one["people"].astype(np.int64), one["severity"]
        size = [np.diff([*p[f"{name} start"].tolist(), len(p[f"{name} member"])]) for p in kept]
        sizes = np.concatenate(size).astype(np.int64) if size else np.zeros(0, dtype=np.int64)
        area = np.repeat(np.arange(self.n), sizes)
        ids = (answer.ground["order"][self.cell], answer.service_order[self.service])
        self.order = np.lexsort((*ids, -self.people, -one["score"]))
        member = one["member"].astype(np.int64)
        self.more = missing_too(answer.deficient, answer.people, area, member, self.service, self.people)
        self.n_more = self.more.sum(axis=1)

    def shown(self, service: int) -> int:
        """Return of how many areas of a service something is shown, and some more."""
        some = int((self.service[self.order[:LISTED]] == service).sum())
        return min(-(-some // STEP) * STEP, self.counts[service])

    def rest(self) -> dict[str, Any]:
        """Return what is not listed, as a sum."""
        rest = self.order[LISTED:]
        return {
            "areas": len(rest),
            "people": int(self.people[rest].sum()),
            "severity_person_min": round(math.fsum(self.severity[rest].tolist()), 3),
        }

    def records(self, listed: Any) -> list[tuple[str, str]]:
        """Return what the record, and what the map layer says of each area that is listed."""
        kept = [listed[s].value for s in self.answer.services]
        values = [listed_rows(one[self.name]) if self.name in one else [] for one in kept]
        out = []
        for rank, i in enumerate(self.order[:LISTED].tolist(), start=1):
            head, middle, tail, *said, members, gap_id, outline = values[self.service[i]][self.row[i]]
            names = self.answer.place(int(self.cell[i]), bool(self.most[i]))
            place = [compact_json(name) for name in names]
            text = [f'"{name[1:-1]}{words}"' for name, words in zip(place, said, strict=True)]
            more = [self.answer.services[j] for j in np.flatnonzero(self.more[i]).tolist()]
            facts = (
                f'"rank":{rank},{head},"place_zh":{place[0]},"place_en":{place[1]},{middle},'
                f'"n_also_missing":{int(self.n_more[i])},{tail},"text_zh":{text[0]},"text_en":{text[1]},'
                f'"also_missing":{compact_json(more)}'
            )
            feature = f'{{"type":"Feature","id":{gap_id},"properties":{{{facts}}},"geometry":{outline}}}'
            out.append((f'{{{facts},"cells":{members}}}', feature))
        return out

    def lines(self) -> bytes:
        """Return the lines of the table."""
        answer, name = self.answer, self.name
        spans = [
            [piece for p in answer.kept for piece in cut(p[f"{name} csv {k}"], p[f"{name} ends {k}"])] for k in range(3)
        ]
        zones, whole, places = answer.ground["zone_id"], answer.csv_whole, answer.csv_places
        both = zip(self.cell.tolist(), self.most.tolist(), strict=True)
        place = [whole[zones[cell]] if most else places[cell] for cell, most in both]
        more = [b"%d" % n for n in range(len(answer.kept) + 1)]
        rank = [b"%d," % n for n in range(1, self.n + 1)]
        order, n_more = self.order.tolist(), self.n_more.tolist()
        columns = ([one[i] for i in order] for one in (spans[0], place, spans[1], [more[n] for n in n_more], spans[2]))
        return b"".join(chain.from_iterable(zip(rank, *columns, strict=True)))
