// What the pages of gaps, completeness, sites, shelters and scores share: states, sums, cards, outlines, curves.
(function (BG) {
  "use strict";
  const el = BG.el, fmt = BG.fmt;

  // An SVG element; text is always text.
  BG.svg = function (tag, attributes, ...children) {
    const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [k, v] of Object.entries(attributes || {})) node.setAttribute(k, String(v));
    for (const c of children) node.append(c instanceof Node ? c : document.createTextNode(String(c)));
    return node;
  };

  // Paths of some cells of a layer of cells.
  function traceCells(ctx, v, cells, members) {
    const d = cells.data;
    ctx.beginPath();
    for (const f of members) {
      for (let i = cells._rings[f]; i < cells._rings[f + 1]; i++) {
        BG.trace(ctx, v, d.x, d.y, cells._start[i], cells._start[i + 1], true);
      }
    }
  }

  // The outline of some cells taken together: strokes of all, less what lies inside.
  BG.Outline = BG.CanvasLayer.extend({
    load() {
      this.data = this.data || { g: { ox: 0, oy: 0, q: 1 } };
      return Promise.resolve(this);
    },
    set(cells, members) {
      this._cells = cells;
      this._members = members;
      this.data = { g: cells.data.g };
      return this.redraw();
    },
    draw(ctx, v) {
      if (!this._members || !this._members.length) return;
      traceCells(ctx, v, this._cells, this._members);
      ctx.lineJoin = "round";
      for (const [color, width] of [["#ffffff", 8], ["#1a1a1a", 4.5]]) {
        ctx.strokeStyle = color;
        ctx.lineWidth = width;
        ctx.stroke();
      }
      ctx.globalCompositeOperation = "destination-out";
      ctx.fill();
      ctx.lineWidth = 0.8;
      ctx.stroke();
      ctx.globalCompositeOperation = "source-over";
    },
    // South-west and north-east of the chosen cells.
    bounds() {
      const c = this._cells, box = L.latLngBounds([]);
      for (const f of this._members) {
        box.extend(c.toLatLng(c.cx[f] - c._side / 2, c.cy[f] - c._side / 2));
        box.extend(c.toLatLng(c.cx[f] + c._side / 2, c.cy[f] + c._side / 2));
      }
      return box;
    },
  });

  // Candidate sites of one plan: chosen ones as numbered discs, others as diamonds, excluded ones as crosses.
  BG.Sites = BG.Points.extend({
    show(plan) {
      this._plan = plan;
      return this.setFilter((i) => this.data.plan[i] === plan);
    },
    _radius(zoom) {
      return BG.widthAt([6, 8, 10], zoom);
    },
    _big: (v) => BG.widthAt([7.5, 11, 13], v.zoom),
    // The discs, as names keep off them.
    discs(v) {
      const d = this.data;
      return [...d.x.keys()].filter((i) => d.plan[i] === this._plan && d.order[i]).map((i) => [this, i, this._big(v) + 1]);
    },
    draw(ctx, v) {
      const d = this.data, o = this.options, small = BG.widthAt([1.2, 4, 6], v.zoom), big = this._big(v);
      const order = [...d.x.keys()].filter((i) => d.plan[i] === this._plan).sort((a, b) => (d.order[a] ? 1 : 0) - (d.order[b] ? 1 : 0) || d.order[b] - d.order[a]);
      for (const i of order) {
        const px = d.x[i] * v.k + v.dx, py = v.dy - d.y[i] * v.k;
        if (px < -20 || py < -20 || px > v.width + 20 || py > v.height + 20) continue;
        if (d.order[i]) this._disc(ctx, px, py, this._marked === i ? big + 4 : big, String(d.order[i]));
        else this._diamond(ctx, px, py, this._marked === i ? small + 3 : small, d.reasons[d.why[i]] ? "#767676" : o.site, Boolean(d.reasons[d.why[i]]));
      }
    },
    _disc(ctx, px, py, r, text) {
      ctx.beginPath();
      ctx.arc(px, py, r, 0, 2 * Math.PI);
      ctx.fillStyle = this.options.site;
      ctx.fill();
      ctx.lineWidth = 2.5;
      ctx.strokeStyle = "#ffffff";
      ctx.stroke();
      ctx.fillStyle = "#ffffff";
      ctx.font = "700 " + Math.round(r * 1.15) + "px " + (this.options.font || "sans-serif");
      ctx.textAlign = "center";
      ctx.textBaseline = "middle";
      ctx.fillText(text, px, py + 1);
    },
    _diamond(ctx, px, py, r, color, crossed) {
      ctx.beginPath();
      if (crossed) {
        ctx.moveTo(px - r, py - r); ctx.lineTo(px + r, py + r);
        ctx.moveTo(px - r, py + r); ctx.lineTo(px + r, py - r);
        ctx.lineWidth = r < 3 ? 0.8 : 1.6;
        ctx.strokeStyle = color;
        ctx.stroke();
        return;
      }
      ctx.moveTo(px, py - r); ctx.lineTo(px + r, py); ctx.lineTo(px, py + r); ctx.lineTo(px - r, py);
      ctx.closePath();
      ctx.fillStyle = "#ffffff";
      ctx.fill();
      ctx.lineWidth = r < 3 ? 0.8 : 1.4;
      ctx.strokeStyle = color;
      ctx.stroke();
    },
  });

  // The services as they are judged, cell by cell.
  BG.Findings = class {
    constructor(app, m) {
      Object.assign(this, { app, m, c: app.config });
      this.judged = this.c.services.map((s, i) => i).filter((i) => this.c.services[i].judged);
      this.weight = this.judged.reduce((sum, s) => sum + this.c.services[s].weight, 0);
    }

    // 1 within reach at its level, 0 not, -1 unknown.
    state(s, i) {
      return this.m.reached(s, i, this.c.services[s].level * 60);
    }

    // How much of what is asked for a cell has: from the least that is certain to the most that could be.
    has(i) {
      const out = { low: 0, high: 0, reached: 0, missing: 0, unknown: 0 };
      for (const s of this.judged) {
        const ok = this.state(s, i), w = this.c.services[s].weight;
        if (ok === 1) { out.low += w; out.reached += 1; }
        if (ok !== 0) out.high += w;
        if (ok === 0) out.missing += 1;
        if (ok < 0) out.unknown += 1;
      }
      out.low /= this.weight || 1;
      out.high /= this.weight || 1;
      return out;
    }

    // Zones with sums: `make` gives their empty sums, `add` puts a cell into one.
    byZone(make, add) {
      const m = this.m, d = m.cells.data;
      const out = new Map(m.zones.map((z) => [z.index, { ...z, ...make() }]));
      const district = m.districts[0].index;
      for (let i = 0; i < m.n; i++) {
        for (const zone of [district, d.dir[i], d.zone[i]]) if (out.has(zone)) add(out.get(zone), i);
      }
      return out;
    }

    source(s) {
      return [s.standard, s.clause, s.tag ? "[" + s.tag + "]" : ""].filter(Boolean).join(" ");
    }

    // Card of a cell: who lives here, what is missing first, with the clause that asks for it.
    cellCard(i, ...more) {
      const { app, c, m } = this, has = this.has(i);
      const ages = el("p", "ages", ...c.ages.filter((a) => a.parts.length === 1).map((a) =>
        el("span", "", a.name + " ", el("b", "", fmt.exact(m.people(a)[i])))));
      const rows = this.judged.map((s) => ({ s: c.services[s], at: s, ok: this.state(s, i), near: m.cells.data.f[s * m.n + i] }));
      rows.sort((a, b) => (a.ok === 1) - (b.ok === 1) || (b.ok === 0) - (a.ok === 0) || a.at - b.at);
      const body = el("tbody", "", ...rows.map((r) => {
        const name = el("th", "", r.s.name,
          r.ok !== 1 ? el("small", "", this.source(r.s)) : null,
          r.near >= 0 ? el("small", "", m.facilityName(r.near)) : null);
        name.scope = "row";
        return el("tr", "ok" + r.ok, name, el("td", "", m.timeText(r.at, i)), el("td", "", "≤ " + r.s.level),
          el("td", "mark", r.ok === 1 ? "✓" : r.ok === 0 ? "✗" : "?",
            el("span", "hidden", app.t(["cov_gap", "cov_yes", "cov_unknown"][r.ok < 0 ? 2 : r.ok]))));
      }));
      const head = el("tr", "", ...["service", "card_time", "card_level", "card_ok"].map((k) => {
        const th = el("th", "", app.t(k));
        th.scope = "col";
        return th;
      }));
      app.card(app.t("card_people", { n: fmt.exact(m.people(c.ages[0])[i]) }), m.zoneName(i), ages, ...more,
        el("p", has.missing ? "missing" : "fine", app.t(has.missing ? "fnd_missing" : "card_complete", {
          n: has.missing, all: this.judged.length, yes: has.reached, unknown: has.unknown })),
        el("table", "", el("thead", "", head), body));
      m.cells.mark(i);
    }

    // What every page of cells does under the pointer; `lines(i)` says more of a cell.
    pointers(lines, ...more) {
      const { app, m } = this, { facilities, cells } = app.layers;
      app.hover = (latlng) => {
        const f = app.isOn("facilities") ? facilities.at(latlng) : -1;
        if (f >= 0) return [m.facilityName(f), this.c.services[facilities.data.s[f]].name];
        const i = app.isOn("cells") ? cells.at(latlng) : -1;
        if (i < 0) return null;
        return [m.zoneName(i), app.t("card_people", { n: fmt.exact(m.people(m.age())[i]) }), ...lines(i)];
      };
      app.click = (latlng) => {
        const f = app.isOn("facilities") ? facilities.at(latlng) : -1;
        m.unmark();
        if (f >= 0) { m.facilityCard(f); return; }
        const i = cells.at(latlng);
        if (i >= 0) this.cellCard(i, ...more.map((x) => x(i)));
        else app.closeCard();
      };
      app.onClose = () => m.unmark();
      app.places = m.places((i) => m.facilityCard(i));
    }

    // Rows of a table of facts; empty ones are left out.
    facts(rows) {
      return el("table", "facts", el("tbody", "", ...rows.filter((r) => r && r[1] !== "" && r[1] !== null && r[1] !== undefined)
        .map(([k, v]) => { const th = el("th", "", k); th.scope = "row"; return el("tr", "", th, el("td", "", v)); })));
    }
  };
})(window.BG = window.BG || {});
