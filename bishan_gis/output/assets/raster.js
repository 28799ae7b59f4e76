// Fills many small polygons quickly: rows of pixels are written straight into a picture, without paths.
(function (BG) {
  "use strict";
  let board = null;

  // The board that pictures are made on; it is shared, for pictures are made one after the other.
  function boardOf(width, height) {
    if (!board) board = { canvas: document.createElement("canvas") };
    if (board.canvas.width !== width || board.canvas.height !== height || !board.image) {
      board.canvas.width = width;
      board.canvas.height = height;
      board.ctx = board.canvas.getContext("2d");
      board.image = board.ctx.createImageData(width, height);
      board.pixels = new Uint32Array(board.image.data.buffer);
    } else board.pixels.fill(0);
    return board;
  }

  // What a class is filled with, as pixels: one, or a square tile of them for a hatch.
  const inks = new Map();
  BG.inkOf = function (style, ratio, alpha) {
    const key = [style.fill, style.hatch, ratio, alpha].join("|");
    if (!inks.has(key)) {
      const tile = style.hatch ? BG.hatchTile(style.hatch, style.fill, "#ffffff", ratio) : document.createElement("canvas");
      if (!style.hatch) tile.width = tile.height = 1;
      const n = tile.width, flat = document.createElement("canvas");
      flat.width = flat.height = n;
      const ctx = flat.getContext("2d", { willReadFrequently: true });
      if (style.hatch) ctx.drawImage(tile, 0, 0);
      else { ctx.fillStyle = style.fill || "rgba(0,0,0,0)"; ctx.fillRect(0, 0, 1, 1); }
      const image = ctx.getImageData(0, 0, n, n);
      for (let i = 3; i < image.data.length; i += 4) image.data[i] *= alpha;
      inks.set(key, { n, pixels: new Uint32Array(image.data.buffer) });
    }
    return inks.get(key);
  };

  // One row of pixels of one class.
  function span(b, width, y, from, to, ink) {
    const row = y * width;
    if (ink.n === 1) { b.pixels.fill(ink.pixels[0], row + from, row + to); return; }
    const base = (y % ink.n) * ink.n;
    for (let x = from; x < to; x++) b.pixels[row + x] = ink.pixels[base + x % ink.n];
  }

  // Draw features of {x, y, rings, starts, box} onto a canvas; `inkAt(f)` is the filling of a feature, or null.
  // Even-odd along the middle of every row of pixels; features of a few pixels become rectangles of side `tiny`.
  BG.raster = function (ctx, v, shapes, inkAt, tiny) {
    const width = ctx.canvas.width, height = ctx.canvas.height, b = boardOf(width, height);
    const { x, y, rings, starts, box } = shapes, k = v.k * v.ratio, dx = v.dx * v.ratio, dy = v.dy * v.ratio;
    const n = rings.length - 1, cross = [];
    let top = height, bottom = -1;
    for (let f = 0; f < n; f++) {
      if (box[4 * f] > v.x1 || box[4 * f + 2] < v.x0 || box[4 * f + 1] > v.y1 || box[4 * f + 3] < v.y0) continue;
      const ink = inkAt(f);
      if (!ink) continue;
      let y0, y1;
      if (tiny) {
        // Edges on whole pixels, so that neighbours neither overlap nor part.
        const side = tiny * v.ratio, left = (box[4 * f] + box[4 * f + 2]) / 2 * k + dx - side / 2;
        const high = dy - (box[4 * f + 1] + box[4 * f + 3]) / 2 * k - side / 2;
        const xa = Math.round(left), ya = Math.round(high);
        y0 = Math.max(0, ya);
        y1 = Math.min(height, Math.max(ya + 1, Math.round(high + side)));
        const from = Math.max(0, xa), to = Math.min(width, Math.max(xa + 1, Math.round(left + side)));
        if (from < to) for (let row = y0; row < y1; row++) span(b, width, row, from, to, ink);
      } else {
        y0 = Math.max(0, Math.ceil(dy - box[4 * f + 3] * k - 0.5));
        y1 = Math.min(height, Math.ceil(dy - box[4 * f + 1] * k - 0.5));
        for (let row = y0; row < y1; row++) {
          const at = (dy - row - 0.5) / k;
          let count = 0;
          for (let r = rings[f]; r < rings[f + 1]; r++) {
            const from = starts[r], to = starts[r + 1];
            for (let j = from, i = to - 1; j < to; i = j++) {
              const p = y[i], q = y[j];
              if (p > at !== q > at) cross[count++] = ((x[j] - x[i]) * (at - p) / (q - p) + x[i]) * k + dx;
            }
          }
          if (count > 2) { cross.length = count; cross.sort((p, q) => p - q); }
          else if (count === 2 && cross[0] > cross[1]) { const c = cross[0]; cross[0] = cross[1]; cross[1] = c; }
          for (let c = 0; c + 1 < count; c += 2) {
            const from = Math.max(0, Math.ceil(cross[c] - 0.5)), to = Math.min(width, Math.ceil(cross[c + 1] - 0.5));
            if (from < to) span(b, width, row, from, to, ink);
          }
        }
      }
      if (y0 < top) top = y0;
      if (y1 > bottom) bottom = y1;
    }
    if (bottom <= top) return;
    b.ctx.putImageData(b.image, 0, 0, 0, 0, width, height);
    ctx.save();
    ctx.setTransform(1, 0, 0, 1, 0, 0);
    ctx.drawImage(b.canvas, 0, 0);
    ctx.restore();
  };
})(window.BG = window.BG || {});
