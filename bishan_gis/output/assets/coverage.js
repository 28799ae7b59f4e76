// The coverage page: who reaches the chosen service within the chosen time, and who does not.
(function (BG) {
  "use strict";
  const el = BG.el, fmt = BG.fmt;

  BG.pages.coverage = function (app) {
    const m = new BG.Model(app), c = app.config, k = app.tokens;
    const { cells, circles, rings, facilities, zones, table } = app.layers;
    const num = table.data;

    // One row of the coverage table.
    const row = (zone, s, cut, age) => {
      const at = ((zone * c.services.length + s) * c.cutoffs.length + cut) * c.ages.length + age;
      const [all, yes, unknown] = [num.people[at], num.covered[at], num.unknown[at]];
      return { all, yes, unknown, gap: all - yes - unknown };
    };
    const now = () => {
      const cut = Math.max(0, c.cutoffs.findIndex((x) => String(x) === String(app.state.cutoff)));
      const age = Math.max(0, c.ages.findIndex((x) => x.key === app.state.age));
      return { s: m.service, cut, age, minutes: c.cutoffs[cut] };
    };

    app.controls(
      app.choose("service", app.t("service"), m.serviceOptions()),
      app.choose("cutoff", app.t("cutoff"), c.cutoffs.map((x) => ({ value: x, text: x + " " + app.t("min") })), true),
      app.choose("age", app.t("age_group"), m.ageOptions()),
      ...(m.villages.length ? [app.choose("level", app.t("list_by"), ["township", "village"].map((x) => ({ value: x, text: app.t("by_" + x) })))] : []),
      m.scopeControl(),
    );

    // Villages: their numbers are summed here from the cells, as the coverage table has them.
    const byVillage = () => app.state.level === "village";
    const border = app.layers.villages;
    function inVillages(s, limit, people) {
      const rows = m.villages.map((v, i) => ({ ...v, at: i, all: 0, yes: 0, unknown: 0 })), of = cells.data.village;
      for (let i = 0; i < m.n; i++) {
        const r = rows[of[i]];
        if (!r || !m.inScope(i)) continue;
        const ok = m.reached(s, i, limit);
        r.all += people[i];
        if (ok) r[ok > 0 ? "yes" : "unknown"] += people[i];
      }
      rows.forEach((r) => { r.gap = r.all - r.yes - r.unknown; });
      return rows.filter((r) => r.all);
    }
    function outlineVillage(at) {
      const chosen = at >= 0 ? at : m.villages.findIndex((v) => v.id === app.state.village);
      border.setFilter((f) => byVillage() || f === chosen);
      border.setClasses(Uint8Array.from(m.villages, (_, f) => (f === chosen ? 1 : 0)), border.options.classes);
    }
    function goVillage(at) {
      app.state.village = m.villages[at].id;
      app.map.fitBounds(border.bounds(at), { animate: false, padding: [30, 30] });
      outlineVillage(at);
      app.keep();
      app.lower();
    }
    const villageActions = { go: (r) => goVillage(r.at), enter: (r) => outlineVillage(r.at), leave: () => outlineVillage(-1) };

    // Facilities beyond the township that is looked at are paled, not hidden: its people may walk to them.
    const at = facilities.data;
    facilities.options.color = (i) => (m.whole() || m.within(at.zone[i], at.dir[i]) ? k.ink : "#b5b5b0");

    function classes(s, cut, people) {
      const bands = c.cutoffs.slice(0, cut + 1);
      const column = new Uint8Array(m.n);
      const sums = Array.from({ length: cut + 3 }, () => ({ people: 0, cells: 0 }));
      for (let i = 0; i < m.n; i++) {
        const t = m.seconds(s, i);
        let at = t >= 0 ? bands.findIndex((b) => t <= b * 60) : -1;
        if (at < 0) at = m.unknownAt(s, i, bands[cut] * 60) ? cut + 2 : cut + 1;
        column[i] = at;
        if (!m.inScope(i)) continue;
        sums[at].people += people[i];
        sums[at].cells += 1;
      }
      const styles = bands.map((_, b) => ({ fill: k.reach[b] }));
      styles.push({ fill: k.gap }, { fill: k.unknown, hatch: "/" });
      cells.setClasses(column, styles);
      return { sums, styles, bands };
    }

    function legend(s, cut, drawn) {
      const names = drawn.bands.map((b, i) =>
        i ? app.t("band", { a: drawn.bands[i - 1], b }) : app.t("band_first", { b }));
      names.push(app.t("cov_gap"), app.t("cov_unknown"));
      const rows = names.map((text, i) => ({
        style: drawn.styles[i], text, value: fmt.people(drawn.sums[i].people), muted: !drawn.sums[i].cells,
      }));
      const service = c.services[s];
      const circle = num.circle[(s * c.cutoffs.length + cut) * 2];
      const area = num.circle[(s * c.cutoffs.length + cut) * 2 + 1];
      const more = [{ style: { fill: k.ink, shape: "dot" }, text: service.name, value: fmt.exact(m.placesOf(s)) + " " + app.t("places") }];
      if (circle >= 0 && app.isOn("circles")) more.push({
        style: { fill: "rgba(66,146,198,.22)", stroke: k.reach[0] }, text: app.t("walk_circle", { n: c.cutoffs[cut] }),
        value: m.whole() ? fmt.area(area / 100) : "",
      });
      const radius = c.radii[Math.min(cut, c.radii.length - 1)];
      const inside = num.radius[s * c.radii.length + Math.min(cut, c.radii.length - 1)];
      if (inside >= 0 && app.isOn("rings")) more.push({
        style: { stroke: k.ink, shape: "dashed" }, text: app.t("plain_circle", { m: radius }), value: m.whole() ? fmt.people(inside) + " " + app.t("people") : "",
      });
      const compare = circle >= 0 && inside >= 0 && m.whole() && app.isOn("rings") ? app.t("circle_note", {
        walk: fmt.people(circle), min: c.cutoffs[cut], plain: fmt.people(inside), m: radius }) : null;
      app.legend([
        { title: app.t("legend_cells"), unit: m.age().key === "all" ? app.t("people") : m.age().name, rows },
        { title: app.t("legend_more"), rows: more, note: compare },
      ]);
    }

    app.update = function () {
      const { s, cut, age, minutes } = now();
      const service = c.services[s], limit = minutes * 60;
      const scope = m.scope();
      app.title(m.whole() ? "" : scope.name, app.t("cov_title"), service.name, app.t("walk_within", { n: minutes }),
        m.age().key === "all" ? "" : m.age().name);
      app.standard(service.level);
      m.showScope();
      const drawn = classes(s, cut, m.people(m.age()));
      circles.setFilter((f) => circles.data.s[f] === s && circles.data.k[f] === cut);
      facilities.setFilter(m.facilityFilter(s));
      rings.set(facilities, m.facilityFilter(s), c.radii[Math.min(cut, c.radii.length - 1)]);

      const d = row(scope.index, s, cut, age);
      const most = d.unknown ? app.t("at_most", { p: fmt.percent(d.yes + d.unknown, d.all) }) : "";
      app.headline(fmt.percent(d.yes, d.all), app.t("cov_caption", {
        who: m.who(), n: minutes, service: service.name }), [
        [app.t("cov_yes") + " ", el("b", "", fmt.people(d.yes)), " / " + fmt.exact(d.all) + " " + app.t("people")],
        [app.swatch({ fill: k.gap }), app.t("cov_gap") + " ", el("b", "", fmt.people(d.gap)), " " + app.t("people"),
          d.unknown ? el("span", "gapless", app.swatch({ fill: k.unknown, hatch: "/" }), app.t("cov_unknown") + " ",
            fmt.people(d.unknown) + " " + app.t("people") + most) : null],
      ]);
      document.getElementById("headline").dataset.numbers = [d.all, d.yes, d.unknown].join(",");

      const named = (list) => list.map((z) => ({ ...z, ...row(z.index, s, cut, age) }));
      const rate = (r) => (r.all ? r.yes / r.all : -1);
      const dirs = m.whole() ? named(m.directions).sort((a, b) => rate(a) - rate(b)) : named(m.scopeBars());
      const towns = named(m.scopeTowns());
      const bars = BG.bars(app, m.whole() ? app.t("by_direction") : scope.name, dirs.map((r) => ({
        name: r.name, color: r.color, value: fmt.percent(r.yes, r.all), sub: fmt.people(r.gap),
        parts: [{ share: r.yes / r.all, fill: k.reach[Math.min(1, cut)] }, { share: r.unknown / r.all, fill: k.unknown, hatch: "/" },
          { share: r.gap / r.all, fill: k.gap }],
      })), [app.t("cov_rate"), app.t("cov_gap")], m.whole() ? app.t("low_first") : "");
      const columns = [
        { text: app.t(byVillage() ? "zone_village" : "zone_township"), value: (r) => r.name, show: (r) => r.name },
        { text: app.t("cov_rate"), value: rate, show: (r) => fmt.percent(r.yes, r.all) },
        { text: app.t("cov_gap"), value: (r) => r.gap, show: (r) => fmt.people(r.gap) },
        { text: app.t("cov_unknown"), value: (r) => r.unknown, show: (r) => fmt.people(r.unknown) },
        { text: app.t("population"), value: (r) => r.all, show: (r) => fmt.people(r.all) },
      ];
      const inside = byVillage() ? inVillages(s, limit, m.people(m.age())).sort((a, b) => rate(a) - rate(b)) : [];
      if (border) outlineVillage(-1);
      const listed = byVillage() ? [app.t("by_village"), columns, inside] : [app.t("by_township"), columns, towns];
      app.panel(bars, BG.table(app, ...listed, { ...d, name: scope.kind === "district" ? app.t("sum") : scope.name }, byVillage() ? villageActions : m.rowActions()),
        m.clause(service));
      legend(s, cut, drawn);
      app.onLayer = () => legend(s, cut, drawn);

      app.table = () => [
        [app.t("zone"), app.t("service"), app.t("cutoff"), app.t("age_group"), app.t("population"), app.t("cov_yes"), app.t("cov_gap"), app.t("cov_unknown")],
        ...[...named(m.scopeZones()), ...inside].map((r) => [r.name, service.name, minutes, m.age().name, r.all, r.yes, r.gap, r.unknown]),
      ];
      app.hover = (latlng) => {
        const f = facilities.at(latlng);
        if (f >= 0 && app.isOn("facilities")) return [m.facilityName(f), service.name];
        const i = app.isOn("cells") ? cells.at(latlng) : -1;
        if (i < 0) return null;
        const ok = m.reached(s, i, limit);
        return [m.zoneName(i), app.t("card_people", { n: fmt.exact(m.people(m.age())[i]) }),
          service.name + " " + m.timeText(s, i) + " · " + app.t(["cov_gap", "cov_yes", "cov_unknown"][ok < 0 ? 2 : ok])];
      };
      app.click = (latlng) => {
        const f = app.isOn("facilities") ? facilities.at(latlng) : -1;
        m.unmark();
        if (f >= 0) { m.facilityCard(f); return; }
        const i = cells.at(latlng);
        if (i >= 0) m.cellCard(i);
        else app.closeCard();
      };
    };
    app.onClose = () => m.unmark();
    app.places = m.places((i) => {
      app.state.service = c.services[facilities.data.s[i]].key;
      document.getElementById("choose-service").value = app.state.service;
      app.update();
      m.facilityCard(i);
    });
    m.villages.forEach((v, i) => app.places.push({ text: v.name, kind: [app.t("zone_village"), (m.zones[v.town] || {}).name].filter(Boolean).join(" · "), go: () => goVillage(i) }));
    zones.setFilter(() => false);
    app.update();
    const asked = m.villages.findIndex((v) => v.id === app.state.village);
    if (asked >= 0 && !app.state.at) setTimeout(() => goVillage(asked), 0);
  };
})(window.BG = window.BG || {});
