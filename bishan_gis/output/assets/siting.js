// The page of sites: what a plan chose, whom each site serves, who stays without and why.
(function (BG) {
  "use strict";
  const el = BG.el, fmt = BG.fmt, svg = BG.svg;

  BG.pages.siting = function (app) {
    const m = new BG.Model(app), f = new BG.Findings(app, m), c = app.config, k = app.tokens;
    const { cells, facilities, zones, sites, plans, outline, names } = app.layers;
    const d = sites.data, state = plans.data.state, order = plans.data.order;
    sites.options.site = k.site;
    sites.options.font = k.font;
    names.keepOff = (v) => sites.discs(v);
    const fills = Object.fromEntries(c.cellStates.map((s, i) => [s, c.cellFills[i]]));
    const styles = c.cellStates.map((s) => ({ fill: fills[s], hatch: ["unknown", "off_network"].includes(s) ? "/" : undefined }));
    const planNow = () => Math.min(c.plans.length - 1, Math.max(0, Number(app.state.plan) || 0));
    const planName = (p, i) => (i + 1) + ". " + p.name + (p.zone ? " · " + p.zone : "") + " · " + app.t("sit_n", { n: chosen(i).length });
    const chosen = (plan) => [...d.x.keys()].filter((i) => d.plan[i] === plan && d.order[i]).sort((a, b) => d.order[a] - d.order[b]);
    const townOf = (i) => { const z = m.zones[d.zone[i]]; return z ? [z.name, z.direction].filter(Boolean).join(" · ") : ""; };
    const dirOf = (i) => (m.zones[d.zone[i]] || {}).direction;

    app.controls(app.choose("plan", app.t("sit_plan"), c.plans.map((p, i) => ({ value: i, text: planName(p, i) }))));

    function siteCard(i) {
      const why = d.reasons[d.why[i]], p = c.plans[d.plan[i]];
      app.card(d.order[i] ? app.t("sit_site", { n: d.order[i] }) : app.t(why ? "sit_excluded" : "sit_candidate"),
        d.places[i] ? [d.places[i], dirOf(i)].filter(Boolean).join(" · ") : townOf(i),
        d.order[i] ? el("p", "score", el("b", "", fmt.people(d.new[i])), " " + app.t("sit_new_people")) : null,
        f.facts([
          [app.t("sit_total"), d.order[i] ? fmt.people(d.total[i]) + " " + app.t("people") : ""],
          [app.t("sit_why"), why ? app.t("sit_why_" + why) : ""],
          [app.t("landuse"), d.lands[d.land[i]]],
          [app.t("sit_area"), d.area[i] >= 0 ? fmt.exact(d.area[i]) + " m²" : ""],
          [app.t("sit_slope"), d.slope[i] >= 0 ? (d.slope[i] / 10).toFixed(1) + " %" : ""],
          [app.t("sit_id"), d.names[i]],
          [app.t("service"), p.name + " ≤ " + p.cutoff + " " + app.t("min")],
          [app.t("data_kind"), app.t("kind_" + p.kind)],
        ]));
    }

    const served = (plan, n) => { const out = []; for (let i = 0; i < m.n; i++) if (order[plan * m.n + i] === n) out.push(i); return out; };
    function pick(i, move) {
      m.unmark();
      sites.mark(i);
      const own = d.order[i] ? served(d.plan[i], d.order[i]) : [];
      outline.set(cells, own);
      siteCard(i);
      if (move) {
        if (own.length) app.map.fitBounds(outline.bounds().pad(0.8), { animate: false, maxZoom: 15 });
        else app.map.setView(sites.centre(i), 15, { animate: false });
        app.clear(sites.centre(i));
      }
    }

    // People newly served by one site, two, three ...: bars for each, a line for the sum.
    function curve(list) {
      const w = 320, h = 118, left = 8, top = 16, foot = 20, n = list.length;
      const most = Math.max(1, ...list.map((i) => d.total[i]));
      const step = (w - 2 * left) / Math.max(1, n), y = (v) => top + (h - top - foot) * (1 - v / most);
      const out = svg("svg", { viewBox: "0 0 " + w + " " + h, class: "curve", role: "img",
        "aria-label": app.t("sit_curve") + app.t("colon") + list.map((i) => d.order[i] + " " + fmt.people(d.total[i])).join(app.t("list_mark")) });
      out.append(svg("line", { x1: left, x2: w - left, y1: h - foot, y2: h - foot, class: "axis" }));
      const points = list.map((i, j) => [left + step * (j + 0.5), y(d.total[i])]);
      list.forEach((i, j) => {
        const bar = Math.min(46, step * 0.6), x = left + step * (j + 0.5);
        out.append(svg("rect", { x: x - bar / 2, y: y(d.new[i]), width: bar, height: h - foot - y(d.new[i]), class: "bar" }));
        if (n <= 12) {
          out.append(svg("text", { x, y: h - 6, class: "tick" }, d.order[i]));
          out.append(svg("text", { x, y: points[j][1] - 5, class: "sum" }, fmt.people(d.total[i])));
        }
      });
      out.append(svg("polyline", { points: points.map((p) => p.join(",")).join(" "), class: "line" }));
      points.forEach(([x, yy]) => out.append(svg("circle", { cx: x, cy: yy, r: 3, class: "point" })));
      return el("section", "", el("h2", "", app.t("sit_curve"), el("span", "unit", app.t("people"))), out,
        el("p", "note", app.t("sit_curve_note")));
    }

    app.update = function () {
      const plan = planNow(), p = c.plans[plan], list = chosen(plan);
      app.state.plan = String(plan);
      const age = c.ages.find((a) => a.key === p.age) || c.ages[0], people = m.people(age);
      const column = new Uint8Array(state.slice(plan * m.n, (plan + 1) * m.n));
      const sums = styles.map(() => 0), counts = styles.map(() => 0);
      const byZone = f.byZone(() => ({ all: 0, sums: styles.map(() => 0) }), (z, i) => { z.all += people[i]; z.sums[column[i]] += people[i]; });
      for (let i = 0; i < m.n; i++) { sums[column[i]] += people[i]; counts[column[i]] += 1; }
      cells.setClasses(column, styles);
      sites.show(plan);
      names.redraw();
      outline.set(cells, []);
      facilities.setFilter((i) => facilities.data.s[i] === p.s);
      app.title(app.t("sit_title"), p.name, p.zone);
      app.headline(fmt.people(p.new) + " " + app.t("people"), app.t("sit_caption", { n: list.length, service: p.name, min: p.cutoff,
        who: age.key === "all" ? "" : p.ageName }), [
        [app.t("sit_left") + " ", el("b", "", fmt.people(Object.values(p.left).reduce((a, b) => a + b, 0))), " / " + fmt.exact(p.people) + " " + app.t("people")],
        [app.t(p.status === "optimal" ? "sit_optimal" : p.status === "infeasible" ? "sit_infeasible" : "sit_limit", { g: (100 * (p.gap || 0)).toFixed(1) }), " · " + app.t("sit_model_" + p.model)],
      ]);
      document.getElementById("headline").dataset.numbers = [p.people, p.new, ...list.map((i) => d.new[i])].join(",");
      const items = list.map((i) => {
        const name = el("button", "plain", el("span", "rank site", d.order[i]), el("b", "", d.places[i] || d.names[i]));
        name.type = "button";
        name.addEventListener("click", () => { pick(i, true); app.lower(); });
        return el("li", "find", name, el("span", "who", "+" + fmt.people(d.new[i]) + " " + app.t("people")),
          el("p", "", [dirOf(i), d.lands[d.land[i]], d.area[i] >= 0 ? fmt.exact(d.area[i]) + " m²" : "", d.names[i]].filter(Boolean).join(" · ")));
      });
      const left = Object.entries(p.left).sort((a, b) => b[1] - a[1]);
      const most = Math.max(1, ...left.map((x) => x[1]));
      const reasons = BG.bars(app, app.t("sit_left_why"), left.map(([why, n]) => ({
        name: app.t("sit_left_" + why), value: fmt.people(n), sub: fmt.percent(n, p.people),
        parts: [{ share: n / most, fill: fills[why], hatch: ["unknown", "off_network"].includes(why) ? "/" : undefined }] })),
        [app.t("gap_people"), app.t("gap_share")]);
      const usable = p.candidates - Object.values(p.rejected).reduce((a, b) => a + b, 0);
      const table = f.facts([[app.t("sit_candidates"), fmt.exact(p.candidates)], [app.t("sit_usable"), fmt.exact(usable)],
        ...Object.entries(p.rejected).map(([why, n]) => [app.t("sit_why_" + why), fmt.exact(n)])]);
      const columns = [
        { text: app.t("zone_township"), value: (r) => r.name, show: (r) => r.name },
        { text: app.t("sit_new"), value: (r) => r.sums[1], show: (r) => fmt.people(r.sums[1]) },
        { text: app.t("sit_served"), value: (r) => r.sums[0], show: (r) => fmt.people(r.sums[0]) },
        { text: app.t("sit_left_n"), value: (r) => r.all - r.sums[0] - r.sums[1] - r.sums[8], show: (r) => fmt.people(r.all - r.sums[0] - r.sums[1] - r.sums[8]) },
        { text: app.t("population"), value: (r) => r.all, show: (r) => fmt.people(r.all) },
      ];
      const towns = m.townships.map((z) => byZone.get(z.index));
      app.panel(el("section", "", el("h2", "", app.t("sit_order"), el("span", "unit", app.t("sit_newly"))),
        items.length ? el("ol", "finds", ...items) : el("p", "note", app.t("sit_none"))),
      list.length ? curve(list) : "", reasons,
      el("section", "", el("h2", "", app.t("sit_candidates")), table),
      BG.table(app, app.t("by_township"), columns, towns, { ...byZone.get(m.districts[0].index), name: app.t("sum") }, m.rowActions()),
      el("p", "note", app.t("sit_note", { kind: app.t("kind_" + p.kind) })));
      app.legend([
        { title: p.name + " ≤ " + p.cutoff + " " + app.t("min"), unit: app.t("people"),
          rows: c.cellStates.map((s, i) => ({ style: styles[i], text: app.t(i < 2 ? "sit_cell_" + s : s === "outside" ? "sit_cell_outside" : "sit_left_" + s),
            value: fmt.people(sums[i]), show: counts[i] })).filter((r) => r.show) },
        { title: app.t("sit_candidates"), unit: app.t("places"), rows: [
          { style: { fill: k.site, shape: "dot" }, text: app.t("sit_chosen"), value: fmt.exact(list.length) },
          { style: { stroke: k.site, shape: "diamond" }, text: app.t("sit_candidate"), value: fmt.exact(usable - list.length) },
          { style: { stroke: "#767676", shape: "cross" }, text: app.t("sit_excluded"), value: fmt.exact(p.candidates - usable) },
          ...(p.s >= 0 ? [{ style: { fill: k.ink, shape: "dot" }, text: app.t("sit_existing"), value: fmt.exact(c.services[p.s].n) }] : [])] },
      ]);
      document.getElementById("legend").dataset.numbers = sums.join(",");
      app.table = () => [
        ["sit_order", "gap_place", "zone_township", "sit_id", "landuse", "sit_area", "sit_new", "sit_total"].map((x) => app.t(x)),
        ...list.map((i) => [d.order[i], d.places[i], townOf(i), d.names[i], d.lands[d.land[i]], d.area[i] >= 0 ? d.area[i] : "", d.new[i], d.total[i]]),
      ];
    };
    const says = (i) => {
      const plan = planNow(), s = c.cellStates[state[plan * m.n + i]], n = order[plan * m.n + i];
      return c.plans[plan].name + app.t("colon") + (s === "new" ? app.t("sit_by", { n }) : app.t(s === "served" ? "sit_cell_served" : s === "outside" ? "sit_cell_outside" : "sit_left_" + s));
    };
    f.pointers((i) => [says(i)], (i) => el("p", "said", says(i)));
    const [hover, click] = [app.hover, app.click];
    app.hover = (latlng) => {
      const i = app.isOn("sites") ? sites.at(latlng) : -1;
      if (i < 0) return hover(latlng);
      const why = d.reasons[d.why[i]];
      return [d.order[i] ? app.t("sit_site", { n: d.order[i] }) : app.t(why ? "sit_excluded" : "sit_candidate"),
        d.order[i] ? "+" + fmt.people(d.new[i]) + " " + app.t("people") : why ? app.t("sit_why_" + why) : d.lands[d.land[i]], d.places[i] || townOf(i)].filter(Boolean);
    };
    app.click = (latlng) => {
      const i = app.isOn("sites") ? sites.at(latlng) : -1;
      sites.mark(-1);
      outline.set(cells, []);
      if (i >= 0) pick(i, false); else click(latlng);
    };
    app.onClose = () => { m.unmark(); sites.mark(-1); outline.set(cells, []); };
    [...d.x.keys()].filter((i) => d.order[i]).forEach((i) => app.places.push({ text: d.places[i] || d.names[i],
      kind: app.t("sit_site", { n: d.order[i] }) + " · " + c.plans[d.plan[i]].name, go: () => {
        app.state.plan = document.getElementById("choose-plan").value = String(d.plan[i]);
        app.update();
        pick(i, true);
      } }));
    zones.setFilter(() => false);
    app.update();
  };
})(window.BG = window.BG || {});
