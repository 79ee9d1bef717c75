// Builds the page without markup: whatever comes from elsewhere becomes text, never HTML.

const SVG = "http://www.w3.org/2000/svg";
const PROPERTIES = new Set(["value", "checked", "selected", "disabled", "readOnly", "hidden"]);

/** An element: `h("p", { class: "soft", onclick: act }, "text", child)`. Null children and attributes are left out. */
export function h(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

/** The same for drawings. */
export function svg(tag, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

/** A sentence whose `commands` are set as code. */
export function prose(text) {
  return String(text).split("`").map((piece, index) => (index % 2 ? h("code", {}, piece) : piece));
}

/** Put these in place of what stands there. */
export function replace(node, ...children) {
  node.replaceChildren(...present(children));
  return node;
}

/** The same where somebody may be at a button: the focus goes to what has its place now, else to the heading. */
export function renew(node, ...children) {
  const control = node.contains(document.activeElement) ? document.activeElement : null;
  const item = control?.closest("[data-key]")?.dataset.key;
  replace(node, ...children);
  if (!control || control.isConnected) return node;
  const items = [...node.querySelectorAll("[data-key]")];
  const scope = item === undefined ? node : items.find((one) => one.dataset.key === item);
  const controls = [...(scope?.querySelectorAll("a, button, input, select, textarea") ?? [])];
  const same = controls.find((one) => nameOf(one) === nameOf(control));
  (same ?? (item === undefined ? null : controls[0]) ?? document.querySelector("h1"))?.focus();
  return node;
}

const nameOf = (control) => control.ariaLabel || control.name || control.textContent;

/** Change the text of a node, and touch nothing when it is the same (selections and screen readers stay calm). */
export function say(node, text) {
  const said = String(text);
  if (node.textContent !== said) node.textContent = said;
}

/**
 * Keep one child for each item, in order, so that focus and hover outlive an update.
 * `make(item)` builds a node and `update(node, item)` brings it up to date.
 */
export function keep(parent, items, keyOf, make, update) {
  const known = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  let place = parent.firstElementChild;
  for (const item of items) {
    const key = String(keyOf(item));
    const node = known.get(key) ?? make(item);
    known.delete(key);
    node.dataset.key = key;
    update(node, item);
    if (node === place) place = place.nextElementSibling;
    else parent.insertBefore(node, place);
  }
  for (const gone of known.values()) gone.remove();
}

/** The address if a browser may follow it; "" for `javascript:` and its kin. */
export function safeAddress(text) {
  try {
    const url = new URL(text);
    return url.protocol === "https:" || url.protocol === "http:" ? url.href : "";
  } catch {
    return "";
  }
}

function filled(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (PROPERTIES.has(name)) node[name] = value;
    else if (value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...present(children));
  return node;
}

function present(children) {
  return children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false);
}
