/** The widget in a page without kernel: only such a page holds this part, behind all the others. */

/** Stands in for the kernel's model: it keeps the traits and tells who listens. */
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

render({
  model: new PageModel(JSON.parse(document.getElementById("state").textContent)),
  el: document.getElementById("overlay"),
});
