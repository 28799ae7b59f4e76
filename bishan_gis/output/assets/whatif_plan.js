// The list of what is tried, the best place near, and scenario files: the panel of the page of trials.
(function (BG) {
  "use strict";
  const el = BG.el, fmt = BG.fmt;

  BG.whatifPlan = function (desk) {
    const { app, m, c, trial, view, button, minutes, key } = desk;
    const { facilities } = app.layers, refresh = () => desk.refresh(), say = (text) => desk.say(text);
    const find = (id) => document.getElementById(id);

    // ---- the list of edits

    function nameOf(edit) {
      const i = trial.indexOf.get(edit.keys.facility_id);
      if (edit.sort === "add_facility") {
        const n = trial.edits.filter((e) => e.sort === edit.sort).indexOf(edit) + 1;
        const service = c.services.find((s) => s.key === edit.keys.service);
        return app.t("wi_add_n", { n, service: edit.keys.name || service.name });
      }
      const name = i === undefined ? edit.keys.facility_id : m.facilityName(i);
      return app.t({ move_facility: "wi_moved", close_facility: "wi_closed", resize_facility: "wi_resized" }[edit.sort], { name });
    }

    function plan() {
      const list = el("ul", "edits", ...trial.edits.map((edit) => {
        const there = trial.shown.put.find((p) => p.edit === edit), snap = there && trial.snaps.get(there.id);
        const say = snap ? (snap.off ? app.t("wi_off_network", { m: fmt.distance(c.rules.maxSnap) }) : app.t("wi_leg", { m: fmt.distance(snap.leg_m) })) : "";
        const remove = button("×", () => { trial.drop(edit); refresh(); }, "close-edit");
        remove.setAttribute("aria-label", app.t("wi_remove", { name: nameOf(edit) }));
        const late = BG.dueEdits(trial.head, [edit]).length ? "" : app.t("wi_later", { y: edit.keys.year });
        const line = el("li", snap && snap.off ? "off" : "", button(nameOf(edit), () => go(edit, there), "plain"), el("small", "", [say, late].filter(Boolean).join(" · ")), remove);
        return line;
      }));
      const name = el("input");
      Object.assign(name, { type: "text", value: trial.head.name, id: "wi-name", maxLength: 80 });
      name.addEventListener("change", () => { if (name.value.trim()) trial.head = { ...trial.head, name: name.value.trim() }; });
      const file = el("input");
      Object.assign(file, { type: "file", accept: ".toml", id: "wi-file", hidden: true });
      file.addEventListener("change", async () => {
        if (!file.files[0]) return;
        const text = await file.files[0].text();
        file.value = "";
        open(text);
      });
      const clear = button(app.t("wi_clear"), () => { trial.change([]); refresh(); });
      const save = button(app.t("wi_save"), saveFile);
      save.id = "wi-save";
      clear.disabled = !trial.edits.length;
      const add = button(app.t("wi_add_centre"), () => desk.drop(trial.place(app.map.getCenter())));
      add.id = "wi-centre";
      const look = button(app.t("wi_look_centre"), () => desk.ask(app.map.getCenter()));
      look.id = "wi-look";
      const best = button(app.t("wi_suggest"), suggest);
      best.id = "wi-suggest";
      return el("section", "trial", el("h2", "", app.t("wi_plan"), el("span", "unit", app.t("wi_edits", { n: trial.edits.length }))),
        trial.edits.length ? list : el("p", "note", app.t("wi_how")),
        el("div", "acts", add, look, best, clear), sites(),
        el("label", "named", el("span", "", app.t("wi_name")), name),
        el("div", "acts", save, button(app.t("wi_open"), () => file.click()), file));
    }

    function go(edit, there) {
      const i = trial.indexOf.get(edit.keys.facility_id);
      const at = there ? trial.latlng(there) : i === undefined ? null : facilities.centre(i);
      if (at) app.map.setView(at, Math.max(15, app.map.getZoom()), { animate: false });
      const service = there ? there.service : i === undefined ? edit.keys.service : trial.facilityService[i];
      if (service && service !== key()) desk.choose(service);
    }

    // ---- the best place near

    async function suggest() {
      const mine = trial.shown.put.filter((p) => p.service === key()), from = mine.length ? mine[mine.length - 1] : trial.place(app.map.getCenter());
      const cutoff = minutes(), people = m.people(m.age()), missing = new Float64Array(m.n), now = trial.now.get(key()).ms;
      for (let i = 0; i < m.n; i++) if (!trial.within(now[i], cutoff)) missing[i] = people[i];
      say(app.t("wi_searching"));
      const found = await trial.engine.ask("suggest", { x: from.x, y: from.y, ...c.suggest, limit: Math.floor(cutoff * 60000), missing });
      view.sites = { ...found, pinned: mine.length > 0 };
      say("");
      desk.render();
      document.body.dataset.sites = String(found.best.length);
    }

    function take(site) {
      desk.drop({ x: site.x, y: site.y });
    }

    function sites() {
      if (!view.sites) return null;
      const f = view.sites;
      return el("div", "ideas", f.best.length ? el("ol", "", ...f.best.map((site, i) => el("li", "",
        button(app.t("wi_site", { n: String.fromCharCode(65 + i), people: fmt.people(site.gain) }), () => take(site), "plain")))) : el("p", "says", app.t("wi_no_gain")),
      el("p", "note", app.t(f.pinned ? "wi_tried_pin" : "wi_tried_map", { n: fmt.exact(f.tried), ms: fmt.exact(f.ms), m: fmt.distance(c.suggest.radius), apart: c.suggest.apart })));
    }

    // ---- files

    function saveFile() {
      const text = BG.writeScenario(trial.head, trial.edits, app.t("wi_comment", { study: c.study }) + "\nbishan-gis compare STUDY scenario.toml");
      const link = el("a");
      link.href = URL.createObjectURL(new Blob([text], { type: "application/toml" }));
      link.download = "scenario.toml";
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 1000);
    }

    function open(text) {
      try {
        const { head, edits } = BG.readScenario(text), unknown = trial.unknown(edits);
        if (unknown.length) { say(app.t("wi_unknown", { list: unknown.slice(0, 5).join(", ") })); return; }
        trial.change(edits, head);
        say("");
        refresh();
      } catch (error) {
        if (!error.key) throw error;
        say(app.t("wi_cannot_open") + app.t(error.key, error.values));
      }
    }

    return { plan, nameOf, take };
  };
})(window.BG = window.BG || {});
