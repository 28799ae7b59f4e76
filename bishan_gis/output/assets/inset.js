// The inset: where most people live, at a larger scale, with the layers and colours of the map; a click goes there.
(function (BG) {
  "use strict";
  const el = BG.el;
  const WIDTH = 196, LEAST = 170, MOST = 400, LARGER = 1.5;
  // The outline of a chosen area comes and goes without the legend; it stays on the map.
  const LEFT_OUT = ["outline"];

  BG.insetter = function (app) {
    const core = app.config.core, map = app.map;
    if (!core) return;
    const canvas = el("canvas"), button = el("button", "inset", canvas, el("span", "", app.t("sm_core")));
    button.type = "button";
    button.id = "inset";
    button.hidden = true;
    button.title = app.t("inset_go");
    const frame = L.rectangle([core, core], { color: app.tokens.ink, weight: 1, dashArray: "4 3", fill: false, interactive: false });
    document.getElementById("b-home").after(button);
    let zoom = 0, height = 0, timer = 0;

    // Room at the left of the district, if the district would not become smaller by it.
    function room() {
      const size = map.getSize(), right = BG.printing ? document.getElementById("legend").offsetWidth + 14 : app.config.legendWidth || 16;
      if ((app.phone.matches && !BG.printing) || !app.isOn("inset")) return null;
      const high = Math.min(MOST, size.y - (BG.printing ? 96 : 196));
      if (high < LEAST) return null;
      const box = L.latLngBounds(app.config.bounds), at = (left) => map.getBoundsZoom(box, false, L.point(left + right + 16, 32));
      const whole = at(16);
      return at(WIDTH + 26) < whole - 0.05 ? null : { high, zoom: whole + LARGER };
    }

    function bounds() {
      const c = map.project(core, zoom), half = L.point(WIDTH / 2, height / 2);
      return L.latLngBounds(map.unproject(c.add([-half.x, half.y]), zoom), map.unproject(c.add([half.x, -half.y]), zoom));
    }

    function draw() {
      if (button.hidden) return;
      const ratio = BG.printing || Math.min(2, window.devicePixelRatio || 1), size = L.point(WIDTH, height);
      canvas.width = WIDTH * ratio;
      canvas.height = height * ratio;
      canvas.style.width = WIDTH + "px";
      canvas.style.height = height + "px";
      const ctx = canvas.getContext("2d");
      ctx.scale(ratio, ratio);
      ctx.fillStyle = "#ffffff";
      ctx.fillRect(0, 0, WIDTH, height);
      const from = map.project(core, zoom).subtract(size.divideBy(2));
      const shown = Object.entries(app.layers).filter(([key, x]) => x._canvas && x.data && !LEFT_OUT.includes(key)).map(([, x]) => x);
      for (const layer of shown.sort((a, b) => a.options.z - b.options.z)) {
        // Some layers rub out part of what they drew, so each has a sheet of its own.
        const sheet = document.createElement("canvas");
        sheet.width = canvas.width;
        sheet.height = canvas.height;
        const own = sheet.getContext("2d");
        own.scale(ratio, ratio);
        layer.draw(own, BG.viewOf(layer.data.g, zoom, from, size, ratio));
        ctx.drawImage(sheet, 0, 0, WIDTH, height);
      }
      bar(ctx);
    }

    // A scale bar of its own.
    function bar(ctx) {
      const a = map.unproject(map.project(core, zoom), zoom), perPixel = a.distanceTo(map.unproject(map.project(core, zoom).add([1, 0]), zoom));
      const metres = [5000, 2000, 1000, 500, 200].find((m) => m / perPixel <= 70) || 100, long = metres / perPixel, y = height - 8;
      ctx.fillStyle = "rgba(255,255,255,.85)";
      ctx.fillRect(4, y - 16, long + 8, 21);
      ctx.strokeStyle = ctx.fillStyle = app.tokens.ink;
      ctx.lineWidth = 1.5;
      ctx.beginPath();
      ctx.moveTo(8, y - 5); ctx.lineTo(8, y); ctx.lineTo(8 + long, y); ctx.lineTo(8 + long, y - 5);
      ctx.stroke();
      ctx.font = "11px " + app.tokens.font;
      ctx.textAlign = "left";
      ctx.fillText(metres < 1000 ? metres + " m" : metres / 1000 + " km", 11, y - 4);
    }

    const inset = app.inset = {
      // Pixels that it takes at the left of the map; 0 where there is no room for it.
      width: () => (room() ? WIDTH + 16 : 0),
      // Show it where there is room and the map is drawn smaller than it.
      place() {
        const found = room();
        button.hidden = !found || app.noInset || map.getZoom() > found.zoom - 0.4;
        if (button.hidden) { frame.remove(); return; }
        if (zoom !== found.zoom || height !== found.high || BG.printing) { zoom = found.zoom; height = found.high; inset.soon(); }
        frame.setBounds(bounds()).addTo(map);
      },
      now() { clearTimeout(timer); inset.place(); draw(); },
      soon() { clearTimeout(timer); timer = setTimeout(inset.now, 60); },
    };
    button.addEventListener("click", () => {
      map.fitBounds(bounds(), { animate: false });
      map.getContainer().focus({ preventScroll: true });
    });
    map.on("zoomend resize", () => { if (!BG.printing) inset.place(); });
  };
})(window.BG = window.BG || {});
