// The engine in the browser, searches: integer milliseconds, equal to network/search.py and network/star.py.
(function (BG) {
  "use strict";
  BG.engineParts = BG.engineParts || [];

  BG.engineParts.push(function (E) {
    const NONE = E.NONE, AT_END = 1e-9;

    // Links turned round, so that a search from a place gives the cost to it. f, b: cost of u -> v and v -> u, -1 closed.
    E.star = function (net, f, b) {
      const size = new Int32Array(net.n), waits = net.wait.length > 0;
      for (let e = 0; e < net.m; e++) {
        if (f[e] >= 0) size[net.v[e]] += 1;
        if (b[e] >= 0) size[net.u[e]] += 1;
      }
      const start = E.starts(size), next = start.slice();
      const target = new Int32Array(start[net.n]), cost = new Int32Array(start[net.n]);
      let sum = 0, most = 0;
      const link = (from, to, ms) => {
        const all = ms + (waits ? net.wait[to] : 0);
        target[next[to]] = from;
        cost[next[to]++] = all;
        sum += all;
        most = Math.max(most, all);
      };
      for (let e = 0; e < net.m; e++) {
        if (f[e] >= 0) link(net.u[e], net.v[e], f[e]);
        if (b[e] >= 0) link(net.v[e], net.u[e], b[e]);
      }
      const bits = (v) => (v < 1 ? 0 : 32 - Math.clz32(v));
      const shift = cost.length ? Math.max(bits(Math.floor(sum / cost.length)) - 2, 0) : 0;
      return { f, b, start, target, cost, shift, span: 1 << bits((most >> shift) + 2) };
    };

    // Node a place stands at, -1 along an edge and off the network.
    E.standing = function (net, edge, f) {
      if (edge < 0) return -1;
      if (f >= 1 - AT_END) return net.v[edge];
      return f <= AT_END ? net.u[edge] : -1;
    };

    // Seeds of places that one arrives at, and the places by edge.
    E.seeds = function (net, star, places) {
      const node = [], cost = [], label = [], on = new Map(), waits = net.wait.length > 0;
      const add = (n, c, who) => { node.push(n); cost.push(c); label.push(who); };
      const meet = (e, f, p) => {
        if (!on.has(e)) on.set(e, []);
        on.get(e).push({ f, leg: p.leg, label: p.label });
      };
      const ends = (e, f, p, at) => {
        if (star.f[e] >= 0 && net.u[e] !== at) add(net.u[e], p.leg + E.rint(f * star.f[e]), p.label);
        if (star.b[e] >= 0 && net.v[e] !== at) add(net.v[e], p.leg + E.rint((1 - f) * star.b[e]), p.label);
      };
      const waiting = new Map();
      for (const p of places) {
        if (p.edge < 0) continue;
        const at = E.standing(net, p.edge, p.f);
        if (at >= 0) add(at, p.leg, p.label);
        if (at >= 0 && waits && net.wait[at] > 0) {
          if (!waiting.has(at)) waiting.set(at, []);
          waiting.get(at).push(p);
          continue;
        }
        meet(p.edge, p.f, p);
        if (at < 0) ends(p.edge, p.f, p, at);
      }
      // Who comes by any street to a node where one waits is at the place before the wait.
      if (waiting.size) {
        for (let e = 0; e < net.m; e++) {
          for (const [end, f] of [[net.u[e], 0], [net.v[e], 1]]) {
            for (const p of waiting.get(end) || []) {
              meet(e, f, p);
              ends(e, f, p, end);
            }
          }
        }
      }
      return { node, cost, label, on };
    };

    // From many seeds to every node: a ring of buckets, corrected until nothing changes; ties go to the smaller label.
    E.search = function (net, star, seeds, limit) {
      const { start, target, cost, shift, span } = star, mask = span - 1;
      const dist = new Int32Array(net.n).fill(NONE), label = new Int32Array(net.n).fill(-1);
      const order = Array.from(seeds.node.keys()).sort((a, b) => seeds.cost[a] - seeds.cost[b]);
      const head = new Int32Array(span).fill(-1);
      let room = 4096, node = new Int32Array(room), paid = new Int32Array(room), next = new Int32Array(room);
      let free = -1, top = 0, active = 0, current = 0, s = 0;
      const push = (v, c, who) => {
        dist[v] = c;
        label[v] = who;
        let e = free;
        if (e >= 0) free = next[e];
        else {
          if (top === room) {
            room *= 2;
            const grow = (old) => { const bigger = new Int32Array(room); bigger.set(old); return bigger; };
            node = grow(node);
            paid = grow(paid);
            next = grow(next);
          }
          e = top++;
        }
        const slot = (c >> shift) & mask;
        node[e] = v;
        paid[e] = c;
        next[e] = head[slot];
        head[slot] = e;
        active += 1;
      };
      for (;;) {
        if (active === 0) {
          if (s === order.length || seeds.cost[order[s]] > limit) break;
          current = seeds.cost[order[s]] >> shift;
        }
        const slot = current & mask;
        for (; s < order.length; s++) {
          const i = order[s], c = seeds.cost[i], v = seeds.node[i];
          if (c > limit || c >> shift > current) break;
          if (c < dist[v] || (c === dist[v] && seeds.label[i] < label[v])) push(v, c, seeds.label[i]);
        }
        while (head[slot] >= 0) {
          const e = head[slot], v = node[e], d = paid[e];
          head[slot] = next[e];
          next[e] = free;
          free = e;
          active -= 1;
          if (d !== dist[v]) continue;
          const who = label[v];
          for (let k = start[v]; k < start[v + 1]; k++) {
            const nd = d + cost[k], w = target[k];
            if (nd > limit) continue;
            if (nd < dist[w] || (nd === dist[w] && who < label[w])) push(w, nd, who);
          }
        }
        current += 1;
      }
      return { dist, label };
    };

    // Cost between two places on one edge, `gap` of its length apart.
    E.along = function (gap, forward, backward) {
      let cost = NONE;
      if (gap >= 0 && forward >= 0) cost = E.rint(gap * forward);
      if (gap <= 0 && backward >= 0) cost = Math.min(cost, E.rint(-gap * backward));
      return cost;
    };

    // Carry the costs of the nodes to one origin: [ms, label].
    E.finish = function (net, star, found, on, o) {
      const e = o.edge, waits = net.wait.length > 0;
      if (e < 0) return [NONE, -1];
      const { dist, label } = found, u = net.u[e], v = net.v[e], f = star.f[e], b = star.b[e];
      let best = NONE, who = -1;
      const offer = (c, w) => {
        if (c < best || (c === best && w < who)) {
          best = c;
          who = w;
        }
      };
      if (f >= 0 && dist[v] < NONE) offer(o.leg + E.rint((1 - o.f) * f) + dist[v] + (waits ? net.wait[v] : 0), label[v]);
      if (b >= 0 && dist[u] < NONE) offer(o.leg + E.rint(o.f * b) + dist[u] + (waits ? net.wait[u] : 0), label[u]);
      const at = E.standing(net, e, o.f);
      if (at >= 0 && dist[at] < NONE) offer(o.leg + dist[at], label[at]);
      for (const p of on.get(e) || []) {
        const c = E.along(p.f - o.f, f, b);
        if (c < NONE) offer(c + o.leg + p.leg, p.label);
      }
      return [best, who];
    };

    // From few seeds up to a limit, over arrays that are used again: dist holds NONE wherever `touched` is not.
    E.bounded = function (star, seeds, limit, dist, touched) {
      const heap = [];
      let n = 0;
      const push = (v, c) => {
        if (c > limit || c >= dist[v]) return;
        if (dist[v] === NONE) touched[n++] = v;
        dist[v] = c;
        let i = heap.length;
        const key = c * 16777216 + v;
        heap.push(key);
        while (i > 0) {
          const parent = (i - 1) >> 1;
          if (heap[parent] <= key) break;
          heap[i] = heap[parent];
          i = parent;
        }
        heap[i] = key;
      };
      for (let i = 0; i < seeds.node.length; i++) push(seeds.node[i], seeds.cost[i]);
      while (heap.length) {
        const key = heap[0], last = heap.pop(), size = heap.length;
        if (size) {
          let i = 0;
          for (let c = 1; c < size; c = 2 * i + 1) {
            if (c + 1 < size && heap[c + 1] < heap[c]) c += 1;
            if (heap[c] >= last) break;
            heap[i] = heap[c];
            i = c;
          }
          heap[i] = last;
        }
        const v = key % 16777216, d = (key - v) / 16777216;
        if (d > dist[v]) continue;
        for (let k = star.start[v]; k < star.start[v + 1]; k++) push(star.target[k], d + star.cost[k]);
      }
      return n;
    };

    // Shares of each edge within a limit of places, as access/reached_streets.py cuts them: [edge, from, to] in a row.
    E.pieces = function (net, star, dist, on, edges, limit) {
      const out = [], waits = net.wait.length > 0;
      for (const e of edges) {
        const f = star.f[e], b = star.b[e], spans = [];
        const gone = (v) => (dist[v] < NONE ? dist[v] + (waits ? net.wait[v] : 0) : NONE);
        if (f >= 0 && gone(net.v[e]) < limit) spans.push([Math.max(1 - (limit - gone(net.v[e])) / f, 0), 1]);
        if (b >= 0 && gone(net.u[e]) < limit) spans.push([0, Math.min((limit - gone(net.u[e])) / b, 1)]);
        for (const p of on.get(e) || []) {
          const left = limit - p.leg;
          if (left <= 0) continue;
          if (f >= 0) spans.push([Math.max(p.f - left / f, 0), p.f]);
          if (b >= 0) spans.push([p.f, Math.min(p.f + left / b, 1)]);
        }
        spans.sort((p, q) => p[0] - q[0]);
        let open = -1;
        for (const [from, to] of spans) {
          if (to <= from) continue;
          if (open >= 0 && from <= out[open + 2]) out[open + 2] = Math.max(out[open + 2], to);
          else {
            open = out.length;
            out.push(e, from, to);
          }
        }
      }
      return out;
    };

    // The points of a piece of an edge: x, y one after the other.
    E.cut = function (net, e, from, to) {
      const first = net.vs[e], last = net.vs[e + 1] - 1, out = [];
      let total = 0;
      const size = (j) => Math.hypot(net.vx[j + 1] - net.vx[j], net.vy[j + 1] - net.vy[j]);
      for (let j = first; j < last; j++) total += size(j);
      let at = 0;
      const put = (j, d) => {
        const t = size(j) > 0 ? Math.min(Math.max((d - at) / size(j), 0), 1) : 0;
        out.push(net.vx[j] + t * (net.vx[j + 1] - net.vx[j]), net.vy[j] + t * (net.vy[j + 1] - net.vy[j]));
      };
      for (let j = first; j < last; j++) {
        const end = at + size(j);
        if (!out.length && (end >= from * total || j === last - 1)) put(j, from * total);
        if (out.length && (end >= to * total || j === last - 1)) {
          put(j, to * total);
          break;
        }
        if (out.length) out.push(net.vx[j + 1], net.vy[j + 1]);
        at = end;
      }
      return out;
    };
  });
})(window.BG = window.BG || {});
