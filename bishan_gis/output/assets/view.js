// The part of the map that nothing covers: what is fitted, zoomed and carded keeps to it.
(function (BG) {
  "use strict";
  const find = (id) => document.getElementById(id);
  // Width that a card takes at the right [px].
  const CARD = 330;
  // Height of the map that a card leaves on a phone, and that a card has at least [px].
  const SEEN = 200, LEAST = 220;

  BG.viewer = function (app) {
    const map = app.map, { fitBounds } = map;
    const wide = () => !app.phone.matches && !BG.printing;

    // Pixels at the left and the right that inset and legend cover.
    app.covered = () => {
      const legend = find("legend"), seen = wide() && legend.offsetWidth > 0;
      return { left: wide() && app.inset ? app.inset.width() : 0, right: seen ? app.config.legendWidth || legend.offsetWidth + 26 : 0 };
    };

    // Height at the lower end of the map that a card covers: on a phone it comes from below.
    const below = () => {
      const card = find("card");
      if (card.hidden || !app.phone.matches || BG.printing) return 0;
      return Math.max(0, map.getContainer().getBoundingClientRect().bottom - card.getBoundingClientRect().top);
    };

    // Bring a place out from under the card: upwards on a phone, else to the left of it.
    app.clear = (latlng) => {
      if (find("card").hidden || BG.printing) return;
      const at = map.latLngToContainerPoint(latlng), hidden = below(), room = map.getSize().y - hidden;
      if (hidden && at.y > room - 16) map.panBy([0, at.y - room / 2], { animate: false });
      if (!wide()) return;
      const [card, box] = [find("card"), map.getContainer()].map((e) => e.getBoundingClientRect());
      const left = card.left - box.left - 16, under = at.x > left && at.x < card.right - box.left && at.y < card.bottom - box.top + 16;
      if (under && left > 100) map.panBy([at.x - (app.covered().left + left) / 2, 0], { animate: false });
    };

    // The middle of the free part, as the map counts pixels.
    app.middle = () => {
      const size = map.getSize(), { left, right } = app.covered();
      return L.point((left + Math.max(left + 1, size.x - right)) / 2, size.y / 2).round();
    };

    const zoom = (by, options) => map.setZoomAround(app.middle(), map.getZoom() + by, options);
    map.zoomIn = (by, options) => zoom(by || 1, options);
    map.zoomOut = (by, options) => zoom(-(by || 1), options);

    // Fitting keeps clear of the legend, and of the card that is likely to come, unless told where.
    map.fitBounds = (bounds, options) => {
      const o = { ...options }, [x, y] = o.padding || [0, 0];
      if (!o.paddingBottomRight && wide()) {
        o.paddingTopLeft = [x, y];
        o.paddingBottomRight = [x + Math.min(CARD, map.getSize().x / 3), y];
      } else if (!o.paddingBottomRight && below()) {
        o.paddingTopLeft = [x, y];
        o.paddingBottomRight = [x, y + below()];
      }
      return fitBounds.call(map, bounds, o);
    };

    // The card ends above the legend; where that leaves too little room, it stands left of it.
    app.seat = () => {
      const card = find("card"), legend = find("legend"), stage = find("stage");
      card.style.maxHeight = card.style.right = "";
      if (app.phone.matches && !BG.printing) {
        const room = window.innerHeight - stage.getBoundingClientRect().top - SEEN;
        card.style.maxHeight = `min(62dvh, ${Math.max(LEAST, room)}px)`;
      }
      if (card.hidden || !wide() || !legend.offsetHeight) return;
      const room = stage.clientHeight - legend.offsetHeight - 30;
      if (room >= 260 || stage.clientWidth < 700) card.style.maxHeight = Math.max(room, 180) + "px";
      else card.style.right = legend.offsetWidth + 20 + "px";
    };
    map.on("resize", app.seat);
  };
})(window.BG = window.BG || {});
