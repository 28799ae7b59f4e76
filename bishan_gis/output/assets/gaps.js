// The page of gaps: a ranked list of areas, and where each of them is.
(function (BG) {
  "use strict";
  const el = BG.el, fmt = BG.fmt;
  const STEP = 12;

  BG.pages.gaps = function (app) {
    const m = new BG.Model(app), f = new BG.Findings(app, m), c = app.config, k = app.tokens;
    const { cells, facilities, areas, outline } = app.layers;
    const told = areas.data.areas, starts = BG.starts(areas.data.n), sums = areas.data.sums, rows = sums.length / 8;
    told.forEach((a, i) => { a.at = i; a.id = c.lists[a.list] + "-" + a.rank; });
    const column = (name) => ["of", "s", "zone", "reason", "fragile", "people", "n", "big"].indexOf(name) * rows;
    const members = (a) => areas.data.cells.subarray ? areas.data.cells.subarray(starts[a.at], starts[a.at + 1])
      : areas.data.cells.slice(starts[a.at], starts[a.at + 1]);
    const worst = f.judged.length;
    // Classes of how many services are missing: none, then fifths of all.
    const bands = [0, 1, 2, 3, 4, 5].map((b) => Math.ceil(worst * b / 5));
    let limit = STEP;

    const listNow = () => Math.max(0, c.lists.indexOf(app.state.list));
    const serviceNow = () => c.services.findIndex((s) => s.key === app.state.service && s.judged);
    const reasonNow = () => c.reasons.indexOf(app.state.reason);

    const present = [...new Set(told.map((a) => a.reason))].sort((a, b) => a - b);
    app.controls(
      app.choose("service", app.t("service"), [{ value: "", text: app.t("gap_any", { n: worst }) },
        ...c.services.filter((s) => s.judged).map((s) => ({ value: s.key, text: s.name + " ≤ " + s.level + " " + app.t("min"), group: s.group }))]),
      el("div", "row", app.choose("list", app.t("gap_list"), c.lists.map((key) => ({
        value: key, text: app.t("gap_" + key) })), true)),
      el("div", "row pair",
        m.scopeControl(),
        app.choose("reason", app.t("gap_reason"), [{ value: "", text: app.t("gap_all_reasons") },
          ...present.map((r) => ({ value: c.reasons[r], text: app.t("reason_" + c.reasons[r]) }))])),
    );

    const BLANK = { fill: k.change.same }, UNKNOWN = { fill: k.unknown, hatch: "/" };
    // Whether a cell is one of those that the chosen list is about: missing, unknown, or too few places.
    function member(s) {
      if (app.state.list === "short") {
        const there = new Uint8Array(m.n);
        told.filter((a) => a.list === 2 && (s < 0 || a.s === s)).forEach((a) => members(a).forEach((i) => { there[i] = 1; }));
        return (i) => there[i] === 1;
      }
      const unknown = app.state.list === "unknown";
      if (s >= 0) return (i) => (unknown ? f.state(s, i) < 0 : f.state(s, i) === 0);
      return (i) => f.has(i)[unknown ? "unknown" : "missing"] > 0;
    }

    // Colours: one service: covered, missing, unknown; all services: how many are missing; other lists: theirs and the rest.
    function classes(s, people, mine) {
      const out = new Uint8Array(m.n), count = [], add = (at, i) => {
        out[i] = at;
        count[at] = (count[at] || 0) + (m.inScope(i) ? people[i] : 0);
      };
      const list = c.lists[listNow()];
      if (list !== "gaps") {
        for (let i = 0; i < m.n; i++) add(mine(i) ? 1 : 0, i);
        return { out, count, styles: [BLANK, list === "short" ? { fill: k.gap } : UNKNOWN], names: [app.t("other_cells"), app.t("gap_" + list)] };
      }
      if (s >= 0) {
        for (let i = 0; i < m.n; i++) add([1, 0, 2][f.state(s, i) < 0 ? 2 : f.state(s, i) === 1 ? 1 : 0], i);
        return { out, count, styles: [{ fill: k.reach[k.reach.length - 1] }, { fill: k.gap }, UNKNOWN],
          names: [app.t("cov_yes"), app.t("cov_gap"), app.t("cov_unknown")] };
      }
      for (let i = 0; i < m.n; i++) {
        const has = f.has(i);
        add(!has.missing && has.unknown ? 6 : bands.findIndex((b) => has.missing <= b), i);
      }
      const names = bands.map((b, j) => (j ? app.t("gap_band", { a: bands[j - 1] + 1, b }) : app.t("gap_none")));
      return { out, count, styles: [...k.missing.map((fill) => ({ fill })), UNKNOWN],
        names: [...names, app.t("cov_unknown")] };
    }

    // All areas that the choice leaves, told or not.
    function matching(of, s, towns, reason) {
      const out = { n: 0, people: 0, fragile: 0, big: 0 };
      for (let i = 0; i < rows; i++) {
        if (sums[column("of") + i] !== of || (s >= 0 && sums[column("s") + i] !== s)
          || (towns && !towns.has(sums[column("zone") + i])) || (reason >= 0 && sums[column("reason") + i] !== reason)) continue;
        out.n += sums[column("n") + i];
        out.people += sums[column("people") + i];
        out.big += sums[column("big") + i];
        if (sums[column("fragile") + i]) out.fragile += sums[column("n") + i];
      }
      return out;
    }

    function areaCard(a) {
      const s = c.services[a.s], town = m.zones[a.zone];
      app.card(a.place, s.name + " · " + app.t("card_people", { n: fmt.people(a.people) }),
        el("p", "said", a.text),
        a.fragile ? el("p", "tag-line", el("span", "tag frail", app.t("gap_fragile")), app.t("gap_fragile_note")) : "",
        f.facts([
          [app.t("zone_township"), town ? [town.name, town.direction].filter(Boolean).join(" · ") : ""],
          [app.t("gap_reason"), app.t("reason_" + c.reasons[a.reason])],
          [app.t("card_time"), a.near === null ? "" : fmt.minutes(a.near * 60) + " " + app.t("min") + " (≤ " + s.level + ")"],
          [app.t("gap_nearest"), a.facility],
          [app.t("gap_straight"), a.straight === null ? "" : fmt.distance(a.straight)],
          [app.t("gap_detour"), a.detour === null || c.reasons[a.reason] !== "detour" ? "" : a.detour.toFixed(1)],
          [app.t("gap_barrier"), a.barrier],
          [app.t("gap_no_path"), a.noPath ? fmt.people(a.noPath) + " " + app.t("people") : ""],
          [app.t("gap_firm"), a.list === 0 ? fmt.people(a.firm) + " " + app.t("people") : ""],
          [app.t("gap_also"), a.also.slice(0, 8).map((j) => c.services[j].name).join(app.t("list_mark"))
            + (a.also.length > 8 ? " " + app.t("and_more", { n: a.also.length }) : "")],
          [app.t("gap_cells"), fmt.exact(members(a).length)],
          [app.t("standard"), f.source(s)],
        ]));
    }

    function pick(a, move) {
      m.unmark();
      app.state.area = a.id;
      app.keep();
      outline.set(cells, members(a));
      areaCard(a);
      if (move) app.map.fitBounds(outline.bounds().pad(0.6), { animate: false, maxZoom: 15 });
      document.querySelectorAll(".find").forEach((li) => li.classList.toggle("chosen", li.dataset.id === a.id));
    }

    function list(found, all) {
      const items = found.slice(0, limit).map((a) => {
        const name = el("button", "plain", el("span", "rank", a.rank), el("b", "", a.place));
        name.type = "button";
        name.addEventListener("click", () => pick(a, true));
        const li = el("li", "find" + (a.id === app.state.area ? " chosen" : ""), name,
          el("span", "who", fmt.people(a.people) + " " + app.t("people")),
          el("p", "", a.text),
          a.fragile ? el("span", "tag frail", app.t("gap_fragile")) : null);
        li.dataset.id = a.id;
        return li;
      });
      const more = el("button", "more", app.t("gap_more", { n: Math.min(STEP, found.length - limit) }));
      more.type = "button";
      more.addEventListener("click", () => { limit += STEP; app.update(); });
      const left = all.n - found.length;
      return el("section", "", el("h2", "", app.t("gap_ranked"), el("span", "unit", app.t("gap_count", { n: fmt.exact(all.n) }))),
        items.length ? el("ol", "finds", ...items) : el("p", "note", app.t("gap_nothing")),
        found.length > limit ? more : null,
        left > 0 && found.length <= limit ? el("p", "note", app.t("gap_rest", { n: fmt.exact(left) })) : null);
    }

    app.update = function () {
      const of = listNow(), s = serviceNow(), reason = reasonNow(), scope = m.scope(), people = m.people(m.age());
      const towns = m.whole() ? null : new Set(m.scopeTowns().map((z) => z.index));
      m.showScope();
      const which = c.lists[of], mine = member(s), drawn = classes(s, people, mine);
      cells.setClasses(drawn.out, drawn.styles);
      facilities.setFilter((i) => (s < 0 ? false : facilities.data.s[i] === s));
      const all = matching(of, s, towns, reason);
      const found = told.filter((a) => a.list === of && (s < 0 || a.s === s) && (!towns || towns.has(a.zone))
        && (reason < 0 || a.reason === reason));
      const byZone = f.byZone(() => ({ all: 0, gap: 0, unknown: 0, sums: drawn.styles.map(() => 0) }), (z, i) => {
        z.all += people[i];
        z.sums[drawn.out[i]] += people[i];
        const has = s < 0 ? f.has(i) : null, ok = s < 0 ? (has.missing ? 0 : has.unknown ? -1 : 1) : f.state(s, i);
        if (mine(i)) z.gap += people[i];
        if (ok < 0) z.unknown += people[i];
      });
      const d = byZone.get(scope.index), name = s < 0 ? "" : c.services[s].name;
      const kind = which === "gaps" ? "" : "_" + which;
      app.title(m.whole() ? "" : scope.name, app.t("gap_title"), kind ? app.t("gap_" + which) : "", name);
      app.headline(fmt.people(d.gap) + " " + app.t("people"), app.t("gap_caption" + kind + (s < 0 ? "_any" : ""),
        { n: s < 0 ? worst : c.services[s].level, service: name }), [
        [app.t("gap_of", { p: fmt.percent(d.gap, d.all), n: fmt.exact(d.all) })],
        [el("b", "", fmt.exact(all.n)), " " + app.t("gap_areas" + kind),
          all.n ? app.t("gap_big", { n: fmt.exact(all.big), least: c.big }) : null,
          all.fragile ? " · " + app.t("gap_fragile_n", { n: fmt.exact(all.fragile) }) : null,
          d.unknown && !kind ? el("span", "gapless", app.swatch({ fill: k.unknown, hatch: "/" }), app.t("cov_unknown") + " " + fmt.people(d.unknown) + " " + app.t("people")) : null],
      ]);
      document.getElementById("headline").dataset.numbers = [d.all, d.gap, d.unknown, all.n, all.fragile, all.people].join(",");
      const share = (z) => z.sums.map((n, i) => ({ share: z.all ? n / z.all : 0, fill: drawn.styles[i].fill, hatch: drawn.styles[i].hatch }));
      const dirs = m.scopeBars().map((z) => byZone.get(z.index));
      if (m.whole()) dirs.sort((a, b) => b.gap - a.gap);
      const bars = BG.bars(app, m.whole() ? app.t("by_direction") : scope.name, dirs.map((z) => ({
        name: z.name, color: z.color, value: fmt.people(z.gap), sub: fmt.percent(z.gap, z.all), parts: share(z) })),
        [app.t("gap_people" + kind), app.t("gap_share")], m.whole() ? app.t("gap_most_first") : "");
      const columns = [
        { text: app.t("zone_township"), value: (r) => r.name, show: (r) => r.name },
        { text: app.t("gap_people" + kind), value: (r) => r.gap, show: (r) => fmt.people(r.gap) },
        { text: app.t("gap_share"), value: (r) => (r.all ? r.gap / r.all : 0), show: (r) => fmt.percent(r.gap, r.all) },
        { text: app.t("cov_unknown"), value: (r) => r.unknown, show: (r) => fmt.people(r.unknown) },
        { text: app.t("population"), value: (r) => r.all, show: (r) => fmt.people(r.all) },
      ];
      app.panel(list(found, all), bars, BG.table(app, app.t("by_township"), columns, m.scopeTowns().map((z) => byZone.get(z.index)),
        { ...d, name: m.whole() ? app.t("sum") : scope.name }, m.rowActions()),
        c.absent.length ? el("p", "note", app.t("gap_absent", { list: c.absent.map((x) => x.name + " (" + x.clause + ")").join(app.t("list_mark")) })) : "",
        s >= 0 ? m.clause(c.services[s]) : "");
      app.legend([
        { title: s < 0 && !kind ? app.t("gap_legend_any") : app.t("legend_cells"), unit: app.t("people"),
          note: kind ? null : s < 0 ? app.t("gap_bands_note", { n: worst }) : app.t("speed_note", c.profile),
          rows: drawn.names.map((text, i) => ({ style: drawn.styles[i], text, value: fmt.people(drawn.count[i] || 0), muted: !drawn.count[i] })) },
        { title: app.t("gap_marks"), rows: [{ style: { stroke: k.ink, shape: "thick" }, text: app.t("gap_chosen"), value: "" },
          ...(s < 0 ? [] : [{ style: { fill: k.ink, shape: "dot" }, text: name, value: fmt.exact(c.services[s].n) + " " + app.t("places") }])] },
      ]);
      document.getElementById("legend").dataset.numbers = drawn.styles.map((_, i) => drawn.count[i] || 0).join(",");
      app.table = () => [
        ["gap_list", "gap_rank", "gap_place", "zone_township", "service", "people", "level", "card_time", "gap_reason", "gap_fragile", "gap_said"].map((x) => app.t(x)),
        ...found.map((a) => [app.t("gap_" + c.lists[a.list]), a.rank, a.place, (m.zones[a.zone] || {}).name || "", c.services[a.s].name, a.people,
          c.services[a.s].level, a.near === null ? "" : Math.round(a.near * 10) / 10, app.t("reason_" + c.reasons[a.reason]), a.fragile ? "✓" : "", a.text]),
      ];
    };
    f.pointers((i) => {
      const s = serviceNow(), has = f.has(i);
      return [s < 0 ? app.t("fnd_missing", { n: has.missing, all: worst, yes: has.reached, unknown: has.unknown })
        : c.services[s].name + " " + m.timeText(s, i)];
    });
    app.onClose = () => { m.unmark(); app.state.area = ""; app.keep(); outline.set(cells, []);
      document.querySelectorAll(".find.chosen").forEach((li) => li.classList.remove("chosen")); };
    app.places.push(...told.slice(0, 300).filter((a) => a.list === 0).map((a) => ({
      text: a.place + " " + c.services[a.s].name, kind: app.t("gap_title"), go: () => pick(a, true) })));
    app.update();
    const first = told.find((a) => a.id === app.state.area);
    if (first) setTimeout(() => pick(first, true), 0);
  };
})(window.BG = window.BG || {});
