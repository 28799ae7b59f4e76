// The page of safety: shelters within their distance, capacity against people, and fire engines in time.
(function (BG) {
  "use strict";
  const el = BG.el, fmt = BG.fmt;

  BG.pages.shelters = function (app) {
    const m = new BG.Model(app), f = new BG.Findings(app, m), c = app.config, k = app.tokens;
    const { cells, facilities, zones, safety } = app.layers;
    const fire = c.fire, people = m.people(c.ages[0]);
    const ofRadius = (r) => c.indicators.filter((x) => x.indicator === "radius_m" && x.zones.length && x.within === r);
    const options = c.radii.map((r, i) => ({ value: String(i), text: app.t("shl_within", { m: fmt.distance(r) }), group: app.t("shl_title") }));
    if (fire) options.push({ value: "fire", text: fire.name + " ≤ " + fire.cutoff + " " + app.t("min"), group: app.t("shl_fire") });
    app.controls(app.choose("view", app.t("shl_view"), options));

    const percent = (v) => (100 * v).toFixed(1) + "\u00a0%";
    const figure = (x) => {
      if (x.value === null) return "—";
      const text = x.unit === "1" ? percent(x.value) : (Math.round(x.value * 100) / 100).toLocaleString("en") + " " + x.unit;
      return (x.open ? "≥ " : "") + text;
    };
    const limit = (x) => (x.threshold === null ? "" : x.op + " " + (x.unit === "1" ? Math.round(x.threshold * 1000) / 10 + " %" : x.threshold + " " + x.unit));

    // Numbers of every zone: within, unknown.
    function fireView() {
      const styles = [{ fill: k.reach[0] }, { fill: k.gap }, { fill: k.unknown, hatch: "/" }];
      const names = [app.t("shl_fire_yes", { n: fire.cutoff }), app.t("shl_fire_no"), app.t("cov_unknown")];
      const column = new Uint8Array(m.n), status = c.status;
      for (let i = 0; i < m.n; i++) {
        const s = status[safety.data.st[i]];
        column[i] = s === "reached" ? 0 : s === "unknown" || s === "off_network" ? 2 : 1;
      }
      const rows = new Map(fire.zones.map(([z, n, yes, unknown]) => [z, { n, yes, unknown }]));
      return { styles, names, column, rows, service: c.station, caption: app.t("shl_fire_caption", { n: fire.cutoff }), note: app.t("shl_fire_note") };
    }
    // All bounds of the legend in one unit.
    const far = Math.max(...c.radii) >= 2000;
    const bound = (r) => (far ? String(Math.round(r / 10) / 100) + " km" : fmt.distance(r));
    function radiusView(at) {
      const radius = c.radii[at];
      const names = c.radii.map((r, i) => (i ? app.t("shl_band", { a: bound(c.radii[i - 1]), b: bound(r) }) : "≤ " + bound(r)));
      const tints = [k.reach[0], "#2b7bba", k.reach[1], "#6baed6", k.reach[k.reach.length - 1], "#c6dbef"];
      const styles = c.radii.map((r, i) => ({ fill: i <= at ? tints[Math.min(i, tints.length - 1)] : k.missing[Math.min(5, i - at)] }));
      styles.push({ fill: k.missing[Math.min(5, c.radii.length - at)] });
      names.push("> " + bound(c.radii[c.radii.length - 1]));
      const column = new Uint8Array(safety.data.band);
      const rows = f.byZone(() => ({ n: 0, yes: 0, unknown: 0 }), (z, i) => { z.n += people[i]; if (column[i] <= at) z.yes += people[i]; });
      return { styles, names, column, rows, service: c.shelter, caption: app.t("shl_caption", { m: fmt.distance(radius) }),
        note: ofRadius(radius).map((x) => x.name + " · " + x.clause + " [" + x.tag + "]").join(app.t("list_mark")) };
    }

    function standards(service, title) {
      const mine = c.indicators.filter((x) => x.service === service);
      if (!mine.length) return "";
      const item = (x) => el("li", "element", el("b", "", x.name + (x.within !== null && x.indicator === "radius_m" ? " " + fmt.distance(x.within) : "")),
        el("span", "figure", figure(x)),
        el("p", "", limit(x) ? app.t("shl_asked") + " " + limit(x) + " · " : "", x.value === null ? el("span", "tag none", app.t("shl_missing"))
          : x.verdict === "no_threshold" ? app.t("verdict_no_threshold") : el("span", "tag " + x.verdict, app.t("verdict_" + x.verdict)),
          x.note ? " · " + x.note : ""),
        el("p", "note", x.clause + " [" + x.tag + "]"));
      const done = mine.filter((x) => x.value !== null), open = mine.filter((x) => x.value === null);
      const more = el("details", "", el("summary", "", app.t("shl_not_computed", { n: open.length })), el("ul", "elements", ...open.map(item)));
      return el("section", "", el("h2", "", title), el("ul", "elements", ...done.map(item)), open.length ? more : null);
    }

    app.update = function () {
      const isFire = fire && app.state.view === "fire";
      const v = isFire ? fireView() : radiusView(Math.min(c.radii.length - 1, Math.max(0, Number(app.state.view) || 0)));
      cells.setClasses(v.column, v.styles);
      facilities.setFilter(m.facilityFilter(v.service));
      const d = v.rows.get(m.districts[0].index) || { n: 0, yes: 0, unknown: 0 };
      const [n, capacity, open] = c.capacity[m.districts[0].index];
      app.title(app.t(isFire ? "shl_fire" : "shl_title"), isFire ? fire.name : "");
      app.headline(fmt.percent(d.yes, d.n), v.caption, isFire ? [
        [app.t("shl_fire_no") + " ", el("b", "", fmt.people(d.n - d.yes - d.unknown)), " / " + fmt.exact(d.n) + " " + app.t("people"),
          d.unknown ? el("span", "gapless", app.swatch({ fill: k.unknown, hatch: "/" }), app.t("cov_unknown") + " " + fmt.people(d.unknown) + " " + app.t("people")) : null],
      ] : [
        [app.t("shl_outside") + " ", el("b", "", fmt.people(d.n - d.yes)), " / " + fmt.exact(d.n) + " " + app.t("people")],
        [app.t("shl_capacity", { n: fmt.exact(n), cap: fmt.people(capacity), p: fmt.percent(capacity, d.n) }),
          open ? app.t("shl_open", { n: fmt.exact(open) }) : ""],
      ]);
      document.getElementById("headline").dataset.numbers = [d.n, d.yes, d.unknown, n, capacity, open].join(",");
      const row = (z) => ({ ...z, ...(v.rows.get(z.index) || { n: 0, yes: 0, unknown: 0 }), cap: c.capacity[z.index] });
      const rate = (r) => (r.n ? r.yes / r.n : -1);
      const dirs = m.directions.map(row).sort((a, b) => rate(a) - rate(b));
      const bars = BG.bars(app, app.t("by_direction"), dirs.map((r) => ({
        name: r.name, color: r.color, value: fmt.percent(r.yes, r.n), sub: fmt.people(r.n - r.yes - r.unknown),
        parts: [{ share: r.yes / r.n, fill: k.reach[0] }, { share: r.unknown / r.n, fill: k.unknown, hatch: "/" }, { share: (r.n - r.yes - r.unknown) / r.n, fill: k.gap }] })),
        [app.t("cov_rate"), app.t("cov_gap")], app.t("low_first"));
      const columns = [
        { text: app.t("zone_township"), value: (r) => r.name, show: (r) => r.name },
        { text: app.t("cov_rate"), value: rate, show: (r) => fmt.percent(r.yes, r.n) },
        ...(isFire ? [{ text: app.t("cov_unknown"), value: (r) => r.unknown, show: (r) => fmt.people(r.unknown) }] : [
          { text: app.t("shl_n"), value: (r) => r.cap[0], show: (r) => fmt.exact(r.cap[0]) + (r.cap[2] ? " (" + r.cap[2] + "?)" : "") },
          { text: app.t("shl_cap"), value: (r) => r.cap[1], show: (r) => (r.cap[0] && r.cap[0] === r.cap[2] ? "?" : fmt.people(r.cap[1])) },
          { text: app.t("shl_per_head"), value: (r) => (r.n ? r.cap[1] / r.n : -1), show: (r) => (r.cap[0] && r.cap[0] === r.cap[2] ? "?" : (r.cap[2] ? "≥ " : "") + fmt.percent(r.cap[1], r.n)) }]),
        ...(isFire ? [{ text: app.t("population"), value: (r) => r.n, show: (r) => fmt.people(r.n) }] : []),
      ];
      app.panel(bars, BG.table(app, app.t("by_township"), columns, m.townships.map(row), { ...row(m.districts[0]), name: app.t("sum") }, m.rowActions()),
        isFire ? standards("fire_station", app.t("shl_standards")) : standards("shelter", app.t("shl_standards")),
        el("p", "note", v.note), isFire ? "" : el("p", "note", app.t("shl_levels")));
      const sums = v.styles.map(() => 0);
      for (let i = 0; i < m.n; i++) sums[v.column[i]] += people[i];
      app.legend([
        { title: app.t(isFire ? "shl_fire" : "shl_legend"), unit: app.t("people"), rows: v.names.map((text, i) => ({ style: v.styles[i], text, value: fmt.people(sums[i]), muted: !sums[i] })),
          note: isFire ? null : app.t("shl_straight") },
        { title: app.t("facilities"), rows: v.service >= 0 ? [{ style: { fill: k.ink, shape: "dot" }, text: c.services[v.service].name, value: fmt.exact(c.services[v.service].n) + " " + app.t("places") }] : [] },
      ]);
      document.getElementById("legend").dataset.numbers = sums.join(",");
      app.table = () => [
        [app.t("zone"), v.caption, app.t("cov_unknown"), app.t("shl_n"), app.t("shl_cap"), app.t("shl_open_n"), app.t("population")],
        ...m.zones.map(row).map((r) => [r.name, r.yes, r.unknown, r.cap[0], r.cap[1], r.cap[2], r.n]),
      ];
    };
    const says = (i) => {
      const out = [];
      if (c.shelter >= 0) {
        const b = safety.data.band[i];
        out.push(c.services[c.shelter].name + app.t("colon") + (b < c.radii.length ? "≤ " + fmt.distance(c.radii[b]) : "> " + fmt.distance(c.radii[c.radii.length - 1])));
      }
      if (fire) {
        const t = safety.data.t[i];
        out.push(fire.name + app.t("colon") + (t >= 0 ? fmt.minutes(t) + " " + app.t("min") : app.t("status_" + c.status[safety.data.st[i]], { min: fire.cutoff })));
      }
      return out;
    };
    f.pointers(says, (i) => el("div", "said", ...says(i).map((x) => el("p", "", x))));
    zones.setFilter(() => false);
    app.update();
  };
})(window.BG = window.BG || {});
