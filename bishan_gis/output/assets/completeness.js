// The page of completeness: how much of what a 15-minute circle should have is within reach of every cell.
(function (BG) {
  "use strict";
  const el = BG.el, fmt = BG.fmt;

  BG.pages.completeness = function (app) {
    const m = new BG.Model(app), f = new BG.Findings(app, m), c = app.config;
    const { cells, facilities } = app.layers;
    const styles = c.colors.slice(0, c.breaks.length).map((fill) => ({ fill }));
    const has = Array.from({ length: m.n }, (_, i) => f.has(i));
    const at = new Uint8Array(has.map((h) => Math.max(0, c.breaks.findIndex((b) => h.low <= b + 1e-9))));
    const shown = (v) => (100 * v).toFixed(0);
    const names = c.breaks.map((b, i) => (i ? "> " + shown(c.breaks[i - 1]) + "–" : "0–") + shown(b) + " %");

    app.controls(m.scopeControl(), app.choose("age", app.t("age_group"), m.ageOptions()));
    cells.setClasses(at, styles);

    const byCar = f.judged.map((s) => c.services[s]).filter((s) => s.vehicle).map((s) => s.name);

    // The mean over people, from the least that is certain to the most that could be.
    const percent = (v) => (100 * v).toFixed(1) + "\u00a0%";
    const range = (z) => (z.all ? percent(z.low / z.all) : "—");
    const most = (z) => (z.all && percent(z.high / z.all) !== percent(z.low / z.all) ? percent(z.high / z.all) : "");

    app.update = function () {
      const age = m.age(), people = m.people(age);
      const byZone = f.byZone(() => ({ all: 0, low: 0, high: 0, sums: styles.map(() => 0), reach: f.judged.map(() => 0), open: f.judged.map(() => 0) }), (z, i) => {
        const n = people[i];
        z.all += n;
        z.low += n * has[i].low;
        z.high += n * has[i].high;
        z.sums[at[i]] += n;
      });
      m.showScope();
      cells.redraw();
      const scope = m.scope(), d = byZone.get(scope.index);
      const reach = f.judged.map((s) => {
        const row = { s, yes: 0, unknown: 0 };
        for (let i = 0; i < m.n; i++) {
          if (!m.inScope(i)) continue;
          const ok = f.state(s, i);
          if (ok === 1) row.yes += people[i];
          else if (ok < 0) row.unknown += people[i];
        }
        return row;
      });
      facilities.setFilter(() => true);
      app.title(m.whole() ? "" : scope.name, app.t("cmp_title"), age.key === "all" ? "" : age.name);
      app.headline(range(d), app.t("cmp_caption", { who: age.key === "all" ? "" : app.t("people_age", { a: age.name }), n: f.judged.length }), [
        most(d) ? [app.t("cmp_range") + " ", el("b", "", range(d) + " – " + most(d)), " · " + app.t("cmp_weights")] : [app.t("cmp_weights")],
        [app.t("cmp_low") + " ", el("b", "", fmt.people(d.sums[0])), " / " + fmt.exact(d.all) + " " + app.t("people")],
      ]);
      document.getElementById("headline").dataset.numbers = [d.low / d.all, d.high / d.all, d.all].join(",");
      const mean = (z) => (z.all ? z.low / z.all : -1);
      const dirs = m.scopeBars().map((z) => byZone.get(z.index));
      if (m.whole()) dirs.sort((a, b) => mean(a) - mean(b));
      const bars = BG.bars(app, m.whole() ? app.t("by_direction") : scope.name, dirs.map((z) => ({
        name: z.name, color: z.color, value: range(z), sub: fmt.people(z.all),
        parts: z.sums.map((n, i) => ({ share: z.all ? n / z.all : 0, fill: styles[i].fill })) })),
        [app.t("cmp_mean"), app.t("population")], m.whole() ? app.t("low_first") : "");
      const columns = [
        { text: app.t("zone_township"), value: (r) => r.name, show: (r) => r.name },
        { text: app.t("cmp_mean"), value: mean, show: range },
        { text: app.t("cmp_at_most"), value: (r) => (r.all ? r.high / r.all : -1), show: (r) => (r.all ? percent(r.high / r.all) : "—") },
        { text: app.t("cmp_lowest"), value: (r) => r.sums[0], show: (r) => fmt.people(r.sums[0]) },
        { text: app.t("population"), value: (r) => r.all, show: (r) => fmt.people(r.all) },
      ];
      const towns = m.scopeTowns().map((z) => byZone.get(z.index));
      const services = reach.slice().sort((a, b) => a.yes - b.yes);
      app.panel(bars, BG.table(app, app.t("by_township"), columns, towns, { ...d, name: m.whole() ? app.t("sum") : scope.name }, m.rowActions()),
        BG.bars(app, app.t("cmp_services"), services.map((r) => ({
          name: c.services[r.s].name, value: fmt.percent(r.yes, d.all), sub: "≤ " + c.services[r.s].level + " " + app.t("min"),
          parts: [{ share: r.yes / d.all, fill: app.tokens.reach[1] }, { share: r.unknown / d.all, fill: app.tokens.unknown, hatch: "/" }] })),
          [app.t("cov_rate"), app.t("card_level")], app.t("low_first")),
        el("p", "note", app.t("cmp_note", { n: f.judged.length }) + (byCar.length ? " " + app.t("cmp_vehicle", { list: byCar.join(app.t("list_mark")) }) : "")));
      const counts = styles.map((_, i) => at.reduce((n, v, j) => n + (v === i && m.inScope(j)), 0));
      app.legend([{ title: app.t("cmp_legend"), unit: app.t("people"),
        rows: names.map((text, i) => ({ style: styles[i], text, value: fmt.people(d.sums[i]), muted: !counts[i] })),
        note: app.t("cmp_classes", { k: styles.length, n: fmt.exact(m.n) }) }]);
      document.getElementById("legend").dataset.numbers = d.sums.join(",");
      app.table = () => [
        [app.t("zone"), app.t("age_group"), app.t("cmp_mean"), app.t("cmp_at_most"), ...names, app.t("population")],
        ...m.scopeZones().map((x) => byZone.get(x.index)).map((z) => [z.name, age.name, z.all ? Math.round(1e6 * z.low / z.all) / 1e6 : "", z.all ? Math.round(1e6 * z.high / z.all) / 1e6 : "", ...z.sums, z.all]),
      ];
    };
    const text = (i) => percent(has[i].low) + (has[i].high - has[i].low > 1e-9 ? " – " + percent(has[i].high) : "");
    f.pointers((i) => [app.t("cmp_cell", { p: text(i), n: has[i].reached, all: f.judged.length })],
      (i) => el("p", "score", el("b", "", text(i)), " " + app.t("cmp_of", { n: has[i].reached, all: f.judged.length })));
    app.update();
  };
})(window.BG = window.BG || {});
