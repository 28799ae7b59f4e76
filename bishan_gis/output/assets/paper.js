// Print: the drawing as it stands, whole on one sheet of A4 or A3, across or upright.
(function (BG) {
  "use strict";
  const el = BG.el, find = (id) => document.getElementById(id);
  const MARGIN = 9;
  // The smallest words of a list are 10.5 px; so they stay at 7 pt or more.
  const LEAST = 0.9;
  const SHEETS = { "a4-across": ["A4", 297, 210], "a4-upright": ["A4", 210, 297], "a3-across": ["A3", 420, 297], "a3-upright": ["A3", 297, 420] };

  // All canvases as one with a white ground: on paper a browser may paint each canvas opaque, hiding those below.
  BG.flatten = function (map) {
    const order = (c) => Number(c.parentNode.style.zIndex);
    const all = [...map.getContainer().querySelectorAll("canvas.bg-canvas")].sort((a, b) => order(a) - order(b));
    const pane = map.getPane("bg-print") || map.createPane("bg-print");
    const one = (all[0] || document.createElement("canvas")).cloneNode();
    one.className = "print-canvas";
    pane.style.zIndex = 390;
    const ctx = one.getContext("2d");
    ctx.fillStyle = "#ffffff";
    ctx.fillRect(0, 0, one.width, one.height);
    all.forEach((c) => ctx.drawImage(c, 0, 0));
    pane.append(one);
    return one;
  };

  // Make a part smaller until it fits its place, or a little larger on a large sheet.
  function fit(node, room, most, least) {
    node.style.zoom = 1;
    let scale = most;
    for (let i = 0; i < 12; i++) {
      node.style.zoom = scale;
      if (room() || scale <= least) break;
      scale = Math.max(least, scale * 0.93);
    }
    return room();
  }

  // What does not fit on the first sheet goes on to further ones: whole sections from the end, then items of a list.
  function spill(where, room) {
    const moved = [], sheet = el("div", "panel");
    while (!room() && where.childElementCount) {
      const last = where.lastElementChild, list = last.querySelector("ol, ul, tbody");
      if (where.childElementCount > 1 || !list || list.childElementCount < 2) {
        moved.push([last, where]);
        sheet.prepend(last);
        if (where.childElementCount) continue;
        break;
      }
      // The only section left is a list: its heading is said again over the rest.
      const rest = list.cloneNode(false), part = el("section", "", last.querySelector("h2").cloneNode(true), rest);
      sheet.prepend(part);
      while (!room() && list.childElementCount > 1) {
        moved.push([list.lastElementChild, list]);
        rest.prepend(list.lastElementChild);
      }
      break;
    }
    return { sheet, back: () => moved.reverse().forEach(([node, home]) => home.append(node)) };
  }

  BG.printer = function (app) {
    const rule = el("style"), menu = find("papers"), button = find("b-print");
    let before = null, sheet = null, further = null, back = null;
    document.head.append(rule);

    app.paper = function (name) {
      const [size, width, height] = SHEETS[name];
      app.sheet = name;
      rule.textContent = `@page { size: ${size} ${width > height ? "landscape" : "portrait"}; margin: ${MARGIN}mm; }`;
      document.body.style.setProperty("--sheet-w", width - 2 * MARGIN + "mm");
      document.body.style.setProperty("--sheet-h", height - 2 * MARGIN - 2 + "mm");
      document.body.dataset.sheet = name;
    };
    app.paper("a4-across");

    const begin = () => {
      if (BG.printing) return;
      before = { home: app.atHome(), zoom: app.map.getZoom(), centre: app.map.getCenter(), box: app.map.getBounds() };
      BG.printing = app.sheet.startsWith("a3") ? 2 : 3;
      document.body.classList.add("printing");
      app._arrange();
      const panel = find("panel"), where = find("where"), legend = find("legend"), large = app.sheet.startsWith("a3");
      const room = () => panel.scrollHeight <= panel.clientHeight + 1 && where.scrollWidth <= where.clientWidth + 1;
      if (!fit(where, room, large ? 1.25 : 1, LEAST)) {
        const spilt = spill(where, room);
        back = spilt.back;
        further = el("div", "printing further", el("p", "again", find("title").textContent), spilt.sheet);
        further.style.width = document.body.style.getPropertyValue("--sheet-w");
        document.documentElement.append(further);
      }
      fit(find("legend-body"), () => legend.scrollHeight <= legend.clientHeight + 1, large ? 1.25 : 1, 0.55);
      app.map.invalidateSize({ animate: false });
      app.map.fitBounds(before.home ? app.config.bounds : before.box, { animate: false,
        paddingTopLeft: before.home && app.inset ? [app.inset.width(), 8] : [0, 0],
        paddingBottomRight: before.home ? [legend.offsetWidth + 14, 8] : [0, 0] });
      BG.settle();
      if (app.inset) app.inset.now();
      sheet = BG.flatten(app.map);
    };
    const end = () => {
      if (!BG.printing) return;
      BG.printing = 0;
      sheet.remove();
      if (further) { back(); further.remove(); further = null; }
      document.body.classList.remove("printing");
      find("where").style.zoom = find("legend-body").style.zoom = "";
      app._arrange();
      app.map.invalidateSize({ animate: false });
      app.map.setView(before.centre, before.zoom, { animate: false });
      if (app.inset) app.inset.soon();
    };
    window.addEventListener("beforeprint", begin);
    window.addEventListener("afterprint", end);

    for (const name of Object.keys(SHEETS)) {
      const item = el("button", "", SHEETS[name][0] + " " + app.t(name.endsWith("across") ? "print_across" : "print_upright"));
      item.type = "button";
      item.dataset.sheet = name;
      item.addEventListener("click", () => {
        app.paper(name);
        app.drop(button, false);
        window.print();
      });
      menu.append(item);
    }
    app.dropdown(button, menu);
  };
})(window.BG = window.BG || {});
