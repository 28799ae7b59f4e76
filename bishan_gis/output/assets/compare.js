// The page of a comparison: who gains, who loses; before and after, one beside the other.
(function (BG) {
  "use strict";
  const el = BG.el, fmt = BG.fmt;

  // Cells in two states: left of the line as before, right of it as after.
  BG.Swipe = BG.Cells.extend({
    split(share, before, after) {
      this._share = share;
      this._sides = share === null ? null : [before, after];
      return this.redraw();
    },
    draw(ctx, v) {
      if (!this._sides) { BG.Cells.prototype.draw.call(this, ctx, v); return; }
      const size = this._map.getSize(), pad = Math.round(size.x * this.options.margin), x = pad + size.x * this._share;
      const own = this.data.c;
      [[0, x], [x, v.width - x]].forEach(([left, width], side) => {
        if (!(width > 0)) return;
        const sheet = document.createElement("canvas"), k = v.ratio;
        sheet.width = ctx.canvas.width;
        sheet.height = ctx.canvas.height;
        const own2d = sheet.getContext("2d");
        own2d.scale(k, k);
        this.data.c = this._sides[side];
        BG.Cells.prototype.draw.call(this, own2d, v);
        const from = Math.round(left * k), wide = Math.round((left + width) * k) - from;
        ctx.save();
        ctx.setTransform(1, 0, 0, 1, 0, 0);
        ctx.drawImage(sheet, from, 0, wide, sheet.height, from, 0, wide, sheet.height);
        ctx.restore();
      });
      this.data.c = own;
    },
  });

  // Facilities by what became of them: kept (dot), added (+), closed (x), moved (ring where it was).
  BG.Changes = BG.Points.extend({
    _style(i) {
      return this.options.styles ? this.options.styles[this.data.fate[i]] : { fill: "#1a1a1a" };
    },
    // Left of the line what is there before, right of it what is there after; null: all of it.
    split(share) {
      this._share = share;
      return this.redraw();
    },
    _big(v) {
      return Math.max(8, this._radius(v.zoom) + 4);
    },
    // What changed, as names keep off it.
    marks(v) {
      const d = this.data;
      return [...d.x.keys()].filter((i) => (!this._filter || this._filter(i)) && this._style(i).mark).map((i) => [this, i, this._big(v) + 1]);
    },
    draw(ctx, v) {
      const d = this.data, r = this._radius(v.zoom);
      const size = this._map.getSize(), FATES = this.options.fates || [];
      const line = this._share === undefined || this._share === null ? null : Math.round(size.x * this.options.margin) + size.x * this._share;
      const order = [...d.x.keys()].filter((i) => !this._filter || this._filter(i)).sort((a, b) => d.fate[a] - d.fate[b]);
      for (const i of order) {
        const px = d.x[i] * v.k + v.dx, py = v.dy - d.y[i] * v.k;
        if (px < -19 || py < -19 || px > v.width + 19 || py > v.height + 19) continue;
        const fate = FATES[d.fate[i]];
        if (line !== null && (px < line ? ["added", "moved"] : ["closed", "from"]).includes(fate)) continue;
        const style = this._style(i), big = style.mark ? this._big(v) : r, out = this._marked === i ? big + 4 : big;
        ctx.beginPath();
        ctx.arc(px, py, out, 0, 2 * Math.PI);
        ctx.fillStyle = style.fill;
        ctx.fill();
        ctx.strokeStyle = style.stroke || "#ffffff";
        ctx.lineWidth = style.stroke ? 2 : Math.min(2, 0.2 * out);
        ctx.stroke();
        if (!style.mark) continue;
        ctx.fillStyle = style.ink || "#ffffff";
        ctx.font = "700 " + Math.round(out * 1.5) + "px sans-serif";
        ctx.textAlign = "center";
        ctx.textBaseline = "middle";
        ctx.fillText(style.mark, px, py + 0.5);
      }
    },
  });

  BG.pages.compare = function (app) {
    const m = new BG.Model(app), c = app.config, k = app.tokens, hue = k.change;
    const { cells, facilities, zones, table } = app.layers;
    const d = cells.data, n = m.n;
    const before = { t: new Int32Array(d.t.length), u: new Int32Array(d.u.length), people: {} };
    for (let i = 0; i < d.t.length; i++) { before.t[i] = d.t[i] + d.t0[i]; before.u[i] = d.u[i] + d.u0[i]; }
    const fates = c.fates, tags = { kept: { fill: k.ink }, added: { fill: hue.gain, mark: "+" }, closed: { fill: hue.loss, mark: "×" },
      moved: { fill: k.site, mark: "→" }, from: { fill: "#ffffff", stroke: k.site, mark: "○", ink: k.site } };
    facilities.options.fates = fates;
    facilities.options.styles = fates.map((x) => tags[x]);
    app.layers.names.keepOff = (v) => facilities.marks(v);

    // People of an age group in every cell: before, after, and there in both.
    function people(age) {
      if (!before.people[age.key]) {
        const after = m.people(age), was = new Float64Array(after), stay = new Float64Array(n);
        if (!age.parts.length) for (let i = 0; i < n; i++) was[i] += d.all0[i];
        for (const part of age.parts) for (let i = 0; i < n; i++) was[i] += d.p0[part * n + i];
        for (let i = 0; i < n; i++) stay[i] = Math.min(was[i], after[i]);
        before.people[age.key] = { was, after, stay };
      }
      return before.people[age.key];
    }
    // 1 covered, 0 not, -1 unknown; before or after.
    function state(side, s, i, limit) {
      const t = side ? d.t[s * n + i] : before.t[s * n + i], u = side ? d.u[s * n + i] : before.u[s * n + i];
      if (t >= 0 && t <= limit) return 1;
      return u >= 0 && u <= limit ? -1 : 0;
    }
    const now = () => {
      const cut = Math.max(0, c.cutoffs.findIndex((x) => String(x) === String(app.state.cutoff)));
      const age = Math.max(0, c.ages.findIndex((x) => x.key === app.state.age));
      return { s: m.service, cut, age, limit: c.cutoffs[cut] * 60 };
    };
    const width = 10;
    const row = (zone, s, cut, age) => {
      const at = (((zone * c.services.length + s) * c.cutoffs.length + cut) * c.ages.length + age) * width, x = table.data.counts;
      return { all0: x[at], yes0: x[at + 1], unknown0: x[at + 2], all: x[at + 3], yes: x[at + 4], unknown: x[at + 5],
        gain: x[at + 6], gainUnknown: x[at + 7], lose: x[at + 8], loseUnknown: x[at + 9] };
    };
    const times = (zone, s, age) => {
      const at = ((zone * c.services.length + s) * c.ages.length + age) * 5, x = table.data.times;
      return { sooner: x[at], later: x[at + 1], found: x[at + 2], lost: x[at + 3], mean: x[at + 4] / 10 };
    };

    app.controls(
      app.choose("service", app.t("service"), m.serviceOptions()),
      el("div", "row", app.choose("view", app.t("scr_view"), ["change", "swipe", "before", "after"].map((v) => ({ value: v, text: app.t("cpr_" + v) })), true)),
      app.choose("cutoff", app.t("cutoff"), c.cutoffs.map((x) => ({ value: x, text: x + " " + app.t("min") })), true),
      app.choose("age", app.t("age_group"), m.ageOptions()),
    );

    // The line between before and after: a slider, so that keyboard and touch move it.
    const slider = el("input");
    Object.assign(slider, { type: "range", min: "0", max: "100", value: String(Number(app.state.split) || 50) });
    slider.setAttribute("aria-label", app.t("cpr_slider"));
    const line = el("div", "swipe-line", el("span", "left", "◀ " + app.t("cpr_before")), el("span", "right", app.t("cpr_after") + " ▶"));
    const swipe = el("div", "swipe", line, slider);
    document.getElementById("stage").append(swipe);
    let sides = null;
    const place = () => {
      const width = app.map.getSize().x, x = 22 + (width - 44) * Number(slider.value) / 100;
      line.style.left = x + "px";
      if (!sides) return;
      cells.split(x / width, sides[0], sides[1]);
      facilities.split(x / width);
    };
    app.map.on("resize", place);
    // Until it is moved it stands at the middle of the district.
    let moved = Boolean(app.state.split);
    app.onHome = () => {
      if (moved) return;
      const x = app.map.latLngToContainerPoint(L.latLngBounds(c.bounds).getCenter()).x, width = app.map.getSize().x;
      slider.value = String(Math.max(5, Math.min(95, Math.round(100 * (x - 22) / (width - 44)))));
      place();
    };
    slider.addEventListener("input", () => { moved = true; app.state.split = slider.value; app.keep(); place(); });
    app.map.on("move", () => { if (sides) { cells.redraw(); facilities.redraw(); } });

    const CHANGE = ["gain", "lose", "sooner", "later", "covered", "gap", "unknown"];
    const changeStyles = [{ fill: hue.gain }, { fill: hue.loss }, { fill: hue.sooner }, { fill: hue.later },
      { fill: "#c9cdd1" }, { fill: "#e9e6e0" }, { fill: k.unknown, hatch: "/" }];
    const sideStyles = [{ fill: k.reach[1] }, { fill: k.gap }, { fill: k.unknown, hatch: "/" }];

    function changed(s, i, limit) {
      const a = state(0, s, i, limit), b = state(1, s, i, limit), t0 = before.t[s * n + i], t1 = d.t[s * n + i];
      if (b === 1 && a !== 1) return 0;
      if (a === 1 && b !== 1) return 1;
      if (t1 >= 0 && (t0 < 0 || t1 < t0)) return 2;
      if (t0 >= 0 && (t1 < 0 || t1 > t0)) return 3;
      return b === 1 ? 4 : b === 0 ? 5 : 6;
    }

    app.update = function () {
      const { s, cut, age, limit } = now(), service = c.services[s], minutes = c.cutoffs[cut], group = c.ages[age];
      app.standard(service.level);
      const who = people(group), view = app.state.view;
      const change = new Uint8Array(n), a = new Uint8Array(n), b = new Uint8Array(n);
      const sums = CHANGE.map(() => 0), was = [0, 0, 0], will = [0, 0, 0], code = (x) => (x === 1 ? 0 : x === 0 ? 1 : 2);
      for (let i = 0; i < n; i++) {
        change[i] = changed(s, i, limit);
        a[i] = code(state(0, s, i, limit));
        b[i] = code(state(1, s, i, limit));
        sums[change[i]] += who.stay[i];
        was[a[i]] += who.was[i];
        will[b[i]] += who.after[i];
      }
      sides = view === "swipe" ? [a, b] : null;
      swipe.hidden = view !== "swipe";
      app.noInset = view === "swipe";
      cells._sides = null;
      cells.setClasses(view === "change" ? change : view === "before" ? a : b, view === "change" ? changeStyles : sideStyles);
      if (sides) place();
      else { cells.split(null); facilities.split(null); }
      const hide = { before: ["added", "moved"], after: ["closed", "from"] }[view] || [];
      facilities.setFilter((i) => facilities.data.s[i] === s && !hide.includes(fates[facilities.data.fate[i]]));
      app.layers.names.redraw();

      const all = row(m.districts[0].index, s, cut, age), t = times(m.districts[0].index, s, age);
      const plus = (v) => (v ? "+" : "") + fmt.people(v), minus = (v) => (v ? "−" : "") + fmt.people(v);
      const signed = (v) => (v > 0 ? "+" : v < 0 ? "−" : "±") + fmt.people(Math.abs(v));
      app.title(app.t("cpr_title"), service.name, app.t("walk_within", { n: minutes }), group.key === "all" ? "" : group.name);
      app.headline(signed(all.yes - all.yes0) + " " + app.t("people"), app.t("cpr_caption", { n: minutes, service: service.name }), [
        [app.swatch({ fill: hue.gain }), app.t("cpr_gain") + " ", el("b", "", fmt.people(all.gain)), " · ",
          app.swatch({ fill: hue.loss }), app.t("cpr_lose") + " ", el("b", "", fmt.people(all.lose)), " " + app.t("people")],
        [app.t("cpr_rates", { a: fmt.percent(all.yes0, all.all0), b: fmt.percent(all.yes, all.all) }),
          el("span", "gapless", app.t("cpr_times", { a: fmt.people(t.sooner + t.found), b: fmt.people(t.later + t.lost) }))],
        [c.before + " → " + c.after],
        ...(c.empty ? [[el("b", "", app.t("cpr_empty"))]] : []),
      ]);
      document.getElementById("headline").dataset.numbers = [all.all0, all.yes0, all.unknown0, all.all, all.yes, all.unknown, all.gain, all.lose].join(",");
      const named = (list) => list.map((z) => ({ ...z, ...row(z.index, s, cut, age) }));
      const most = Math.max(1, ...named(m.directions).map((r) => r.gain + r.lose));
      const dirs = named(m.directions).sort((x, y) => y.gain - y.lose - (x.gain - x.lose));
      const bars = BG.bars(app, app.t("by_direction"), dirs.map((r) => ({
        name: r.name, color: r.color, value: plus(r.gain), sub: minus(r.lose),
        parts: [{ share: r.gain / most, fill: hue.gain }, { share: r.lose / most, fill: hue.loss }] })),
        [app.t("cpr_gain"), app.t("cpr_lose")], app.t("gap_most_first"));
      const columns = [
        { text: app.t("zone_township"), value: (r) => r.name, show: (r) => r.name },
        { text: app.t("cpr_gain"), value: (r) => r.gain, show: (r) => fmt.people(r.gain) },
        { text: app.t("cpr_lose"), value: (r) => r.lose, show: (r) => fmt.people(r.lose) },
        { text: app.t("cpr_before"), value: (r) => (r.all0 ? r.yes0 / r.all0 : -1), show: (r) => fmt.percent(r.yes0, r.all0) },
        { text: app.t("cpr_after"), value: (r) => (r.all ? r.yes / r.all : -1), show: (r) => fmt.percent(r.yes, r.all) },
      ];
      // By service and by age: where the plan helps whom.
      const lines = (title, list) => BG.bars(app, title, list, [app.t("cpr_gain"), app.t("cpr_lose")]);
      const top = (list) => Math.max(1, ...list.map((r) => r.gain + r.lose));
      const part = (r, hi) => [{ share: r.gain / hi, fill: hue.gain }, { share: r.lose / hi, fill: hue.loss }];
      const byService = c.services.map((x, j) => {
        const level = Math.max(0, c.cutoffs.findIndex((y) => y === x.level));
        return { name: x.name + " ≤ " + c.cutoffs[level], ...row(m.districts[0].index, j, level, age) };
      });
      const byAge = c.ages.map((x, j) => ({ name: x.name, ...row(m.districts[0].index, s, cut, j) }));
      const show = (list) => list.map((r) => ({ name: r.name, value: plus(r.gain), sub: minus(r.lose), parts: part(r, top(list)) }));
      const serviceBars = lines(app.t("cpr_by_service"), show(byService.filter((r) => r.gain || r.lose)));
      // What changes beside walking times: measures of the study, and places.
      const number = (v) => (v === null ? "–" : Math.abs(v) >= 100 ? fmt.exact(Math.round(v)) : String(Number(v.toPrecision(4))));
      const supplyColumns = [
        { text: app.t("zone"), value: (r) => r.at, show: (r) => r.at },
        { text: app.t("cpr_measure"), value: (r) => r.name, show: (r) => r.name + (r.unit ? " [" + r.unit + "]" : "") },
        { text: app.t("cpr_before"), value: (r) => (r.before === null ? -1 : r.before), show: (r) => number(r.before) },
        { text: app.t("cpr_after"), value: (r) => (r.after === null ? -1 : r.after), show: (r) => number(r.after) },
        { text: app.t("cpr_change"), value: (r) => (r.after || 0) - (r.before || 0),
          show: (r) => (r.before === null || r.after === null ? "–" : (r.after > r.before ? "+" : "") + number(r.after - r.before)) },
      ];
      const zoneNames = new Map([...m.districts, ...m.directions, ...m.townships].map((z) => [z.index, z.name]));
      const supplied = c.supply.filter((r) => r.kind !== "township" && r.services.includes(service.key)).map((r) => ({ ...r, at: zoneNames.get(r.zone) || "" }));
      const supply = supplied.length ? BG.table(app, app.t("cpr_supply"), supplyColumns, supplied) : null;
      app.panel(bars, supply || "", BG.table(app, app.t("by_township"), columns, named(m.townships), { ...all, name: app.t("sum") }, m.rowActions()),
        lines(app.t("cpr_by_age"), show(byAge)), serviceBars, el("p", "note", app.t("cpr_note")), m.clause(service));
      const names = { gain: "cpr_gain", lose: "cpr_lose", sooner: "cpr_sooner", later: "cpr_later", covered: "cpr_covered", gap: "cpr_gap", unknown: "cov_unknown" };
      const sections = view === "change" ? [{ title: app.t("cpr_change"), unit: app.t("people"), note: app.t("cpr_stay"),
        rows: CHANGE.map((key, i) => ({ style: changeStyles[i], text: app.t(names[key]), value: fmt.people(sums[i]), muted: !sums[i] })) }]
        : [["before", was], ["after", will]].filter(([key]) => view === "swipe" || view === key).map(([key, list]) => ({
          title: app.t("cpr_" + key), unit: app.t("people"),
          rows: ["cov_yes", "cov_gap", "cov_unknown"].map((x, i) => ({ style: sideStyles[i], text: app.t(x), value: fmt.people(list[i]), muted: !list[i] })) }));
      const fateCount = fates.map((_, j) => [...facilities.data.fate].filter((x, i) => x === j && facilities.data.s[i] === s).length);
      sections.push({ title: service.name, unit: app.t("places"), rows: fates.map((x, j) => ({
        style: { fill: tags[x].fill, stroke: tags[x].stroke, shape: "dot" }, text: app.t("cpr_fate_" + x) + (tags[x].mark ? " " + tags[x].mark : ""), value: fmt.exact(fateCount[j]), show: fateCount[j] })).filter((r) => r.show) });
      app.legend(sections);
      document.getElementById("legend").dataset.numbers = (view === "change" ? sums : view === "before" ? was : view === "after" ? will : [...was, ...will]).join(",");
      app.onLayer = (key) => { if (key === "cells") swipe.hidden = app.state.view !== "swipe" || !app.isOn("cells"); };
      app.table = () => [
        [app.t("zone"), app.t("service"), app.t("cutoff"), app.t("age_group"), app.t("cpr_gain"), app.t("cpr_lose"), app.t("cpr_before"), app.t("cpr_after"),
          app.t("population") + " " + app.t("cpr_before"), app.t("population") + " " + app.t("cpr_after")],
        ...named(m.zones).map((r) => [r.name, service.name, minutes, group.name, r.gain, r.lose, r.yes0, r.yes, r.all0, r.all]),
      ];
    };

    const minuteText = (side, s, i) => {
      const t = side ? d.t[s * n + i] : before.t[s * n + i];
      if (t >= 0) return fmt.minutes(t) + " " + app.t("min");
      return app.t("status_" + c.status[(side ? d.st : d.st0)[s * n + i]], { min: c.searchMin });
    };
    app.hover = (latlng) => {
      const f = app.isOn("facilities") ? facilities.at(latlng) : -1;
      if (f >= 0) return [m.facilityName(f), c.services[facilities.data.s[f]].name, app.t("cpr_fate_" + fates[facilities.data.fate[f]])];
      const i = app.isOn("cells") ? cells.at(latlng) : -1;
      if (i < 0) return null;
      const s = m.service;
      return [m.zoneName(i), app.t("card_people", { n: fmt.exact(m.people(m.age())[i]) }),
        c.services[s].name + " " + minuteText(0, s, i) + " → " + minuteText(1, s, i)];
    };
    function cellCard(i) {
      const head = el("tr", "", ...["service", "cpr_before", "cpr_after", "card_level"].map((key) => { const th = el("th", "", app.t(key)); th.scope = "col"; return th; }));
      const body = el("tbody", "", ...c.services.map((x, s) => {
        const th = el("th", "", x.name), kind = changed(s, i, x.level * 60);
        th.scope = "row";
        const tr = el("tr", kind === 0 || kind === 2 ? "better" : kind === 1 || kind === 3 ? "worse" : "", th,
          el("td", "", minuteText(0, s, i)), el("td", "", minuteText(1, s, i)), el("td", "", "≤ " + x.level));
        return tr;
      }));
      const ages = el("p", "ages", ...c.ages.filter((x) => x.parts.length === 1).map((x) => el("span", "", x.name + " ", el("b", "", fmt.exact(m.people(x)[i])))));
      const p = people(c.ages[0]);
      app.card(app.t("card_people", { n: fmt.exact(p.after[i]) }), m.zoneName(i), ages,
        p.was[i] === p.after[i] ? "" : el("p", "said", app.t("cpr_people", { a: fmt.exact(p.was[i]), b: fmt.exact(p.after[i]) })),
        el("table", "", el("thead", "", head), body));
      cells.mark(i);
    }
    app.click = (latlng) => {
      const f = app.isOn("facilities") ? facilities.at(latlng) : -1;
      m.unmark();
      if (f >= 0) { m.facilityCard(f); return; }
      const i = cells.at(latlng);
      if (i >= 0) cellCard(i); else app.closeCard();
    };
    app.onClose = () => m.unmark();
    app.places = m.places((i) => m.facilityCard(i));
    zones.setFilter(() => false);
    app.update();
  };
})(window.BG = window.BG || {});
