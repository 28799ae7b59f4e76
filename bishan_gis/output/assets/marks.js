// Cells, points, plain circles and labels as canvas layers.
(function (BG) {
  "use strict";

  // Cells: many small polygons, coloured by a class each, found under the pointer through a grid.
  BG.Cells = BG.Polygons.extend({
    prepare(d) {
      BG.Polygons.prototype.prepare.call(this, d);
      const n = d.r.length;
      this._cellBox = new Int32Array(4 * n);
      this.cx = new Int32Array(n);
      this.cy = new Int32Array(n);
      let widest = 1;
      for (let f = 0; f < n; f++) {
        const box = [1e9, 1e9, -1e9, -1e9];
        for (let r = 4 * this._rings[f]; r < 4 * this._rings[f + 1]; r += 4) {
          for (const j of [0, 1]) {
            box[j] = Math.min(box[j], this._box[r + j]);
            box[j + 2] = Math.max(box[j + 2], this._box[r + j + 2]);
          }
        }
        this._cellBox.set(box, 4 * f);
        this.cx[f] = (box[0] + box[2]) / 2;
        this.cy[f] = (box[1] + box[3]) / 2;
        widest = Math.max(widest, box[2] - box[0], box[3] - box[1]);
      }
      this._side = widest;
      this._grid = new Map();
      for (let f = 0; f < n; f++) {
        const key = this._key(this.cx[f], this.cy[f]);
        if (!this._grid.has(key)) this._grid.set(key, []);
        this._grid.get(key).push(f);
      }
    },
    // In a map of somebody's own: what is said of a cell under the pointer. It is text, whatever it holds.
    onAdd(map) {
      BG.CanvasLayer.prototype.onAdd.call(this, map);
      this.load().then(() => { if (this.data.texts && this._map) map.on("mousemove", this._say, this); });
    },
    onRemove(map) {
      map.off("mousemove", this._say, this);
      if (this._said) this._said.remove();
      BG.CanvasLayer.prototype.onRemove.call(this, map);
    },
    _say(e) {
      const f = this.at(e.latlng), text = f < 0 ? "" : this.data.texts[f];
      this._said = this._said || L.tooltip({ direction: "top", offset: [0, -6] });
      if (text) this._said.setLatLng(e.latlng).setContent(BG.el("span", "", text)).addTo(this._map);
      else this._said.remove();
    },
    _key(x, y, i = 0, j = 0) {
      return (Math.floor(x / this._side) + i) * 65536 + Math.floor(y / this._side) + j;
    },
    draw(ctx, v) {
      const d = this.data, side = this._side * v.k, tiny = side < 6, filter = this._filter;
      const alpha = v.zoom >= 13.5 ? 0.8 : 1;
      const inks = this.options.classes.map((style) => BG.inkOf(style, v.ratio, alpha));
      const inkAt = (f) => (filter && !filter(f) ? null : inks[d.c[f]]);
      BG.raster(ctx, v, { x: d.x, y: d.y, rings: this._rings, starts: this._start, box: this._cellBox }, inkAt, tiny ? side : 0);
      if (side > 14) this._edges(ctx, v, side, inkAt);
      if (this._marked >= 0) this._outline(ctx, v, this._marked);
    },
    // White lines between cells that are large enough.
    _edges(ctx, v, side, inkAt) {
      ctx.beginPath();
      let count = 0;
      ctx.strokeStyle = "rgba(255,255,255,.7)";
      ctx.lineWidth = side > 40 ? 1 : 0.5;
      for (let f = 0; f < this.data.r.length; f++) {
        if (!BG.seen(this._cellBox, f, v) || !inkAt(f)) continue;
        for (let i = this._rings[f]; i < this._rings[f + 1]; i++) {
          BG.trace(ctx, v, this.data.x, this.data.y, this._start[i], this._start[i + 1], true);
        }
        if (++count % 400 === 0) { ctx.stroke(); ctx.beginPath(); }
      }
      ctx.stroke();
    },
    _outline(ctx, v, f) {
      ctx.beginPath();
      for (let i = this._rings[f]; i < this._rings[f + 1]; i++) {
        BG.trace(ctx, v, this.data.x, this.data.y, this._start[i], this._start[i + 1], true);
      }
      ctx.lineJoin = "round";
      for (const [color, width] of [["#ffffff", 5], ["#1a1a1a", 2.5]]) {
        ctx.strokeStyle = color;
        ctx.lineWidth = width;
        ctx.stroke();
      }
    },
    _marked: -1,
    mark(f) {
      this._marked = f;
      return this.redraw();
    },
    at(latlng) {
      if (!this.data) return -1;
      const p = this.toData(latlng);
      for (let i = -1; i <= 1; i++) {
        for (let j = -1; j <= 1; j++) {
          for (const f of this._grid.get(this._key(p.x, p.y, i, j)) || []) {
            if (this._filter && !this._filter(f)) continue;
            let inside = false;
            for (let r = this._rings[f]; r < this._rings[f + 1]; r++) {
              inside = BG.crosses(this.data.x, this.data.y, this._start[r], this._start[r + 1], p) !== inside;
            }
            if (inside) return f;
          }
        }
      }
      return -1;
    },
    centre(f) {
      return this.toLatLng(this.cx[f], this.cy[f]);
    },
  });

  // Points: dots with a white rim; column s = service, options.color(i) -> colour, `filter` chooses.
  BG.Points = BG.CanvasLayer.extend({
    setFilter(filter) {
      this._filter = filter;
      let n = 0;
      for (let i = 0; i < this.data.x.length; i++) n += filter(i) ? 1 : 0;
      this._many = n > 1000;
      return this.redraw();
    },
    _radius(zoom) {
      return BG.widthAt(this._many ? [0.8, 2.8, 6] : [0.9, 4.5, 7], zoom);
    },
    draw(ctx, v) {
      const d = this.data, r = this._radius(v.zoom);
      const color = this.options.color || (() => "#1a1a1a");
      ctx.strokeStyle = "#ffffff";
      ctx.lineWidth = BG.widthAt(this._many ? [0.1, 0.8, 2] : [0.1, 1.6, 2], v.zoom);
      for (let i = 0; i < d.x.length; i++) {
        if (this._filter && !this._filter(i)) continue;
        const px = d.x[i] * v.k + v.dx, py = v.dy - d.y[i] * v.k;
        if (px < -9 || py < -9 || px > v.width + 9 || py > v.height + 9) continue;
        ctx.beginPath();
        ctx.arc(px, py, this._marked === i ? r + 4 : r, 0, 2 * Math.PI);
        ctx.fillStyle = color(i);
        ctx.fill();
        ctx.stroke();
      }
    },
    _marked: -1,
    mark(i) {
      this._marked = i;
      return this.redraw();
    },
    at(latlng) {
      if (!this.data || !this._map) return -1;
      const p = this._map.latLngToContainerPoint(latlng);
      const reach = this._radius(this._map.getZoom()) + (L.Browser.mobile ? 10 : 4);
      const a = this.toData(this._map.containerPointToLatLng(p.subtract([reach, -reach])));
      const b = this.toData(this._map.containerPointToLatLng(p.add([reach, -reach])));
      let best = -1, near = reach;
      for (let i = 0; i < this.data.x.length; i++) {
        const x = this.data.x[i], y = this.data.y[i];
        if (x < a.x || x > b.x || y < a.y || y > b.y || (this._filter && !this._filter(i))) continue;
        const gap = this._map.latLngToContainerPoint(this.toLatLng(x, y)).distanceTo(p);
        if (gap < near) { near = gap; best = i; }
      }
      return best;
    },
    centre(i) {
      return this.toLatLng(this.data.x[i], this.data.y[i]);
    },
  });

  // Plain circles of one radius round points, shown as the outline of their union.
  BG.Rings = BG.CanvasLayer.extend({
    set(points, filter, radius) {
      this._points = points;
      this._filter = filter;
      this._metres = radius;
      return this.redraw();
    },
    load() {
      this.data = this.data || { g: { ox: 0, oy: 0, q: 1 } };
      return Promise.resolve(this);
    },
    draw(ctx) {
      if (!this._points || !this._points.data) return;
      const size = this._map.getSize(), pad = size.multiplyBy(this.options.margin).round();
      const path = new Path2D();
      const stretch = 1 / Math.cos(this._map.getCenter().lat * Math.PI / 180);
      const r = this._metres * stretch * 256 * Math.pow(2, this._map.getZoom()) / (2 * Math.PI * 6378137);
      for (let i = 0; i < this._points.data.x.length; i++) {
        if (!this._filter(i)) continue;
        const p = this._map.latLngToContainerPoint(this._points.centre(i)).add(pad);
        path.moveTo(p.x + r, p.y);
        path.arc(p.x, p.y, r, 0, 2 * Math.PI);
      }
      ctx.setLineDash([5, 3]);
      ctx.lineWidth = 3;
      ctx.strokeStyle = "#1a1a1a";
      ctx.stroke(path);
      ctx.globalCompositeOperation = "destination-out";
      ctx.fill(path);
      ctx.globalCompositeOperation = "source-over";
    },
  });

  // Names that never overlap: the first in the list wins its place. They step aside for the marks of the page, where
  // there is room: `keepOff(v)` returns those as [layer of points, which, radius].
  BG.Names = BG.CanvasLayer.extend({
    draw(ctx, v) {
      const taken = [], marks = (this.keepOff ? this.keepOff(v) : []).map((mark) => this._box(v, ...mark));
      const apart = (a) => (b) => a[2] < b[0] || a[0] > b[2] || a[3] < b[1] || a[1] > b[3];
      ctx.textAlign = "center";
      ctx.textBaseline = "middle";
      ctx.lineJoin = "round";
      this.data.names.forEach((name, i) => {
        if (v.zoom < name.zoom) return;
        const size = name.size || 12;
        ctx.font = (name.bold ? "700 " : "500 ") + size + "px " + this.options.font;
        const w = ctx.measureText(name.text).width + (name.color ? 22 : 6), h = size + (name.color ? 10 : 5);
        const edge = this.data.x[i] * v.k + v.dx, py = v.dy - this.data.y[i] * v.k;
        const px = name.side ? edge + name.side * (w / 2 + 12) : edge;
        const free = [0, h, -h, 2 * h, -2 * h].map((shift) => ({ shift, box: [px - w / 2, py + shift - h / 2, px + w / 2, py + shift + h / 2] }))
          .filter(({ box }) => taken.every(apart(box)));
        const best = free.find(({ box }) => marks.every(apart(box))) || free[0];
        if (!best) return;
        taken.push(best.box);
        if (name.side && !best.shift) this._tick(ctx, name, edge, py);
        this._write(ctx, name, px, py + best.shift, w, h);
      });
    },
    // Layers have grids of their own.
    _box(v, layer, i, r) {
      const { g, x, y } = layer.data, own = this.data.g;
      const px = (g.ox + x[i] * g.q - own.ox) / own.q * v.k + v.dx, py = v.dy - (g.oy + y[i] * g.q - own.oy) / own.q * v.k;
      return [px - r, py - r, px + r, py + r];
    },
    _tick(ctx, name, edge, py) {
      ctx.beginPath();
      ctx.moveTo(edge - name.side * 5, py);
      ctx.lineTo(edge + name.side * 12, py);
      ctx.strokeStyle = name.color;
      ctx.lineWidth = 2;
      ctx.stroke();
    },
    _write(ctx, name, px, py, w, h) {
      if (name.color) {
        const mid = px + (name.side < 0 ? -4 : 4);
        ctx.strokeStyle = "rgba(255,255,255,.92)";
        ctx.lineWidth = 4;
        ctx.strokeText(name.text, mid, py + 1);
        ctx.fillStyle = name.color;
        const at = name.side < 0 ? px + w / 2 - 6 : px - w / 2;
        ctx.fillRect(at, py - h / 2, 6, h);
        ctx.fillStyle = "#1a1a1a";
        ctx.fillText(name.text, mid, py + 1);
        return;
      }
      ctx.strokeStyle = "rgba(255,255,255,.9)";
      ctx.lineWidth = 3.5;
      ctx.strokeText(name.text, px, py);
      ctx.fillStyle = name.ink || "#404040";
      ctx.fillText(name.text, px, py);
    },
  });
})(window.BG = window.BG || {});
