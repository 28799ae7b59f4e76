// Canvas layers for Leaflet: one canvas each, redrawn when the map has moved.
(function (BG) {
  "use strict";
  const HALF = Math.PI * 6378137;

  // Layers that are drawn anew when there is time: cheap ones with the next frame, dear ones one a frame and once the
  // map rests, or at the latest after a while if a part of the view is empty or blurred.
  const CHEAP_MS = 3, REST_MS = 90, LATEST_MS = 350;
  const waiting = new Map();
  let ticking = false;
  function later(layer, wanted) {
    const now = performance.now(), known = waiting.get(layer);
    waiting.set(layer, { last: now, since: wanted ? (known && known.since) || now : null });
    if (!ticking) { ticking = true; requestAnimationFrame(tick); }
  }
  function tick() {
    const now = performance.now();
    let dear = false;
    for (const [layer, { last, since }] of [...waiting]) {
      if (!layer._map) { waiting.delete(layer); continue; }
      if (layer.cost > CHEAP_MS) {
        if (dear || (now - last < REST_MS && !(since && now - since > LATEST_MS))) continue;
        dear = true;
      }
      layer.redraw();
    }
    ticking = waiting.size > 0;
    if (ticking) requestAnimationFrame(tick);
  }

  // Draw now what waits, as paper and tests want it.
  BG.settle = function () {
    [...waiting.keys()].forEach((layer) => layer.redraw());
  };

  // The same for any sheet: its upper left corner in pixels of the world at a zoom, and its size.
  BG.viewOf = function (grid, zoom, from, full, ratio) {
    const g = grid || { ox: 0, oy: 0, q: 1 }, perMetre = 256 * Math.pow(2, zoom) / (2 * HALF), k = g.q * perMetre;
    const dx = (g.ox + HALF) * perMetre - from.x, dy = (HALF - g.oy) * perMetre - from.y;
    return {
      zoom, k, dx, dy, ratio, width: full.x, height: full.y,
      x0: -dx / k, x1: (full.x - dx) / k, y0: (dy - full.y) / k, y1: dy / k,
    };
  };

  BG.CanvasLayer = L.Layer.extend({
    options: { z: 10, margin: 0.12 },

    initialize(source, options) {
      this._source = source;
      L.setOptions(this, options);
    },

    load() {
      if (!this._loading) {
        this._loading = BG.unpack(this._source).then((data) => {
          this.data = data;
          this.prepare(data);
          return this;
        });
      }
      return this._loading;
    },

    prepare() {},

    onAdd(map) {
      const name = "bg-" + this.options.z;
      const pane = map.getPane(name) || map.createPane(name);
      pane.style.zIndex = 200 + this.options.z;
      pane.style.pointerEvents = "none";
      this._canvas = L.DomUtil.create("canvas", "bg-canvas", pane);
      this.load().then(() => this.redraw());
    },

    onRemove() {
      waiting.delete(this);
      this._canvas.remove();
      this._canvas = this._drawn = null;
    },

    getEvents() {
      return { move: this._follow, moveend: this._moved, zoom: this._moved, viewreset: this._moved, resize: this.redraw };
    },

    // While the map is dragged: draw more before the edge of what is drawn comes into view.
    _follow() {
      if (this._drawn && this._map.getZoom() === this._drawn.zoom && !this._covers()) this._moved();
    },

    // The old drawing stays in its place, at the new scale, until there is time for a new one.
    _moved() {
      if (!this._drawn || BG.printing) { this.redraw(); return; }
      const { zoom, corner } = this._drawn;
      L.DomUtil.setTransform(this._canvas, this._map.latLngToLayerPoint(corner), this._map.getZoomScale(this._map.getZoom(), zoom));
      later(this, zoom !== this._map.getZoom() || !this._covers());
    },

    _covers() {
      const { zoom, corner, full } = this._drawn;
      const at = this._map.project(corner, zoom), seen = this._map.getPixelBounds();
      return seen.min.x >= at.x && seen.min.y >= at.y && seen.max.x <= at.x + full.x && seen.max.y <= at.y + full.y;
    },

    redraw() {
      if (!this._canvas || !this.data || !this._map) return this;
      const size = this._map.getSize();
      if (!size.x || !size.y) return this;
      const begun = performance.now();
      const pad = size.multiplyBy(this.options.margin).round();
      const full = size.add(pad.multiplyBy(2));
      const corner = this._map.containerPointToLayerPoint(pad.multiplyBy(-1)).round();
      const ratio = BG.printing || Math.min(2, window.devicePixelRatio || 1);
      const canvas = this._canvas;
      canvas.width = full.x * ratio;
      canvas.height = full.y * ratio;
      canvas.style.width = full.x + "px";
      canvas.style.height = full.y + "px";
      canvas.style.transformOrigin = "0 0";
      L.DomUtil.setPosition(canvas, corner);
      const ctx = canvas.getContext("2d");
      ctx.scale(ratio, ratio);
      this.draw(ctx, this._view(corner, full, ratio));
      this._drawn = { zoom: this._map.getZoom(), corner: this._map.layerPointToLatLng(corner), full };
      this.cost = performance.now() - begun;
      waiting.delete(this);
      return this;
    },

    // How stored integers become pixels of the canvas, and which of them can be seen.
    _view(corner, full, ratio) {
      return BG.viewOf(this.data.g, this._map.getZoom(), this._map.getPixelOrigin().add(corner), full, ratio);
    },

    // Stored coordinates of a place on the map.
    toData(latlng) {
      const p = L.CRS.EPSG3857.project(latlng), g = this.data.g;
      return { x: (p.x - g.ox) / g.q, y: (p.y - g.oy) / g.q };
    },

    toLatLng(x, y) {
      const g = this.data.g;
      return L.CRS.EPSG3857.unproject(L.point(g.ox + x * g.q, g.oy + y * g.q));
    },
  });

  // Bounds of each path: four integers a path.
  function boxes(start, x, y) {
    const n = start.length - 1;
    const out = new Int32Array(4 * n);
    for (let i = 0; i < n; i++) {
      let x0 = 1e9, y0 = 1e9, x1 = -1e9, y1 = -1e9;
      for (let j = start[i]; j < start[i + 1]; j++) {
        if (x[j] < x0) x0 = x[j];
        if (x[j] > x1) x1 = x[j];
        if (y[j] < y0) y0 = y[j];
        if (y[j] > y1) y1 = y[j];
      }
      out.set([x0, y0, x1, y1], 4 * i);
    }
    return out;
  }

  BG.seen = (box, i, v) =>
    box[4 * i] <= v.x1 && box[4 * i + 2] >= v.x0 && box[4 * i + 1] <= v.y1 && box[4 * i + 3] >= v.y0;

  BG.trace = function (ctx, v, x, y, from, to, close) {
    ctx.moveTo(x[from] * v.k + v.dx, v.dy - y[from] * v.k);
    for (let j = from + 1; j < to; j++) ctx.lineTo(x[j] * v.k + v.dx, v.dy - y[j] * v.k);
    if (close) ctx.closePath();
  };

  // A width given at zooms 10, 14 and 18.
  BG.widthAt = function (widths, zoom) {
    if (!Array.isArray(widths)) return widths;
    const t = Math.max(0, Math.min(2, (zoom - 10) / 4));
    const i = Math.min(1, Math.floor(t));
    return widths[i] + (widths[i + 1] - widths[i]) * (t - i);
  };

  // Diagonal lines (/ \ - | x) on a square that fits to its neighbours.
  BG.hatchTile = function (kind, ink, paper, ratio) {
    const n = Math.round(6 * ratio);
    const tile = document.createElement("canvas");
    tile.width = tile.height = n;
    const t = tile.getContext("2d");
    if (paper) { t.fillStyle = paper; t.fillRect(0, 0, n, n); }
    t.strokeStyle = ink;
    t.lineWidth = 1.1 * ratio;
    const line = (a, b, c, d) => { t.beginPath(); t.moveTo(a, b); t.lineTo(c, d); t.stroke(); };
    for (const o of [-n, 0, n]) {
      if (kind === "/" || kind === "x") line(o, n, o + n, 0);
      if (kind === "\\" || kind === "x") line(o, 0, o + n, n);
    }
    if (kind === "-") line(0, n / 2, n, n / 2);
    if (kind === "|") line(n / 2, 0, n / 2, n);
    return tile;
  };

  // The same as a fill that does not move with the shapes.
  BG.hatch = function (ctx, kind, ink, paper, ratio) {
    const pattern = ctx.createPattern(BG.hatchTile(kind, ink, paper, ratio), "repeat");
    pattern.setTransform(new DOMMatrix([1 / ratio, 0, 0, 1 / ratio, 0, 0]));
    return pattern;
  };

  // Lines in classes: options.classes = [{color, widths, zoom, dash}], column c = class of each line.
  BG.Lines = BG.CanvasLayer.extend({
    prepare(d) {
      this._start = BG.starts(d.n);
      this._box = boxes(this._start, d.x, d.y);
    },
    draw(ctx, v) {
      const d = this.data, box = this._box, n = d.n.length;
      for (let c = this.options.classes.length - 1; c >= 0; c--) {
        const style = this.options.classes[c];
        if (v.zoom < (style.zoom || 0)) continue;
        const width = BG.widthAt(style.widths, v.zoom), round = width >= 2.5;
        ctx.lineJoin = round ? "round" : "bevel";
        ctx.lineCap = round && !style.dash ? "round" : "butt";
        ctx.setLineDash(style.dash || []);
        ctx.lineWidth = width;
        ctx.strokeStyle = style.color;
        ctx.beginPath();
        let count = 0;
        for (let i = 0; i < n; i++) {
          if (d.c[i] !== c || !BG.seen(box, i, v)) continue;
          if ((box[4 * i + 2] - box[4 * i] + box[4 * i + 3] - box[4 * i + 1]) * v.k < 0.7) continue;
          this._thin(ctx, v, this._start[i], this._start[i + 1]);
          // A path of thousands of lines costs more than many paths.
          if (++count % 400 === 0) { ctx.stroke(); ctx.beginPath(); }
        }
        ctx.stroke();
      }
    },
    // A line without the bends that no eye can see.
    _thin(ctx, v, from, to) {
      const { x, y } = this.data, last = to - 1;
      let px = x[from] * v.k + v.dx, py = v.dy - y[from] * v.k;
      ctx.moveTo(px, py);
      for (let j = from + 1; j < to; j++) {
        const qx = x[j] * v.k + v.dx, qy = v.dy - y[j] * v.k;
        if (j < last && Math.abs(qx - px) + Math.abs(qy - py) < 1) continue;
        ctx.lineTo(qx, qy);
        px = qx;
        py = qy;
      }
    },
  });

  // Polygons in classes: options.classes = [{fill, hatch, ink, stroke, width, dash}]; `filter` chooses features.
  BG.Polygons = BG.CanvasLayer.extend({
    prepare(d) {
      this._start = BG.starts(d.n);
      this._rings = BG.starts(d.r);
      this._box = boxes(this._start, d.x, d.y);
      if (!d.c) d.c = new Uint8Array(d.r.length);
    },
    setFilter(filter) {
      this._filter = filter;
      return this.redraw();
    },
    setClasses(column, classes) {
      this.data.c = column;
      this.options.classes = classes;
      return this.redraw();
    },
    draw(ctx, v) {
      const d = this.data;
      this.options.classes.forEach((style, c) => {
        ctx.beginPath();
        for (let f = 0; f < d.r.length; f++) {
          if (d.c[f] !== c || (this._filter && !this._filter(f))) continue;
          for (let i = this._rings[f]; i < this._rings[f + 1]; i++) {
            if (BG.seen(this._box, i, v)) BG.trace(ctx, v, d.x, d.y, this._start[i], this._start[i + 1], true);
          }
        }
        if (style.mask) ctx.rect(0, 0, v.width, v.height);
        if (style.fill) { ctx.fillStyle = style.fill; ctx.fill("evenodd"); }
        if (style.hatch) {
          ctx.fillStyle = BG.hatch(ctx, style.hatch, style.ink || "rgba(0,0,0,.45)", null, v.ratio);
          ctx.fill("evenodd");
        }
        if (style.code) this._codes(ctx, v, c, style.code);
        if (style.stroke) {
          ctx.setLineDash(style.dash || []);
          ctx.lineWidth = BG.widthAt(style.width || 1, v.zoom);
          ctx.strokeStyle = style.stroke;
          ctx.stroke();
        }
      });
    },
    // The code of a class, written where a polygon is large enough on the screen.
    _codes(ctx, v, c, text) {
      if (v.zoom < 13) return;
      ctx.save();
      ctx.font = "11px " + (this.options.font || "sans-serif");
      ctx.textAlign = "center";
      ctx.fillStyle = "#1a1a1a";
      ctx.strokeStyle = "rgba(255,255,255,.85)";
      ctx.lineWidth = 3;
      for (let f = 0; f < this.data.r.length; f++) {
        const [a, b, e, g] = this._box.subarray(4 * this._rings[f], 4 * this._rings[f] + 4);
        if (this.data.c[f] !== c || Math.min(e - a, g - b) * v.k < 30) continue;
        const px = (a + e) / 2 * v.k + v.dx, py = v.dy - (b + g) / 2 * v.k;
        ctx.strokeText(text, px, py);
        ctx.fillText(text, px, py);
      }
      ctx.restore();
    },
    // The first feature at a place that `wanted` accepts, or -1.
    at(latlng, wanted) {
      const d = this.data;
      if (!d) return -1;
      const p = this.toData(latlng);
      for (let f = 0; f < d.r.length; f++) {
        if (wanted && !wanted(f)) continue;
        let inside = false;
        for (let i = this._rings[f]; i < this._rings[f + 1]; i++) {
          if (p.x < this._box[4 * i] || p.x > this._box[4 * i + 2]) continue;
          inside = BG.crosses(d.x, d.y, this._start[i], this._start[i + 1], p) !== inside;
        }
        if (inside) return f;
      }
      return -1;
    },
    bounds(f) {
      let [x0, y0, x1, y1] = [1e9, 1e9, -1e9, -1e9];
      for (let i = this._rings[f]; i < this._rings[f + 1]; i++) {
        x0 = Math.min(x0, this._box[4 * i]);
        y0 = Math.min(y0, this._box[4 * i + 1]);
        x1 = Math.max(x1, this._box[4 * i + 2]);
        y1 = Math.max(y1, this._box[4 * i + 3]);
      }
      return L.latLngBounds(this.toLatLng(x0, y0), this.toLatLng(x1, y1));
    },
  });

  // Whether a ray from a point crosses a ring an odd number of times.
  BG.crosses = function (x, y, from, to, p) {
    let odd = false;
    for (let j = from, k = to - 1; j < to; k = j++) {
      if (y[j] > p.y !== y[k] > p.y && p.x < (x[k] - x[j]) * (p.y - y[j]) / (y[k] - y[j]) + x[j]) odd = !odd;
    }
    return odd;
  };

  BG.boxes = boxes;
})(window.BG = window.BG || {});
