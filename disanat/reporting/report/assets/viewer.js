"use strict";
// The slice viewer: four brainsprites that move together. Sprites are unpacked when a case is
// opened. Places are numbered as brainsprite does: X to the patient's left, Y to the front, Z up.
(() => {
  const AXES = ["X", "Y", "Z"];
  const KINDS = ["scan", "phi", "anomaly", "mask"];
  const PAINT = { mask: [255, 64, 51], truth: [51, 230, 89] };
  const PAINT_ALPHA = 0.55;
  const FAINT = 40; // levels of the map over which its colours fade in
  const get = (id) => document.getElementById(id);
  const dialog = get("viewer");
  const colours = Uint8Array.from(atob(document.body.dataset.colours), (c) => c.charCodeAt(0));
  const sliders = AXES.map((_, axis) => get(`move-${axis}`));
  const panes = {};
  let open = null; // number, data, size, at, layers, levels

  // ---- pictures of a case ------------------------------------------------------------------

  async function unpack(address) {
    const image = new Image();
    image.src = address;
    await image.decode();
    const canvas = document.createElement("canvas");
    canvas.width = image.width;
    canvas.height = image.height;
    canvas.getContext("2d", { willReadFrequently: true }).drawImage(image, 0, 0);
    return canvas;
  }

  function repaint(canvas, paint) {
    const context = canvas.getContext("2d", { willReadFrequently: true });
    const image = context.getImageData(0, 0, canvas.width, canvas.height);
    const pixels = image.data;
    const levels = new Uint8Array(pixels.length / 4);
    for (let i = 0; i < levels.length; i++) {
      levels[i] = pixels[4 * i];
      paint(pixels, 4 * i, levels[i]);
    }
    context.putImageData(image, 0, 0);
    return levels;
  }

  function inColours(pixels, at, level) {
    for (let k = 0; k < 3; k++) pixels[at + k] = colours[3 * level + k];
    pixels[at + 3] = Math.min(255, (level * 255) / FAINT);
  }

  const inPaint = (paint) => (pixels, at, level) => {
    for (let k = 0; k < 3; k++) pixels[at + k] = paint[k];
    pixels[at + 3] = level > 127 ? 255 * PAINT_ALPHA : 0;
  };

  function compose(kind) {
    const { layers, ground } = open;
    const sprite = get(`sprite-${kind}`);
    sprite.width = ground.width;
    sprite.height = ground.height;
    const context = sprite.getContext("2d");
    context.fillStyle = "#000";
    context.fillRect(0, 0, sprite.width, sprite.height);
    context.drawImage(kind === "phi" ? layers.phi : ground.canvas, 0, 0);
    if (kind === "anomaly") {
      context.globalAlpha = get("strength").value / 100;
      context.drawImage(layers.anomaly, 0, 0);
      context.globalAlpha = 1;
    }
    if (kind === "mask") {
      if (layers.truth) context.drawImage(layers.truth, 0, 0);
      context.drawImage(layers.mask, 0, 0);
    }
  }

  // ---- brainsprite -------------------------------------------------------------------------

  function draw(kind) {
    const [x, y, z] = open.size;
    const numbers = Object.fromEntries(AXES.map((axis, i) => [axis, open.at[i]]));
    if (!panes[kind]) {
      panes[kind] = brainsprite({
        canvas: `pane-${kind}`, sprite: `sprite-${kind}`, nbSlice: { X: x, Y: y, Z: z },
        numSlice: numbers, radiological: true, smooth: true, crosshair: get("crosshair").checked,
        colorCrosshair: "rgba(90, 190, 255, 0.75)", colorFont: "#ffd666", colorBackground: "#000",
        onclick: () => follow(kind),
      });
      const canvas = get(`pane-${kind}`);
      canvas.addEventListener("wheel", (event) => turn(event, panes[kind]), { passive: false });
      canvas.addEventListener("mouseleave", () => canvas.dispatchEvent(new Event("mouseup")));
      return;
    }
    const pane = panes[kind];
    Object.assign(pane, {
      nbSlice: { X: x, Y: y, Z: z }, numSlice: numbers,
      nbCol: pane.sprite.width / y, nbRow: pane.sprite.height / z,
      widthCanvas: { X: 0, Y: 0, Z: 0, max: 0 }, // so that it measures its canvas anew
    });
    pane.init();
    pane.drawAll();
  }

  const shown = () => KINDS.filter((kind) => !get(`figure-${kind}`).hidden);

  function follow(kind) {
    moveTo(AXES.map((axis) => panes[kind].numSlice[axis]));
  }

  function moveTo(place) {
    open.at = place.map((n, axis) => Math.max(0, Math.min(open.size[axis] - 1, Math.round(n))));
    for (const kind of shown()) {
      AXES.forEach((axis, i) => { panes[kind].numSlice[axis] = open.at[i]; });
      panes[kind].drawAll();
    }
    tell();
  }

  const moveBy = (axis, steps) =>
    moveTo(open.at.map((n, i) => n + (i === axis ? steps : 0)));

  function turn(event, pane) {
    event.preventDefault();
    const { X, Y } = pane.widthCanvas;
    const axis = event.offsetX < X ? 0 : event.offsetX < X + Y ? 1 : 2;
    moveBy(axis, event.deltaY < 0 ? 1 : -1);
  }

  // ---- what is told beside the pictures ----------------------------------------------------

  /** S, P, L of the grid to X, Y, Z of brainsprite, and back: the second axis is turned round. */
  const fromGrid = ([s, p, l]) => [l, open.size[1] - 1 - p, s];
  const toGrid = ([x, y, z]) => [z, open.size[1] - 1 - y, x];

  function tell() {
    const { data, size, at, levels } = open;
    const [x, y, z] = at;
    const [across, width] = [data.across, data.across * size[1]];
    const row = Math.floor(x / across) * size[2] + (size[2] - 1 - z);
    const level = levels.anomaly[row * width + (x % across) * size[1] + y];
    const inMask = levels.mask[row * width + (x % across) * size[1] + y] > 127;
    const grid = toGrid(at);
    const mm = data.toMm.map((r) => Math.round(r[0] * grid[0] + r[1] * grid[1] + r[2] * grid[2] + r[3]));
    const value = ((level * data.top) / 255).toFixed(1);
    const above = level >= 254 ? "at least" : "about";
    get("place").textContent =
      `x ${mm[0]}, y ${mm[1]}, z ${mm[2]} mm (to the left, back, top). ` +
      `Map ${above} ${value}${inMask ? ", in the lesion mask" : ""}.`;
    sliders.forEach((slider, axis) => { slider.value = at[axis]; });
  }

  function tellLesions() {
    const box = get("lesions");
    box.replaceChildren();
    if (!open.data.lesions.length) return;
    const frame = document.createElement("div");
    const table = frame.appendChild(document.createElement("table"));
    const titles = ["lesion", "mL", "tissue", "peak", "mean"];
    const head = table.createTHead().insertRow();
    for (const title of titles) {
      const cell = head.appendChild(document.createElement("th"));
      cell.scope = "col";
      cell.textContent = title;
    }
    const body = table.createTBody();
    for (const lesion of open.data.lesions) {
      const row = body.insertRow();
      const button = row.insertCell().appendChild(document.createElement("button"));
      button.type = "button";
      button.textContent = `go to ${lesion.number}`;
      button.addEventListener("click", () => moveTo(fromGrid(lesion.at)));
      for (const key of ["ml", "region", "peak", "mean"]) {
        const value = lesion[key];
        row.insertCell().textContent = typeof value === "number" ? value.toFixed(2) : value.replaceAll("_", " ");
      }
    }
    box.append(frame);
  }

  function colourBar() {
    const context = get("colourbar").getContext("2d");
    const image = context.createImageData(256, 1);
    for (let i = 0; i < 256; i++) {
      image.data.set([...colours.subarray(3 * i, 3 * i + 3), 255], 4 * i);
    }
    context.putImageData(image, 0, 0);
  }

  // ---- opening, and going on ---------------------------------------------------------------

  async function show(number) {
    const source = get(`data-${number}`);
    if (!source) return;
    const data = JSON.parse(source.textContent);
    const [s, p, l] = data.shape;
    const names = Object.keys(data.sprites);
    const found = await Promise.all(names.map((name) => unpack(data.sprites[name])));
    const layers = Object.fromEntries(names.map((name, i) => [name, found[i]]));
    const levels = {
      anomaly: repaint(layers.anomaly, inColours),
      mask: repaint(layers.mask, inPaint(PAINT.mask)),
    };
    if (layers.truth) repaint(layers.truth, inPaint(PAINT.truth));
    if (!dialog.open) dialog.showModal();
    open = { number, data, found: layers, levels, size: [l, p, s], at: [0, 0, 0] };
    open.at = fromGrid(data.focus);
    sliders.forEach((slider, axis) => { slider.max = open.size[axis] - 1; });
    get("channel").replaceChildren(...data.channels.map((name, i) => new Option(name, i)));
    get("channels").hidden = !data.channels.length;
    get("figure-mask").querySelector("figcaption").textContent =
      layers.truth ? "lesion mask (red), expert mask (green)" : "lesion mask";
    get("viewer-title").textContent = get(`name-${number}`).textContent;
    get("viewer-facts").replaceChildren(
      ...[...document.querySelector(`#case-${number} .facts`).childNodes].map((n) => n.cloneNode(true)));
    get("bar-high").textContent = `${data.top.toFixed(1)} or more`;
    tellLesions();
    showChannel(0);
    dialog.dataset.number = number;
  }

  /** Scan and PHI of one of the case's channels; map and masks are of all. */
  function showChannel(place) {
    const found = open.found;
    const [scan, phi] = ["scan", "phi"].map((kind) => found[`${kind}${place || ""}`]);
    open.layers = { ...found, scan, phi };
    const canvas = scan || phi || document.createElement("canvas");
    open.ground = { canvas, width: found.anomaly.width, height: found.anomaly.height };
    get("figure-scan").hidden = !scan;
    get("figure-phi").hidden = !phi;
    for (const kind of shown()) {
      compose(kind);
      draw(kind);
    }
    tell();
  }

  function step(by) {
    const there = [...document.querySelectorAll("#table tbody tr:not([hidden])")]
      .map((row) => row.dataset.number).filter((number) => get(`data-${number}`));
    const next = there.indexOf(String(open.number)) + by;
    if (there[next]) show(there[next]);
  }

  const KEYS = {
    ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [1, 1], ArrowDown: [1, -1],
    PageUp: [2, 1], PageDown: [2, -1],
  };

  dialog.addEventListener("keydown", (event) => {
    if (!open || event.ctrlKey || event.metaKey || event.altKey) return;
    const inSlider = event.target.type === "range" || event.target.id === "channel";
    if (KEYS[event.key] && !inSlider) {
      const [axis, by] = KEYS[event.key];
      moveBy(axis, event.shiftKey ? 5 * by : by);
    } else if (event.key === "Home" && !inSlider) {
      moveTo(fromGrid(open.data.focus));
    } else if (event.key.toLowerCase() === "n") {
      step(1);
    } else if (event.key.toLowerCase() === "p") {
      step(-1);
    } else {
      return;
    }
    event.preventDefault();
  });

  sliders.forEach((slider, axis) =>
    slider.addEventListener("input", () => moveBy(axis, Number(slider.value) - open.at[axis])));
  get("strength").addEventListener("input", () => { compose("anomaly"); draw("anomaly"); });
  get("crosshair").addEventListener("change", (event) => {
    for (const kind of Object.keys(panes)) panes[kind].crosshair = event.target.checked;
    moveTo(open.at);
  });
  get("channel").addEventListener("change", (event) => showChannel(Number(event.target.value)));
  get("home").addEventListener("click", () => moveTo(fromGrid(open.data.focus)));
  get("next").addEventListener("click", () => step(1));
  get("previous").addEventListener("click", () => step(-1));
  get("close").addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => { open = null; delete dialog.dataset.number; });
  document.addEventListener("click", (event) => {
    const link = event.target.closest("#table tbody th a, button.open");
    if (!link) return;
    const number = link.dataset.number || link.closest("tr").dataset.number;
    if (!get(`data-${number}`)) return;
    event.preventDefault();
    show(number);
  });
  colourBar();
})();
