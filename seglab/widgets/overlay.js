/**
 * The mask overlay in the browser: it blends, toggles, compares and reads masks without asking the kernel.
 *
 * `render({ model, el })` is what anywidget calls. `OverlayView` keeps the model's state, the chosen pictures
 * and views, and the controls above the picture; it puts `Pictures`, `Stage` and `Legend` together.
 * All parts are one module, joined by overlay.py in the order of their use.
 */

const VIEW_NAMES = {
  truth: "Ground truth",
  prediction: "Prediction",
  error: "Errors",
  confidence: "Confidence",
};
const COMPARE_NAMES = { off: "One", side: "Side by side", wipe: "Wipe" };
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

class OverlayView {
  constructor(model, el) {
    this.model = model;
    this.catalog = model.get("_catalog");
    this.catalog.pictures.forEach((entry, index) => (entry.index = index));
    this.pictures = new Pictures(this.catalog, model.get("_payloads"));
    this.stage = new Stage(this.catalog);
    this.legend = new Legend(this.catalog, (hidden) => this.set({ hidden }));
    this.second = this.initialSecond();
    this.split = "";
    this.sort = "given";
    this.ticket = 0;
    this.shown = null;
    this.build(el);
    this.listeners = STATE.map((name) => [`change:${name}`, () => this.changed(name)]);
    for (const [event, listener] of this.listeners) model.on(event, listener);
    this.draw();
    this.load();
  }

  close() {
    this.stage.close();
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

  title({ view, run }) {
    return view !== "truth" && this.catalog.runs.length > 1
      ? `${VIEW_NAMES[view]}, ${run}`
      : VIEW_NAMES[view];
  }

  // ---------------------------------------------------------------------------------------------- building

  build(el) {
    this.root = h(
      "section",
      { class: "seglab-overlay", "aria-label": "Mask overlay" },
      this.buildPictureBar(),
      this.buildViewBar(),
      h(
        "div",
        { class: "so-body" },
        h(
          "div",
          { class: "so-main" },
          this.stage.element,
          h("div", { class: "so-under" }, this.stage.readout.element, this.legend.key),
        ),
        this.legend.element,
      ),
      h(
        "details",
        { class: "so-help" },
        h("summary", {}, "Keys, while the picture has the focus"),
        h("dl", {}, ...KEYS.flatMap(([key, text]) => [h("dt", {}, key), h("dd", {}, text)])),
      ),
    );
    this.stage.element.addEventListener("keydown", (event) => this.key(event));
    // JupyterLab takes letters and arrow keys for itself unless the control that has the focus says no.
    this.root.addEventListener("focusin", ({ target }) =>
      target.setAttribute("data-lm-suppress-shortcuts", "true"),
    );
    this.root.inert = true; // until there is something to move
    this.listPictures();
    el.append(this.root);
  }

  /** Which picture, in which order; zoom and saving. */
  buildPictureBar() {
    const { pictures } = this.catalog;
    const splits = [...new Set(pictures.map(({ split }) => split))];
    const several = pictures.length > 1;
    this.pictureSelect = select("Picture", [], (value) => this.set({ picture: Number(value) }));
    this.count = h("span", { class: "so-count" });
    const sortSelect = select("Order of the pictures", this.sortOptions(), (value) => {
      this.sort = value;
      this.listPictures();
      this.set({ picture: this.order[0] });
    });
    const splitSelect = select("Split", [["", "all"], ...splits.map((split) => [split, split])], (value) => {
      this.split = value;
      this.listPictures();
      if (!this.order.includes(this.model.get("picture"))) this.set({ picture: this.order[0] });
    });
    const pictureField = h(
      "div",
      { class: "so-field" },
      h("span", {}, "Picture"),
      button("‹", "Previous picture", () => this.step(-1)),
      this.pictureSelect,
      button("›", "Next picture", () => this.step(1)),
      this.count,
    );
    return bar(
      several && splits.length > 1 && field("Split", splitSelect),
      several && pictureField,
      several && this.sortOptions().length > 1 && field("Order", sortSelect),
      h("span", { class: "so-gap" }),
      h(
        "div",
        { class: "so-group" },
        button("−", "Zoom out", () => this.stage.zoom(1 / 1.5)),
        button("+", "Zoom in", () => this.stage.zoom(1.5)),
        button("Fit", "Fit the picture into its frame", () => this.stage.zoom(0)),
        button("Save PNG", "Save this view as a PNG file", () => this.save()),
      ),
    );
  }

  /** Which view of it, of which network, beside which other view, and how opaque. */
  buildViewBar() {
    const { views, runs } = this.catalog;
    const choices = views.flatMap((view) =>
      view === "truth" ? [{ view, run: "" }] : runs.map((run) => ({ view, run })),
    );
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
    this.compareRadios = segments("Compare", Object.entries(COMPARE_NAMES), (compare) =>
      this.set({ compare }),
    );
    const secondSelect = select(
      "Second view",
      choices.map((choice, i) => [i, this.title(choice)]),
      (i) => {
        this.second = choices[i];
        this.draw();
      },
    );
    secondSelect.value = choices.findIndex(
      ({ view, run }) => view === this.second.view && (!run || run === this.second.run),
    );
    this.secondField = field("with", secondSelect);
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
    return bar(
      this.viewRadios.element,
      runs.length > 1 && field("Network", this.runSelect),
      choices.length > 1 && this.compareRadios.element,
      this.secondField,
      h("span", { class: "so-gap" }),
      field("Opacity", this.slider, this.sliderText),
    );
  }

  // ---------------------------------------------------------------------------------------------- pictures

  sortOptions() {
    const options = [["given", "as given"]];
    if (!this.catalog.views.includes("error")) return options;
    return [
      ...options,
      ["mean", "worst mean IoU"],
      ...this.catalog.classes.map(({ name }, id) => [id, `worst IoU of ${name}`]),
    ];
  }

  /** The score of a picture that the list is sorted by; null where it has none. */
  score(entry) {
    const scores = entry.scores[this.model.get("run")];
    if (!scores) return null;
    return this.sort === "given" || this.sort === "mean" ? scores.mean : scores.iou[this.sort];
  }

  listPictures() {
    const entries = this.catalog.pictures.filter(({ split }) => !this.split || split === this.split);
    const rank = (entry) => this.score(entry) ?? 2; // without a score: last
    if (this.sort !== "given") entries.sort((a, b) => rank(a) - rank(b));
    this.order = entries.map(({ index }) => index);
    this.pictureSelect.replaceChildren(
      ...entries.map((entry) => {
        const score = this.score(entry);
        const text = score == null ? entry.name : `${percent(score)} · ${entry.name}`; // long names are cut
        return h("option", { value: entry.index }, text);
      }),
    );
    this.syncControls();
  }

  step(by) {
    const next = this.order[this.order.indexOf(this.model.get("picture")) + by];
    if (next !== undefined) this.set({ picture: next });
  }

  /** Shows the chosen picture once it is unpacked, or that it cannot be, unless another was chosen since. */
  async load() {
    const ticket = ++this.ticket;
    const index = this.model.get("picture");
    this.syncControls();
    this.stage.wait();
    let picture = null,
      message;
    try {
      picture = await this.pictures.get(index);
    } catch (error) {
      console.error(error);
      message = `${this.catalog.pictures[index].name} cannot be shown: its data cannot be unpacked`;
    }
    if (ticket !== this.ticket) return;
    this.shown = picture;
    this.root.inert = false;
    if (picture) this.stage.show(picture);
    else this.stage.fail(message);
    this.draw();
  }

  // ---------------------------------------------------------------------------------------------- drawing

  draw() {
    this.syncControls();
    const { view, run, compare } = this.state;
    const whats = compare === "off" ? [{ view, run }] : [{ view, run }, this.second];
    this.stage.draw(
      whats.map((what) => ({ ...what, title: this.title(what) })),
      this.state,
    );
    this.legend.sync(this.shown?.entry, whats, this.state);
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

  /** The name of the class that the first view has under the cursor. */
  under() {
    const { view, run } = this.state;
    const { cursor } = this.stage;
    if (!cursor) return undefined;
    const ids = view === "truth" ? this.shown.truth : this.shown.runs[run].prediction;
    return this.catalog.classes[ids[cursor.y * this.shown.entry.width + cursor.x]]?.name;
  }

  /** The keys that choose what is shown; the stage has its own. */
  key(event) {
    const under = this.under();
    press(event, {
      PageUp: () => this.step(-1),
      PageDown: () => this.step(1),
      s: () => under && this.legend.solo(under),
      h: () => under && this.legend.toggle(under),
      a: () => this.set({ hidden: [] }),
      ...Object.fromEntries(this.catalog.views.map((one, i) => [i + 1, () => this.set({ view: one })])),
    });
  }

  /** Saves what is seen. */
  async save() {
    if (!this.shown) return;
    const canvas = this.stage.snapshot();
    const url = URL.createObjectURL(await new Promise((done) => canvas.toBlob(done, "image/png")));
    h("a", { href: url, download: `${this.shown.entry.name}_${this.model.get("view")}.png` }).click();
    setTimeout(() => URL.revokeObjectURL(url), 1000);
  }
}

function render({ model, el }) {
  const view = new OverlayView(model, el);
  return () => view.close();
}

export default { render };
