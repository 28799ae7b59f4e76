// The map from the keyboard: a cursor on the map, what lies under it said aloud, Enter opens its card.
(function (BG) {
  "use strict";
  const el = BG.el;
  const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

  BG.keys = function (app) {
    const map = app.map, box = map.getContainer(), card = document.getElementById("card");
    const cross = el("div", "cursor"), said = document.getElementById("said");
    let at = null;
    map.keyboard.disable();
    box.setAttribute("role", "application");
    box.setAttribute("aria-label", app.t("map_label"));
    box.setAttribute("aria-describedby", "keys-help");
    cross.hidden = true;
    box.append(cross);

    // A step is a cell where cells are large enough to be walked one by one.
    function step() {
      const cells = app.layers.cells;
      if (!cells || !cells._side || !app.isOn("cells")) return 24;
      const a = map.latLngToContainerPoint(cells.toLatLng(0, 0)), b = map.latLngToContainerPoint(cells.toLatLng(cells._side, 0));
      return Math.max(12, Math.min(60, b.x - a.x));
    }
    function place() {
      cross.hidden = !at;
      if (!at) return;
      cross.style.transform = `translate(${at.x}px, ${at.y}px)`;
      const latlng = map.containerPointToLatLng(at), lines = app.hover && !app.measuring ? app.hover(latlng) : null;
      app.showTip(lines, at);
      said.textContent = lines ? lines.join("; ") : app.measuring ? "" : app.t("map_nothing");
      if (app.measuring) app.measure.follow(latlng);
    }
    function move([x, y], far) {
      const size = map.getSize(), by = L.point(x, y).multiplyBy(far ? 4 * step() : step()), edge = 30;
      const next = at.add(by);
      const in_x = next.x >= edge && next.x <= size.x - edge, in_y = next.y >= edge && next.y <= size.y - edge;
      if (in_x && in_y) at = next;
      else map.panBy(L.point(in_x ? 0 : x, in_y ? 0 : y).multiplyBy(Math.round(0.4 * (x ? size.x : size.y))), { animate: false });
      if (!(in_x && in_y)) at = at.subtract(L.point(in_x ? 0 : x, in_y ? 0 : y).multiplyBy(Math.round(0.4 * (x ? size.x : size.y)) - Math.round(step())));
      place();
    }
    function zoom(by) {
      map.setZoomAround(map.containerPointToLatLng(at), map.getZoom() + by, { animate: false });
      place();
    }
    box.addEventListener("keydown", (e) => {
      if (e.target !== box || e.ctrlKey || e.metaKey || e.altKey) return;
      if (!at && (STEPS[e.key] || "+=-_".includes(e.key) || e.key === "Enter")) at = app.middle();
      if (STEPS[e.key]) move(STEPS[e.key], e.shiftKey);
      else if (e.key === "+" || e.key === "=") zoom(1);
      else if (e.key === "-" || e.key === "_") zoom(-1);
      else if (e.key === "Home") { app.home(); at = null; place(); }
      else if (e.key === "Backspace" && app.measuring) app.measure.back();
      else if (e.key === "Enter" || e.key === " ") {
        if (!at) at = app.middle();
        app.pick(map.containerPointToLatLng(at));
        place();
        if (!card.hidden) { card.focus(); said.textContent = ""; }
      } else return;
      e.preventDefault();
    });
    const hide = () => { if (at) { at = null; place(); app.showTip(null); said.textContent = ""; } };
    box.addEventListener("pointerdown", hide);
    box.addEventListener("blur", () => { cross.hidden = true; app.showTip(null); });
    box.addEventListener("focus", () => { cross.hidden = !at; });
    app.cursor = () => at;
  };
})(window.BG = window.BG || {});
