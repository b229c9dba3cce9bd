/**
 * The stage: one picture in two panes, side by side or under a wipe, moved, zoomed and read pixel by pixel.
 *
 * A pane is one view of the picture: a canvas of the picture's own size that holds the blended pixels, and a
 * hidden canvas of the colours alone. A new opacity blends the two again, a new view paints the colours.
 * It uses `palette` and `paint` of pictures.js, the readout of readout.js, and the elements of controls.js.
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
    this.label = label;
    this.layer = document.createElement("canvas");
    this.painted = null;
  }

  clear() {
    this.painted = null;
    this.caption.textContent = "";
    this.element.setAttribute("aria-label", this.label);
    this.canvas.getContext("2d").clearRect(0, 0, this.canvas.width, this.canvas.height);
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

  /** Scale and the place of the picture's corner in a pane of w x h CSS pixels; keeps the picture inside. */
  place(w, h, width, height) {
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
    this.readout = new Readout(catalog.classes);
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
    element.addEventListener("pointerleave", ({ pointerType }) => {
      if (pointerType !== "touch") this.read(null); // what a finger has tapped stays
    });
    element.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    for (const pane of this.panes) {
      drag(pane.element, (event) => this.move(event));
      // Behind the drag, so that it reads what the drag has brought there.
      for (const name of ["pointerdown", "pointermove"])
        pane.element.addEventListener(name, (event) => this.read(this.locate(event)));
    }
  }

  // ---------------------------------------------------------------------------------------------- drawing

  /** Another picture is on its way; until then this one stays. */
  wait() {
    this.read(null);
    this.readout.tell("");
    this.element.setAttribute("aria-busy", "true");
  }

  /** Takes a picture; `draw` then paints it. */
  show(picture) {
    this.picture = picture;
    this.element.setAttribute("aria-busy", "false");
    this.element.style.setProperty("--so-aspect", picture.entry.width / picture.entry.height);
    this.readout.take(picture);
    this.read(null);
    this.placeAll();
  }

  /** Says why there is no picture. */
  fail(message) {
    this.picture = this.cursor = null;
    this.panes.forEach((pane) => pane.clear());
    this.mark();
    this.element.setAttribute("aria-busy", "false");
    this.readout.tell(message);
  }

  /** Paints one view, or two: each has its `view`, `run` and `title`. */
  draw(whats, { compare, opacity, hidden }) {
    this.drawn = [whats, { compare, opacity, hidden }];
    this.element.dataset.compare = compare;
    if (!this.picture) return;
    const shown = Uint8Array.from({ length: 256 }, (_, id) =>
      Number(id < this.classes.length && !hidden.includes(this.classes[id].name)),
    );
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
    const { clientWidth, clientHeight } = this.panes[0].element;
    if (!this.picture || !clientWidth || !clientHeight) return; // hidden: there is no size to fit into
    const { width, height } = this.picture.entry;
    this.place = this.viewport.place(clientWidth, clientHeight, width, height);
    const { scale, left, top } = this.place;
    this.element.classList.toggle("so-zoomed", this.viewport.zoom > 1); // else a finger scrolls the page
    for (const { canvas } of this.panes) {
      canvas.style.transform = `translate(${left}px, ${top}px) scale(${scale})`;
      canvas.style.imageRendering = scale * devicePixelRatio > 1 ? "pixelated" : "auto";
    }
    this.mark();
  }

  move({ movementX, movementY }) {
    if (!this.picture) return;
    const { width, height } = this.picture.entry,
      { scale } = this.place;
    this.viewport.x -= movementX / (width * scale);
    this.viewport.y -= movementY / (height * scale);
    this.placeAll();
  }

  /** Zooms by a factor about a point in 0..1, the middle if there is none; 0 fits the picture again. */
  zoom(factor, x, y) {
    if (factor) this.viewport.by(factor, x, y);
    else this.viewport.zoom = 1;
    this.placeAll();
  }

  /** Zooms with Ctrl, or once the stage has the focus; else the wheel scrolls the page. */
  wheel(event) {
    if (!this.picture) return;
    const focused = this.element.matches(":focus") || this.element.contains(document.activeElement);
    if (!event.ctrlKey && !event.metaKey && !focused) return;
    event.preventDefault();
    const { width, height } = this.picture.entry;
    const { x, y } = this.locate(event, false);
    this.zoom(Math.exp(-event.deltaY / 400), (x + 0.5) / width, (y + 0.5) / height);
    this.read(this.locate(event)); // another pixel where the zoom had to keep the picture inside
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

  /** Reads a pixel, or none; `live` is whether screen readers hear of it. */
  read(cursor, live = "off") {
    if (!this.picture) return;
    this.cursor = cursor;
    this.readout.read(cursor, live);
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

  /** Reads a pixel that a key has chosen; where it is out of sight, it becomes the middle of the view. */
  go(x, y) {
    const { width, height } = this.picture.entry,
      { scale, left, top } = this.place,
      { clientWidth, clientHeight } = this.panes[0].element;
    const seen = (start, at, size) => start + at * scale > -1 && start + (at + 1) * scale < size + 1;
    if (!seen(left, x, clientWidth)) this.viewport.x = (x + 0.5) / width;
    if (!seen(top, y, clientHeight)) this.viewport.y = (y + 0.5) / height;
    this.placeAll();
    this.read({ x, y }, "polite");
  }

  /** The keys that move, zoom and peek. */
  key(event) {
    if (!this.picture) return;
    const { width, height } = this.picture.entry;
    const { x, y } = this.viewport;
    const at = this.cursor ?? { x: Math.floor(x * width), y: Math.floor(y * height) };
    const step = event.shiftKey ? 16 : 1;
    const clamp = (value, size) => Math.min(Math.max(value, 0), size - 1);
    const move = (right, down) => () => this.go(clamp(at.x + right, width), clamp(at.y + down, height));
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
