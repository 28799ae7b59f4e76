// Reads what maps/pack.py wrote: base64 -> gzip -> columns of integers.
(function (BG) {
  "use strict";

  function bytesOf(text) {
    const raw = atob(text.trim());
    const out = new Uint8Array(raw.length);
    for (let i = 0; i < raw.length; i++) out[i] = raw.charCodeAt(i);
    return out;
  }

  async function gunzip(bytes) {
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  }

  function varints(bytes, at, count, differences) {
    const out = new Int32Array(count);
    let last = 0;
    for (let i = 0; i < count; i++) {
      let z = 0, shift = 0, b;
      do {
        b = bytes[at++];
        z |= (b & 127) << shift;
        shift += 7;
      } while (b & 128);
      const value = (z >>> 1) ^ -(z & 1);
      last = differences ? last + value : value;
      out[i] = last;
    }
    return out;
  }

  // The columns of the packed text in the element with this id.
  BG.unpack = async function (id) {
    if (typeof DecompressionStream === "undefined") throw new Error("DecompressionStream");
    const bytes = await gunzip(bytesOf(document.getElementById(id).textContent));
    const size = new DataView(bytes.buffer).getUint32(0, true);
    const text = new TextDecoder();
    const head = JSON.parse(text.decode(bytes.subarray(4, 4 + size)));
    const out = {};
    let at = 4 + size;
    for (const col of head) {
      if (col.t === "js") out[col.n] = JSON.parse(text.decode(bytes.subarray(at, at + col.b)));
      else if (col.t === "u8") out[col.n] = bytes.slice(at, at + col.b);
      else out[col.n] = varints(bytes, at, col.c, col.t === "dv");
      at += col.b;
    }
    return out;
  };

  // Where each group of a column of sizes begins; one longer than the sizes.
  BG.starts = function (sizes) {
    const out = new Int32Array(sizes.length + 1);
    for (let i = 0; i < sizes.length; i++) out[i + 1] = out[i] + sizes[i];
    return out;
  };
})(window.BG = window.BG || {});
