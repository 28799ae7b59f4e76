// The engine in the browser, ground: projection, streets, snapping. Numbers are those of network/snap.py.
// Each part of the engine is one function without outside references, so that its text also runs in a worker.
(function (BG) {
  "use strict";
  BG.engineParts = BG.engineParts || [];

  BG.engineParts.push(function (E) {
    E.NONE = 2147483647;
    E.OFF = -1;
    // Whole number next to v, half to even as numpy.rint; 0 <= v < 2**52.
    E.rint = (v) => (v + 4503599627370496) - 4503599627370496;
    E.starts = function (sizes) {
      const out = new Int32Array(sizes.length + 1);
      for (let i = 0; i < sizes.length; i++) out[i + 1] = out[i] + sizes[i];
      return out;
    };

    // Degrees -> metres of the working CRS, see maps/whatif_pack.py.
    E.projector = function (p) {
      const rad = Math.PI / 180;
      if (p.kind === "poly") {
        return (lon, lat) => {
          const u = (lon - p.lon0) / p.unit, v = (lat - p.lat0) / p.unit;
          let x = 0, y = 0, k = 0;
          for (let i = 0; i <= p.degree; i++) {
            for (let j = 0; i + j <= p.degree; j++, k++) {
              const t = Math.pow(u, i) * Math.pow(v, j);
              x += p.x[k] * t;
              y += p.y[k] * t;
            }
          }
          return [x, y];
        };
      }
      return (lon, lat) => {
        const lam = (lon - p.lon0) * rad, tau = Math.tan(lat * rad), root = Math.sqrt(1 + tau * tau);
        const sigma = Math.sinh(p.e * Math.atanh(p.e * tau / root));
        const conformal = tau * Math.sqrt(1 + sigma * sigma) - sigma * root;
        const cos = Math.cos(lam);
        const xi = Math.atan2(conformal, cos);
        const eta = Math.asinh(Math.sin(lam) / Math.sqrt(conformal * conformal + cos * cos));
        let north = xi, east = eta;
        for (let j = 1; j <= p.alpha.length; j++) {
          north += p.alpha[j - 1] * Math.sin(2 * j * xi) * Math.cosh(2 * j * eta);
          east += p.alpha[j - 1] * Math.cos(2 * j * xi) * Math.sinh(2 * j * eta);
        }
        return [p.scale * east + p.east, p.scale * north + p.north];
      };
    };

    // Metres -> degrees by Newton's steps, from the place asked for before; slopes are taken anew every 5 km.
    E.unprojector = function (project, lon0, lat0) {
      const d = 1e-5;
      let lon = lon0, lat = lat0, s = null;
      return (x, y) => {
        for (let i = 0; i < 20; i++) {
          const [px, py] = project(lon, lat), dx = x - px, dy = y - py;
          if (Math.abs(dx) + Math.abs(dy) < 1e-7) break;
          if (!s || Math.abs(px - s.x) + Math.abs(py - s.y) > 5000) {
            const [ex, ey] = project(lon + d, lat), [nx, ny] = project(lon, lat + d);
            s = { x: px, y: py, a: (ex - px) / d, b: (nx - px) / d, c: (ey - py) / d, e: (ny - py) / d };
            s.det = s.a * s.e - s.b * s.c;
          }
          lon += (s.e * dx - s.b * dy) / s.det;
          lat += (s.a * dy - s.c * dx) / s.det;
        }
        return [lon, lat];
      };
    };

    // Streets from their columns: nodes x, y; all vertices of edge i are vs[i] to vs[i + 1].
    E.streets = function (d) {
      const meta = d.meta, n = d.na.length, m = d.u.length, degrees = meta.unit === "degrees";
      const project = E.projector(meta.projection);
      const place = degrees
        ? (a, b) => project((meta.base[0] + a) / 1e7, (meta.base[1] + b) / 1e7)
        : (a, b, r, s) => [((meta.base[0] + a) * 1e6 + r) / 1e9, ((meta.base[1] + b) * 1e6 + s) / 1e9];
      const net = { n, m, project, u: d.u, v: new Int32Array(m), f: d.f, b: new Int32Array(m), wait: d.w, flags: d.e };
      for (let i = 0; i < m; i++) {
        net.v[i] = d.u[i] + d.v[i];
        net.b[i] = d.f[i] + d.b[i];
      }
      net.x = new Float64Array(n);
      net.y = new Float64Array(n);
      for (let i = 0; i < n; i++) {
        [net.x[i], net.y[i]] = degrees ? place(d.na[i], d.nb[i]) : place(d.na[i], d.nb[i], d.nr[i], d.ns[i]);
      }
      const vs = new Int32Array(m + 1);
      for (let i = 0; i < m; i++) vs[i + 1] = vs[i] + d.k[i] + 2;
      const vx = new Float64Array(vs[m]), vy = new Float64Array(vs[m]);
      for (let i = 0, at = 0; i < m; i++) {
        let a = d.na[d.u[i]], b = d.nb[d.u[i]], j = vs[i];
        vx[j] = net.x[d.u[i]];
        vy[j++] = net.y[d.u[i]];
        for (let k = 0; k < d.k[i]; k++, at++, j++) {
          a += d.ia[at];
          b += d.ib[at];
          [vx[j], vy[j]] = degrees ? place(a, b) : place(a, b, d.ir[at], d.is[at]);
        }
        vx[j] = net.x[net.v[i]];
        vy[j] = net.y[net.v[i]];
      }
      const middle = degrees ? meta.base.map((v) => v / 1e7) : meta.middle;
      net.unproject = E.unprojector(project, middle[0], middle[1]);
      return Object.assign(net, { vs, vx, vy });
    };

    // A grid over the pieces of all edges that can be entered: which of them lie near a place.
    E.grid = function (net, side) {
      let x0 = Infinity, y0 = Infinity, x1 = -Infinity, y1 = -Infinity;
      for (let j = 0; j < net.vx.length; j++) {
        x0 = Math.min(x0, net.vx[j]);
        x1 = Math.max(x1, net.vx[j]);
        y0 = Math.min(y0, net.vy[j]);
        y1 = Math.max(y1, net.vy[j]);
      }
      const cols = Math.floor((x1 - x0) / side) + 1, rows = Math.floor((y1 - y0) / side) + 1;
      const grid = { x0, y0, side, cols, rows };
      const each = (act) => {
        for (let e = 0; e < net.m; e++) {
          if (!(net.flags[e] & 1)) continue;
          for (let j = net.vs[e]; j + 1 < net.vs[e + 1]; j++) {
            const a = Math.floor((Math.min(net.vx[j], net.vx[j + 1]) - x0) / side);
            const b = Math.floor((Math.max(net.vx[j], net.vx[j + 1]) - x0) / side);
            const c = Math.floor((Math.min(net.vy[j], net.vy[j + 1]) - y0) / side);
            const d = Math.floor((Math.max(net.vy[j], net.vy[j + 1]) - y0) / side);
            for (let r = c; r <= d; r++) for (let q = a; q <= b; q++) act(r * cols + q, e, j);
          }
        }
      };
      const size = new Int32Array(cols * rows);
      each((k) => { size[k] += 1; });
      grid.start = E.starts(size);
      const next = grid.start.slice();
      grid.edge = new Int32Array(grid.start[cols * rows]);
      grid.piece = new Int32Array(grid.start[cols * rows]);
      each((k, e, j) => {
        grid.edge[next[k]] = e;
        grid.piece[next[k]++] = j;
      });
      return grid;
    };

    // Distance from a point to a piece, as GEOS computes it.
    E.distance = function (net, j, x, y) {
      const ax = net.vx[j], ay = net.vy[j], bx = net.vx[j + 1], by = net.vy[j + 1];
      const dx = bx - ax, dy = by - ay, len2 = dx * dx + dy * dy;
      const r = len2 > 0 ? ((x - ax) * dx + (y - ay) * dy) / len2 : 0;
      if (r <= 0) return Math.sqrt((x - ax) * (x - ax) + (y - ay) * (y - ay));
      if (r >= 1) return Math.sqrt((x - bx) * (x - bx) + (y - by) * (y - by));
      return Math.abs(((ay - y) * dx - (ax - x) * dy) / len2) * Math.sqrt(len2);
    };

    // The nearest edge that `wanted` accepts within `most` metres; of equally near ones the first.
    E.nearestEdge = function (net, x, y, most, wanted) {
      const g = net.grid || (net.grid = E.grid(net, 150));
      let edge = -1, best = Infinity;
      for (let r = Math.min(60, most); ; r = Math.min(2 * r, most)) {
        const a = Math.max(0, Math.floor((x - r - g.x0) / g.side)), b = Math.min(g.cols - 1, Math.floor((x + r - g.x0) / g.side));
        const c = Math.max(0, Math.floor((y - r - g.y0) / g.side)), d = Math.min(g.rows - 1, Math.floor((y + r - g.y0) / g.side));
        for (let row = c; row <= d; row++) {
          for (let k = g.start[row * g.cols + a]; a <= b && k < g.start[row * g.cols + b + 1]; k++) {
            const e = g.edge[k];
            if (!wanted(e)) continue;
            const gap = E.distance(net, g.piece[k], x, y);
            if (gap < best || (gap === best && e < edge)) {
              best = gap;
              edge = e;
            }
          }
        }
        if (best <= r || r >= most) break;
      }
      return best <= most ? { edge, leg_m: best } : { edge: E.OFF, leg_m: Infinity };
    };

    // Where along an edge a point is nearest: share of its length from u.
    E.locate = function (net, e, x, y) {
      let best = Infinity, along = 0, total = 0;
      for (let j = net.vs[e]; j + 1 < net.vs[e + 1]; j++) {
        const ax = net.vx[j], ay = net.vy[j], dx = net.vx[j + 1] - ax, dy = net.vy[j + 1] - ay;
        const len2 = dx * dx + dy * dy, size = Math.sqrt(len2);
        const gap = E.distance(net, j, x, y);
        if (gap < best) {
          best = gap;
          const r = len2 > 0 ? ((x - ax) * dx + (y - ay) * dy) / len2 : 0;
          along = total + Math.min(Math.max(r, 0), 1) * size;
        }
        total += size;
      }
      return Math.min(Math.max(along / Math.max(total, 1e-9), 0), 1);
    };

    // snap_points of one point: taken off an island where another street is near enough.
    E.snap = function (net, rules, x, y) {
      let hit = E.nearestEdge(net, x, y, rules.maxSnap, () => true), moved = false;
      if (hit.edge >= 0 && net.flags[hit.edge] & 2) {
        const other = E.nearestEdge(net, x, y, rules.maxSnap, (e) => !(net.flags[e] & 2));
        moved = other.edge >= 0;
        if (moved) hit = other;
      }
      if (hit.edge < 0) return { x, y, edge: E.OFF, f: 0, leg: 0, leg_m: Infinity, moved };
      const leg = E.rint(hit.leg_m / (rules.legKmh / 3.6) * 1000);
      return { x, y, edge: hit.edge, f: E.locate(net, hit.edge, x, y), leg, leg_m: hit.leg_m, moved };
    };
  });
})(window.BG = window.BG || {});
