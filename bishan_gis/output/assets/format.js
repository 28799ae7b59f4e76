// How numbers are written: the same as maps/numbers.py.
(function (BG) {
  "use strict";
  const round = (v) => Math.floor(v + 0.5);
  const comma = (v) => String(v).replace(/\B(?=(\d{3})+(?!\d))/g, ",");

  BG.fmt = {
    exact: (v) => comma(round(v)),
    people(v) {
      const step = v > 10000 ? 100 : v > 100 ? 10 : 1;
      return comma(round(v / step) * step);
    },
    percent(part, whole) {
      if (!(whole > 0)) return "—";
      const tenths = round(part / whole * 1000);
      if (tenths >= 1000 && part < whole) return ">99.9\u00a0%";
      if (tenths <= 0 && part > 0) return "<0.1\u00a0%";
      return (tenths / 10).toFixed(1) + "\u00a0%";
    },
    minutes: (s) => String(Math.max(1, Math.ceil(s / 60))),
    distance(m) {
      const by10 = round(m / 10) * 10;
      return by10 < 2000 ? comma(by10) + " m" : (round(by10 / 100) / 10).toFixed(1) + " km";
    },
    area(v) {
      const [whole, rest] = (round(v * 10) / 10).toFixed(1).split(".");
      return comma(whole) + "." + rest + " km²";
    },
  };

  // An element with text, classes and children; text is always text.
  BG.el = function (tag, cls, ...children) {
    const node = document.createElement(tag);
    if (cls) node.className = cls;
    for (const c of children) {
      if (c === null || c === undefined) continue;
      node.append(c instanceof Node ? c : document.createTextNode(String(c)));
    }
    return node;
  };

  // A field of a CSV file that a spreadsheet cannot take for a formula.
  BG.csvField = function (value) {
    let text = String(value);
    if (typeof value !== "number" && /^[=+\-@\t\r]/.test(text)) text = "'" + text;
    return /[",\n\r]/.test(text) ? '"' + text.replace(/"/g, '""') + '"' : text;
  };
})(window.BG = window.BG || {});
