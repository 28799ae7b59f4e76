// What is tried on the page: edits with undo, the times they lead to, and who gains and who loses.
(function (BG) {
  "use strict";
  const NONE = 2147483647;
  const cm = (v) => Math.round(v * 100) / 100;

  // Streets that were reached; the page sets them.
  BG.Reached = BG.Lines.extend({
    load() {
      if (!this.data) this.set(null, []);
      return Promise.resolve(this);
    },
    set(lines, classes) {
      const none = { g: { ox: 0, oy: 0, q: 1 }, n: new Int32Array(0), c: new Uint8Array(0), x: new Int32Array(0), y: new Int32Array(0) };
      this.options.classes = classes;
      this.data = lines || none;
      this.prepare(this.data);
      return this.redraw();
    },
  });

  BG.Trial = class {
    constructor(app, model) {
      const c = app.config;
      Object.assign(this, { app, m: model, c, n: model.n, head: { name: app.t("wi_new_name") }, edits: [], past: [], future: [] });
      this.engine = new BG.Engine();
      this.base = new Map();
      this.now = new Map();
      this.cache = new Map();
      this.snaps = new Map();
      this.facilityService = Array.from(app.layers.facilities.data.s, (s) => c.services[s].key);
      this.indexOf = new Map(app.layers.engine.data.ids.map((id, i) => [id, i]));
      this.ids = app.layers.engine.data.ids;
    }

    async setup() {
      const columns = { ...this.app.layers.engine.data };
      const found = await this.engine.ask("setup", { columns, ids: this.ids, services: this.facilityService, rules: this.c.rules });
      Object.assign(this, { leave: found.leave, off: found.off });
      const meta = columns.meta;
      const E = {};
      BG.engineParts[0](E);
      this.project = E.projector(meta.projection);
      this.unproject = E.unprojector(this.project, found.center[0], found.center[1]);
    }

    // ---- places

    // A place on the map in whole centimetres of the working CRS, so that every reader of the file has the same.
    place(latlng) {
      const [x, y] = this.project(latlng.lng, latlng.lat);
      return { x: cm(x), y: cm(y) };
    }

    latlng(p) {
      const [lon, lat] = this.unproject(p.x, p.y);
      return L.latLng(lat, lon);
    }

    // Where an edit puts something, to the millimetre as the engine in Python has it.
    at(keys) {
      if (keys.x !== undefined) return { x: keys.x, y: keys.y };
      const [x, y] = this.project(keys.lon, keys.lat);
      return { x: Math.round(x * 1000) / 1000, y: Math.round(y * 1000) / 1000 };
    }

    far(p) {
      const [west, south, east, north] = this.c.ground;
      return Math.max(west - p.x, p.x - east, south - p.y, p.y - north, 0) > 5000;
    }

    // ---- edits

    change(edits, head) {
      this.past.push({ edits: this.edits, head: this.head });
      this.future = [];
      this.edits = edits;
      if (head) this.head = head;
    }

    step(from, to) {
      if (!from.length) return false;
      to.push({ edits: this.edits, head: this.head });
      Object.assign(this, from.pop());
      return true;
    }

    undo() { return this.step(this.past, this.future); }

    redo() { return this.step(this.future, this.past); }

    add(service, p) {
      this.change([...this.edits, { sort: "add_facility", keys: { service, x: p.x, y: p.y } }]);
    }

    moved(edit, p) {
      const keys = { ...edit.keys, x: p.x, y: p.y };
      delete keys.lon;
      delete keys.lat;
      return this.edits.map((e) => (e === edit ? { sort: e.sort, keys } : e));
    }

    move(i, p) {
      const id = this.ids[i], same = (e) => e.keys.facility_id === id && e.sort !== "resize_facility";
      this.change([...this.edits.filter((e) => !same(e)), { sort: "move_facility", keys: { facility_id: id, x: p.x, y: p.y } }]);
    }

    close(i) {
      const old = this.editOf(i);
      this.change([...this.edits.filter((e) => e !== old), { sort: "close_facility", keys: { facility_id: this.ids[i] } }]);
    }

    drop(edit) {
      this.change(this.edits.filter((e) => e !== edit));
    }

    // The edit that moves or closes a facility, if there is one.
    editOf(i) {
      return this.edits.find((e) => e.keys.facility_id === this.ids[i] && (e.sort === "move_facility" || e.sort === "close_facility"));
    }

    // Everything that stands elsewhere or is new: {edit, id, service, x, y, label}, and which facilities are not where they were.
    effect() {
      const added = this.edits.filter((e) => e.sort === "add_facility"), due = new Set(BG.dueEdits(this.head, this.edits));
      const gone = new Map(), closed = new Set(), put = new Map();
      added.forEach((edit, i) => {
        const id = edit.keys.facility_id || "plan/" + (i + 1);
        if (due.has(edit)) put.set(id, { edit, id, service: edit.keys.service, ...this.at(edit.keys), label: String(i + 1) });
      });
      for (const edit of due) {
        const id = edit.keys.facility_id, i = this.indexOf.get(id);
        if (edit.sort === "move_facility" && (i !== undefined || put.has(id))) {
          if (i !== undefined) gone.set(i, edit);
          const service = i === undefined ? put.get(id).service : this.facilityService[i];
          put.set(id, { edit: i === undefined ? put.get(id).edit : edit, id, service, ...this.at(edit.keys), label: i === undefined ? put.get(id).label : "→", i });
        } else if (edit.sort === "close_facility") closed.add(id);
      }
      for (const id of closed) {
        put.delete(id);
        if (this.indexOf.has(id)) gone.set(this.indexOf.get(id), this.edits.find((e) => e.sort === "close_facility" && e.keys.facility_id === id));
      }
      return { put: [...put.values()], gone };
    }

    // What names nothing that is there: read from a file before it is taken over.
    unknown(edits) {
      const ids = new Set(this.ids), out = [], services = new Set(this.c.services.map((s) => s.key));
      edits.filter((e) => e.sort === "add_facility").forEach((e, i) => {
        const id = e.keys.facility_id || "plan/" + (i + 1);
        if (ids.has(id) || !services.has(e.keys.service)) out.push(ids.has(id) ? id : e.keys.service);
        ids.add(id);
        if (this.far(this.at(e.keys))) out.push(id);
      });
      for (const e of edits) {
        if (e.sort !== "add_facility" && !ids.has(e.keys.facility_id)) out.push(e.keys.facility_id);
        if (e.sort === "move_facility" && this.far(this.at(e.keys))) out.push(e.keys.facility_id);
      }
      return out;
    }

    // ---- times

    async times(key, effect) {
      const gone = [...effect.gone.keys()].filter((i) => this.facilityService[i] === key).sort((a, b) => a - b);
      const add = effect.put.filter((p) => p.service === key).map(({ id, x, y }) => ({ id, x, y }));
      const sign = JSON.stringify([key, gone, add]);
      if (!this.cache.has(sign)) {
        if (this.cache.size > 150) this.cache.clear();
        this.cache.set(sign, this.engine.ask("nearest", { service: key, gone, add }).then((found) => ({ ...found, add })));
      }
      return this.cache.get(sign);
    }

    async load(key) {
      if (!this.base.has(key)) {
        const found = await this.times(key, { gone: new Map(), put: [] });
        this.base.set(key, found);
        if (!this.now.has(key)) this.now.set(key, found);
      }
      return this.base.get(key);
    }

    // Times of every service that the edits touch, or that they touched until now; false where newer edits came meanwhile.
    async refresh(first) {
      const effect = this.effect(), ticket = this.ticket = {};
      const touched = new Set([first, ...effect.put.map((p) => p.service), ...[...effect.gone.keys()].map((i) => this.facilityService[i])]);
      for (const [key, found] of this.now) if (found !== this.base.get(key)) touched.add(key);
      for (const key of touched) {
        await this.load(key);
        const found = await this.times(key, effect);
        if (ticket !== this.ticket) return false;
        this.now.set(key, this.changed(key, effect) ? found : this.base.get(key));
        found.add.forEach((p, k) => this.snaps.set(p.id, found.snaps[k]));
      }
      this.shown = effect;
      return true;
    }

    changed(key, effect) {
      return effect.put.some((p) => p.service === key) || [...effect.gone.keys()].some((i) => this.facilityService[i] === key);
    }

    within(ms, cutoff) { return ms < NONE && ms / 1000 <= cutoff * 60; }

    // Whether the answer at a cutoff [min] could lie beyond the data, or the cell off the network.
    open(i, cutoff) { return this.off[i] === 1 || this.within(this.leave[i], cutoff); }

    // What every cell is at a cutoff [min]: 0 covered as before, 1 gained, 2 lost, 3 not covered, 4 unknown, 5 off the
    // network; and 1 where it is not covered and could be. Kept until the times change.
    states(key, cutoff) {
      const was = this.base.get(key).ms, is = this.now.get(key).ms, old = this._states;
      if (old && old.was === was && old.is === is && old.cutoff === cutoff) return old;
      const at = new Uint8Array(this.n), open = new Uint8Array(this.n);
      for (let i = 0; i < this.n; i++) {
        const before = this.within(was[i], cutoff), now = this.within(is[i], cutoff);
        open[i] = !now && this.open(i, cutoff) ? 1 : 0;
        at[i] = now ? (before ? 0 : 1) : before ? 2 : this.off[i] ? 5 : open[i] ? 4 : 3;
      }
      this._states = { was, is, cutoff, at, open };
      return this._states;
    }

    // Sums of a weight per cell: {all, was, is, gained, lost, gap, unknown, off, by}; `unknown` holds `off`, `by` the states.
    sum(key, cutoff, weight, cells) {
      const { at, open } = this.states(key, cutoff), by = [0, 0, 0, 0, 0, 0];
      let unknown = 0, off = 0;
      const each = (i) => {
        by[at[i]] += weight[i];
        if (open[i]) unknown += weight[i];
        if (at[i] > 1 && this.off[i]) off += weight[i];
      };
      if (cells) for (let j = 0; j < cells.length; j++) each(cells[j]);
      else for (let i = 0; i < this.n; i++) each(i);
      const all = by.reduce((p, q) => p + q, 0), is = by[0] + by[1];
      return { all, was: by[0] + by[2], is, gained: by[1], lost: by[2], gap: all - is - unknown, unknown, off, by };
    }

    // Cells of every zone.
    cellsOf() {
      if (!this._cells) {
        const d = this.m.cells.data, out = new Map(this.m.zones.map((z) => [z.index, []])), all = this.m.districts[0].index;
        for (let i = 0; i < this.n; i++) {
          for (const z of new Set([all, d.dir[i], d.zone[i]])) if (out.has(z)) out.get(z).push(i);
        }
        this._cells = out;
      }
      return this._cells;
    }

    // Mean share of the judged services within their own level: [least, most] before and now; null until all are known.
    completeness(weight) {
      const judged = this.c.services.filter((s) => s.judged && s.weight > 0);
      if (!judged.length || !judged.every((s) => this.base.has(s.key))) return null;
      const total = judged.reduce((sum, s) => sum + s.weight, 0), out = { was: [0, 0], is: [0, 0], n: judged.length };
      for (const s of judged) {
        for (const [side, of] of [["was", this.base], ["is", this.now]]) {
          const [low, high] = this._share(of.get(s.key), s.level, weight);
          out[side][0] += low * s.weight / total;
          out[side][1] += high * s.weight / total;
        }
      }
      return out;
    }

    // Share of a weight that is within a level [min], and that could be; kept as long as the times are.
    _share(found, level, weight) {
      const kept = found.shares || (found.shares = new Map());
      if (!kept.has(weight)) {
        let low = 0, high = 0, all = 0;
        for (let i = 0; i < this.n; i++) {
          const yes = this.within(found.ms[i], level);
          all += weight[i];
          if (yes) low += weight[i];
          if (yes || this.open(i, level)) high += weight[i];
        }
        kept.set(weight, all ? [low / all, high / all] : [0, 0]);
      }
      return kept.get(weight);
    }
  };
  BG.NONE = NONE;
})(window.BG = window.BG || {});
