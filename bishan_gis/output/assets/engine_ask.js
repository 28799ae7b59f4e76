// What the page may ask of the engine, and the worker that answers: nearest, from a place, the best site.
(function (BG) {
  "use strict";
  BG.engineParts = BG.engineParts || [];

  BG.engineParts.push(function (E) {
    const NONE = E.NONE;
    let net, to, from, cells, doors, ids, services, rules, leave;

    const unpackPlaces = (d, k) => ({ edge: d[k + "e"], f: new Float64Array(d[k + "f"].buffer), leg: d[k + "l"] });
    const at = (p, i) => ({ edge: p.edge[i], f: p.f[i], leg: p.leg[i] });
    // Costs of every place of a kind, and who is nearest.
    const carry = (star, found, on, places) => {
      const n = places.edge.length, ms = new Int32Array(n), who = new Int32Array(n);
      for (let i = 0; i < n; i++) [ms[i], who[i]] = E.finish(net, star, found, on, at(places, i));
      return { ms, who };
    };
    const tell = (s) => ({ off: s.edge < 0, leg_m: s.leg_m, leg: s.leg, moved: s.moved, edge: s.edge, f: s.f });

    E.answers = {
      // data: columns of the streets, of cells (c*) and doors of facilities (d*), ids and service of facilities.
      setup(data) {
        rules = data.rules;
        ids = data.ids;
        services = data.services;
        net = E.streets(data.columns);
        to = E.star(net, net.f, net.b);
        from = E.star(net, net.b, net.f);
        cells = unpackPlaces(data.columns, "c");
        doors = unpackPlaces(data.columns, "d");
        doors.owner = data.columns.do;
        const edge = { node: Array.from(data.columns.q), cost: [], label: [] };
        edge.cost = edge.node.map(() => 0);
        edge.label = edge.cost;
        leave = carry(to, E.search(net, to, edge, NONE - 1), new Map(), cells).ms;
        return { leave, center: net.unproject(net.x[0], net.y[0]), off: Uint8Array.from(cells.edge, (e) => (e < 0 ? 1 : 0)) };
      },

      // Degrees to metres and back, several at once.
      project: (points) => points.map((p) => net.project(p[0], p[1])),
      unproject: (points) => points.map((p) => net.unproject(p[0], p[1])),
      snap: ({ x, y }) => tell(E.snap(net, rules, x, y)),

      // Time from every cell to the nearest of a service: facilities but those `gone`, and what is added.
      nearest({ service, gone, add }) {
        const away = new Set(gone), names = new Map(), places = [], snaps = [];
        for (let i = 0; i < doors.owner.length; i++) {
          const f = doors.owner[i];
          if (services[f] !== service || away.has(f)) continue;
          names.set(ids[f], f);
          places.push(Object.assign(at(doors, i), { id: ids[f] }));
        }
        add.forEach((p, k) => {
          const snap = E.snap(net, rules, p.x, p.y);
          snaps.push(tell(snap));
          names.set(p.id, ids.length + k);
          places.push({ edge: snap.edge, f: snap.f, leg: snap.leg, id: p.id });
        });
        const sorted = [...names.keys()].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
        const rank = new Map(sorted.map((id, i) => [id, i]));
        for (const p of places) p.label = rank.get(p.id);
        const seeds = E.seeds(net, to, places);
        const { ms, who } = carry(to, E.search(net, to, seeds, NONE - 1), seeds.on, cells);
        for (let i = 0; i < who.length; i++) who[i] = who[i] < 0 ? -1 : names.get(sorted[who[i]]);
        return { ms, who, snaps };
      },

      // The streets within limits [ms] of places that one walks to (or from), in metres.
      streets({ points, limits, away }) {
        const star = away ? from : to, places = points.map((p) => Object.assign(E.snap(net, rules, p.x, p.y), { label: 0 }));
        const seeds = E.seeds(net, star, places), most = Math.max(...limits);
        return draw(star, E.search(net, star, seeds, most).dist, seeds.on, limits);
      },

      // What is reached from a place: time to every cell and every facility, and the streets within limits.
      reach({ x, y, limits }) {
        const snap = E.snap(net, rules, x, y), seeds = E.seeds(net, from, [Object.assign({ label: 0 }, snap)]);
        const found = E.search(net, from, seeds, NONE - 1);
        const every = carry(from, found, seeds.on, doors).ms, fac = new Int32Array(ids.length).fill(NONE);
        every.forEach((ms, i) => { fac[doors.owner[i]] = Math.min(fac[doors.owner[i]], ms); });
        return { snap: tell(snap), ms: carry(from, found, seeds.on, cells).ms, fac, lines: draw(from, found.dist, seeds.on, limits) };
      },

      // Time from a place to each of some points, or to them: for checks.
      pairs({ x, y, points, away }) {
        const star = away ? from : to, seeds = E.seeds(net, star, [Object.assign(E.snap(net, rules, x, y), { label: 0 })]);
        const found = E.search(net, star, seeds, NONE - 1);
        return points.map((p) => E.finish(net, star, found, seeds.on, E.snap(net, rules, p.x, p.y))[0]);
      },

      // Street corners near a place, by the weight of what they would newly serve within a limit [ms].
      suggest({ x, y, radius, limit, missing, apart, count }) {
        const begun = Date.now(), dist = new Int32Array(net.n).fill(NONE), touched = new Int32Array(net.n);
        const byEdge = cellsByEdge(missing), seen = new Int32Array(net.m).fill(-1), usable = corners();
        const tried = [];
        for (let v = 0; v < net.n; v++) {
          if (!usable[v] || Math.hypot(net.x[v] - x, net.y[v] - y) > radius) continue;
          const spot = { x: Math.round(net.x[v] * 100) / 100, y: Math.round(net.y[v] * 100) / 100 };
          const snap = E.snap(net, rules, spot.x, spot.y);
          if (snap.edge < 0) continue;
          const seeds = E.seeds(net, to, [Object.assign({ label: 0 }, snap)]);
          const n = E.bounded(to, seeds, limit, dist, touched);
          let gain = 0;
          const look = (e) => {
            if (seen[e] === v) return;
            seen[e] = v;
            for (const i of byEdge.get(e) || []) {
              if (E.finish(net, to, { dist, label: dist }, seeds.on, at(cells, i))[0] <= limit) gain += missing[i];
            }
          };
          for (const e of seeds.on.keys()) look(e);
          for (let k = 0; k < n; k++) for (const e of edgesAt(touched[k])) look(e);
          for (let k = 0; k < n; k++) dist[touched[k]] = NONE;
          tried.push({ ...spot, gain });
        }
        tried.sort((a, b) => b.gain - a.gain || a.x - b.x || a.y - b.y);
        const best = [];
        for (const t of tried) {
          if (best.length < count && t.gain > 0 && best.every((o) => Math.hypot(o.x - t.x, o.y - t.y) >= apart)) best.push(t);
        }
        return { best, tried: tried.length, ms: Date.now() - begun };
      },
    };

    // Nodes at which one can step onto a street that is no island.
    function corners() {
      const out = new Uint8Array(net.n);
      for (let e = 0; e < net.m; e++) if ((net.flags[e] & 3) === 1) out[net.u[e]] = out[net.v[e]] = 1;
      return out;
    }

    function cellsByEdge(weight) {
      const out = new Map();
      for (let i = 0; i < weight.length; i++) {
        const e = cells.edge[i];
        if (e < 0 || !(weight[i] > 0)) continue;
        if (!out.has(e)) out.set(e, []);
        out.get(e).push(i);
      }
      return out;
    }

    // Edges that end at a node.
    function edgesAt(v) {
      if (!net.at) {
        const size = new Int32Array(net.n);
        for (let e = 0; e < net.m; e++) { size[net.u[e]] += 1; size[net.v[e]] += 1; }
        const start = E.starts(size), next = start.slice(), list = new Int32Array(start[net.n]);
        for (let e = 0; e < net.m; e++) { list[next[net.u[e]]++] = e; list[next[net.v[e]]++] = e; }
        net.at = { start, list };
      }
      return net.at.list.subarray(net.at.start[v], net.at.start[v + 1]);
    }

    // Pieces of street for the screen: sizes, classes (which limit), and coordinates as the layers store them.
    function draw(star, dist, on, limits) {
      const edges = [], R = 6378137, rad = Math.PI / 180;
      for (let e = 0; e < net.m; e++) if (dist[net.u[e]] < NONE || dist[net.v[e]] < NONE || on.has(e)) edges.push(e);
      const n = [], c = [], x = [], y = [];
      limits.forEach((limit, k) => {
        const p = E.pieces(net, star, dist, on, edges, limit);
        for (let i = 0; i < p.length; i += 3) {
          const xy = E.cut(net, p[i], p[i + 1], p[i + 2]);
          n.push(xy.length / 2);
          c.push(k);
          for (let j = 0; j < xy.length; j += 2) {
            const [lon, lat] = net.unproject(xy[j], xy[j + 1]);
            x.push(R * lon * rad);
            y.push(R * Math.log(Math.tan(Math.PI / 4 + lat * rad / 2)));
          }
        }
      });
      const g = { ox: Math.floor(x[0] || 0), oy: Math.floor(y[0] || 0), q: 0.5 };
      return { g, n: Int32Array.from(n), c: Uint8Array.from(c),
        x: Int32Array.from(x, (v) => Math.round((v - g.ox) / g.q)), y: Int32Array.from(y, (v) => Math.round((v - g.oy) / g.q)) };
    }
  });

  // The engine behind a promise: in a worker where there is one, else here.
  BG.Engine = class {
    constructor() {
      this.waiting = new Map();
      this.next = 0;
      this.here = null;
      this.where = "page";
      const boot = "(E) => { onmessage = (m) => { let out; try { out = { ok: E.answers[m.data.what](m.data.how) }; }"
        + " catch (error) { out = { error: String(error && error.stack || error) }; } postMessage({ id: m.data.id, ...out }); }; }";
      const code = "const E = {};" + [...BG.engineParts, boot].map((part) => "(" + part.toString() + ")(E);").join("\n");
      try {
        this.url = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
        this.worker = new Worker(this.url);
        this.worker.onmessage = (m) => this._done(m.data);
        this.worker.onerror = (e) => { e.preventDefault(); this._alone(); };
        this.where = "worker";
      } catch { this._alone(); }
    }

    ask(what, how) {
      return new Promise((resolve, reject) => {
        const id = this.next++;
        this.waiting.set(id, { resolve, reject, what, how });
        if (this.here) setTimeout(() => this._run(id), 0);
        else this.worker.postMessage({ id, what, how });
      });
    }

    _done(data) {
      const w = this.waiting.get(data.id);
      if (!w) return;
      this.waiting.delete(data.id);
      if (data.error) w.reject(new Error(data.error));
      else w.resolve(data.ok);
    }

    // No worker may run here: what was asked, and all that follows, is answered by the page itself.
    _alone() {
      if (this.here) return;
      this.where = "page";
      this.here = {};
      BG.engineParts.forEach((part) => part(this.here));
      [...this.waiting.keys()].forEach((id) => setTimeout(() => this._run(id), 0));
    }

    _run(id) {
      const w = this.waiting.get(id);
      try { this._done({ id, ok: this.here.answers[w.what](w.how) }); } catch (error) { this._done({ id, error: String(error) }); }
    }
  };
})(window.BG = window.BG || {});
