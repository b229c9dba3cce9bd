/** Elements, controls and keys, and how numbers and colours are written. Uses no other part. */

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
const bar = (...parts) => h("div", { class: "so-bar", role: "group" }, ...parts.filter(Boolean));
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

/** Does what a key stands for in `actions`, unless it is pressed with one that makes it the browser's. */
function press(event, actions) {
  if (event.ctrlKey || event.metaKey || event.altKey || !Object.hasOwn(actions, event.key)) return;
  event.preventDefault();
  actions[event.key]();
}
