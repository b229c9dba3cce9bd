/**
 * The mask overlay in the browser: decodes, paints, blends and reads masks without asking the kernel.
 *
 * `render({ model, el })` is what anywidget calls; `PageModel` stands in for the model in a page without kernel.
 * A pane is one view of the picture: a canvas of the picture's own size that holds the blended pixels, and a
 * hidden canvas of the colours alone. A new opacity blends the two again; a new view or class paints the colours.
 */

const VOID = 255;
const VIEW_NAMES = {
  truth: "Ground truth",
  prediction: "Prediction",
  error: "Errors",
  confidence: "Confidence",
};
const STATE = ["picture", "view", "run", "opacity", "hidden", "compare"];
const KEYS = [
  ["Arrow keys", "move the cursor by a pixel, with Shift by 16"],
  ["Space (held)", "hide the mask"],
  ["1 … 4", "choose the view"],
  ["Page Up, Page Down", "previous, next picture"],
  ["+ − 0", "zoom in, out, fit"],
  ["s h a", "show only, hide the class under the cursor; show all"],
  ["Mouse", "drag to move, Ctrl and wheel to zoom; the wheel alone once the picture has the focus"],
];

// ------------------------------------------------------------------------------------------------ decoding

async function inflate(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** Unpacks one picture: its bitmap, its true mask, and prediction and confidence of each run. */
async function decode(entry, layers, [jpeg, ...packed]) {
  const blob = new Blob([jpeg], { type: "image/jpeg" });
  const [bitmap, ...masks] = await Promise.all([
    createImageBitmap(blob, { colorSpaceConversion: "none" }),
    ...packed.map(inflate),
  ]);
  const picture = { entry, bitmap, truth: null, runs: {} };
  layers.forEach(([kind, run], i) => {
    if (kind === "truth") picture.truth = masks[i];
    else (picture.runs[run] ??= {})[kind] = masks[i];
  });
  return picture;
}

// ------------------------------------------------------------------------------------------------ painting

/** An opaque colour as the 32 bits that canvas pixels are made of. */
const pixel = ([red, green, blue]) => (0xff000000 | (blue << 16) | (green << 8) | red) >>> 0;

/** Fills `out` with the colours of a view; pixels of classes that are not shown stay transparent. */
function paint(out, picture, { view, run }, shown, colors) {
  const { truth } = picture;
  const { prediction, confidence } = picture.runs[run] ?? {};
  const size = out.length;
  if (view === "error") {
    const [right, wrong, unscored] = colors.rightWrongVoid;
    for (let i = 0; i < size; i++) {
      const t = truth[i],
        p = prediction[i];
      out[i] = t === VOID ? unscored : shown[t] | shown[p] ? (t === p ? right : wrong) : 0;
    }
  } else if (view === "confidence") {
    for (let i = 0; i < size; i++) out[i] = shown[prediction[i]] ? colors.ramp[confidence[i]] : 0;
  } else {
    const ids = view === "truth" ? truth : prediction;
    const lut = new Uint32Array(256);
    colors.classes.forEach((color, id) => (lut[id] = shown[id] ? color : 0));
    for (let i = 0; i < size; i++) out[i] = lut[ids[i]];
  }
}

class Pane {
  constructor(label) {
    this.canvas = h("canvas", { class: "so-canvas" });
    this.marker = h("div", { class: "so-marker", hidden: true });
    this.caption = h("div", { class: "so-caption" });
    this.element = h(
      "div",
      { class: "so-pane", role: "img", "aria-label": label },
      this.canvas,
      this.marker,
      this.caption,
    );
    this.layer = document.createElement("canvas");
    this.painted = null;
  }

  /** Paints the colours if anything but the opacity is new, then blends. */
  draw(picture, what, shown, colors, opacity) {
    const key = [picture.entry.index, what.view, what.run, shown.join("")].join();
    if (key !== this.painted) {
      const { width, height } = picture.bitmap;
      if (this.canvas.width !== width || this.canvas.height !== height) {
        for (const canvas of [this.canvas, this.layer]) Object.assign(canvas, { width, height });
        this.pixels = new ImageData(width, height);
      }
      paint(new Uint32Array(this.pixels.data.buffer), picture, what, shown, colors);
      this.layer.getContext("2d").putImageData(this.pixels, 0, 0);
      this.painted = key;
    }
    const context = this.canvas.getContext("2d");
    context.globalAlpha = 1;
    context.drawImage(picture.bitmap, 0, 0);
    context.globalAlpha = opacity;
    context.drawImage(this.layer, 0, 0);
  }
}

// ------------------------------------------------------------------------------------------------ zoom

/** Which part of the picture is seen: `zoom` 1 fits it into the pane, `x` and `y` in 0..1 are the middle. */
class Viewport {
  zoom = 1;
  x = 0.5;
  y = 0.5;

  /** Scale and the place of the picture's corner in a pane, in CSS pixels; keeps the picture inside. */
  place(pane, width, height) {
    const { clientWidth: w, clientHeight: h } = pane;
    const scale = Math.min(w / width, h / height) * this.zoom;
    const inside = (middle, part) => (part >= 1 ? 0.5 : Math.min(Math.max(middle, part / 2), 1 - part / 2));
    this.x = inside(this.x, w / (width * scale));
    this.y = inside(this.y, h / (height * scale));
    return { scale, left: w / 2 - this.x * width * scale, top: h / 2 - this.y * height * scale };
  }

  /** Zooms by a factor; the given point of the picture, in 0..1, stays where it is. */
  by(factor, x = this.x, y = this.y) {
    const zoom = Math.min(Math.max(this.zoom * factor, 1), 64);
    const moved = this.zoom / zoom;
    Object.assign(this, { zoom, x: x + (this.x - x) * moved, y: y + (this.y - y) * moved });
  }
}

// ------------------------------------------------------------------------------------------------ controls

/** Makes an element; `on…` are listeners, booleans are properties, children are nodes or text. */
function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (typeof value === "boolean") element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

const percent = (value, digits = 0) => (value == null ? "-" : `${(100 * value).toFixed(digits)} %`);
const share = (value) => (value == null || value === 0 ? "-" : value < 0.001 ? "< 0.1 %" : percent(value, 1));
const rgb = (color) => `rgb(${color.join()})`;
const swatch = (color) => h("span", { class: "so-swatch", style: `background:${rgb(color)}` });
const field = (label, ...controls) => h("label", { class: "so-field" }, h("span", {}, label), ...controls);
const button = (text, label, onclick) =>
  h("button", { type: "button", title: label, "aria-label": label, onclick }, text);

function select(label, options, onchange) {
  const element = h("select", { "aria-label": label, onchange: () => onchange(element.value) });
  element.append(...options.map(([value, text]) => h("option", { value }, text)));
  return element;
}

/** A row of radio buttons that looks like one control. */
function segments(label, options, onchange) {
  const name = `so-${Math.random().toString(36).slice(2)}`;
  const inputs = options.map(([value]) =>
    h("input", { type: "radio", name, value, onchange: () => onchange(value) }),
  );
  const parts = options.map(([, text], i) => h("label", {}, inputs[i], h("span", {}, text)));
  const element = h("div", { class: "so-segments", role: "radiogroup", "aria-label": label }, ...parts);
  return { element, set: (value) => inputs.forEach((input) => (input.checked = input.value === value)) };
}

// ------------------------------------------------------------------------------------------------ the widget

class OverlayView {
  constructor(model, el) {
    this.model = model;
    this.catalog = model.get("_catalog");
    this.catalog.pictures.forEach((entry, index) => (entry.index = index));
    this.classes = this.catalog.classes;
    this.colors = {
      classes: Uint32Array.from(this.classes, ({ color }) => pixel(color)),
      rightWrongVoid: this.catalog.right_wrong_void.map(pixel),
      ramp: Uint32Array.from(this.catalog.ramp, pixel),
    };
    this.decoded = new Map(); // the last few pictures, as promises
    this.viewport = new Viewport();
    this.panes = [new Pane("Main view"), new Pane("Second view")];
    this.second = this.initialSecond();
    this.split = "";
    this.sort = "given";
    this.wipe = 0.5;
    this.ticket = 0;
    this.cursor = null;
    this.build(el);
    this.listeners = STATE.map((name) => [`change:${name}`, () => this.changed(name)]);
    for (const [event, listener] of this.listeners) model.on(event, listener);
    this.observer = new ResizeObserver(() => this.placeAll());
    this.panes.forEach((pane) => this.observer.observe(pane.element));
    this.load();
  }

  close() {
    this.observer.disconnect();
    for (const [event, listener] of this.listeners) this.model.off(event, listener);
  }

  changed(name) {
    if (name === "run") this.listPictures(); // in the order of its scores
    if (name === "picture") this.load();
    else this.draw();
  }

  get state() {
    return Object.fromEntries(STATE.map((name) => [name, this.model.get(name)]));
  }

  /** Sets traits; `commit` tells the kernel, too, which a slider does only when it is let go. */
  set(changes, commit = true) {
    for (const [name, value] of Object.entries(changes)) this.model.set(name, value);
    if (commit) this.model.save_changes();
  }

  /** What the second pane shows at first: another run's prediction, else the truth. */
  initialSecond() {
    const { views, runs } = this.catalog;
    const run = runs.find((name) => name !== this.model.get("run")) ?? runs[0] ?? "";
    const view =
      runs.length > 1 ? "prediction" : (views.find((one) => one !== this.model.get("view")) ?? views[0]);
    return { view, run };
  }

  // ---------------------------------------------------------------------------------------------- building

  build(el) {
    const { views, runs, pictures } = this.catalog;
    const splits = [...new Set(pictures.map(({ split }) => split))];
    this.pictureSelect = select("Picture", [], (value) => this.set({ picture: Number(value) }));
    this.count = h("span", { class: "so-count" });
    this.sortSelect = select("Order of the pictures", this.sortOptions(), (value) => {
      this.sort = value;
      this.listPictures();
      this.set({ picture: this.order[0] });
    });
    const splitSelect = select("Split", [["", "all"], ...splits.map((split) => [split, split])], (value) => {
      this.split = value;
      this.listPictures();
      if (!this.order.includes(this.model.get("picture"))) this.set({ picture: this.order[0] });
    });
    this.viewRadios = segments(
      "View",
      views.map((view) => [view, VIEW_NAMES[view]]),
      (view) => this.set({ view }),
    );
    this.runSelect = select(
      "Network",
      runs.map((run) => [run, run]),
      (run) => this.set({ run }),
    );
    this.compareRadios = segments(
      "Compare",
      [
        ["off", "One"],
        ["side", "Side by side"],
        ["wipe", "Wipe"],
      ],
      (compare) => this.set({ compare }),
    );
    const choices = views.flatMap((view) =>
      view === "truth" ? [[view, ""]] : runs.map((run) => [view, run]),
    );
    this.secondSelect = select(
      "Second view",
      choices.map(([view, run], i) => [i, this.title({ view, run })]),
      (i) => {
        this.second = { view: choices[i][0], run: choices[i][1] };
        this.draw();
      },
    );
    this.secondSelect.value = choices.findIndex(
      ([v, r]) => v === this.second.view && (!r || r === this.second.run),
    );
    this.secondField = field("with", this.secondSelect);
    this.slider = h("input", {
      type: "range",
      min: 0,
      max: 100,
      step: 1,
      "aria-label": "Opacity of the mask",
    });
    this.slider.addEventListener("input", () => this.set({ opacity: this.slider.value / 100 }, false));
    this.slider.addEventListener("change", () => this.model.save_changes());
    this.sliderText = h("span", { class: "so-number so-opacity" });
    const several = pictures.length > 1;
    const bar = (...parts) => h("div", { class: "so-bar", role: "group" }, ...parts.filter(Boolean));
    this.root = h(
      "section",
      { class: "seglab-overlay", "aria-label": "Mask overlay" },
      bar(
        several && splits.length > 1 && field("Split", splitSelect),
        several &&
          h(
            "div",
            { class: "so-field" },
            h("span", {}, "Picture"),
            button("‹", "Previous picture", () => this.step(-1)),
            this.pictureSelect,
            button("›", "Next picture", () => this.step(1)),
            this.count,
          ),
        several && field("Order", this.sortSelect),
        h("span", { class: "so-gap" }),
        h(
          "div",
          { class: "so-group" },
          button("−", "Zoom out", () => this.zoom(1 / 1.5)),
          button("+", "Zoom in", () => this.zoom(1.5)),
          button("Fit", "Fit the picture into its frame", () => this.zoom(0)),
          button("Save PNG", "Save this view as a PNG file", () => this.save()),
        ),
      ),
      bar(
        this.viewRadios.element,
        runs.length > 1 && field("Network", this.runSelect),
        choices.length > 1 && this.compareRadios.element,
        this.secondField,
        h("span", { class: "so-gap" }),
        field("Opacity", this.slider, this.sliderText),
      ),
      h("div", { class: "so-body" }, this.buildStage(), this.buildLegend()),
      h(
        "details",
        { class: "so-help" },
        h("summary", {}, "Keys, while the picture has the focus"),
        h("dl", {}, ...KEYS.flatMap(([key, text]) => [h("dt", {}, key), h("dd", {}, text)])),
      ),
    );
    // JupyterLab takes letters and arrow keys for itself unless the control that has the focus says no.
    this.root.addEventListener("focusin", ({ target }) =>
      target.setAttribute("data-lm-suppress-shortcuts", "true"),
    );
    this.root.inert = true; // until there is something to move
    this.listPictures();
    el.append(this.root);
  }

  buildStage() {
    this.handle = h("div", {
      class: "so-handle",
      role: "slider",
      tabindex: 0,
      "aria-label": "Wipe between the two views",
      "aria-valuemin": 0,
      "aria-valuemax": 100,
      onkeydown: (event) => {
        const step = { ArrowLeft: -0.02, ArrowRight: 0.02, Home: -1, End: 1 }[event.key];
        if (step) this.wipeTo(this.wipe + step, event);
        event.stopPropagation();
      },
    });
    this.drag(this.handle, ({ clientX }) => {
      const box = this.stage.getBoundingClientRect();
      this.wipeTo((clientX - box.left) / box.width);
    });
    this.stage = h(
      "div",
      {
        class: "so-stage",
        tabindex: 0,
        role: "application",
        "aria-label": "Picture with masks",
        "aria-roledescription": "picture viewer",
      },
      ...this.panes.map((pane) => pane.element),
      this.handle,
    );
    this.stage.addEventListener("keydown", (event) => this.key(event));
    this.stage.addEventListener("keyup", ({ key }) => key === " " && this.peek(false));
    this.stage.addEventListener("blur", () => this.peek(false));
    this.stage.addEventListener("pointerleave", () => this.read(null));
    this.stage.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    for (const { element } of this.panes) {
      element.addEventListener("pointermove", (event) => this.read(this.locate(event)));
      this.drag(element, ({ movementX, movementY }) => {
        const { entry } = this.shown,
          { scale } = this.place;
        this.viewport.x -= movementX / (entry.width * scale);
        this.viewport.y -= movementY / (entry.height * scale);
        this.placeAll();
      });
    }
    this.colorKey = h("div", { class: "so-key" });
    this.readout = h("div", { class: "so-readout", role: "status" });
    return h(
      "div",
      { class: "so-main" },
      this.stage,
      h("div", { class: "so-under" }, this.readout, this.colorKey),
    );
  }

  buildLegend() {
    const search = h("input", {
      type: "search",
      placeholder: "Find a class",
      "aria-label": "Find a class in the legend",
    });
    const matching = () =>
      this.rows.filter(({ name }) => name.toLowerCase().includes(search.value.trim().toLowerCase()));
    search.addEventListener("input", () => {
      const found = matching();
      for (const row of this.rows) row.element.hidden = !found.includes(row);
    });
    search.addEventListener(
      "keydown",
      ({ key }) => key === "Enter" && matching()[0] && this.solo(matching()[0].name),
    );
    const head = (text) => h("th", { scope: "col" }, text);
    this.scoreHeads = [head("IoU"), head("IoU")];
    this.rows = this.classes.map(({ name, color }) => {
      const box = h("input", { type: "checkbox", onchange: () => this.toggle(name) });
      const only = button("only", `Show only ${name}`, () => this.solo(name));
      const scores = this.scoreHeads.map(() => h("td", { class: "so-iou" }));
      const pixels = h("td", {});
      const element = h(
        "tr",
        {},
        h("th", { scope: "row" }, h("label", {}, box, swatch(color), h("span", {}, name))),
        ...scores,
        pixels,
        h("td", {}, only),
      );
      return { name, element, box, only, scores, pixels };
    });
    this.mean = h("div", { class: "so-mean" });
    return h(
      "aside",
      { class: "so-legend", "aria-label": "Classes" },
      h(
        "div",
        { class: "so-bar" },
        search,
        button("All", "Show all classes", () => this.set({ hidden: [] })),
        button("None", "Hide all classes", () => this.set({ hidden: this.classes.map(({ name }) => name) })),
      ),
      h(
        "div",
        { class: "so-scroll" },
        h(
          "table",
          {},
          h("thead", {}, h("tr", {}, head("Class"), ...this.scoreHeads, head("Pixels"), head(""))),
          h("tbody", {}, ...this.rows.map(({ element }) => element)),
        ),
      ),
      this.mean,
    );
  }

  /** Calls `move` for each movement of a pressed pointer. */
  drag(element, move) {
    element.addEventListener("pointerdown", (event) => {
      if (event.button === 0) element.setPointerCapture(event.pointerId);
    });
    element.addEventListener("pointermove", (event) => {
      if (element.hasPointerCapture(event.pointerId)) move(event);
    });
  }

  // ---------------------------------------------------------------------------------------------- pictures

  sortOptions() {
    const options = [["given", "as given"]];
    if (!this.catalog.views.includes("error")) return options;
    return [
      ...options,
      ["mean", "worst mean IoU"],
      ...this.classes.map(({ name }, id) => [id, `worst IoU of ${name}`]),
    ];
  }

  /** The score of a picture that the list is sorted by; null where it has none. */
  score(entry) {
    const scores = entry.scores[this.model.get("run")];
    return scores
      ? this.sort === "given" || this.sort === "mean"
        ? scores.mean
        : scores.iou[this.sort]
      : null;
  }

  listPictures() {
    const entries = this.catalog.pictures.filter(({ split }) => !this.split || split === this.split);
    const rank = (entry) => this.score(entry) ?? 2; // without a score: last
    if (this.sort !== "given") entries.sort((a, b) => rank(a) - rank(b));
    this.order = entries.map(({ index }) => index);
    this.pictureSelect.replaceChildren(
      ...entries.map((entry) => {
        const score = this.score(entry);
        return h(
          "option",
          { value: entry.index },
          score == null ? entry.name : `${entry.name} (${percent(score)})`,
        );
      }),
    );
    this.syncControls();
  }

  step(by) {
    const next = this.order[this.order.indexOf(this.model.get("picture")) + by];
    if (next !== undefined) this.set({ picture: next });
  }

  /** Shows the chosen picture as soon as it is unpacked, unless another one was chosen meanwhile. */
  async load() {
    const ticket = ++this.ticket;
    const index = this.model.get("picture");
    this.read(null);
    this.syncControls();
    this.stage.setAttribute("aria-busy", "true");
    let picture;
    try {
      picture = await this.unpack(index);
    } catch (error) {
      this.decoded.delete(index);
      this.readout.textContent = `The picture cannot be shown: ${error.message}`;
      throw error;
    }
    if (ticket !== this.ticket) return;
    this.shown = picture;
    this.root.inert = false;
    this.stage.setAttribute("aria-busy", "false");
    const { width, height } = picture.entry;
    this.stage.style.setProperty("--so-aspect", width / height);
    this.draw();
    this.placeAll();
  }

  unpack(index) {
    if (!this.decoded.has(index)) {
      const { pictures, layers } = this.catalog;
      this.decoded.set(index, decode(pictures[index], layers, this.model.get("_payloads")[index]));
      if (this.decoded.size > 6) this.decoded.delete(this.decoded.keys().next().value);
    }
    return this.decoded.get(index);
  }

  // ---------------------------------------------------------------------------------------------- drawing

  title({ view, run }) {
    return view !== "truth" && this.catalog.runs.length > 1
      ? `${VIEW_NAMES[view]}, ${run}`
      : VIEW_NAMES[view];
  }

  draw() {
    this.syncControls();
    if (!this.shown) return;
    const { view, run, hidden, opacity, compare } = this.state;
    const shown = Uint8Array.from({ length: 256 }, (_, id) =>
      Number(id < this.classes.length && !hidden.includes(this.classes[id].name)),
    );
    this.stage.dataset.compare = compare;
    const whats = compare === "off" ? [{ view, run }] : [{ view, run }, this.second];
    whats.forEach((what, i) => {
      this.panes[i].draw(this.shown, what, shown, this.colors, this.peeking ? 0 : opacity);
      this.panes[i].caption.textContent = this.title(what);
      this.panes[i].element.setAttribute("aria-label", `${this.title(what)} of ${this.shown.entry.name}`);
    });
    this.wipeTo(this.wipe);
    this.syncLegend(whats);
  }

  syncControls() {
    const { picture, view, run, opacity, compare } = this.state;
    this.pictureSelect.value = picture;
    this.count.textContent = `${this.order.indexOf(picture) + 1} / ${this.order.length}`;
    this.viewRadios.set(view);
    this.runSelect.value = run;
    this.compareRadios.set(compare);
    this.secondField.hidden = compare === "off";
    this.slider.value = Math.round(100 * opacity);
    this.sliderText.textContent = percent(opacity);
  }

  syncLegend(whats) {
    const { hidden, run } = this.state;
    const { scores } = this.shown.entry;
    const shares = this.shown.entry.shares[""] ?? this.shown.entry.shares[run]; // of the truth, or else the network
    const other = whats[1]?.view !== "truth" && whats[1]?.run !== run ? scores[whats[1]?.run] : undefined;
    const compared = [scores[run], other];
    this.scoreHeads.forEach((head, i) => {
      head.hidden = i > 0 && !other;
      head.textContent = other ? ["Left IoU", "Right IoU"][i] : "IoU";
    });
    const visible = this.classes.length - hidden.length;
    this.rows.forEach(({ name, element, box, only, scores: cells, pixels }, id) => {
      box.checked = !hidden.includes(name);
      only.setAttribute("aria-pressed", String(visible === 1 && box.checked));
      cells.forEach((cell, i) => {
        const score = compared[i]?.iou[id];
        cell.hidden = i > 0 && !other;
        cell.textContent = percent(score);
        cell.style.setProperty("--so-score", score ?? 0);
      });
      pixels.textContent = share(shares[id]);
      element.classList.toggle("so-absent", compared.every((one) => one?.iou[id] == null) && !shares[id]);
    });
    const means = compared
      .filter(Boolean)
      .map(({ mean, classes }) => `${percent(mean, 1)} over ${classes} classes`);
    this.mean.textContent = means.length ? `Mean IoU of this picture: ${means.join("; ")}` : "";
    const [right, wrong, unscored] = this.catalog.right_wrong_void;
    const keys = {
      error: [swatch(right), "right ", swatch(wrong), "wrong ", swatch(unscored), "not scored"],
      confidence: [
        "0 % ",
        h("span", {
          class: "so-ramp",
          style: `background:linear-gradient(to right, ${this.catalog.ramp.map(rgb)})`,
        }),
        " 100 % sure",
      ],
    };
    this.colorKey.replaceChildren(
      ...[...new Set(whats.map(({ view }) => view))].flatMap((view) => keys[view] ?? []),
    );
  }

  /** Fits the canvases into their panes, where the viewport says. */
  placeAll() {
    if (!this.shown) return;
    const { width, height } = this.shown.entry;
    this.place = this.viewport.place(this.panes[0].element, width, height);
    const { scale, left, top } = this.place;
    this.stage.classList.toggle("so-zoomed", this.viewport.zoom > 1); // else a finger scrolls the page
    for (const { canvas } of this.panes) {
      canvas.style.transform = `translate(${left}px, ${top}px) scale(${scale})`;
      canvas.style.imageRendering = scale * devicePixelRatio > 2 ? "pixelated" : "auto";
    }
    this.mark();
  }

  zoom(factor, x, y) {
    if (factor) this.viewport.by(factor, x, y);
    else this.viewport.zoom = 1;
    this.placeAll();
  }

  wheel(event) {
    if (
      !event.ctrlKey &&
      !event.metaKey &&
      !this.stage.contains(document.activeElement) &&
      !this.stage.matches(":focus")
    )
      return;
    event.preventDefault();
    const { x, y } = this.locate(event, false);
    this.zoom(
      Math.exp(-event.deltaY / 400),
      (x + 0.5) / this.shown.entry.width,
      (y + 0.5) / this.shown.entry.height,
    );
  }

  wipeTo(position, event) {
    event?.preventDefault();
    this.wipe = Math.min(Math.max(position, 0), 1);
    const wiping = this.model.get("compare") === "wipe";
    this.panes[1].element.style.clipPath = wiping ? `inset(0 0 0 ${100 * this.wipe}%)` : "";
    this.handle.style.left = `${100 * this.wipe}%`;
    this.handle.setAttribute("aria-valuenow", Math.round(100 * this.wipe));
  }

  peek(on) {
    if (on === Boolean(this.peeking)) return;
    this.peeking = on;
    this.draw();
  }

  // ---------------------------------------------------------------------------------------------- classes

  toggle(name) {
    const hidden = this.model.get("hidden");
    this.set({ hidden: hidden.includes(name) ? hidden.filter((one) => one !== name) : [...hidden, name] });
  }

  /** Shows one class alone, or all again if it was alone. */
  solo(name) {
    const others = this.classes.map((one) => one.name).filter((one) => one !== name);
    const hidden = this.model.get("hidden");
    const alone = hidden.length === others.length && !hidden.includes(name);
    this.set({ hidden: alone ? [] : others });
  }

  // ---------------------------------------------------------------------------------------------- reading

  /** The pixel under the pointer, or null outside the picture. */
  locate({ clientX, clientY, target }, within = true) {
    if (!this.shown) return null;
    const box = (target.closest(".so-pane") ?? this.panes[0].element).getBoundingClientRect();
    const { scale, left, top } = this.place,
      { width, height } = this.shown.entry;
    const x = Math.floor((clientX - box.left - left) / scale),
      y = Math.floor((clientY - box.top - top) / scale);
    return within && (x < 0 || y < 0 || x >= width || y >= height) ? null : { x, y };
  }

  /** Says what truth and predictions are at a pixel; null clears the line. */
  read(cursor) {
    this.cursor = cursor;
    this.readout.replaceChildren();
    if (cursor && this.shown) {
      const { truth, runs, entry } = this.shown;
      const i = cursor.y * entry.width + cursor.x;
      const says = (what, id, more = "") =>
        h(
          "span",
          {},
          `${what}: `,
          ...(id === VOID ? ["not scored"] : [swatch(this.classes[id].color), this.classes[id].name]),
          more,
        );
      this.readout.append(h("span", { class: "so-number" }, `x ${cursor.x}, y ${cursor.y}`));
      if (truth) this.readout.append(says("truth", truth[i]));
      for (const [run, { prediction, confidence }] of Object.entries(runs)) {
        this.readout.append(says(run, prediction[i], confidence ? `, ${confidence[i]} % sure` : ""));
      }
    }
    this.mark();
  }

  /** Puts the marker of each pane around the pixel that is read. */
  mark() {
    for (const { marker } of this.panes) {
      marker.hidden = !this.cursor;
      if (!this.cursor) continue;
      const { scale, left, top } = this.place;
      const size = Math.max(scale, 9);
      const middle = (start, at) => start + (at + 0.5) * scale - size / 2;
      Object.assign(marker.style, {
        left: `${middle(left, this.cursor.x)}px`,
        top: `${middle(top, this.cursor.y)}px`,
        width: `${size}px`,
        height: `${size}px`,
      });
    }
  }

  key(event) {
    if (!this.shown || event.ctrlKey || event.metaKey || event.altKey) return;
    const { width, height } = this.shown.entry;
    const at = this.cursor ?? { x: width >> 1, y: height >> 1 };
    const step = event.shiftKey ? 16 : 1;
    const clamp = (value, size) => Math.min(Math.max(value, 0), size - 1);
    const move = (x, y) => () => this.read({ x: clamp(at.x + x, width), y: clamp(at.y + y, height) });
    const { view, run } = this.state;
    const ids = view === "truth" ? this.shown.truth : this.shown.runs[run].prediction;
    const under = this.cursor && this.classes[ids[at.y * width + at.x]]?.name;
    const actions = {
      ArrowLeft: move(-step, 0),
      ArrowRight: move(step, 0),
      ArrowUp: move(0, -step),
      ArrowDown: move(0, step),
      PageUp: () => this.step(-1),
      PageDown: () => this.step(1),
      " ": () => this.peek(true),
      "+": () => this.zoom(1.5, (at.x + 0.5) / width, (at.y + 0.5) / height),
      "-": () => this.zoom(1 / 1.5),
      0: () => this.zoom(0),
      s: () => under && this.solo(under),
      h: () => under && this.toggle(under),
      a: () => this.set({ hidden: [] }),
      ...Object.fromEntries(this.catalog.views.map((one, i) => [i + 1, () => this.set({ view: one })])),
    };
    if (!(event.key in actions)) return;
    event.preventDefault();
    actions[event.key]();
  }

  // ---------------------------------------------------------------------------------------------- saving

  /** Saves what is seen, in the picture's own size and without zoom. */
  async save() {
    const { compare, view } = this.state;
    const [first, second] = this.panes.map((pane) => pane.canvas);
    const { width, height } = first;
    const out = Object.assign(document.createElement("canvas"), {
      width: compare === "side" ? 2 * width : width,
      height,
    });
    const context = out.getContext("2d");
    context.drawImage(first, 0, 0);
    if (compare === "side") context.drawImage(second, width, 0);
    if (compare === "wipe") {
      const seam = (this.wipe * this.stage.clientWidth - this.place.left) / this.place.scale;
      const from = Math.round(Math.min(Math.max(seam, 0), width));
      if (from < width)
        context.drawImage(second, from, 0, width - from, height, from, 0, width - from, height);
    }
    const url = URL.createObjectURL(await new Promise((done) => out.toBlob(done, "image/png")));
    h("a", { href: url, download: `${this.shown.entry.name}_${view}.png` }).click();
    setTimeout(() => URL.revokeObjectURL(url), 1000);
  }
}

function render({ model, el }) {
  const view = new OverlayView(model, el);
  return () => view.close();
}

/** The widget's model in a page without kernel: it keeps the traits and tells who listens. */
class PageModel {
  constructor({ _payloads, ...traits }) {
    const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    this.traits = { ...traits, _payloads: _payloads.map((parts) => parts.map(bytes)) };
    this.events = new EventTarget();
  }
  get = (name) => this.traits[name];
  set(name, value) {
    if (this.traits[name] === value) return;
    this.traits[name] = value;
    this.events.dispatchEvent(new Event(`change:${name}`));
  }
  on = (event, listener) => this.events.addEventListener(event, listener);
  off = (event, listener) => this.events.removeEventListener(event, listener);
  save_changes() {}
}

export default { render };
