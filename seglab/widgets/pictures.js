/**
 * Pictures and their masks: unpacked, the last few kept, and painted in the colours of a view.
 *
 * Nothing here uses the other parts.
 */

const VOID = 255;

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

/** Pictures by their index; the last few stay unpacked. */
class Pictures {
  constructor({ pictures, layers }, payloads) {
    Object.assign(this, { pictures, layers, payloads, decoded: new Map() });
  }

  /** The promise of a picture. One that fails is not kept, so that it can be asked for again. */
  get(index) {
    if (!this.decoded.has(index)) {
      const picture = decode(this.pictures[index], this.layers, this.payloads[index]);
      this.decoded.set(index, picture);
      picture.catch(() => this.decoded.delete(index));
      if (this.decoded.size > 6) this.decoded.delete(this.decoded.keys().next().value);
    }
    return this.decoded.get(index);
  }
}

/** An opaque colour as the 32 bits that canvas pixels are made of. */
const pixel = ([red, green, blue]) => (0xff000000 | (blue << 16) | (green << 8) | red) >>> 0;

/** The colours of all views as such pixels. */
const palette = ({ classes, right_wrong_void, ramp }) => ({
  classes: Uint32Array.from(classes, ({ color }) => pixel(color)),
  rightWrongVoid: right_wrong_void.map(pixel),
  ramp: Uint32Array.from(ramp, pixel),
});

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
