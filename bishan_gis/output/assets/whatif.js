// The page of trials: drop a pin, close or move a facility, ask what is reached from anywhere.
(function (BG) {
  "use strict";
  const el = BG.el, fmt = BG.fmt, NONE = BG.NONE;
  const find = (id) => document.getElementById(id);

  BG.pages.whatif = function (app) {
    const m = new BG.Model(app), c = app.config, k = app.tokens, trial = new BG.Trial(app, m);
    const { cells, facilities, zones, reached } = app.layers;
    const marks = L.layerGroup().addTo(app.map);
    const view = { reach: null, sites: null, moving: -1, ready: false, selected: null };
    app.trial = trial;

    const plain = [{ fill: k.reach[k.reach.length - 1] }, { fill: c.colors.gained }, { fill: c.colors.lost }, { fill: k.gap },
      { fill: k.unknown, hatch: "/" }, { fill: k.unknown, hatch: "x" }];
    const names = ["cov_yes", "wi_gained", "wi_lost", "cov_gap", "cov_unknown", "wi_off"];
    const signed = (v) => (v > 0 ? "+" : v < 0 ? "\u2212" : "") + fmt.people(Math.abs(v));
    const minutes = () => Number(c.cutoffs.find((x) => String(x) === String(app.state.cutoff)) || c.cutoffs[0]);
    const key = () => c.services[m.service].key;
    const button = (text, act, cls) => {
      const b = el("button", cls || "act", text);
      b.type = "button";
      b.addEventListener("click", act);
      return b;
    };

    // ---- what the edits lead to

    async function refresh() {
      const begun = performance.now();
      if (!view.ready || !await trial.refresh(key())) return;
      render();
      await circle();
      view.took = performance.now() - begun;
      find("headline").dataset.ms = view.took.toFixed(1);
      document.body.dataset.trial = String(Number(document.body.dataset.trial || 0) + 1);
    }

    // The streets from which what is new or moved can be reached in time.
    async function circle() {
      if (view.reach) return;
      const mine = trial.shown.put.filter((p) => p.service === key()), ticket = view.circle = {};
      const limits = [Math.floor(minutes() * 60000)];
      const lines = mine.length ? await trial.engine.ask("streets", { points: mine.map(({ x, y }) => ({ x, y })), limits, away: false }) : null;
      if (view.circle === ticket && !view.reach) reached.set(lines, [{ color: c.colors.site, widths: [1.2, 2, 4] }]);
    }

    const zoneSums = (list, weight, cutoff) => list.map((z) => ({ ...z, ...trial.sum(key(), cutoff, weight, trial.cellsOf().get(z.index)) }));

    function render() {
      const s = m.service, service = c.services[s], cutoff = minutes(), age = m.age(), weight = m.people(age);
      const edited = trial.edits.length > 0;
      app.standard(service.level);
      const d = trial.sum(key(), cutoff, weight), net = d.is - d.was;
      facilities.setFilter((i) => facilities.data.s[i] === s && !trial.shown.gone.has(i));
      if (!view.reach) paint(cutoff, weight);
      place();
      app.title(app.t("page_whatif"), service.name, app.t("walk_within", { n: cutoff }), age.key === "all" ? "" : age.name);
      const done = trial.completeness(weight), share = (v) => (100 * v).toFixed(edited ? 2 : 1) + "\u00a0%";
      const range = (v) => share(v[0]) + (v[1] - v[0] > 5e-4 ? "–" + share(v[1]) : "");
      app.headline(edited ? signed(net) + " " + app.t("people") : fmt.percent(d.is, d.all),
        app.t(edited ? "wi_caption" : "cov_caption", { who: edited && age.key === "all" ? "" : m.who(), n: cutoff, service: service.name }), [
          [app.t(edited ? "cov_rate" : "cov_yes") + " ", el("b", "", edited ? fmt.percent(d.was, d.all) + " → " + fmt.percent(d.is, d.all) : fmt.people(d.is)),
            edited ? "" : " / " + fmt.exact(d.all) + " " + app.t("people"),
            edited && d.lost ? " · " + app.t("wi_lost") + " " + fmt.people(d.lost) : ""],
          [app.swatch({ fill: k.gap }), app.t("cov_gap") + " ", el("b", "", fmt.people(d.gap)), " " + app.t("people"),
            el("span", "gapless", app.swatch({ fill: k.unknown, hatch: "/" }), app.t("cov_unknown") + " " + fmt.people(d.unknown) + " " + app.t("people"))],
          [app.t("wi_complete") + " ", el("b", "", done ? range(done.was) + (edited ? " → " + range(done.is) : "") : "…"),
            done ? app.t("wi_complete_of", { n: done.n }) : ""],
        ]);
      Object.assign(find("headline").dataset, {
        numbers: [d.all, d.was, d.is, d.gained, d.lost, d.gap, d.unknown, d.off].join(","), completeness: done ? [...done.was, ...done.is].join(",") : "",
      });

      const order = (a, b) => (edited ? b.gained + b.lost - a.gained - a.lost : 0) || a.is / (a.all || 1) - b.is / (b.all || 1);
      const dirs = zoneSums(m.directions, weight, cutoff).sort(order), towns = zoneSums(m.townships, weight, cutoff);
      const bars = BG.bars(app, app.t("by_direction"), dirs.map((z) => ({
        name: z.name, color: z.color, value: edited ? signed(z.is - z.was) : fmt.percent(z.is, z.all), sub: fmt.people(z.gap),
        parts: z.by.map((n, i) => ({ share: z.all ? n / z.all : 0, ...plain[i] })),
      })), [app.t(edited ? "wi_change" : "cov_rate"), app.t("cov_gap")], "");
      const columns = [
        { text: app.t("zone_township"), value: (r) => r.name, show: (r) => r.name },
        { text: app.t("wi_change"), value: (r) => r.is - r.was, show: (r) => signed(r.is - r.was) },
        { text: app.t("cov_rate"), value: (r) => (r.all ? r.is / r.all : -1), show: (r) => fmt.percent(r.is, r.all) },
        { text: app.t("cov_gap"), value: (r) => r.gap, show: (r) => fmt.people(r.gap) },
        { text: app.t("cov_unknown"), value: (r) => r.unknown, show: (r) => fmt.people(r.unknown) },
      ];
      const ages = c.ages.map((a) => ({ name: a.name, key: a.key, ...trial.sum(key(), cutoff, m.people(a)) }));
      const focus = document.activeElement && document.activeElement.id;
      app.panel(desk.plan(), bars, BG.table(app, app.t("by_township"), columns, towns, { ...d, name: app.t("sum") }, m.rowActions()),
        byAge(ages), m.clause(service), el("p", "note", app.t("wi_note")),
        el("p", "note", app.t(trial.engine.where === "worker" ? "wi_worker" : "wi_alone")));
      if (focus && document.activeElement === document.body && find(focus)) find(focus).focus({ preventScroll: true });
      app.table = () => [
        [app.t("zone"), app.t("service"), app.t("cutoff"), app.t("age_group"), app.t("population"), app.t("wi_before"), app.t("wi_after"),
          app.t("wi_gained"), app.t("wi_lost"), app.t("cov_gap"), app.t("cov_unknown"), app.t("wi_off")],
        ...c.ages.flatMap((a) => zoneSums(m.zones, m.people(a), cutoff).map((z) =>
          [z.name, service.name, cutoff, a.name, z.all, z.was, z.is, z.gained, z.lost, z.gap, z.unknown, z.off])),
      ];
      find("b-undo").disabled = !trial.past.length;
      find("b-redo").disabled = !trial.future.length;
    }

    function paint(cutoff, weight) {
      const { at } = trial.states(key(), cutoff), sums = plain.map(() => 0), count = plain.map(() => 0);
      for (let i = 0; i < m.n; i++) {
        sums[at[i]] += weight[i];
        count[at[i]] += 1;
      }
      cells.setClasses(at, plain);
      const rows = plain.map((style, i) => ({ style, text: app.t(names[i]), value: fmt.people(sums[i]), muted: !count[i] }))
        .filter((r, i) => count[i] || (i !== 1 && i !== 2));
      const gone = [...trial.shown.gone].filter(([i]) => trial.facilityService[i] === key());
      const closed = gone.filter(([, edit]) => edit.sort === "close_facility").length;
      app.legend([
        { title: app.t("legend_cells"), unit: m.age().key === "all" ? app.t("people") : m.age().name, rows },
        { title: app.t("legend_more"), rows: [
          { style: { fill: k.ink, shape: "dot" }, text: c.services[m.service].name, value: fmt.exact(c.services[m.service].n - gone.length) + " " + app.t("places") },
          ...(closed ? [{ style: { stroke: "#67001f", shape: "shut" }, text: app.t("wi_shut"), value: fmt.exact(closed) + " " + app.t("places") }] : []),
          { style: { fill: c.colors.site, shape: "dot" }, text: app.t("wi_pins"), value: fmt.exact(trial.shown.put.filter((p) => p.service === key()).length) },
          { style: { stroke: c.colors.site, shape: "dashed whole" }, text: app.t("wi_streets", { n: cutoff }), value: "" },
        ] },
      ]);
      find("legend").dataset.numbers = sums.join(",");
    }

    function byAge(ages) {
      const head = ["age_group", "wi_gained", "wi_lost", "cov_rate", "cov_gap"].map((x) => { const th = el("th", "", app.t(x)); th.scope = "col"; return th; });
      const body = ages.map((a) => {
        const first = el("th", "", a.name);
        first.scope = "row";
        return el("tr", "", first, el("td", "", fmt.people(a.gained)), el("td", "", fmt.people(a.lost)), el("td", "", fmt.percent(a.is, a.all)), el("td", "", fmt.people(a.gap)));
      });
      const table = el("table", "", el("thead", "", el("tr", "", ...head)), el("tbody", "", ...body));
      table.id = "wi-ages";
      table.dataset.numbers = ages.map((a) => [a.gained, a.lost, a.is, a.gap].join(",")).join(";");
      return el("section", "", el("h2", "", app.t("wi_by_age")), table);
    }

    function choose(service) {
      app.state.service = service;
      find("choose-service").value = service;
      app.keep();
      app.update();
    }

    // ---- on the map

    function icon(cls, text) {
      return L.divIcon({ className: "mark-box", html: el("span", "mark " + cls, text), iconSize: [44, 44], iconAnchor: [22, 22] });
    }

    function place() {
      if (!trial.shown) return; // the first answer is still on its way
      marks.clearLayers();
      const put = (latlng, cls, text, label, options, act) => {
        const mark = L.marker(latlng, { icon: icon(cls, text), title: label, alt: label, keyboard: true, autoPan: true, ...options }).addTo(marks);
        const node = mark.getElement();
        if (node && act) {
          node.setAttribute("aria-label", label);
          node.setAttribute("role", "button");
          mark.on("click", act);
          mark.on("keypress", (e) => { if (e.originalEvent.key === "Enter") act(); });
        }
        return mark;
      };
      for (const p of trial.shown.put) {
        const snap = trial.snaps.get(p.id), mine = p.service === key();
        const mark = put(trial.latlng(p), "pin" + (mine ? "" : " other") + (snap && snap.off ? " off" : ""), p.label, desk.nameOf(p.edit), { draggable: true }, () => pinCard(p));
        mark.on("dragend", () => slide(p, mark.getLatLng()));
        mark.on("drag", () => preview(p, mark.getLatLng()));
        if (p.i !== undefined && mine) marks.addLayer(L.polyline([facilities.centre(p.i), trial.latlng(p)], { color: c.colors.site, weight: 1.5, dashArray: "4 4", interactive: false }));
      }
      for (const [i, edit] of trial.shown.gone) {
        if (trial.facilityService[i] !== key()) continue;
        put(facilities.centre(i), "gone", "×", desk.nameOf(edit), {}, () => facilityCard(i));
      }
      if (view.reach) put(view.reach.latlng, "from", "◎", app.t("wi_from"), { interactive: false, keyboard: false });
      if (view.selected !== null && !trial.shown.gone.has(view.selected) && trial.facilityService[view.selected] === key()) {
        const i = view.selected, mark = put(facilities.centre(i), "grab", "", app.t("wi_drag", { name: m.facilityName(i) }), { draggable: true });
        mark.on("dragend", () => shift(i, mark.getLatLng()));
      }
      (view.sites ? view.sites.best : []).forEach((site, i) => put(trial.latlng(site), "idea", String.fromCharCode(65 + i),
        app.t("wi_site", { n: String.fromCharCode(65 + i), people: fmt.people(site.gain) }), {}, () => desk.take(site)));
    }

    // While a pin is dragged the numbers follow; the history takes only where it is let go.
    let busy = false;
    async function preview(p, latlng) {
      view.dragged = p.id;
      if (busy) return;
      busy = true;
      const spot = trial.place(latlng), effect = trial.effect();
      const moved = { ...effect, put: effect.put.map((q) => (q.id === p.id ? { ...q, ...spot } : q)) };
      if (!trial.far(spot) && p.service === key()) {
        const found = await trial.times(key(), moved);
        busy = false;
        if (view.dragged !== p.id) return;
        trial.now.set(key(), found);
        const d = trial.sum(key(), minutes(), m.people(m.age()));
        if (!view.reach) paint(minutes(), m.people(m.age()));
        find("headline").querySelector(".big").textContent = signed(d.is - d.was) + " " + app.t("people");
      }
      busy = false;
    }

    function slide(p, latlng) {
      view.dragged = null;
      const spot = trial.place(latlng);
      say(trial.far(spot) ? app.t("wi_far") : "");
      if (!trial.far(spot)) trial.change(trial.moved(p.edit, spot));
      refresh();
    }

    function shift(i, latlng) {
      const spot = trial.place(latlng);
      view.moving = -1;
      view.selected = null;
      app.closeCard();
      say(trial.far(spot) ? app.t("wi_far") : "");
      if (!trial.far(spot)) trial.move(i, spot);
      refresh();
    }

    function drop(spot) {
      view.sites = null;
      if (trial.far(spot)) { say(app.t("wi_far")); return; }
      say("");
      trial.add(key(), spot);
      refresh();
    }

    function pinCard(p) {
      const snap = trial.snaps.get(p.id);
      app.card(desk.nameOf(p.edit), c.services.find((s) => s.key === p.service).name,
        el("p", "note", "x " + p.x.toFixed(2) + "  y " + p.y.toFixed(2)),
        el("p", snap && snap.off ? "missing" : "note", snap ? (snap.off ? app.t("wi_off_network", { m: fmt.distance(c.rules.maxSnap) }) : app.t("wi_leg", { m: fmt.distance(snap.leg_m) })) : ""),
        el("p", "note", app.t("wi_drag_note")),
        el("div", "acts", button(app.t("wi_to_centre"), () => { app.closeCard(); slide(p, app.map.getCenter()); }), button(app.t("wi_delete"), () => { trial.drop(p.edit); app.closeCard(); refresh(); })));
    }

    function facilityCard(i) {
      m.facilityCard(i);
      const edit = trial.editOf(i), acts = el("div", "acts");
      if (edit) acts.append(button(app.t("wi_restore"), () => { trial.drop(edit); app.closeCard(); refresh(); }));
      if (!edit || edit.sort !== "close_facility") {
        const shut = button(app.t("wi_close"), () => { trial.close(i); app.closeCard(); refresh(); });
        shut.id = "wi-close";
        const move = button(app.t("wi_move"), () => { view.moving = i; app.lower(); say(app.t("wi_move_where")); });
        move.id = "wi-move";
        acts.append(shut, move);
        view.selected = i;
      }
      find("card-body").append(acts);
      place();
    }

    app.onClose = () => {
      m.unmark();
      const was = view.reach;
      Object.assign(view, { reach: null, asked: null, selected: null });
      if (was) { paint(minutes(), m.people(m.age())); circle(); }
      place();
    };

    // What went wrong, or what to do next: under the controls, where a phone shows it too.
    function say(text) {
      const line = find("wi-says");
      line.textContent = text;
      line.hidden = !text;
    }

    const desk = { app, m, c, k, trial, view, button, minutes, key, refresh, render, say, drop, choose, place };
    Object.assign(desk, BG.whatifPlan(desk), BG.whatifReach(desk));

    // ---- controls

    const tools = app.choose("tool", app.t("wi_tool"), [{ value: "look", text: app.t("wi_tool_look") }, { value: "add", text: app.t("wi_tool_add") }], true);
    tools.classList.add("tool");
    const step = (id, text, act) => {
      const b = button(text, () => { if (act()) refresh(); }, "step");
      b.id = id;
      b.disabled = true;
      return b;
    };
    const undo = () => trial.undo(), redo = () => trial.redo();
    app.controls(
      app.choose("service", app.t("service"), m.serviceOptions()),
      app.choose("cutoff", app.t("cutoff"), c.cutoffs.map((x) => ({ value: x, text: x + " " + app.t("min") })), true),
      app.choose("age", app.t("age_group"), m.ageOptions()),
      el("div", "row", tools, step("b-undo", app.t("wi_undo"), undo), step("b-redo", app.t("wi_redo"), redo)),
      el("p", "says"),
    );
    const line = document.querySelector("#controls .says");
    Object.assign(line, { id: "wi-says", hidden: true });
    line.setAttribute("role", "status");
    document.addEventListener("keydown", (e) => {
      if (e.key === "Escape" && view.moving >= 0) { view.moving = -1; say(""); }
      if (!(e.ctrlKey || e.metaKey) || e.target.closest("input, select, textarea")) return;
      const back = e.key.toLowerCase() === "z" && !e.shiftKey, again = e.key.toLowerCase() === "y" || (e.key.toLowerCase() === "z" && e.shiftKey);
      if (!back && !again) return;
      e.preventDefault();
      if ((back ? undo : redo)()) refresh();
    });

    app.hover = (latlng) => {
      const f = app.isOn("facilities") ? facilities.at(latlng) : -1;
      if (f >= 0) return [m.facilityName(f), c.services[facilities.data.s[f]].name];
      const i = view.ready && app.isOn("cells") ? cells.at(latlng) : -1;
      if (i < 0) return null;
      const head = [m.zoneName(i), app.t("card_people", { n: fmt.exact(m.people(m.age())[i]) })];
      const time = (t) => (t < NONE ? fmt.minutes(t / 1000) + " " + app.t("min") : "—");
      if (view.reach) return [...head, app.t("wi_from") + " " + time(view.reach.ms[i])];
      const was = trial.base.get(key()).ms[i], is = trial.now.get(key()).ms[i];
      return [...head, c.services[m.service].name + " " + time(was) + (is === was ? "" : " → " + time(is)) + " · " + app.t(names[trial.states(key(), minutes()).at[i]])];
    };
    app.click = (latlng) => {
      if (!view.ready) return;
      if (view.moving >= 0) { shift(view.moving, latlng); return; }
      if (app.state.tool === "add") { drop(trial.place(latlng)); return; }
      const f = app.isOn("facilities") ? facilities.at(latlng) : -1;
      m.unmark();
      if (f >= 0) facilityCard(f);
      else desk.ask(latlng);
    };
    app.places = m.places((i) => { choose(trial.facilityService[i]); if (view.ready) facilityCard(i); });

    app.update = () => {
      if (!view.ready) return;
      Object.assign(view, { sites: null, moving: -1 });
      say("");
      refresh().then(() => { if (view.reach) desk.draw(); });
    };
    zones.setFilter(() => false);
    cells.setClasses(new Uint8Array(m.n), [{ fill: "#e4e4e0" }]);
    app.title(app.t("page_whatif"), c.services[m.service].name);
    app.headline("…", app.t("wi_loading"), []);
    (async () => {
      await trial.setup();
      view.ready = true;
      await refresh();
      for (const s of c.services) await trial.load(s.key);
      render();
      document.body.dataset.engine = trial.engine.where;
    })().catch((error) => {
      find("headline").replaceChildren(el("p", "fail", app.t("page_failed")));
      throw error;
    });
  };
})(window.BG = window.BG || {});
