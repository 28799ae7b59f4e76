// The district page: directions, townships, land use, control lines, facilities.
(function (BG) {
  "use strict";
  const el = BG.el, fmt = BG.fmt;

  BG.pages.district = function (app) {
    const m = new BG.Model(app), c = app.config, k = app.tokens;
    const { facilities, zones, landuse } = app.layers;
    const families = [...new Set(c.services.map((s) => s.family))];
    const color = (s) => k.groups[families.indexOf(c.services[s].family) % k.groups.length];
    const d = facilities.data;
    facilities.options.color = (i) => color(d.s[i]);

    app.controls(app.choose("service", app.t("facilities_shown"), [
      { value: "", text: app.t("all_services") }, ...m.serviceOptions()]), m.scopeControl());

    // Facilities beyond the district are drawn, because they serve it, and not counted in it.
    const inside = (i) => (d.zone[i] >= 0 || d.dir[i] >= 0) && m.within(d.zone[i], d.dir[i]);
    const seen = (i) => m.whole() || m.within(d.zone[i], d.dir[i]);
    const counts = new Map(m.zones.map((z) => [z.index, 0]));
    function count(filter) {
      counts.forEach((_, key) => counts.set(key, 0));
      for (let i = 0; i < d.x.length; i++) {
        if (!filter(i) || !inside(i)) continue;
        for (const z of [m.districts[0].index, d.dir[i], d.zone[i]]) {
          if (counts.has(z)) counts.set(z, counts.get(z) + 1);
        }
      }
    }

    function legend(filter) {
      const shown = new Map(families.map((g) => [g, 0]));
      for (let i = 0; i < d.x.length; i++) {
        if (filter(i) && inside(i)) shown.set(c.services[d.s[i]].family, shown.get(c.services[d.s[i]].family) + 1);
      }
      const sections = [
        { title: m.directions.length ? app.t("directions") : "", unit: app.t("people"), note: c.directionNote, rows: m.directions.filter((z) => m.scopeBars().includes(z)).map((z) => ({
          style: { fill: z.color }, text: z.name, value: fmt.people(z.people[0]) })) },
      ];
      // A single service goes by its own name, in the colour of its family.
      const one = c.services.find((s) => s.key === app.state.service);
      if (app.isOn("facilities")) sections.push({ title: app.t("facilities"), unit: app.t("places"),
        rows: [...shown].filter(([, n]) => n).map(([g, n]) => ({
          style: { fill: k.groups[families.indexOf(g) % k.groups.length], shape: "dot" }, text: one ? one.name : g, value: fmt.exact(n) })) });
      if (app.isOn("control")) sections.unshift({ title: app.t("control_lines"), unit: "km²", rows: c.controlLines.map((x) => ({
        style: { stroke: x.stroke, shape: "dashed" }, text: x.name, value: fmt.area(x.area).replace(" km²", "") })) });
      if (app.isOn("landuse")) sections.unshift({ title: app.t("landuse"), unit: "km²", rows: c.landuse.map((x) => ({
        style: { fill: x.fill, hatch: x.hatch, shape: "land" }, text: x.code + " " + x.name, value: fmt.area(x.area).replace(" km²", "") })) });
      app.legend(sections);
    }

    app.update = function () {
      const one = c.services.findIndex((s) => s.key === app.state.service);
      const chosen = one >= 0 ? m.facilityFilter(one) : () => true, filter = (i) => chosen(i) && seen(i);
      const scope = m.scope();
      m.showScope();
      facilities.setFilter(filter);
      count(filter);
      const what = one >= 0 ? c.services[one].name : app.t("facilities");
      app.title(m.whole() ? "" : scope.name, app.t("district_title"), one >= 0 ? what : "");
      const all = scope, total = counts.get(m.districts[0].index);
      const most = Math.max(...m.scopeBars().map((z) => z.people[0]), 1);
      app.headline(fmt.exact(all.people[0]) + " " + app.t("people"), m.whole() ? app.t("district_caption", {
        area: fmt.area(all.area), towns: m.townships.length, dirs: m.directions.length })
        : [app.t("zone_" + scope.kind), scope.direction, fmt.area(all.area)].filter(Boolean).join(" · "), [
        [what + " ", el("b", "", fmt.exact(total)), " " + app.t("places")],
      ]);
      counts.set(scope.index, total);
      const rank = m.whole() ? m.directions.slice().sort((a, b) => b.people[0] - a.people[0]) : [scope];
      const bars = BG.bars(app, m.whole() ? app.t("by_direction") : scope.name, rank.map((z) => ({
        name: z.name, color: z.color, value: fmt.people(z.people[0]),
        sub: fmt.exact(counts.get(z.index)),
        parts: [{ share: z.people[0] / most, fill: z.color || k.reach[1] }],
      })), [app.t("population"), one >= 0 ? app.t("places") : what]);
      const columns = [
        { text: app.t("zone_township"), value: (z) => z.name, show: (z) => z.name },
        { text: app.t("population"), value: (z) => z.people[0], show: (z) => fmt.people(z.people[0]) },
        { text: "km²", value: (z) => z.area, show: (z) => fmt.area(z.area).replace(" km²", "") },
        { text: app.t("density"), value: (z) => z.people[0] / z.area, show: (z) => fmt.people(z.people[0] / z.area) },
        { text: one >= 0 ? what : app.t("facilities"), value: (z) => counts.get(z.index), show: (z) => fmt.exact(counts.get(z.index)) },
      ];
      const rows = m.scopeTowns().map((z) => ({ ...z, color: (m.directions.find((x) => x.name === z.direction) || {}).color }));
      app.panel(bars, BG.table(app, app.t("by_township"), columns, rows, { ...all, name: m.whole() ? app.t("sum") : scope.name }, m.rowActions()));
      legend(filter);
      // Dots would hide the classes of land use: they go while it is shown, and may be asked back.
      app.onLayer = (key, on) => {
        const box = document.querySelector("[data-layer=facilities]");
        if (key === "landuse" && box.checked === on) box.click();
        legend(filter);
      };
      app.table = () => [
        [app.t("zone"), app.t("directions"), app.t("population"), "km²", what],
        ...m.scopeZones().map((z) => [z.name, z.direction || "", z.people[0], Math.round(z.area * 100) / 100, counts.get(z.index)]),
      ];
    };

    const town = (latlng) => {
      const f = zones.at(latlng, (i) => zones.data.kind[i] === 2);
      return f < 0 ? null : m.townships.find((z) => z.at === f);
    };
    const land = (latlng) => {
      if (!landuse || !app.isOn("landuse")) return "";
      const f = landuse.at(latlng);
      return f < 0 ? "" : landuse.data.codes[landuse.data.code[f]];
    };
    app.hover = (latlng) => {
      const f = app.isOn("facilities") ? facilities.at(latlng) : -1;
      if (f >= 0) return [m.facilityName(f), c.services[d.s[f]].name];
      const z = town(latlng);
      if (!z) return null;
      return [z.name + (z.direction ? " · " + z.direction : ""),
        fmt.people(z.people[0]) + " " + app.t("people") + " · " + fmt.area(z.area), land(latlng)].filter(Boolean);
    };
    app.click = (latlng) => {
      const f = app.isOn("facilities") ? facilities.at(latlng) : -1;
      m.unmark();
      if (f >= 0) { m.facilityCard(f); return; }
      const z = town(latlng);
      if (!z) { app.closeCard(); return; }
      m.outline(z.at, false);
      const tally = c.services.map(() => 0);
      for (let i = 0; i < d.x.length; i++) if (d.zone[i] === z.index) tally[d.s[i]] += 1;
      app.card(z.name, [z.direction, fmt.exact(z.people[0]) + " " + app.t("people"), fmt.area(z.area)].filter(Boolean).join(" · "),
        el("p", "ages", ...c.ages.slice(1).map((a, i) => el("span", "", a.name + " ", el("b", "", fmt.exact(z.people[i + 1]))))),
        el("table", "facts", el("tbody", "", ...c.services.map((s, i) =>
          el("tr", tally[i] ? "" : "ok0", el("th", "", s.name), el("td", "", fmt.exact(tally[i]) + " " + app.t("places")))))));
    };
    app.onClose = () => { m.unmark(); m.outline(m.whole() ? -1 : m.scope().at, !m.whole()); };
    app.places = m.places((i) => m.facilityCard(i));
    zones.setFilter(() => false);
    app.update();
  };
})(window.BG = window.BG || {});
