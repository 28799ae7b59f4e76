// The page of scores: townships ranked by what their people reach, and the policy, element by element.
(function (BG) {
  "use strict";
  const el = BG.el, fmt = BG.fmt;

  BG.pages.scorecard = function (app) {
    const m = new BG.Model(app), c = app.config, k = app.tokens;
    const { scores, facilities, zones } = app.layers;
    const byZone = new Map(c.scores.map((r) => [r.zone, r]));
    const point = (v) => v.toFixed(1);
    const show = ["", "evaluated", "not_evaluated", "met", "not_met", "unknown"];

    const figure = (x) => {
      if (x.value === null) return "";
      if (x.unit === "1" && x.value >= 0 && x.value <= 1) return (100 * x.value).toFixed(1) + " %";
      const text = Number.isInteger(x.value) ? fmt.exact(x.value) : x.value.toLocaleString("en", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
      return x.unit === "1" ? text : text + " " + x.unit;
    };

    const to = (page) => {
      const a = el("a", "", app.t("scr_map", { page: page.title }));
      a.href = page.file + (page.state ? "#" + page.state : "");
      return a;
    };

    function catalogue() {
      const wanted = c.elements.filter((x) => !app.state.pick || x.state === app.state.pick || x.verdict === app.state.pick);
      const out = [];
      let work = null;
      for (const x of wanted) {
        if (x.work !== work) { work = x.work; out.push(el("li", "work", work)); }
        const tag = x.state === "evaluated" ? x.verdict : "none";
        out.push(el("li", "element", el("b", "", x.number + " " + x.phrase), el("span", "figure", figure(x)),
          el("p", "", el("span", "tag " + tag, app.t(tag === "none" ? "state_not_evaluated" : "verdict_" + tag)),
            x.indicator && x.state === "evaluated" ? " " + x.indicator : ""),
          x.state === "evaluated" && x.page.file ? el("p", "note", to(x.page)) : "",
          x.state === "evaluated" ? el("details", "", el("summary", "", app.t("scr_details")), el("p", "", x.said),
            el("p", "note", [x.clause, x.tag ? "[" + x.tag + "]" : "", app.t("kind_" + x.kind)].filter(Boolean).join(" · ")))
            : el("p", "note", app.t("scr_needs") + " " + (x.needs || x.said))));
      }
      return el("section", "", el("h2", "", app.t("scr_policy"), el("span", "unit", fmt.exact(wanted.length) + " / " + fmt.exact(c.elements.length))),
        wanted.length ? el("ul", "elements", ...out) : el("p", "note", app.t("gap_nothing")));
    }

    function townCard(r) {
      const z = m.zones[r.zone];
      const rows = c.shares.map((x) => { const [yes, unknown] = x.rows[r.zone]; return { s: c.services[x.s], cutoff: x.cutoff, yes, unknown }; })
        .sort((a, b) => a.yes - b.yes);
      const head = el("tr", "", ...["service", "card_level", "cov_rate", "cov_unknown"].map((key) => { const th = el("th", "", app.t(key)); th.scope = "col"; return th; }));
      app.card(r.rank + ". " + z.name, [z.direction, fmt.exact(r.people) + " " + app.t("people"), point(r.score) + " " + app.t("scr_point")].filter(Boolean).join(" · "),
        el("p", "ages", ...c.ages.slice(1).map((a, i) => el("span", "", a.name + " ", el("b", "", fmt.exact(z.people[i + 1]))))),
        el("table", "", el("thead", "", head), el("tbody", "", ...rows.map((x) => {
          const th = el("th", "", x.s.name);
          th.scope = "row";
          return el("tr", "", th, el("td", "", "≤ " + x.cutoff), el("td", "", fmt.percent(x.yes, r.people)), el("td", "", x.unknown ? fmt.people(x.unknown) : ""));
        }))));
      zones.setFilter((i) => i === z.at);
    }

    app.controls(el("div", "row", app.choose("view", app.t("scr_view"), [
      { value: "rank", text: app.t("scr_rank") }, { value: "policy", text: app.t("scr_policy") }], true)),
    app.choose("pick", app.t("scr_show"), show.map((key) => {
      const n = c.elements.filter((x) => !key || x.state === key || x.verdict === key).length;
      return { value: key, text: app.t(!key ? "scr_all" : key.includes("evaluated") ? "state_" + key : "verdict_" + key) + " (" + n + ")" };
    })));

    app.update = function () {
      const policy = app.state.view === "policy";
      document.getElementById("choose-pick").parentNode.hidden = !policy;
      const total = c.scores.reduce((a, r) => a + r.people, 0);
      const mean = c.scores.reduce((a, r) => a + r.people * r.score, 0) / (total || 1);
      const high = c.scores.reduce((a, r) => a + r.people * r.high, 0) / (total || 1);
      facilities.setFilter(() => true);
      app.title(app.t("scr_title"), policy ? app.t("scr_policy") : "");
      const done = c.elements.filter((x) => x.state === "evaluated");
      const count = (v) => done.filter((x) => x.verdict === v).length;
      if (policy) {
        app.headline(done.length + " / " + c.elements.length, app.t("scr_policy_caption"), [
          [app.t("scr_verdicts", { met: count("met"), not: count("not_met"), unknown: count("unknown"), none: count("no_threshold") })],
          [app.t("scr_policy_note", { n: c.elements.length - done.length })],
        ]);
      } else {
        app.headline(point(mean), app.t("scr_caption", { n: c.scores.length ? c.scores[0].services : 0 }), [
          [high - mean > 0.05 ? app.t("scr_high", { p: point(high) }) : app.t("scr_weighted")],
          c.scores.length > 1 ? [app.t("scr_ends", { a: m.zones[c.scores[0].zone].name, p: point(c.scores[0].score),
            b: m.zones[c.scores[c.scores.length - 1].zone].name, q: point(c.scores[c.scores.length - 1].score) })] : [""],
        ]);
      }
      document.getElementById("headline").dataset.numbers = policy ? [done.length, c.elements.length].join(",") : [mean, high].join(",");
      const towns = c.scores.map((r) => ({ ...m.zones[r.zone], ...r, color: (m.directions.find((x) => x.name === m.zones[r.zone].direction) || {}).color }));
      const columns = [
        { text: app.t("zone_township"), value: (r) => r.name, show: (r) => r.name },
        { text: app.t("gap_rank"), value: (r) => r.rank, show: (r) => (r.rank === undefined ? "" : fmt.exact(r.rank)) },
        { text: app.t("scr_score"), value: (r) => r.score, show: (r) => point(r.score) },
        { text: app.t("cmp_at_most"), value: (r) => r.high, show: (r) => point(r.high) },
        { text: app.t("population"), value: (r) => r.people, show: (r) => fmt.people(r.people) },
      ];
      const actions = { ...m.rowActions(), go: (r) => { m.goZone(m.zones[r.zone]); townCard(byZone.get(r.zone)); } };
      const worst = c.shares.map((x) => ({ x, rate: x.rows[m.districts[0].index][0] })).sort((a, b) => a.rate - b.rate);
      const people = m.districts[0].people[0];
      if (policy) app.panel(catalogue());
      else {
        app.panel(
          BG.table(app, app.t("scr_table"), columns, towns, { name: app.t("sum"), score: mean, high, people: total }, actions),
          BG.bars(app, app.t("scr_indicators"), worst.map(({ x, rate }) => ({ name: c.services[x.s].name, value: fmt.percent(rate, people), sub: "≤ " + x.cutoff + " " + app.t("min"),
            parts: [{ share: rate / people, fill: k.reach[1] }] })), [app.t("cov_rate"), app.t("card_level")], app.t("low_first")),
          el("p", "note", app.t("scr_note")));
      }
      const sums = c.breaks.map((b, i) => c.scores.filter((r) => r.score <= b + 1e-9 && (!i || r.score > c.breaks[i - 1] + 1e-9)).length);
      app.legend([{ title: app.t("scr_legend"), unit: app.t("scr_towns"),
        rows: c.breaks.map((b, i) => ({ style: { fill: c.colors[i] }, text: (i ? "> " + point(c.breaks[i - 1]) + "–" : "≤ ") + point(b), value: fmt.exact(sums[i]) })),
        note: app.t("scr_classes", { k: c.breaks.length, n: c.scores.length }) }]);
      document.getElementById("legend").dataset.numbers = sums.join(",");
      app.table = () => (policy ? [
        ["scr_number", "scr_element", "scr_state", "scr_indicator", "scr_value", "scr_verdict", "standard", "scr_needs"].map((x) => app.t(x)),
        ...c.elements.map((x) => [x.number, x.phrase, app.t("state_" + x.state), x.indicator, figure(x), x.verdict ? app.t("verdict_" + x.verdict) : "", x.clause, x.needs]),
      ] : [
        [app.t("zone_township"), app.t("gap_rank"), app.t("scr_score"), app.t("cmp_at_most"), app.t("population"), ...c.shares.map((x) => c.services[x.s].name + " ≤ " + x.cutoff)],
        ...c.scores.map((r) => [m.zones[r.zone].name, r.rank, r.score, r.high, r.people, ...c.shares.map((x) => x.rows[r.zone][0])]),
      ]);
    };
    const town = (latlng) => {
      const i = zones.at(latlng, (j) => zones.data.kind[j] === 2);
      return i < 0 ? null : c.scores.find((r) => m.zones[r.zone].at === i);
    };
    app.hover = (latlng) => {
      const i = app.isOn("facilities") ? facilities.at(latlng) : -1;
      if (i >= 0) return [m.facilityName(i), c.services[facilities.data.s[i]].name];
      const r = town(latlng);
      return r ? [m.zones[r.zone].name, app.t("scr_hover", { rank: r.rank, score: point(r.score) })] : null;
    };
    app.click = (latlng) => {
      const i = app.isOn("facilities") ? facilities.at(latlng) : -1;
      m.unmark();
      if (i >= 0) { m.facilityCard(i); return; }
      const r = town(latlng);
      if (r) townCard(r); else app.closeCard();
    };
    app.onClose = () => { m.unmark(); zones.setFilter(() => false); };
    app.places = m.places((i) => m.facilityCard(i));
    zones.setFilter(() => false);
    app.update();
  };
})(window.BG = window.BG || {});
