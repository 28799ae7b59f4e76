// Distances along the ground: on the ellipsoid, by mouse, touch or keyboard.
(function (BG) {
  "use strict";
  const el = BG.el;
  const A = 6378137, F = 1 / 298.257223563, B = A * (1 - F);

  // Metres between two places on WGS84: Vincenty's inverse formula, iterated to 1e-12 rad.
  BG.geodesic = function (from, to) {
    const rad = Math.PI / 180, l = (to.lng - from.lng) * rad;
    const u1 = Math.atan((1 - F) * Math.tan(from.lat * rad)), u2 = Math.atan((1 - F) * Math.tan(to.lat * rad));
    const [s1, c1, s2, c2] = [Math.sin(u1), Math.cos(u1), Math.sin(u2), Math.cos(u2)];
    let lambda = l, last, sinS, cosS, sigma, cos2A, cos2M;
    for (let i = 0; i < 100; i++) {
      const sl = Math.sin(lambda), cl = Math.cos(lambda);
      sinS = Math.hypot(c2 * sl, c1 * s2 - s1 * c2 * cl);
      if (sinS === 0) return 0;
      cosS = s1 * s2 + c1 * c2 * cl;
      sigma = Math.atan2(sinS, cosS);
      const sinA = c1 * c2 * sl / sinS;
      cos2A = 1 - sinA * sinA;
      cos2M = cos2A ? cosS - 2 * s1 * s2 / cos2A : 0;
      const c = F / 16 * cos2A * (4 + F * (4 - 3 * cos2A));
      last = lambda;
      lambda = l + (1 - c) * F * sinA * (sigma + c * sinS * (cos2M + c * cosS * (2 * cos2M * cos2M - 1)));
      if (Math.abs(lambda - last) < 1e-12) break;
    }
    const w = cos2A * (A * A - B * B) / (B * B);
    const p = 1 + w / 16384 * (4096 + w * (w * (320 - 175 * w) - 768));
    const q = w / 1024 * (256 + w * (w * (74 - 47 * w) - 128));
    const d = q * sinS * (cos2M + q / 4 * (cosS * (2 * cos2M * cos2M - 1)
      - q / 6 * cos2M * (4 * sinS * sinS - 3) * (4 * cos2M * cos2M - 3)));
    return B * p * (sigma - d);
  };

  BG.measurer = function (app) {
    const map = app.map, bar = document.getElementById("measure"), button = document.getElementById("b-measure");
    const text = el("span", "sum"), drawn = L.layerGroup();
    let points = [], loose = null;
    const metres = (v) => BG.fmt.exact(v) + " m";
    const press = (key, act) => {
      const node = el("button", "", app.t(key));
      node.type = "button";
      node.addEventListener("click", act);
      return node;
    };
    const back = press("measure_back", () => { points.pop(); show(); });
    text.setAttribute("role", "status");
    bar.replaceChildren(text, back, press("measure_end", () => end()));

    function show() {
      const legs = points.slice(1).map((p, i) => BG.geodesic(points[i], p));
      const sum = legs.reduce((a, b) => a + b, 0), n = points.length;
      drawn.clearLayers();
      for (const [color, weight] of [["#ffffff", 6], ["#1a1a1a", 2.5]]) {
        L.polyline(points, { color, weight, interactive: false }).addTo(drawn);
      }
      points.forEach((p) => L.circleMarker(p, {
        radius: 4, color: "#1a1a1a", weight: 2, fillColor: "#ffffff", fillOpacity: 1, interactive: false }).addTo(drawn));
      if (n > 1) {
        L.tooltip({ permanent: true, direction: "right", offset: [8, 0], className: "length" })
          .setLatLng(points[n - 1]).setContent(el("b", "", metres(sum))).addTo(drawn);
      }
      back.disabled = n === 0;
      text.textContent = n < 2 ? app.t(n ? "measure_next" : "measure_start")
        : app.t("measure_sum", { sum: metres(sum), leg: metres(legs[legs.length - 1]) });
      bar.dataset.metres = sum.toFixed(3);
      follow();
    }
    // The leg to the pointer.
    function follow(latlng) {
      if (loose) { loose.remove(); loose = null; }
      if (!latlng || !points.length) return;
      loose = L.polyline([points[points.length - 1], latlng], { color: "#1a1a1a", weight: 2, dashArray: "3 5", interactive: false })
        .addTo(map);
    }
    function begin() {
      app.measuring = true;
      app.lower();
      app.closeCard();
      bar.hidden = false;
      drawn.addTo(map);
      map.doubleClickZoom.disable();
      button.setAttribute("aria-pressed", "true");
      document.body.classList.add("measuring");
      show();
    }
    function end() {
      if (!app.measuring) return false;
      points = [];
      show();
      app.measuring = false;
      bar.hidden = true;
      drawn.remove();
      map.doubleClickZoom.enable();
      button.setAttribute("aria-pressed", "false");
      document.body.classList.remove("measuring");
      if (bar.contains(document.activeElement)) button.focus();
      return true;
    }
    button.addEventListener("click", () => (app.measuring ? end() : begin()));
    app.escapes.push(end);
    app.measure = {
      add(latlng) {
        points.push(L.latLng(latlng.lat, latlng.lng));
        show();
      },
      back() { points.pop(); show(); },
      follow,
    };
  };
})(window.BG = window.BG || {});
