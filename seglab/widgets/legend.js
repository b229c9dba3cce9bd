/**
 * The legend: the classes with their colours, scores and pixels, and which are painted.
 *
 * It uses the elements and numbers of controls.js.
 */
class Legend {
  /** `onhide` is called with the names of the classes that shall be hidden from now on. */
  constructor(catalog, onhide) {
    Object.assign(this, { catalog, onhide, hidden: [] });
    this.names = catalog.classes.map(({ name }) => name);
    this.heads = ["IoU", "IoU"].map((text) => this.head(text));
    this.rows = catalog.classes.map((one) => this.row(one));
    this.mean = h("div", { class: "so-mean" });
    this.key = h("div", { class: "so-key" });
    this.element = h(
      "aside",
      { class: "so-legend", "aria-label": "Classes" },
      bar(
        this.search(),
        button("All", "Show all classes", () => this.onhide([])),
        button("None", "Hide all classes", () => this.onhide(this.names)),
      ),
      h("div", { class: "so-scroll" }, this.table()),
      this.mean,
    );
  }

  head = (text) => h("th", { scope: "col" }, text);

  table() {
    const heads = [this.head("Class"), ...this.heads, this.head("Pixels"), this.head("")];
    return h(
      "table",
      {},
      h("thead", {}, h("tr", {}, ...heads)),
      h("tbody", {}, ...this.rows.map(({ element }) => element)),
    );
  }

  row({ name, color }) {
    const box = h("input", { type: "checkbox", onchange: () => this.toggle(name) });
    const only = button("only", `Show only ${name}`, () => this.solo(name));
    const scores = this.heads.map(() => h("td", { class: "so-iou" }));
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
  }

  /** Leaves the rows whose name holds the text; Enter shows the first of them alone. */
  search() {
    const input = h("input", {
      type: "search",
      placeholder: "Find a class",
      "aria-label": "Find a class in the legend",
    });
    const matching = () =>
      this.rows.filter(({ name }) => name.toLowerCase().includes(input.value.trim().toLowerCase()));
    input.addEventListener("input", () => {
      const found = matching();
      for (const row of this.rows) row.element.hidden = !found.includes(row);
    });
    input.addEventListener("keydown", ({ key }) => {
      if (key === "Enter" && input.value.trim() && matching()[0]) this.solo(matching()[0].name);
    });
    return input;
  }

  toggle(name) {
    const { hidden } = this;
    this.onhide(hidden.includes(name) ? hidden.filter((one) => one !== name) : [...hidden, name]);
  }

  /** Shows one class alone, or all again if it was alone. */
  solo(name) {
    const others = this.names.filter((one) => one !== name);
    const alone = this.hidden.length === others.length && !this.hidden.includes(name);
    this.onhide(alone ? [] : others);
  }

  /** Says what a picture's catalog entry and the views of it give; without an entry there are no numbers. */
  sync(entry, whats, { run, hidden }) {
    this.hidden = hidden;
    const columns = this.columns(whats, run).map((one) => ({ ...one, scores: entry?.scores[one.run] }));
    // Pixels are the truth's where there is one.
    this.syncRows(columns, entry && (entry.shares[""] ?? entry.shares[columns[0].run]));
    this.syncMean(columns);
    this.syncKey(whats.map(({ view }) => view));
  }

  /** The networks whose scores are told: those in sight, each once; or the chosen one where none is. */
  columns(whats, run) {
    const seen = whats
      .map((what, i) => ({ ...what, side: ["Left", "Right"][i] }))
      .filter(({ view }) => view !== "truth");
    if (!seen.length) return [{ run }];
    return seen.filter((one) => one === seen.find((other) => other.run === one.run));
  }

  syncRows(columns, shares) {
    this.heads.forEach((head, i) => {
      head.hidden = i >= columns.length;
      head.textContent = columns.length > 1 ? `${columns[i].side} IoU` : "IoU";
    });
    const visible = this.names.length - this.hidden.length;
    this.rows.forEach(({ name, element, box, only, scores: cells, pixels }, id) => {
      box.checked = !this.hidden.includes(name);
      only.setAttribute("aria-pressed", String(visible === 1 && box.checked));
      cells.forEach((cell, i) => {
        const score = columns[i]?.scores?.iou[id];
        cell.hidden = i >= columns.length;
        cell.textContent = percent(score);
        cell.style.setProperty("--so-score", score ?? 0);
      });
      pixels.textContent = share(shares?.[id]);
      const absent = shares && !shares[id] && columns.every(({ scores }) => scores?.iou[id] == null);
      element.classList.toggle("so-absent", Boolean(absent));
    });
  }

  /** The means of the columns; which network's, if there are several. */
  syncMean(columns) {
    const of = (run) => (this.catalog.runs.length > 1 ? ` (${run})` : "");
    const means = columns
      .filter(({ scores }) => scores)
      .map(({ run, scores: { mean, classes } }) => `${percent(mean, 1)} over ${classes} classes${of(run)}`);
    this.mean.textContent = means.length ? `Mean IoU of this picture: ${means.join("; ")}` : "";
  }

  /** What the colours mean that are not those of classes; this stands under the stage. */
  syncKey(views) {
    const [right, wrong, unscored] = this.catalog.right_wrong_void;
    const ramp = `background:linear-gradient(to right, ${this.catalog.ramp.map(rgb)})`;
    const keys = {
      error: [swatch(right), "right ", swatch(wrong), "wrong ", swatch(unscored), "not scored"],
      confidence: ["0 % ", h("span", { class: "so-ramp", style: ramp }), " 100 % sure"],
    };
    this.key.replaceChildren(...[...new Set(views)].flatMap((view) => keys[view] ?? []));
  }
}
