// What is reached on foot from any place: bands of minutes, people, and facilities by service.
(function (BG) {
  "use strict";
  const el = BG.el, fmt = BG.fmt, NONE = BG.NONE;

  BG.whatifReach = function (desk) {
    const { app, m, c, k, trial, view, button } = desk;
    const { cells, facilities, reached } = app.layers;
    const find = (id) => document.getElementById(id);
    const bands = [...c.cutoffs.map((_, i) => ({ fill: k.reach[i] })), { fill: "#e4e4e0" }, { fill: k.unknown, hatch: "x" }];

    // ---- from anywhere

    async function ask(latlng) {
      const spot = trial.place(latlng), ticket = view.asked = {};
      const limits = c.cutoffs.map((x) => Math.floor(x * 60000));
      const found = await trial.engine.ask("reach", { ...spot, limits });
      if (view.asked !== ticket) return;
      view.selected = null;
      view.reach = { ...found, latlng, spot };
      draw();
      desk.place();
      document.body.dataset.reach = String(Number(document.body.dataset.reach || 0) + 1);
    }

    function draw() {
      const { ms, fac, snap, spot, latlng } = view.reach, people = m.people(m.age());
      const at = (t) => { const b = c.cutoffs.findIndex((x) => trial.within(t, x)); return b < 0 ? c.cutoffs.length : b; };
      const column = Uint8Array.from(ms, (t, i) => (trial.off[i] ? c.cutoffs.length + 1 : at(t)));
      const sums = bands.map(() => 0);
      column.forEach((b, i) => { sums[b] += people[i]; });
      cells.setClasses(column, bands);
      reached.set(view.reach.lines, c.cutoffs.map((_, i) => ({ color: k.reach[i], widths: [1.2, 2.2, 5] })));
      const texts = c.cutoffs.map((b, i) => (i ? app.t("band", { a: c.cutoffs[i - 1], b }) : app.t("band_first", { b })));
      app.legend([{ title: app.t("wi_from"), unit: m.age().key === "all" ? app.t("people") : m.age().name,
        rows: [...texts, app.t("wi_farther"), app.t("wi_off")].map((text, i) => ({ style: bands[i], text, value: fmt.people(sums[i]), muted: !sums[i] })) }]);
      const count = c.services.map(() => c.cutoffs.map(() => 0)), best = c.services.map(() => NONE);
      fac.forEach((t, f) => {
        const s = facilities.data.s[f];
        best[s] = Math.min(best[s], t);
        c.cutoffs.forEach((x, b) => { if (trial.within(t, x)) count[s][b] += 1; });
      });
      const upto = c.cutoffs.map((_, b) => sums.slice(0, b + 1).reduce((p, q) => p + q, 0));
      const rows = c.services.map((s, i) => ({ s, i })).sort((p, q) => best[p.i] - best[q.i]).map(({ s, i }) => {
        const th = el("th", "", s.name);
        th.scope = "row";
        return el("tr", best[i] < NONE && trial.within(best[i], s.level ?? c.cutoffs[c.cutoffs.length - 1]) ? "" : "ok0", th,
          el("td", "", best[i] < NONE ? fmt.minutes(best[i] / 1000) : "—"), ...count[i].map((n) => el("td", "", fmt.exact(n))));
      });
      const heads = [app.t("service"), app.t("wi_nearest"), ...c.cutoffs.map((x) => "≤ " + x)].map((text) => { const th = el("th", "", text); th.scope = "col"; return th; });
      const cell = cells.at(latlng), edge = snap.off ? app.t("wi_off_network", { m: fmt.distance(c.rules.maxSnap) }) : app.t("wi_leg", { m: fmt.distance(snap.leg_m) });
      app.card(app.t("wi_from"), [cell >= 0 ? m.zoneName(cell) : "", edge].filter(Boolean).join(" · "),
        el("p", snap.off ? "missing" : "fine", snap.off ? app.t("wi_no_street") : c.cutoffs.map((x, b) => app.t("wi_reach_people", { n: x, people: fmt.people(upto[b]) })).join(" · ")),
        el("table", "", el("thead", "", el("tr", "", ...heads)), el("tbody", "", ...rows)), el("p", "note", app.t("wi_reach_note")),
        el("div", "acts", button(app.t("wi_add_here"), () => { app.closeCard(); desk.drop(spot); })));
      find("card").dataset.numbers = upto.join(",");
      find("card").dataset.counts = JSON.stringify(Object.fromEntries(c.services.map((s, i) => [s.key, count[i]])));
    }

    return { ask, draw };
  };
})(window.BG = window.BG || {});
