// Parts that pages share: bars, sortable table, search.
(function (BG) {
  "use strict";
  const el = BG.el;

  // Rows of {name, color, parts: [{share, fill, hatch}], value, sub, hint}.
  BG.bars = function (app, title, rows, heads, note) {
    if (!rows.length) return "";
    const list = el("ul", "bars", el("li", "columns", el("span"), el("span", "", note || ""),
      ...heads.map((h, i) => el("span", i ? "sub" : "value", h))));
    for (const row of rows) {
      const bar = el("div", "bar");
      for (const p of row.parts) {
        if (!(p.share > 0)) continue;
        const piece = app.swatch({ fill: p.fill, hatch: p.hatch, shape: "piece" });
        piece.style.width = (100 * p.share).toFixed(3) + "%";
        bar.append(piece);
      }
      const name = el("span", "name", row.color ? app.swatch({ fill: row.color }) : null, row.name);
      list.append(el("li", "", name, bar, el("span", "value", row.value), row.sub ? el("span", "sub", row.sub) : null));
    }
    return el("section", "", el("h2", "", title), list);
  };

  // columns: [{text, value(row), show(row), sort}], the first is the name; `sum` is the last row.
  BG.table = function (app, title, columns, rows, sum, act) {
    const head = el("tr");
    const body = el("tbody");
    const order = app.order || (app.order = { at: -1, down: false });
    const fill = () => {
      const sorted = rows.slice();
      if (order.at >= 0) {
        const get = columns[order.at].value;
        sorted.sort((a, b) => {
          const [p, q] = [get(a), get(b)];
          const c = typeof p === "string" ? p.localeCompare(q, "zh") : p - q;
          return order.down ? -c : c;
        });
      }
      body.replaceChildren(...sorted.map((row) => {
        const line = el("tr", "", ...columns.map((c, i) => {
          const cell = el(i ? "td" : "th", "", i || !row.color ? null : app.swatch({ fill: row.color }));
          if (!i && act) {
            const name = el("button", "plain", c.show(row));
            name.type = "button";
            name.addEventListener("click", () => act.go(row));
            cell.append(name);
          } else cell.append(c.show(row));
          if (!i) cell.scope = "row";
          return cell;
        }));
        if (act) {
          line.addEventListener("mouseenter", () => act.enter(row));
          line.addEventListener("mouseleave", () => act.leave(row));
        }
        return line;
      }));
      [...head.children].forEach((th, i) => th.setAttribute(
        "aria-sort", order.at !== i ? "none" : order.down ? "descending" : "ascending"));
    };
    columns.forEach((c, i) => {
      const button = el("button", "plain", c.text);
      button.type = "button";
      button.addEventListener("click", () => {
        order.down = order.at === i ? !order.down : i > 0;
        order.at = i;
        fill();
      });
      const th = el("th", "", button);
      th.scope = "col";
      head.append(th);
    });
    fill();
    const foot = sum ? [el("tfoot", "", el("tr", "", ...columns.map((c, i) => el(i ? "td" : "th", "", c.show(sum)))))] : [];
    return el("section", "", el("h2", "", title),
      el("table", "", el("thead", "", head), body, ...foot));
  };

  // Search by name: zones, facilities, streets; works from the keyboard alone.
  BG.search = function (app) {
    const input = document.getElementById("search");
    const list = document.getElementById("found");
    const fold = (s) => s.toLowerCase().replace(/\s+/g, "");
    const all = app.places.filter((p) => p.text).map((p) => ({ ...p, key: fold(p.text) }));
    let shown = [], at = -1;

    const close = () => {
      list.hidden = true;
      input.setAttribute("aria-expanded", "false");
      input.removeAttribute("aria-activedescendant");
      at = -1;
    };
    const mark = (i) => {
      at = i;
      [...list.children].forEach((li, k) => li.setAttribute("aria-selected", String(k === i)));
      if (i < 0) return;
      input.setAttribute("aria-activedescendant", "found-" + i);
      list.children[i].scrollIntoView({ block: "nearest" });
    };
    const pick = (i) => {
      if (!shown[i]) return;
      input.value = shown[i].text;
      close();
      shown[i].go();
    };
    input.addEventListener("input", () => {
      const q = fold(input.value);
      if (!q) { close(); return; }
      const first = all.filter((p) => p.key.startsWith(q));
      shown = first.concat(all.filter((p) => !p.key.startsWith(q) && p.key.includes(q))).slice(0, 12);
      list.replaceChildren(...shown.map((p, i) => {
        const li = el("li", "", el("span", "text", p.text), el("span", "kind", p.kind));
        li.id = "found-" + i;
        li.setAttribute("role", "option");
        li.addEventListener("mousedown", (e) => e.preventDefault());
        li.addEventListener("click", () => pick(i));
        return li;
      }));
      if (!shown.length) list.append(el("li", "none", app.t("search_none")));
      list.hidden = false;
      input.setAttribute("aria-expanded", "true");
      mark(shown.length ? 0 : -1);
    });
    input.addEventListener("keydown", (e) => {
      if (list.hidden) return;
      if (e.key === "ArrowDown") mark((at + 1) % shown.length);
      else if (e.key === "ArrowUp") mark((at - 1 + shown.length) % shown.length);
      else if (e.key === "Enter") pick(at);
      else if (e.key === "Escape") { close(); e.stopPropagation(); } else return;
      e.preventDefault();
    });
    input.addEventListener("blur", () => setTimeout(close, 150));
  };
})(window.BG = window.BG || {});
