"""Write small OSM files by hand: positions in metres, tags as keywords; compare networks."""

from __future__ import annotations

from pathlib import Path
from xml.sax.saxutils import quoteattr

import numpy as np
from pyproj import CRS, Transformer

from bishan_gis.network.graph import Network

CRS_4544 = CRS.from_epsg(4544)
EAST, NORTH = 620_000.0, 3_280_000.0
LONLAT = Transformer.from_crs(CRS_4544, CRS.from_epsg(4326), always_xy=True)


class OsmXml:
    """Objects in the order they are added; call `node` before `way` before `relation`."""

    def __init__(self) -> None:
        self.parts: list[str] = []

    def node(self, number: int, x: float, y: float, **tags: str) -> OsmXml:
        lon, lat = LONLAT.transform(EAST + x, NORTH + y)
        return self.raw("node", number, f' lat="{lat:.7f}" lon="{lon:.7f}"', "", tags)

    def way(self, number: int, refs: list[int], **tags: str) -> OsmXml:
        return self.raw("way", number, "", "".join(f'<nd ref="{r}"/>' for r in refs), tags)

    def relation(self, number: int, members: list[tuple[int, str]], **tags: str) -> OsmXml:
        body = "".join(f'<member type="way" ref="{r}" role="{role}"/>' for r, role in members)
        return self.raw("relation", number, "", body, tags)

    def raw(self, kind: str, number: int, attributes: str, body: str, tags: dict[str, str]) -> OsmXml:
        pairs = ((k.replace("__", ":"), v) for k, v in tags.items())
        text = "".join(f"<tag k={quoteattr(k)} v={quoteattr(v)}/>" for k, v in pairs)
        self.parts.append(f'<{kind} id="{number}" version="1"{attributes}>{body}{text}</{kind}>')
        return self

    @property
    def text(self) -> str:
        head = '<?xml version="1.0" encoding="UTF-8"?>\n<osm version="0.6" generator="by hand">'
        return head + "".join(self.parts) + "</osm>"

    def write(self, path: Path) -> Path:
        path.write_text(self.text, encoding="utf-8")
        return path


def equal_networks(a: Network, b: Network) -> None:
    """Hold every array of two networks against each other, types too."""
    for name in Network.__dataclass_fields__:
        one, two = getattr(a, name), getattr(b, name)
        if isinstance(one, np.ndarray):
            np.testing.assert_array_equal(one, two, err_msg=name)
            assert one.dtype == two.dtype, name
