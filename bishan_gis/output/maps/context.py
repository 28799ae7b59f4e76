"""What all pages of one run share: words, zones, services, and the numbers of the coverage table."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bishan_gis.chinese import cite_zh, full_width, without_settings
from bishan_gis.crs import areas_km2, load_crs
from bishan_gis.errors import SchemaError, StudyError
from bishan_gis.output.labels import Labels, load_labels
from bishan_gis.output.tokens import DIRECTIONS, FAMILIES, GROUPS, tokens
from bishan_gis.schema import KINDS, STATUS

if TYPE_CHECKING:
    import folium
    import geopandas as gpd
    from numpy.typing import NDArray
    from pyproj import CRS

    from bishan_gis.output.maps.elements import PackedLayer

__all__ = ["Context", "whole"]

_ZONE_KINDS = ("district", "direction", "township")


def whole(value: float) -> int | float:
    """Return 10 for 10.0, and 7.5 as it is."""
    return int(value) if float(value).is_integer() else float(value)


def _text(value: Any) -> str:
    return "" if value is None or value is pd.NA or value != value else str(value)


def _plain(dataset: Any, *, english: bool) -> str:
    """Return the title of a data set; where its kind is said beside it, not again in brackets."""
    title = _text(getattr(dataset, "title_en", "") if english else dataset.title) or _text(dataset.title)
    return title if dataset.kind == "observed" else re.sub(r"\s*[(（][^()（）]*[)）]$", "", title)


@dataclass(frozen=True, eq=False)
class Context:
    """Results of a run, and how the pages speak of them.

    Parameters
    ----------
    results : object
        The results of a pipeline run (:class:`bishan_gis.pipeline.Results`).
    layers : dict
        Layers that several pages show, once they are made.
    pages : list of str
        Keys of the pages that are made, in the order of their links.
    """

    results: Any
    layers: dict[str, PackedLayer] = field(default_factory=dict)
    pages: list[str] = field(default_factory=lambda: ["index", "district", "coverage", "nearest"])

    @cached_property
    def labels(self) -> Labels:
        """Words in the language of the study."""
        return load_labels(self.results.study.lang)

    @property
    def place(self) -> str:
        """Name of the study area."""
        return str(self.results.study.label())

    @cached_property
    def crs(self) -> CRS:
        """Working CRS."""
        return load_crs(self.results.study.crs)

    @property
    def tiles(self) -> bool:
        """Whether online tiles were asked for."""
        return bool(self.results.study.outputs.tiles == "tianditu")

    def tile_layers(self) -> list[folium.TileLayer]:
        """Return the online layers of Tianditu, none unless asked for.

        Raises
        ------
        StudyError
            They are asked for and ``TIANDITU_KEY`` is not set.
        """
        if not self.tiles:
            return []
        import folium

        key = os.environ.get("TIANDITU_KEY", "").strip()
        if not re.fullmatch(r"[0-9A-Za-z]+", key):
            zh = "outputs.tiles = tianditu 需要环境变量 TIANDITU_KEY；请设置，或改为 tiles = none"
            en = "outputs.tiles = tianditu needs the environment variable TIANDITU_KEY; set it or use tiles = none"
            raise StudyError(zh, en)
        out = []
        for layer in ("vec", "cva"):
            url = (
                f"https://t{{s}}.tianditu.gov.cn/{layer}_w/wmts?SERVICE=WMTS&REQUEST=GetTile&VERSION=1.0.0"
                f"&LAYER={layer}&STYLE=default&TILEMATRIXSET=w&FORMAT=tiles"
                f"&TILEMATRIX={{z}}&TILEROW={{y}}&TILECOL={{x}}&tk={key}"
            )
            out.append(folium.TileLayer(url, attr=self.labels("fact_tiles"), subdomains="01234567", max_zoom=18))
        return out

    # Tables ----------------------------------------------------------------

    @cached_property
    def cutoffs(self) -> list[float]:
        """Thresholds [min], rising."""
        return sorted(float(c) for c in self.results.coverage["cutoff_min"].unique())

    @cached_property
    def ages(self) -> list[str]:
        """Age groups, ``all`` first, parts and groups in the order of the study."""
        present = list(dict.fromkeys(self.results.coverage["age_group"]))
        wanted = self.results.study.inputs.population.age_groups
        return [a for a in wanted if a in present] + [a for a in present if a not in wanted]

    @cached_property
    def parts(self) -> list[str]:
        """Age groups that are columns of the cells."""
        population = self.results.study.inputs.population
        return [p for p in (population.parts or population.shares) if p in self.results.cells.columns]

    @cached_property
    def services(self) -> pd.DataFrame:
        """Services that have results, grouped, in the order of the class table."""
        table: pd.DataFrame = self.results.services
        have = set(self.results.coverage["service"])
        table = table[table.index.isin(have)]
        order = {g: i for i, g in enumerate(dict.fromkeys(table["group"]))}
        rank = table["group"].map(order).to_numpy()
        return table.iloc[np.argsort(rank, kind="stable")]

    @cached_property
    def facilities(self) -> gpd.GeoDataFrame:
        """Facilities of these services."""
        table: gpd.GeoDataFrame = self.results.facilities
        return table[table["service"].isin(self.services.index)].reset_index(drop=True)

    def service_name(self, key: str) -> str:
        """Return the name of a service in the language of the study."""
        column = "en" if self.labels.lang == "en" else "zh"
        return _text(self.services.loc[key, column]) or key

    def level(self, key: str) -> float | None:
        """Return the walking time that a service is held against [min]; None for what is not walked to."""
        wanted = float(self.services["level"].loc[key])
        return wanted if wanted > 0 else None

    def shown(self, key: str) -> float:
        """Return the cutoff at which a service is shown first: its standard, or the next that was counted."""
        wanted = self.level(key)
        above = [c for c in self.cutoffs if wanted is not None and c >= wanted]
        return above[0] if above else self.cutoffs[-1]

    @property
    def default_service(self) -> str:
        """The service that a page shows first."""
        wanted = self.results.study.services.default
        return str(wanted if wanted in self.services.index else self.services.index[0])

    @cached_property
    def zone_rows(self) -> gpd.GeoDataFrame:
        """Zones of the pages: district, directions, townships."""
        zones: gpd.GeoDataFrame = self.results.zones
        rank = zones["zone_kind"].map({k: i for i, k in enumerate(_ZONE_KINDS)})
        rows = zones[rank.notna()].copy()
        rows["rank"] = rank[rank.notna()].astype(int)
        rows = rows.sort_values("rank", kind="stable").reset_index(drop=True)
        return rows

    @cached_property
    def zone_index(self) -> dict[tuple[str, str], int]:
        """Position of a zone by kind and id; directions also by name."""
        rows = self.zone_rows
        by_name = {(k, str(n)): i for i, (k, n) in enumerate(zip(rows["zone_kind"], rows["name"], strict=True))}
        by_id = {(k, str(n)): i for i, (k, n) in enumerate(zip(rows["zone_kind"], rows["zone_id"], strict=True))}
        return by_name | by_id

    def zone_of(self, kind: str, values: pd.Series) -> NDArray[np.int64]:
        """Return the position of each zone of one kind, -1 where it is not known."""
        known = {name: i for (k, name), i in self.zone_index.items() if k == kind}
        return np.array([known.get(str(v), -1) for v in values], dtype=np.int64)

    @cached_property
    def numbers(self) -> NDArray[np.int64]:
        """The coverage table as an array: zone, service, cutoff, age group, (people, covered, unknown).

        Raises
        ------
        SchemaError
            Rows of the table are missing.
        """
        table = self.results.coverage
        zone = np.array(
            [self.zone_index.get((k, str(z)), -1) for k, z in zip(table["zone_kind"], table["zone_id"], strict=True)]
        )
        place = [
            zone,
            self.services.index.get_indexer(table["service"]),
            pd.Index(self.cutoffs).get_indexer(table["cutoff_min"].astype(float)),
            pd.Index(self.ages).get_indexer(table["age_group"]),
        ]
        use = np.all([p >= 0 for p in place], axis=0)
        shape = (len(self.zone_rows), len(self.services), len(self.cutoffs), len(self.ages), 3)
        out = np.full(shape, -1, dtype=np.int64)
        columns = ["people", "people_covered", "people_unknown"]
        out[tuple(p[use] for p in place)] = table.loc[use, columns].to_numpy(dtype=np.int64)
        if (out < 0).any():
            n = int((out[..., 0] < 0).sum())
            raise SchemaError(
                f"coverage: 地图缺少 {n} 行(区域 x 服务 x 时间 x 年龄组)；请重新计算",
                f"coverage: {n} rows (zone x service x cutoff x age group) are missing for the maps; run again",
            )
        return out

    @cached_property
    def town_scores(self) -> pd.DataFrame:
        """The scores of the townships, as element 64 of the policy has them."""
        from bishan_gis.planning.policy_evidence import Evidence
        from bishan_gis.planning.policy_measures import scorecard

        evidence = Evidence(self.results)
        return scorecard(evidence.level_coverage, evidence.walked)

    # Words -----------------------------------------------------------------

    def _group(self, key: str) -> str:
        """Return a group of services in words."""
        return self.labels.get(f"group_{key}", key)

    @cached_property
    def families(self) -> dict[str, str]:
        """Group of services -> family, of which there are no more than colours; some groups share one."""
        groups = list(dict.fromkeys(_text(g) for g in self.services["group"]))
        names = list(dict.fromkeys(FAMILIES.get(g, g) for g in groups))
        kept = names if len(names) <= len(GROUPS) else names[: len(GROUPS) - 1]
        family = {g: FAMILIES.get(g, g) for g in groups}
        return {g: self._group(f if f in kept else "other") for g, f in family.items()}

    @property
    def direction_note(self) -> str:
        """What the study says of its directions, in the language of the pages."""
        said = self.results.study.directions
        return self.sentence(str((self.labels.lang == "en" and said.note_en) or said.note))

    def cite(self, text: str) -> str:
        """Return a citation in the language of the pages."""
        return text if self.labels.lang == "en" else cite_zh(text)

    def sentence(self, text: str) -> str:
        """Return a sentence as readers of the pages want it: in Chinese with full-width marks, without settings."""
        return text if self.labels.lang == "en" else full_width(without_settings(text))

    def age_name(self, key: str) -> str:
        """Return an age group in words."""
        if key == "all":
            return self.labels("age_all")
        if found := re.fullmatch(r"(\d+)-(\d+)", key):
            return self.labels("age_range", a=found[1], b=found[2])
        if found := re.fullmatch(r"(\d+)\+", key):
            return self.labels("age_over", a=found[1])
        return key

    @property
    def profile(self) -> dict[str, str]:
        """Who walks, and how fast."""
        profile = self.results.profile
        name = profile.get("name_en" if self.labels.lang == "en" else "name_zh") or ""
        return {"name": str(name), "speed": f"{float(profile['speed_kmh']):.1f}"}

    def _titles(self, kind: str) -> list[str]:
        english = self.labels.lang == "en"
        return [_plain(d, english=english) for d in self.results.datasets if d.kind == kind]

    def warning(self) -> str:
        """Return one sentence that says what is not observed, or nothing."""
        t = self.labels
        assumed = self._titles("assumed")
        if "assumed" in self.results.study.direction_kinds:
            assumed.append(t("directions_assumed"))
        synthetic = self._titles("synthetic")
        if not synthetic and self.results.kind == "synthetic":
            synthetic = [t("data")]
        said = []
        if synthetic and assumed:
            said.append(t("warn_synthetic_assumed", list=self._some(synthetic), assumed=self._some(assumed)))
        elif synthetic:
            said.append(t("warn_synthetic", list=self._some(synthetic)))
        elif assumed:
            said.append(t("warn_assumed", assumed=self._some(assumed)))
        unlisted = [d.path for d in self.results.datasets if not d.source and not d.licence]
        if unlisted:
            said.append(t("warn_unlisted", list=self._some(unlisted)))
        return (" " if t.lang == "en" else "").join(said)

    def _some(self, words: list[str], most: int = 3) -> str:
        words = list(dict.fromkeys(words))
        text = self.labels("list_mark").join(words[:most])
        return text + (self.labels("and_more", n=len(words)) if len(words) > most else "")

    def data_lines(self) -> list[str]:
        """Return each data set on a line: title, kind, date."""
        out = []
        for d in self.results.datasets:
            english = self.labels.lang == "en"
            words = [_plain(d, english=english), self.labels(f"kind_{d.kind}"), _text(d.date)]
            out.append(" ".join(w for w in words if w))
        return out

    def facts(self) -> list[str]:
        """Return the other lines of the footer."""
        t, study = self.labels, self.results.study
        out = [t("fact_profile", **self.profile), t("fact_kind", k=t(f"kind_{self.results.kind}"))]
        if study.date:
            out.append(t("fact_date", d=study.date))
        out += [t("fact_crs", c=study.crs), t("fact_display"), t("fact_osm")]
        if self.tiles:
            out.append(t("fact_tiles"))
        return [*out, t("fact_approval", n=study.outputs.map_approval or "—")]

    # Settings for the scripts ------------------------------------------------

    @cached_property
    def bounds(self) -> list[list[float]]:
        """South-west and north-east of the district [degrees]."""
        rows = self.zone_rows
        district = rows[rows["zone_kind"] == "district"]
        west, south, east, north = (district if len(district) else rows).geometry.to_crs(4326).total_bounds
        return [[round(float(south), 5), round(float(west), 5)], [round(float(north), 5), round(float(east), 5)]]

    @cached_property
    def direction_colors(self) -> dict[str, str]:
        """Colour of each direction by its name."""
        rows = self.zone_rows
        names = rows.loc[rows["zone_kind"] == "direction", "name"]
        own = self.results.study.directions.colors
        safe = {k: v for k, v in own.items() if re.fullmatch(r"#[0-9a-fA-F]{6}", v)}
        return {str(n): safe.get(n, DIRECTIONS[i % len(DIRECTIONS)]) for i, n in enumerate(names)}

    @cached_property
    def zones(self) -> list[dict[str, Any]]:
        """Zones as the scripts know them."""
        out = []
        area = areas_km2(self.zone_rows)
        for i, row in enumerate(self.zone_rows.to_dict("records")):
            shape = row["geometry"]
            there = shape is not None and not shape.is_empty
            direction = _text(row.get("direction"))
            out.append(
                {
                    "index": i,
                    "at": i if there else -1,
                    "id": _text(row["zone_id"]),
                    "kind": row["zone_kind"],
                    "name": _text(row["name"]),
                    "direction": direction if row["zone_kind"] == "township" else "",
                    "color": self.direction_colors.get(_text(row["name"]), "")
                    if row["zone_kind"] == "direction"
                    else "",
                    "people": self.numbers[i, 0, 0, :, 0].tolist(),
                    "area": round(float(area[i]), 4) if there else 0,
                }
            )
        return out

    def config(self) -> dict[str, Any]:
        """Return the settings that every page has."""
        population = self.results.study.inputs.population
        members = {p: [i] for i, p in enumerate(self.parts)}
        members |= {
            g: [self.parts.index(p) for p in ps]
            for g, ps in population.groups.items()
            if all(p in self.parts for p in ps)
        }
        services = [
            {
                "key": key,
                "name": self.service_name(str(key)),
                "group": self._group(_text(row["group"])),
                "family": self.families[_text(row["group"])],
                "level": None if (level := self.level(str(key))) is None else whole(level),
                "radius": None if pd.isna(row["radius_m"]) else float(row["radius_m"]),
                "standard": self.cite(_text(row["standard"])),
                "clause": self.cite(_text(row["clause"])),
                "tag": _text(row["tag"]),
                "n": int(row["n"]),
            }
            for key, row in self.services.iterrows()
        ]
        return {
            "lang": self.labels.lang,
            "tokens": tokens(len(self.cutoffs)),
            "services": services,
            "cutoffs": [whole(c) for c in self.cutoffs],
            "ages": [{"key": a, "name": self.age_name(a), "parts": members.get(a, [])} for a in self.ages],
            "zones": self.zones,
            "kinds": list(KINDS),
            "status": list(STATUS),
            "searchMin": whole(float(self.results.study.reach.search_min)),
            "profile": self.profile,
        }
