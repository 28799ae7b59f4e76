// scenario.toml in the browser: what planning/scenarios.py reads, as far as this page can show it.
(function (BG) {
  "use strict";
  // Keys of each edit: t text, n number, y year.
  const EDITS = {
    add_facility: { service: "t", lon: "n", lat: "n", x: "n", y: "n", facility_id: "t", name: "t", capacity: "n", year: "y", note: "t" },
    move_facility: { facility_id: "t", lon: "n", lat: "n", x: "n", y: "n", year: "y", note: "t" },
    resize_facility: { facility_id: "t", capacity: "n", year: "y", note: "t" },
    close_facility: { facility_id: "t", year: "y", note: "t" },
  };
  const HEAD = { name: "t", name_en: "t", base: "t", year: "y", note: "t" };

  class FileError extends Error {
    constructor(key, values) {
      super(key);
      this.key = key;
      this.values = values;
    }
  }

  // A text of TOML: what JSON writes, and the one sign more that TOML wants escaped.
  const text = (value) => JSON.stringify(String(value).replace(/[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g, "\ufffd"))
    .replace(/\u007f/g, "\\u007f");
  const number = (v) => (Number.isInteger(v) ? String(v) + ".0" : String(v).replace(/^(-?\d+)e/, "$1.0e"));
  const written = (how, value) => (how === "t" ? text(value) : how === "y" ? String(value) : number(value));

  BG.writeScenario = function (head, edits, comment) {
    const lines = comment.split("\n").map((x) => "# " + x.replace(/[\u0000-\u001f\u007f]/g, " "));
    const table = (title, keys, values) => {
      lines.push("", title);
      for (const key of Object.keys(keys)) if (values[key] !== undefined) lines.push(key + " = " + written(keys[key], values[key]));
    };
    table("[scenario]", HEAD, head);
    for (const sort of Object.keys(EDITS)) for (const e of edits) if (e.sort === sort) table("[[" + sort + "]]", EDITS[sort], e.keys);
    return lines.join("\n") + "\n";
  };

  // One value and what follows it on the line.
  function value(rest, line) {
    const ends = (v, tail) => {
      if (!/^\s*(#.*)?$/.test(tail)) throw new FileError("wi_bad_line", { n: line });
      return v;
    };
    if (rest.startsWith('"""') || rest.startsWith("'''")) throw new FileError("wi_bad_line", { n: line });
    let found = /^"((?:[^"\\]|\\.)*)"/.exec(rest);
    if (found) return ends(unescape(found[1], line), rest.slice(found[0].length));
    found = /^'([^']*)'/.exec(rest);
    if (found) return ends(found[1], rest.slice(found[0].length));
    found = /^[+-]?(?:0|[1-9](?:_?\d)*)(?:\.\d(?:_?\d)*)?(?:[eE][+-]?\d(?:_?\d)*)?(?=\s|#|$)/.exec(rest);
    if (found) return ends(Number(found[0].replace(/_/g, "")), rest.slice(found[0].length));
    throw new FileError("wi_bad_line", { n: line });
  }

  function unescape(raw, line) {
    const signs = { b: "\b", t: "\t", n: "\n", f: "\f", r: "\r", '"': '"', "\\": "\\" };
    return raw.replace(/\\(u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)/g, (whole, code) => {
      if (code[0] === "u" || code[0] === "U") {
        const point = parseInt(code.slice(1), 16);
        if (code.length > 1 && point <= 0x10ffff) return String.fromCodePoint(point);
      } else if (code in signs) return signs[code];
      throw new FileError("wi_bad_line", { n: line });
    });
  }

  // {head, edits} of a file; throws FileError where it holds what this page cannot show.
  BG.readScenario = function (source) {
    const head = {}, edits = [], seen = new Set();
    let keys = null, into = null;
    source.replace(/^\ufeff/, "").split(/\r?\n/).forEach((raw, i) => {
      const line = raw.trim(), n = i + 1;
      if (!line || line.startsWith("#")) return;
      let found = /^\[\s*([A-Za-z0-9_-]+)\s*\]\s*(#.*)?$/.exec(line);
      if (found && !line.startsWith("[[")) {
        if (found[1] !== "scenario" || seen.has("[scenario]")) throw new FileError("wi_bad_table", { n, name: found[1] });
        seen.add("[scenario]");
        [keys, into] = [HEAD, head];
        return;
      }
      found = /^\[\[\s*([A-Za-z0-9_-]+)\s*\]\]\s*(#.*)?$/.exec(line);
      if (found) {
        if (!Object.hasOwn(EDITS, found[1])) throw new FileError("wi_bad_table", { n, name: found[1] });
        edits.push({ sort: found[1], keys: {} });
        [keys, into] = [EDITS[found[1]], edits[edits.length - 1].keys];
        return;
      }
      found = /^([A-Za-z0-9_-]+)\s*=\s*(.*)$/.exec(line);
      if (!found || !into) throw new FileError("wi_bad_line", { n });
      const key = found[1], v = value(found[2], n), how = Object.hasOwn(keys, key) ? keys[key] : "";
      const fits = how === "t" ? typeof v === "string" : Number.isFinite(v) && (how !== "y" || Number.isInteger(v));
      if (!how || !fits || Object.hasOwn(into, key)) throw new FileError("wi_bad_key", { n, name: key });
      into[key] = v;
    });
    if (!head.name) throw new FileError("wi_no_name", {});
    for (const { keys: e, sort } of edits) {
      const degrees = e.lon !== undefined && e.lat !== undefined, metres = e.x !== undefined && e.y !== undefined;
      const half = (e.lon === undefined) !== (e.lat === undefined) || (e.x === undefined) !== (e.y === undefined);
      const placed = sort === "add_facility" || sort === "move_facility";
      if (half || (placed && degrees === metres)) throw new FileError("wi_bad_place", { name: sort });
      if (sort === "add_facility" ? !e.service : !e.facility_id) throw new FileError("wi_bad_key", { n: "", name: sort });
      const sized = sort === "resize_facility" || e.capacity !== undefined;
      if (sized && !(e.capacity > 0)) throw new FileError("wi_bad_key", { n: "", name: "capacity" });
      if (degrees && (Math.abs(e.lon) > 180 || Math.abs(e.lat) > 90)) throw new FileError("wi_bad_place", { name: sort });
    }
    return { head, edits };
  };

  // The edits that hold in the year of the scenario, and earlier ones first, as Scenario.at_year chooses them.
  BG.dueEdits = function (head, edits) {
    const due = edits.filter((e) => e.keys.year === undefined || head.year === undefined || e.keys.year <= head.year);
    return due.map((e, i) => [e, i]).sort((a, b) => (a[0].keys.year || 0) - (b[0].keys.year || 0) || a[1] - b[1]).map((p) => p[0]);
  };
})(window.BG = window.BG || {});
