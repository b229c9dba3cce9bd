/**
 * The readout: the line under the stage that says what truth and predictions are at a pixel.
 *
 * It uses `VOID` of pictures.js and the elements of controls.js.
 */
class Readout {
  constructor(classes) {
    this.classes = classes;
    this.line = h("div", { class: "so-readout", role: "status" });
    this.room = h("div", { class: "so-room", "aria-hidden": "true" });
    this.element = h("div", { class: "so-reading" }, this.line, this.room);
  }

  /** Takes the picture to read, and the room of its longest line, so that nothing moves when one comes. */
  take(picture) {
    this.picture = picture;
    const { truth, runs, entry } = picture;
    const lengths = this.classes.map(({ name }) => name.length);
    const longest = lengths.indexOf(Math.max(...lengths));
    const masks = [truth, ...Object.values(runs).map(({ prediction }) => prediction)];
    const end = { x: entry.width - 1, y: entry.height - 1 };
    this.room.replaceChildren(...this.facts(end, (layer) => (masks.includes(layer) ? longest : 100)));
  }

  /**
   * Says what is at a pixel; null clears the line.
   *
   * `live` is "polite" for what keys have chosen, and "off" under a pointer, because a screen reader would
   * tell of every pixel that it passes.
   */
  read(cursor, live) {
    this.line.setAttribute("aria-live", live);
    const i = cursor && cursor.y * this.picture.entry.width + cursor.x;
    this.line.replaceChildren(...(cursor ? this.facts(cursor, (layer) => layer[i]) : []));
  }

  /** Says something else. */
  tell(message) {
    this.line.setAttribute("aria-live", "polite");
    this.line.textContent = message;
  }

  /** One element for the place and one for each mask; `at` gives the value of a layer there. */
  facts({ x, y }, at) {
    const { truth, runs } = this.picture;
    const says = (what, id, more = "") => {
      const name = id === VOID ? ["not scored"] : [swatch(this.classes[id].color), this.classes[id].name];
      return h("span", {}, `${what}: `, ...name, more);
    };
    return [
      h("span", { class: "so-number" }, `x ${x}, y ${y}`),
      ...(truth ? [says("truth", at(truth))] : []),
      ...Object.entries(runs).map(([run, { prediction, confidence }]) =>
        says(run, at(prediction), confidence ? `, ${at(confidence)} % sure` : ""),
      ),
    ];
  }
}
