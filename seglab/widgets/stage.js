/**
 * The stage: one picture in two panes, side by side or under a wipe, moved, zoomed and read pixel by pixel.
 *
 * A pane is one view of the picture: a canvas of the picture's own size that holds the blended pixels, and a
 * hidden canvas of the colours alone. A new opacity blends the two again; a new view or class paints the colours.
 * It uses `palette` and `paint` of pictures.js and the elements of controls.js.
 */

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
    this.caption.textContent = what.title;
    this.element.setAttribute("aria-label", `${what.title} of ${picture.entry.name}`);
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

/** Calls `move` for each movement of a pressed pointer. */
function drag(element, move) {
  element.addEventListener("pointerdown", (event) => {
    if (event.button === 0) element.setPointerCapture(event.pointerId);
  });
  element.addEventListener("pointermove", (event) => {
    if (element.hasPointerCapture(event.pointerId)) move(event);
  });
}

class Stage {
  constructor(catalog) {
    this.classes = catalog.classes;
    this.colors = palette(catalog);
    this.viewport = new Viewport();
    this.panes = [new Pane("Main view"), new Pane("Second view")];
    this.picture = null; // the one that is shown, once it is unpacked
    this.place = null; // where it lies in its panes
    this.cursor = null; // the pixel that is read
    this.wipe = 0.5;
    this.peeking = false;
    this.readout = h("div", { class: "so-readout", role: "status" });
    this.handle = this.buildHandle();
    this.element = h(
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
    this.listen();
    this.observer = new ResizeObserver(() => this.placeAll());
    this.panes.forEach((pane) => this.observer.observe(pane.element));
  }

  close() {
    this.observer.disconnect();
  }

  buildHandle() {
    const handle = h("div", {
      class: "so-handle",
      role: "slider",
      tabindex: 0,
      "aria-label": "Wipe between the two views",
      "aria-valuemin": 0,
      "aria-valuemax": 100,
      onkeydown: (event) => {
        const step = { ArrowLeft: -0.02, ArrowRight: 0.02, Home: -1, End: 1 }[event.key];
        if (step) {
          event.preventDefault();
          this.wipeTo(this.wipe + step);
        }
        event.stopPropagation();
      },
    });
    drag(handle, ({ clientX }) => {
      const box = this.element.getBoundingClientRect();
      this.wipeTo((clientX - box.left) / box.width);
    });
    return handle;
  }

  listen() {
    const { element } = this;
    element.addEventListener("keydown", (event) => this.key(event));
    element.addEventListener("keyup", ({ key }) => key === " " && this.peek(false));
    element.addEventListener("blur", () => this.peek(false));
    element.addEventListener("pointerleave", () => this.read(null));
    element.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    for (const pane of this.panes) {
      pane.element.addEventListener("pointermove", (event) => this.read(this.locate(event)));
      drag(pane.element, ({ movementX, movementY }) => {
        const { entry } = this.picture,
          { scale } = this.place;
        this.viewport.x -= movementX / (entry.width * scale);
        this.viewport.y -= movementY / (entry.height * scale);
        this.placeAll();
      });
    }
  }

  // ---------------------------------------------------------------------------------------------- drawing

  /** Another picture is on its way; until then this one stays. */
  wait() {
    this.read(null);
    this.element.setAttribute("aria-busy", "true");
  }

  /** Takes a picture; `draw` then paints it. */
  show(picture) {
    this.picture = picture;
    this.element.setAttribute("aria-busy", "false");
    this.element.style.setProperty("--so-aspect", picture.entry.width / picture.entry.height);
    this.placeAll();
  }

  /** Paints one view, or two: each has its `view`, `run` and `title`. */
  draw(whats, { compare, opacity, hidden }) {
    this.drawn = [whats, { compare, opacity, hidden }];
    if (!this.picture) return;
    const shown = Uint8Array.from({ length: 256 }, (_, id) =>
      Number(id < this.classes.length && !hidden.includes(this.classes[id].name)),
    );
    this.element.dataset.compare = compare;
    whats.forEach((what, i) =>
      this.panes[i].draw(this.picture, what, shown, this.colors, this.peeking ? 0 : opacity),
    );
    this.wipeTo(this.wipe);
  }

  /** Shows the picture without its mask, or with it again. */
  peek(on) {
    if (on === this.peeking) return;
    this.peeking = on;
    this.draw(...this.drawn);
  }

  wipeTo(position) {
    this.wipe = Math.min(Math.max(position, 0), 1);
    const wiping = this.element.dataset.compare === "wipe";
    this.panes[1].element.style.clipPath = wiping ? `inset(0 0 0 ${100 * this.wipe}%)` : "";
    this.handle.style.left = `${100 * this.wipe}%`;
    this.handle.setAttribute("aria-valuenow", Math.round(100 * this.wipe));
  }

  /** A canvas of what is seen, in the picture's own size and without zoom. */
  snapshot() {
    const { compare } = this.element.dataset;
    const [first, second] = this.panes.map((pane) => pane.canvas);
    const { width, height } = first;
    const out = h("canvas", { width: compare === "side" ? 2 * width : width, height });
    const context = out.getContext("2d");
    context.drawImage(first, 0, 0);
    if (compare === "side") context.drawImage(second, width, 0);
    if (compare === "wipe") {
      const seam = (this.wipe * this.element.clientWidth - this.place.left) / this.place.scale;
      const from = Math.round(Math.min(Math.max(seam, 0), width));
      if (from < width)
        context.drawImage(second, from, 0, width - from, height, from, 0, width - from, height);
    }
    return out;
  }

  // ---------------------------------------------------------------------------------------------- moving

  /** Fits the canvases into their panes, where the viewport says. */
  placeAll() {
    if (!this.picture) return;
    const { width, height } = this.picture.entry;
    this.place = this.viewport.place(this.panes[0].element, width, height);
    const { scale, left, top } = this.place;
    this.element.classList.toggle("so-zoomed", this.viewport.zoom > 1); // else a finger scrolls the page
    for (const { canvas } of this.panes) {
      canvas.style.transform = `translate(${left}px, ${top}px) scale(${scale})`;
      canvas.style.imageRendering = scale * devicePixelRatio > 2 ? "pixelated" : "auto";
    }
    this.mark();
  }

  /** Zooms by a factor about a point in 0..1, the middle if there is none; 0 fits the picture again. */
  zoom(factor, x, y) {
    if (factor) this.viewport.by(factor, x, y);
    else this.viewport.zoom = 1;
    this.placeAll();
  }

  /** Zooms with Ctrl, or once the stage has the focus; else the wheel scrolls the page. */
  wheel(event) {
    const focused = this.element.matches(":focus") || this.element.contains(document.activeElement);
    if (!event.ctrlKey && !event.metaKey && !focused) return;
    event.preventDefault();
    const { width, height } = this.picture.entry;
    const { x, y } = this.locate(event, false);
    this.zoom(Math.exp(-event.deltaY / 400), (x + 0.5) / width, (y + 0.5) / height);
  }

  // ---------------------------------------------------------------------------------------------- reading

  /** The pixel under the pointer, or null outside the picture. */
  locate({ clientX, clientY, target }, within = true) {
    if (!this.picture) return null;
    const box = (target.closest(".so-pane") ?? this.panes[0].element).getBoundingClientRect();
    const { scale, left, top } = this.place,
      { width, height } = this.picture.entry;
    const x = Math.floor((clientX - box.left - left) / scale),
      y = Math.floor((clientY - box.top - top) / scale);
    return within && (x < 0 || y < 0 || x >= width || y >= height) ? null : { x, y };
  }

  /** Says what truth and predictions are at a pixel; null clears the line. */
  read(cursor) {
    this.cursor = cursor;
    this.readout.replaceChildren();
    if (cursor && this.picture) {
      const { truth, runs, entry } = this.picture;
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

  /** The keys that move, zoom and peek. */
  key(event) {
    if (!this.picture) return;
    const { width, height } = this.picture.entry;
    const at = this.cursor ?? { x: width >> 1, y: height >> 1 };
    const step = event.shiftKey ? 16 : 1;
    const clamp = (value, size) => Math.min(Math.max(value, 0), size - 1);
    const move = (x, y) => () => this.read({ x: clamp(at.x + x, width), y: clamp(at.y + y, height) });
    press(event, {
      ArrowLeft: move(-step, 0),
      ArrowRight: move(step, 0),
      ArrowUp: move(0, -step),
      ArrowDown: move(0, step),
      " ": () => this.peek(true),
      "+": () => this.zoom(1.5, (at.x + 0.5) / width, (at.y + 0.5) / height),
      "-": () => this.zoom(1 / 1.5),
      0: () => this.zoom(0),
    });
  }
}
