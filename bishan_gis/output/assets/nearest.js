// The nearest-time page: minutes on foot to the nearest facility of the chosen service.
(function (BG) {
  "use strict";
  const el = BG.el, fmt = BG.fmt;

  BG.pages.nearest = function (app) {
    const m = new BG.Model(app), c = app.config, k = app.tokens;
    const { cells, facilities, zones } = app.layers;
    const limits = k.nearestMin, last = limits.length;

    app.controls(
      app.choose("service", app.t("service"), m.serviceOptions()),
      app.choose("age", app.t("age_group"), m.ageOptions()),
      m.scopeControl(),
    );
    const names = limits.map((b, i) => (i ? app.t("band", { a: limits[i - 1], b }) : app.t("band_first", { b })));
    names.push(app.t("beyond", { n: limits[last - 1] }), app.t("cov_unknown"));
    const styles = k.nearest.map((fill) => ({ fill })).concat([{ fill: k.unknown, hatch: "/" }]);

    // Class of a cell: 0 to last, or last + 1 where one beyond the data could put it into a nearer class.
    function classOf(s, i) {
      const t = m.seconds(s, i);
      const found = t >= 0 ? limits.findIndex((b) => t <= b * 60) : -1;
      const at = found < 0 ? last : found;
      return m.unknownAt(s, i, at ? limits[at - 1] * 60 : -1) ? last + 1 : at;
    }

    // Time that a share of the people does not exceed: an upper bound where a nearer one could lie outside.
    function quantile(pairs, share) {
      const total = pairs.reduce((sum, p) => sum + p[1], 0);
      let sum = 0;
      for (const [t, n] of pairs) {
        sum += n;
        if (sum >= share * total && n > 0) return t;
      }
      return Infinity;
    }
    const minuteText = (t) => (t === Infinity ? "> " + c.searchMin : fmt.minutes(t));

    app.update = function () {
      const s = m.service, service = c.services[s], limit = service.level ?? c.cutoffs[c.cutoffs.length - 1], people = m.people(m.age());
      const column = new Uint8Array(m.n);
      const byZone = new Map(m.zones.map((z) => [z.index, { ...z, all: 0, sums: new Float64Array(last + 2), far: 0, pairs: [] }]));
      const count = new Int32Array(last + 2);
      const sub = { unreachable: 0, off_network: 0 };
      const district = m.districts[0].index;
      for (let i = 0; i < m.n; i++) {
        const at = classOf(s, i), t = m.seconds(s, i), n = people[i];
        column[i] = at;
        const status = c.status[cells.data.st[s * m.n + i]];
        if (m.inScope(i)) {
          count[at] += 1;
          if (t < 0 && status in sub) sub[status] += n;
        }
        for (const zone of [district, cells.data.dir[i], cells.data.zone[i]]) {
          const z = byZone.get(zone);
          if (!z) continue;
          z.all += n;
          z.sums[at] += n;
          if (m.reached(s, i, limit * 60) === 0) z.far += n;
          z.pairs.push([t < 0 ? Infinity : t, n]);
        }
      }
      for (const z of byZone.values()) {
        z.pairs.sort((a, b) => a[0] - b[0]);
        z.half = quantile(z.pairs, 0.5);
        z.most = quantile(z.pairs, 0.9);
      }
      m.showScope();
      cells.setClasses(column, styles);
      facilities.setFilter(m.facilityFilter(s));

      const scope = m.scope(), d = byZone.get(scope.index);
      app.title(m.whole() ? "" : scope.name, app.t("near_title"), service.name, m.age().key === "all" ? "" : m.age().name);
      app.headline(minuteText(d.half) + " " + app.t("min"), app.t("near_caption", { who: m.who(), service: service.name }), [
        [app.t("near_most") + " ", el("b", "", minuteText(d.most)), " " + app.t("min")],
        [app.t("near_far", { n: limit }) + " ", el("b", "", fmt.people(d.far)), " / " + fmt.exact(d.all) + " " + app.t("people")],
      ]);
      const dirs = m.scopeBars().map((z) => byZone.get(z.index));
      if (m.whole()) dirs.sort((a, b) => b.half - a.half || b.far - a.far);
      const bars = BG.bars(app, m.whole() ? app.t("by_direction") : scope.name, dirs.map((z) => ({
        name: z.name, color: z.color, value: minuteText(z.half) + " " + app.t("min"),
        sub: minuteText(z.most) + " " + app.t("min"),
        parts: [...z.sums].map((n, i) => ({ share: n / z.all, fill: styles[i].fill, hatch: styles[i].hatch })),
      })), [app.t("near_50"), app.t("near_90s")], m.whole() ? app.t("far_first") : "");
      const columns = [
        { text: app.t("zone_township"), value: (r) => r.name, show: (r) => r.name },
        { text: app.t("near_half"), value: (r) => r.half, show: (r) => minuteText(r.half) },
        { text: app.t("near_90"), value: (r) => r.most, show: (r) => minuteText(r.most) },
        { text: app.t("near_over", { n: limit }), value: (r) => r.far, show: (r) => fmt.people(r.far) },
        { text: app.t("population"), value: (r) => r.all, show: (r) => fmt.people(r.all) },
      ];
      const towns = m.scopeTowns().map((z) => byZone.get(z.index));
      app.panel(bars, BG.table(app, app.t("by_township"), columns, towns, { ...d, name: m.whole() ? app.t("sum") : scope.name }, m.rowActions()),
        m.clause(service));
      const part = [sub.unreachable ? app.t("incl_unreachable", { n: fmt.people(sub.unreachable) }) : "",
        sub.off_network ? app.t("incl_off_network", { n: fmt.people(sub.off_network) }) : ""].filter(Boolean);
      app.legend([
        { title: app.t("legend_minutes"), unit: app.t("people"), rows: names.map((text, i) => ({
          style: styles[i], text, value: fmt.people(d.sums[i]), muted: !count[i] })),
          note: [app.t("near_dark"), ...part].join(" ") },
        { title: app.t("legend_more"), rows: [{ style: { fill: k.ink, shape: "dot" }, text: service.name,
          value: fmt.exact(m.placesOf(s)) + " " + app.t("places") }], note: app.t("speed_note", c.profile) },
      ]);
      document.getElementById("legend").dataset.numbers = [...d.sums].join(",");

      app.table = () => [
        [app.t("zone"), app.t("service"), app.t("age_group"), app.t("near_half"), app.t("near_90"), ...names, app.t("population")],
        ...m.scopeZones().map((z) => byZone.get(z.index)).map((z) => [z.name, service.name, m.age().name, minuteText(z.half), minuteText(z.most), ...z.sums, z.all]),
      ];
      app.hover = (latlng) => {
        const f = app.isOn("facilities") ? facilities.at(latlng) : -1;
        if (f >= 0) return [m.facilityName(f), service.name];
        const i = app.isOn("cells") ? cells.at(latlng) : -1;
        if (i < 0) return null;
        const near = cells.data.f[s * m.n + i];
        return [m.zoneName(i), app.t("card_people", { n: fmt.exact(people[i]) }),
          service.name + " " + m.timeText(s, i) + (near >= 0 ? " · " + m.facilityName(near) : "")];
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
    zones.setFilter(() => false);
    app.update();
  };
})(window.BG = window.BG || {});
