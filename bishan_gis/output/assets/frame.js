// The page around a map: title, panel, legend, layers, card, tooltip, print, export.
(function (BG) {
  "use strict";
  const el = BG.el;
  const find = (id) => document.getElementById(id);
  BG.pages = {};
  // Parts of the address that every page knows: township, view, layers.
  const KEPT = ["town", "at", "show"];

  // Called by the page's last script: reads the settings, waits for the data, hands over to the page.
  BG.start = async function (map, layers, configId) {
    const app = new App(map, layers, JSON.parse(find(configId).textContent));
    BG.current = app;
    try {
      await Promise.all(Object.values(layers).map((layer) => layer.load()));
      BG.pages[app.config.page](app);
      app.restore();
      BG.search(app);
      document.body.dataset.ready = "yes";
    } catch (error) {
      const old = String(error.message).includes("DecompressionStream");
      find("answer").replaceChildren(el("p", "fail", app.t(old ? "browser_old" : "page_failed")));
      document.body.dataset.ready = "failed";
      throw error;
    }
  };

  class App {
    constructor(map, layers, config) {
      Object.assign(this, { map, layers, config, tokens: config.tokens, places: [] });
      this.state = Object.assign({ town: "" }, config.state, this._hash());
      this.escapes = [];
      this.phone = window.matchMedia("(max-width: 760px)");
      this.phone.addEventListener("change", () => this._arrange());
      this._arrange();
      BG.viewer(this);
      this._fill();
      BG.insetter(this);
      this._buttons();
      this._pointer();
      this._sheet();
      this._links();
      BG.printer(this);
      BG.measurer(this);
      BG.keys(this);
      L.control.scale({ imperial: false, position: "bottomleft" }).addTo(map);
    }

    t(key, values) {
      let text = this.config.labels[key];
      if (text === undefined) throw new Error("label " + key);
      for (const [k, v] of Object.entries(values || {})) text = text.replaceAll("{" + k + "}", v);
      return text;
    }

    home() {
      this.map.invalidateSize({ animate: false });
      const wide = !this.phone.matches && !BG.printing;
      this.map.fitBounds(this.config.bounds, {
        animate: false,
        paddingTopLeft: wide ? [this.covered().left || 16, 16] : [6, 6],
        paddingBottomRight: wide ? [this.config.legendWidth || 16, 16] : [6, 6],
      });
      this._home = [this.map.getZoom(), this.map.getCenter()];
      if (this.onHome) this.onHome();
    }

    atHome() {
      return this._home && this.map.getZoom() === this._home[0] && this.map.getCenter().equals(this._home[1], 1e-4);
    }

    // The map follows its place on the page, and a first view that was whole stays whole.
    _fill() {
      new ResizeObserver(() => requestAnimationFrame(() => {
        if (BG.printing) return;
        const home = this.atHome();
        this.map.invalidateSize({ animate: false });
        if (home) this.home();
      })).observe(find("stage"));
    }

    // What was chosen lives in the address after #, so that a link can lead to it.
    _hash() {
      const out = {};
      for (const [key, value] of new URLSearchParams(location.hash.slice(1))) {
        if (key in this.config.state || KEPT.includes(key)) out[key] = value;
      }
      return out;
    }

    keep() {
      const off = [...document.querySelectorAll("[data-layer]")].filter((x) => x.checked !== x.defaultChecked);
      this.state.show = off.map((x) => (x.checked ? "" : "-") + x.dataset.layer).join(",");
      const said = Object.entries(this.state).filter(([k, v]) => v !== undefined && (v !== "" || this.config.state[k]));
      const text = new URLSearchParams(said).toString();
      try { history.replaceState(null, "", "#" + text); } catch { /* some browsers refuse on file: */ }
    }

    // The view that the address asks for, or the chosen township, or the whole district.
    restore() {
      this.home();
      const [lat, lng, zoom] = String(this.state.at || "").split(",").map(parseFloat);
      if (Number.isFinite(lat) && Number.isFinite(lng) && Number.isFinite(zoom)) {
        this.map.setView([Math.max(-85, Math.min(85, lat)), lng], zoom, { animate: false });
      } else if (this.goScope) this.goScope();
      this.map.on("moveend", () => {
        if (BG.printing) return;
        const c = this.map.getCenter();
        this.state.at = this.atHome() ? "" : [c.lat.toFixed(5), c.lng.toFixed(5), this.map.getZoom().toFixed(1)].join(",");
        this.keep();
      });
      window.addEventListener("hashchange", () => { if (location.hash.includes("=")) location.reload(); });
    }

    // Menus of pages close like any menu; a link takes along what the next page can use of the choice.
    _links() {
      const menus = [...document.querySelectorAll("nav details")];
      document.addEventListener("click", (e) => menus.forEach((m) => { if (!m.contains(e.target)) m.open = false; }));
      this.escapes.push(() => {
        const open = menus.find((m) => m.open);
        if (!open) return false;
        open.open = false;
        open.querySelector("summary").focus();
        return true;
      });
      document.querySelectorAll("nav.pages a").forEach((a) => a.addEventListener("click", () => {
        const carried = ["service", "cutoff", "age", "town"].filter((k) => this.state[k]).map((k) => [k, this.state[k]]);
        a.hash = new URLSearchParams(carried).toString();
      }));
    }

    // A button that opens a list below it.
    dropdown(button, list) {
      button.addEventListener("click", () => this.drop(button, list.hidden));
      document.addEventListener("click", (e) => {
        if (!list.hidden && !list.contains(e.target) && !button.contains(e.target)) this.drop(button, false);
      });
      this.escapes.push(() => {
        if (list.hidden) return false;
        this.drop(button, false);
        button.focus();
        return true;
      });
    }

    drop(button, open) {
      find(button.getAttribute("aria-controls")).hidden = !open;
      button.setAttribute("aria-expanded", String(open));
    }

    title(...parts) {
      const text = [this.config.place, ...parts].filter(Boolean).join(" · ");
      find("title").textContent = text;
      document.title = text;
    }

    _arrange() {
      const phone = this.phone.matches && !BG.printing;
      (phone ? find("panel") : find("stage")).append(find("legend"));
      (phone ? find("panel") : document.body).append(find("foot"));
      setTimeout(() => this.map.invalidateSize({ animate: false }), 0);
    }

    _buttons() {
      const list = find("layers"), asked = String(this.state.show || "").split(",");
      const inset = this.config.core ? [{ key: "inset", label: this.t("sm_core"), on: true, of: [] }] : [];
      for (const item of [...this.config.layers, ...inset]) {
        const box = el("input");
        box.type = "checkbox";
        box.defaultChecked = item.on;
        box.checked = asked.includes(item.key) || (item.on && !asked.includes("-" + item.key));
        box.dataset.layer = item.key;
        const targets = item.of.map((k) => this.layers[k]);
        const apply = () => {
          targets.forEach((x) => (box.checked ? x.addTo(this.map) : x.remove()));
          if (this.onLayer) this.onLayer(item.key, box.checked);
          if (this.inset) this.inset.soon();
        };
        box.addEventListener("change", () => { apply(); this.keep(); });
        targets.forEach((x) => (box.checked ? x.addTo(this.map) : x.remove()));
        list.append(el("label", "check", box, el("span", "", item.label)));
      }
      // A phone has no room for these two in its head.
      for (const [key, act] of [["print", () => window.print()], ["export", () => this._export()]]) {
        const b = el("button", "narrow", this.t(key));
        b.type = "button";
        b.addEventListener("click", act);
        list.append(b);
      }
      this.dropdown(find("b-layers"), list);
      document.addEventListener("keydown", (e) => {
        if (e.key === "Escape" && !this.escapes.some((end) => end())) this.closeCard();
      });
      find("b-export").addEventListener("click", () => this._export());
      find("b-home").addEventListener("click", () => this.home());
      find("b-close").addEventListener("click", () => this.closeCard());
    }

    isOn(key) {
      const box = document.querySelector(`[data-layer="${key}"]`);
      return Boolean(box && box.checked);
    }

    // A select box, or with `flat` a row of buttons, bound to one key of the state.
    choose(key, label, options, flat) {
      const change = (value) => {
        this.state[key] = value;
        this.keep();
        this.update();
      };
      if (flat) {
        const row = el("fieldset", "segments", el("legend", "hidden", label));
        for (const o of options) {
          const input = el("input");
          Object.assign(input, { type: "radio", name: key, value: o.value });
          input.checked = String(o.value) === String(this.state[key]);
          input.addEventListener("change", () => change(o.value));
          row.append(el("label", "", input, el("span", "", o.text)));
        }
        return row;
      }
      const select = el("select");
      select.id = "choose-" + key;
      let group = null;
      for (const o of options) {
        if (o.group && (!group || group.label !== o.group)) {
          group = el("optgroup");
          group.label = o.group;
          select.append(group);
        }
        const item = el("option", "", o.text);
        item.value = o.value;
        item.selected = String(o.value) === String(this.state[key]);
        (o.group ? group : select).append(item);
      }
      select.addEventListener("change", () => change(select.value));
      return el("label", "choose choose-" + key, el("span", "hidden", label), select);
    }

    controls(...nodes) {
      find("controls").replaceChildren(...nodes);
    }

    // Which of the times is the standard's.
    standard(level) {
      document.querySelectorAll("input[name=cutoff]").forEach((x) => {
        const mine = Number(x.value) === level, text = x.nextElementSibling;
        x.parentNode.classList.toggle("standard", mine);
        text.dataset.mark = mine ? this.t("cov_standard") : "";
      });
    }

    headline(number, caption, lines) {
      find("headline").replaceChildren(
        el("p", "big", number), el("p", "caption", caption), ...lines.map((x) => el("p", "line", ...x)),
      );
    }

    panel(...nodes) {
      find("where").replaceChildren(...nodes);
    }

    swatch(style) {
      const node = el("i", "swatch " + (style.shape || ""));
      if (style.hatch) node.classList.add("hatch", "hatch-" + { "/": "up", "\\": "down", "-": "flat", "|": "tall", x: "cross" }[style.hatch]);
      if (style.fill) node.style.setProperty("--fill", style.fill);
      if (style.stroke) node.style.setProperty("--stroke", style.stroke);
      return node;
    }

    // Sections of {title, rows: [{style, text, value}], note}.
    legend(sections) {
      const body = find("legend-body");
      body.replaceChildren(...sections.filter((s) => s && s.rows.length).map((s) =>
        el("section", "", el("h3", "", s.title, s.unit ? el("span", "unit", s.unit) : null),
          el("ul", "", ...s.rows.map((r) =>
            el("li", r.muted ? "muted" : "", this.swatch(r.style), el("span", "text", r.text), el("span", "num", r.value)))),
          s.note ? el("p", "note", s.note) : null)));
      this.seat();
      if (this.inset) this.inset.soon();
    }

    _sheet() {
      const grip = find("grip");
      let from = null;
      const set = (open) => {
        document.body.classList.toggle("sheet-open", open);
        grip.setAttribute("aria-expanded", String(open));
      };
      grip.addEventListener("pointerdown", (e) => { from = e.clientY; grip.setPointerCapture(e.pointerId); });
      grip.addEventListener("pointerup", (e) => {
        const moved = from === null ? 0 : e.clientY - from;
        from = null;
        this._pulled = Math.abs(moved) > 12;
        if (this._pulled) set(moved < 0);
      });
      grip.addEventListener("click", () => {
        if (!this._pulled) set(!document.body.classList.contains("sheet-open"));
        this._pulled = false;
      });
      this.lower = () => set(false);
    }

    // Hover tells, click explains: pages set this.hover(latlng) -> lines and this.click(latlng).
    _pointer() {
      const tip = find("tip");
      let frame = 0;
      this.map.on("mousemove", (e) => {
        cancelAnimationFrame(frame);
        frame = requestAnimationFrame(() => {
          if (this.measuring) { this.measure.follow(e.latlng); return; }
          const lines = this.hover ? this.hover(e.latlng) : null;
          this.map.getContainer().classList.toggle("can-click", Boolean(lines));
          this.showTip(lines, e.containerPoint);
        });
      });
      this.map.on("mouseout movestart", () => { cancelAnimationFrame(frame); tip.hidden = true; });
      this.map.on("click", (e) => this.pick(e.latlng));
    }

    // What a click does, or Enter at the cursor.
    pick(latlng) {
      if (this.measuring) this.measure.add(latlng);
      else if (this.click) { this.click(latlng); this.clear(latlng); }
    }

    // Lines beside a place of the map, or nothing.
    showTip(lines, p) {
      const tip = find("tip");
      tip.hidden = !lines;
      if (!lines) return;
      tip.replaceChildren(...lines.map((x, i) => el("span", i ? "" : "first", x)));
      const box = this.map.getSize();
      const left = p.x + 14 + tip.offsetWidth > box.x ? p.x - 14 - tip.offsetWidth : p.x + 14;
      const top = p.y + 14 + tip.offsetHeight > box.y ? p.y - 14 - tip.offsetHeight : p.y + 14;
      tip.style.transform = `translate(${Math.max(2, left)}px, ${Math.max(2, top)}px)`;
    }

    card(title, sub, ...nodes) {
      find("card-title").textContent = title;
      find("card-sub").textContent = sub;
      find("card-body").replaceChildren(...nodes);
      find("card").hidden = false;
      find("card").scrollTop = 0;
      this.seat();
      this.lower();
    }

    closeCard() {
      const card = find("card");
      if (card.hidden) return;
      if (card.contains(document.activeElement)) this.map.getContainer().focus({ preventScroll: true });
      card.hidden = true;
      if (this.onClose) this.onClose();
    }

    _export() {
      const rows = this.table ? this.table() : [];
      const text = "\ufeff" + rows.map((r) => r.map(BG.csvField).join(",")).join("\r\n") + "\r\n";
      const link = el("a");
      link.href = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
      link.download = [this.config.page, this.state.service, this.state.town].filter(Boolean).join("-").replace(/[^\w.-]/g, "_") + ".csv";
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 1000);
    }
  }
})(window.BG = window.BG || {});
