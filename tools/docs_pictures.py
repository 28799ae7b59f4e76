"""Draw the pictures of the documentation from real results.

Usage: python tools/docs_pictures.py [MAPS]

Two pictures come from the study of the notebooks; the screenshots, those of the readme too, from the pages of a run in
MAPS (default: maps/), with Debian's chromium. Each is at most 150 kB.
"""

from __future__ import annotations

import sys
from io import BytesIO
from pathlib import Path

import matplotlib as mpl

mpl.use("agg")

import shapely
from matplotlib import pyplot as plt
from PIL import Image

import bishan_gis as bg
from bishan_gis.output.fonts import font_properties
from bishan_gis.output.static_maps import static_map

ROOT = Path(__file__).resolve().parent.parent
IMAGES = ROOT / "docs" / "images"
MOST_BYTES = 150_000
CHROMIUM = "/usr/bin/chromium"
DESK, PHONE = (1366, 768), (390, 844)
#: File, page, what of its state is shown, and the size of the window.
SHOTS = [(f"page-{p}.png", p, "", DESK) for p in ("index", "coverage", "gaps", "siting", "whatif")]
SHOTS += [
    ("coverage-core.png", "coverage", "#service=kindergarten&cutoff=10&age=all&at=29.59,106.225,12.6", DESK),
    ("nearest-phone.png", "nearest", "#service=kindergarten", PHONE),
]


def few_colors(image: Image.Image, n: int) -> Image.Image:
    """Return a picture of few colours: grounds keep theirs exactly, small patches such as marks nearly."""
    counts = sorted(image.getcolors(image.width * image.height) or [], reverse=True)
    exact = [color for _, color in counts[: n // 2]]
    rest = image.quantize(n - len(exact), method=Image.Quantize.MAXCOVERAGE).getpalette() or []
    palette = Image.new("P", (1, 1))
    palette.putpalette([*(v for color in exact for v in color), *rest])
    return image.quantize(palette=palette, dither=Image.Dither.NONE)


def write_small(data: bytes, name: str, *, width_px: int = 1000) -> None:
    """Write a picture with few colours."""
    image = Image.open(BytesIO(data)).convert("RGB")
    if image.width > width_px:
        image = image.resize((width_px, round(image.height * width_px / image.width)), Image.Resampling.LANCZOS)
    for colors in (256, 128, 64):
        held = BytesIO()
        few_colors(image, colors).save(held, format="PNG", optimize=True)
        if held.tell() <= MOST_BYTES:
            break
    (IMAGES / name).write_bytes(held.getvalue())
    print(name, f"{held.tell() / 1000:.0f} kB")


def circle_and_streets(results: bg.Results) -> None:
    """Draw one facility: what 1000 m as the crow flies and 15 minutes on foot hold."""
    network, places = results.network, results.facilities.query("service == 'kindergarten'")
    starts = places.rename(columns={"facility_id": "origin_id"})[["origin_id", "x", "y"]]
    costs = bg.edge_costs(network, bg.load_profile("adult"))
    given = {"cutoffs_s": [900], "direction": "to", "grid_m": 10, "off_network_m": 30}
    areas = bg.service_areas(network, costs, starts, **given).set_index("origin_id")
    middle = areas.area.sort_values().index[-len(areas) // 4]  # neither the best nor the worst
    area, start = areas.geometry[middle], starts.set_index("origin_id").loc[middle]
    x, y = float(start["x"]), float(start["y"])
    circle = shapely.Point(x, y).buffer(1000, quad_segs=64)
    figure, ax = plt.subplots(figsize=(7, 5.4), dpi=130)
    lines = network.edges.cx[x - 1250 : x + 1250, y - 1150 : y + 1150]
    lines.plot(ax=ax, color="#b0b0b0", linewidth=0.7, zorder=1)
    for part in shapely.get_parts(area):
        ax.fill(*part.exterior.xy, color="#0072b2", alpha=0.45, zorder=2, label="步行 15 分钟 15 min on foot")
    ax.plot(*circle.exterior.xy, color="#d55e00", linewidth=1.8, zorder=3, label="直线 1000 m as the crow flies")
    ax.plot([x], [y], "o", color="#000000", markersize=6, zorder=4)
    handles = dict(zip(*reversed(ax.get_legend_handles_labels()), strict=True))
    ax.legend(handles.values(), handles.keys(), loc="lower left", fontsize=9, framealpha=0.95)
    ax.set(xlim=(x - 1250, x + 1250), ylim=(y - 1150, y + 1150), aspect="equal")
    share = area.area / circle.area
    ax.set_title(f"步行圈为直线圈的 {share:.0%} · {share:.0%} of the plain circle (合成 synthetic)", fontsize=10)
    ax.set_axis_off()
    held = BytesIO()
    figure.savefig(held, bbox_inches="tight", metadata={"Software": None})
    write_small(held.getvalue(), "circle-and-streets.png", width_px=900)


def sheet(results: bg.Results, what: str, service: str, name: str) -> None:
    """Draw a map for print."""
    held = BytesIO()
    static_map(results, what, service=service).savefig(held, dpi=90, metadata={"Software": None})
    write_small(held.getvalue(), name, width_px=760)


def screenshots(maps: Path) -> None:
    """Take pictures of the pages as a planner sees them."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as p:
        flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        browser = p.chromium.launch(executable_path=CHROMIUM, args=flags)
        for name, page_name, state, size in SHOTS:
            file = maps / f"{page_name}.html"
            if not file.exists():
                continue
            page = browser.new_page(viewport=dict(zip(("width", "height"), size, strict=True)))
            page.goto(file.resolve().as_uri() + state)
            page.wait_for_timeout(4000)
            write_small(page.screenshot(), name)
            page.close()
        browser.close()


if __name__ == "__main__":
    mpl.rcParams["font.family"] = [font_properties().get_name()]
    found = bg.run(ROOT / "notebooks" / "study.toml", write=False)
    circle_and_streets(found)
    sheet(found, "nearest", "kindergarten", "nearest.png")
    screenshots(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "maps")
