"""A map of many cells: how long it takes to write, how large it is, when it is seen, and whether it stays fluid.

The same squares of 100 m in seven classes are written with :class:`bishan_gis.output.maps.PackedCells` and with
``folium.GeoJson``, and opened from a file in headless Chromium without a graphics card. The first draw is counted from
the start of the navigation. Frames are counted with ``requestAnimationFrame`` while a script pans (every frame ends a
move) and zooms (every frame is another zoom).
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import folium
import geopandas as gpd
import numpy as np
import shapely

from bishan_gis.crs import load_crs
from bishan_gis.output.maps import OfflineMap, PackedCells
from bishan_gis.output.tokens import NEAREST

CRS_NAME = "EPSG:4544"
CHROMIUM = "/usr/bin/chromium"
FLAGS = ["--no-sandbox", "--disable-gpu"]

#: Frames of a script that moves the map for some seconds: frames a second, the longest frame, milliseconds to redraw.
FRAMES = """([what, seconds]) => new Promise((done) => {
  const map = BG_MAP, zoom = map.getZoom(), from = performance.now();
  let last = from, n = 0, longest = 0;
  const step = (now) => {
    if (n) longest = Math.max(longest, now - last);
    last = now; n += 1;
    const t = (now - from) / 1000;
    if (t > seconds) { done({ fps: (n - 1) / t, longest }); return; }
    const by = [Math.round(9 * Math.cos(t * 3)), Math.round(9 * Math.sin(t * 3))];
    if (what === "pan") map.panBy(by, { animate: false });
    else map.setZoom(zoom + 1 - Math.cos(t * 2), { animate: false });
    requestAnimationFrame(step);
  };
  requestAnimationFrame(step);
})"""


def cells(n: int) -> gpd.GeoDataFrame:
    """Return `n` squares of 100 m near each other, with a class each."""
    rng = np.random.default_rng(7)
    side = int(np.ceil(np.sqrt(n * 1.3)))
    at = np.sort(rng.choice(side * side, n, replace=False))
    x, y = 600_000 + at % side * 100.0, 3_260_000 + at // side * 100.0
    near = np.hypot(at % side - side / 2, at // side - side / 2) / side * 9 + rng.normal(0, 0.6, n)
    kind = np.clip(near, 0, 6).astype(int)
    return gpd.GeoDataFrame({"class": kind}, geometry=shapely.box(x, y, x + 100, y + 100), crs=load_crs(CRS_NAME))


def _bounds(frame: gpd.GeoDataFrame) -> list[list[float]]:
    west, south, east, north = frame.to_crs(4326).total_bounds
    return [[south, west], [north, east]]


def write_packed(frame: gpd.GeoDataFrame, bounds: list[list[float]]) -> str:
    """Return a page with the cells packed."""
    page = OfflineMap(bounds)
    PackedCells(
        frame.geometry.to_numpy(), load_crs(CRS_NAME), classes=[{"fill": c} for c in NEAREST], of_class=frame["class"]
    ).add_to(page)
    return str(page.get_root().render())


def write_folium(frame: gpd.GeoDataFrame, bounds: list[list[float]]) -> str:
    """Return a page with the cells as ``folium.GeoJson``."""
    page = OfflineMap(bounds)
    folium.GeoJson(
        frame,
        style_function=lambda f: {"fillColor": NEAREST[f["properties"]["class"]], "fillOpacity": 1, "weight": 0},
    ).add_to(page)
    return str(page.get_root().render())


def _timed(work: Any, runs: int) -> tuple[float, Any]:
    times, out = [], None
    for _ in range(runs):
        begun = time.perf_counter()
        out = work()
        times.append(time.perf_counter() - begun)
    return statistics.median(times), out


def opened(browser: Any, file: Path, *, seconds: float = 3.0, frames: bool = True) -> dict[str, float]:
    """Open a page and return what was seen: first draw [s], frames a second, longest frame [ms]."""
    page = browser.new_page(viewport={"width": 1366, "height": 768})
    page.goto(f"file://{file}", timeout=120_000)
    page.wait_for_function(
        "document.querySelector('path.leaflet-interactive') || Object.values(window).some((v) => v && v._drawn)",
        timeout=120_000,
    )
    out = {"first_s": page.evaluate("performance.now()") / 1000}
    if frames:
        page.evaluate("window.BG_MAP = Object.values(window).find((v) => v instanceof L.Map)")
        page.wait_for_timeout(300)
        for what in ("pan", "zoom"):
            seen = page.evaluate(FRAMES, [what, seconds])
            out |= {f"{what}_fps": seen["fps"], f"{what}_longest_ms": seen["longest"]}
        for label, zoom in (("far", None), ("mid", 14), ("near", 16)):
            out[f"draw_{label}_ms"] = page.evaluate(
                """(zoom) => { const map = BG_MAP, t = [];
                const layer = Object.values(window).find((v) => v && v._drawn);
                if (zoom) map.setZoom(zoom, { animate: false });
                for (let i = 0; i < 5; i++) {
                  const begun = performance.now();
                  layer.redraw();
                  layer._canvas.getContext("2d").getImageData(0, 0, 1, 1);
                  t.push(performance.now() - begun); }
                return t.sort((a, b) => a - b)[2]; }""",
                zoom,
            )
    page.close()
    return out


def page_rows(sizes: tuple[int, ...] = (50_000, 200_000), *, runs: int = 3) -> list[dict[str, Any]]:
    """Return a row for every size and tool: seconds and bytes written, first draw, frames a second."""
    from playwright.sync_api import sync_playwright

    rows = []
    with sync_playwright() as play, tempfile.TemporaryDirectory() as folder:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        for n in sizes:
            frame = cells(n)
            bounds = _bounds(frame)
            for tool, write in (("bishan_gis", write_packed), ("folium.GeoJson", write_folium)):
                ours = tool == "bishan_gis"
                if not ours and n > 50_000:
                    continue
                seconds, html = _timed(lambda w=write, f=frame, b=bounds: w(f, b), runs if ours else 1)
                file = Path(folder) / f"{n}-{tool}.html"
                file.write_text(html, encoding="utf-8")
                row = {"cells": n, "tool": tool, "write_s": seconds, "bytes": len(html.encode())}
                rows.append(row | opened(browser, file, frames=ours))
        browser.close()
    return rows


def main() -> None:
    """Print the rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sizes", nargs="*", type=int, default=[50_000, 200_000])
    for row in page_rows(tuple(parser.parse_args().sizes)):
        text = ", ".join(f"{k} {v:,.2f}" if isinstance(v, float) else f"{k} {v}" for k, v in row.items())
        print(text)


if __name__ == "__main__":
    main()
