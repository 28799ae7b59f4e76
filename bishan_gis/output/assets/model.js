// Cells, services, zones and facilities as the pages ask for them, and the cards that explain them.
(function (BG) {
  "use strict";
  const el = BG.el, fmt = BG.fmt;

  BG.Model = class {
    constructor(app) {
      Object.assign(this, { app, c: app.config, cells: app.layers.cells, points: app.layers.facilities });
      this.zones = this.c.zones;
      this.districts = this.zones.filter((z) => z.kind === "district");
      this.directions = this.zones.filter((z) => z.kind === "direction");
      this.townships = this.zones.filter((z) => z.kind === "township");
      this.villages = this.c.villages || [];
      this.n = this.cells ? this.cells.data.r.length : 0;
      this._people = {};
    }

    get service() {
      return Math.max(0, this.c.services.findIndex((s) => s.key === this.app.state.service));
    }

    serviceOptions() {
      return this.c.services.map((s) => ({ value: s.key, text: s.name, group: s.group }));
    }

    ageOptions() {
      return this.c.ages.map((a) => ({ value: a.key, text: a.name }));
    }

    age() {
      return this.c.ages.find((a) => a.key === this.app.state.age) || this.c.ages[0];
    }

    // The zone that is looked at: a township, a direction, or the whole district.
    scope() {
      const town = this.app.state.town;
      return this.townships.find((z) => z.id === town) || this.directions.find((z) => "d." + z.id === town) || this.districts[0];
    }

    whole() {
      return this.scope() === this.districts[0];
    }

    // Whether a cell, or any thing with a township and a direction, lies there.
    within(zone, dir) {
      const s = this.scope();
      return s.kind === "district" || (s.kind === "township" ? zone : dir) === s.index;
    }

    inScope(i) {
      return this.within(this.cells.data.zone[i], this.cells.data.dir[i]);
    }

    // Facilities of a service there.
    placesOf(s) {
      if (this.whole()) return this.c.services[s].n;
      const d = this.points.data;
      let n = 0;
      for (let i = 0; i < d.s.length; i++) if (d.s[i] === s && this.within(d.zone[i], d.dir[i])) n += 1;
      return n;
    }

    // Townships and directions there, and what they are compared with.
    scopeTowns() {
      const s = this.scope();
      return this.townships.filter((z) => this.whole() || z === s || z.direction === s.name);
    }

    scopeBars() {
      const s = this.scope();
      if (this.whole()) return this.directions;
      const around = s.kind === "township" ? this.directions.filter((z) => z.name === s.direction) : [];
      return [s, ...around, this.districts[0]];
    }

    scopeZones() {
      const s = this.scope();
      return this.whole() ? this.zones : [s, ...this.scopeTowns().filter((z) => z !== s)];
    }

    // The select box of the scope; the page's update() then calls showScope().
    scopeControl() {
      const app = this.app;
      app.goScope = () => { if (!this.whole()) this.goZone(this.scope()); };
      return app.choose("town", app.t("scope"), [
        { value: "", text: app.t("zone_district") },
        ...this.directions.map((z) => ({ value: "d." + z.id, text: z.name, group: app.t("zone_direction") })),
        ...this.townships.map((z) => ({ value: z.id, text: z.name, group: app.t("zone_township") }))]);
    }

    // Outline the scope, hide cells beyond it, and go there when it has changed.
    showScope() {
      const s = this.scope(), all = this.whole(), zones = this.app.layers.zones;
      if (this.cells) this.cells._filter = all ? null : (i) => this.inScope(i);
      this.outline(all ? -1 : s.at, !all);
      if (this._shown !== undefined && this._shown !== s.index) {
        if (all) this.app.home();
        else this.goZone(s);
      }
      this._shown = s.index;
    }

    // Outline one zone, or none; `alone` pales what lies beyond it.
    outline(at, alone) {
      const zones = this.app.layers.zones, [style] = zones.options.classes;
      zones.options.classes = [{ ...style, mask: alone, fill: alone ? "rgba(255,255,255,.72)" : undefined }];
      zones.setFilter((f) => f === at);
    }

    who() {
      return this.age().key === "all" ? this.app.t("people_all") : this.app.t("people_age", { a: this.age().name });
    }

    // People of an age group in every cell.
    people(age) {
      if (!this._people[age.key]) {
        const out = new Float64Array(this.n), p = this.cells.data.p;
        if (age.parts.length === 0) out.set(this.cells.data.all);
        for (const part of age.parts) for (let i = 0; i < this.n; i++) out[i] += p[part * this.n + i];
        this._people[age.key] = out;
      }
      return this._people[age.key];
    }

    // Seconds to the nearest, rounded up; -1 where there is none within the search.
    seconds(s, i) {
      return this.cells.data.t[s * this.n + i];
    }

    // Whether the answer at this many seconds could lie beyond the data (the contract of the coverage table).
    unknownAt(s, i, limit) {
      const from = this.cells.data.u[s * this.n + i];
      return from >= 0 && from <= limit;
    }

    // 1 covered, 0 not, -1 unknown, at a cutoff [s].
    reached(s, i, limit) {
      const t = this.seconds(s, i);
      if (t >= 0 && t <= limit) return 1;
      return this.unknownAt(s, i, limit) ? -1 : 0;
    }

    timeText(s, i) {
      const t = this.seconds(s, i);
      if (t >= 0) return fmt.minutes(t) + " " + this.app.t("min");
      const status = this.c.status[this.cells.data.st[s * this.n + i]];
      return this.app.t("status_" + status, { min: this.c.searchMin });
    }

    zoneName(i) {
      const town = this.zones[this.cells.data.zone[i]], dir = this.zones[this.cells.data.dir[i]];
      const village = this.cells.data.village && this.villages[this.cells.data.village[i]];
      return [town && town.name, village && village.name, dir && dir.name].filter(Boolean).join(" · ");
    }

    facilityName(i) {
      const d = this.points.data;
      return d.names[i] || this.app.t("unnamed", { service: this.c.services[d.s[i]].name });
    }

    facilityFilter(service) {
      const s = this.points.data.s;
      return (i) => s[i] === service;
    }

    // Card of a cell: who lives here, every service against its own standard, what is missing first.
    cellCard(i) {
      const app = this.app, c = this.c;
      const ages = el("p", "ages", ...c.ages.filter((a) => a.parts.length === 1).map((a) =>
        el("span", "", a.name + " ", el("b", "", fmt.exact(this.people(a)[i])))));
      // What comes by vehicle has no walking time to be held against.
      const rows = c.services.map((s, k) => ({ s, k })).filter(({ s }) => s.level !== null).map(({ s, k }) => {
        const ok = this.reached(k, i, s.level * 60);
        const near = this.cells.data.f[k * this.n + i];
        return { s, k, ok, t: this.seconds(k, i), near };
      });
      rows.sort((a, b) => (a.ok === 1) - (b.ok === 1) || a.ok - b.ok || a.k - b.k);
      const missing = rows.filter((r) => r.ok === 0).length;
      const body = el("tbody", "", ...rows.map((r) => {
        const mark = r.ok === 1 ? "✓" : r.ok === 0 ? "✗" : "?";
        const name = el("th", "", r.s.name, r.near >= 0 ? el("small", "", this.facilityName(r.near)) : null);
        name.scope = "row";
        const line = el("tr", "ok" + r.ok + (r.k === this.service ? " chosen" : ""), name,
          el("td", "", this.timeText(r.k, i)), el("td", "", "≤ " + r.s.level),
          el("td", "mark", mark, el("span", "hidden", app.t(["cov_gap", "cov_yes", "cov_unknown"][r.ok < 0 ? 2 : r.ok]))));
        return line;
      }));
      const head = el("tr", "", ...["service", "card_time", "card_level", "card_ok"].map((k) => el("th", "", app.t(k))));
      const s = c.services[this.service];
      app.card(
        app.t("card_people", { n: fmt.exact(this.people(c.ages[0])[i]) }), this.zoneName(i), ages,
        el("p", missing ? "missing" : "fine", app.t(missing ? "card_missing" : "card_complete",
          { n: missing, all: rows.length })),
        el("table", "", el("thead", "", head), body), this.clause(s));
      this.cells.mark(i);
    }

    clause(s) {
      const parts = [s.name, s.standard, s.clause, s.radius ? this.app.t("radius", { m: fmt.distance(s.radius) }) : "",
        s.tag ? "[" + s.tag + "]" : ""].filter(Boolean);
      return el("p", "note", this.app.t("standard") + this.app.t("colon") + parts.join(" · "));
    }

    facilityCard(i) {
      const app = this.app, d = this.points.data, s = this.c.services[d.s[i]];
      const zone = this.zones[d.zone[i]];
      const row = (k, v) => (v === "" || v === undefined ? null : el("tr", "", el("th", "", app.t(k)), el("td", "", v)));
      app.card(this.facilityName(i), s.name, el("table", "facts", el("tbody", "",
        row("zone_township", zone ? zone.name : ""),
        row("capacity", d.capacity[i] >= 0 ? fmt.exact(d.capacity[i]) : ""),
        row("data_kind", app.t("kind_" + this.c.kinds[d.kind[i]])),
        row("source", d.sources[d.source[i]]),
        row("level", s.level === null ? "" : app.t("level_is", { n: s.level })))), this.clause(s));
      this.points.mark(i);
    }

    // What can be searched: townships and directions, facilities with a name, streets.
    places(show) {
      const app = this.app, out = [];
      const zones = app.layers.zones;
      this.zones.forEach((z) => {
        if (z.at >= 0) out.push({ text: z.name, kind: app.t("zone_" + z.kind), go: () => this.goZone(z) });
      });
      const d = this.points.data;
      d.names.forEach((text, i) => {
        if (!text) return;
        const zone = this.zones[d.zone[i]];
        const kind = this.c.services[d.s[i]].name + (zone ? " · " + zone.name : "");
        out.push({ text, kind, go: () => this.goPoint(this.points.centre(i), () => show(i)) });
      });
      const p = app.layers.places;
      p.data.names.forEach((text, i) => out.push({
        text, kind: app.t("street"), go: () => this.goPoint(p.toLatLng(p.data.x[i], p.data.y[i])),
      }));
      this.zoneLayer = zones;
      return out;
    }

    goZone(z) {
      if (z.at < 0) return;
      this.app.map.fitBounds(this.app.layers.zones.bounds(z.at), { animate: false, padding: [30, 30] });
      this.outline(z.at, z === this.scope() && !this.whole());
    }

    goPoint(latlng, then) {
      this.app.map.setView(latlng, Math.max(16, this.app.map.getZoom()), { animate: false });
      if (this._pin) this._pin.remove();
      this._pin = L.circleMarker(latlng, { radius: 14, color: "#1a1a1a", weight: 3, fill: false, interactive: false })
        .addTo(this.app.map);
      if (then) then();
      else if (this.cells && this.app.click) this.app.click(latlng);
      this.app.clear(latlng);
    }

    rowActions() {
      return {
        go: (z) => { this.goZone(z); this.app.lower(); },
        enter: (z) => this.outline(z.at, false),
        leave: () => this.outline(this.whole() ? -1 : this.scope().at, !this.whole()),
      };
    }

    unmark() {
      if (this.cells) this.cells.mark(-1);
      this.points.mark(-1);
      if (this._pin) this._pin.remove();
    }
  };
})(window.BG = window.BG || {});
