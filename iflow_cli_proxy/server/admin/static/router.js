// Which view the address asks for, after the `#`; leaving one ends everything it had begun.

import { closeDialogs } from "./dialog.js";
import { h } from "./dom.js";
import { problem } from "./parts.js";
import { t } from "./words.js";

const views = new Map();
let leaving = new AbortController();
let place = null;
let onShown = () => {};
let shown = "";
let guarded = null;

/** A view is `{ title, show(root, { rest, query, signal }) }`; what it fetches and hears ends with the signal. */
export function register(name, view) {
  views.set(name, view);
}

export function start(root, takesFocus, shown) {
  place = root;
  onShown = shown;
  addEventListener("hashchange", show);
  return draw(takesFocus);
}

export function stop() {
  removeEventListener("hashchange", show);
  leaving.abort();
}

/** Draw the view again, as when what it could not fetch can be had now. */
export const again = () => draw(false);

/** Go there; the same place again is drawn anew. */
export function go(address) {
  if (location.hash === address) draw(true);
  else location.hash = address;
}

/** Change the query of the address without drawing the view again. */
export function note(values) {
  const query = new URLSearchParams(Object.entries(values).filter(([, value]) => value));
  history.replaceState(null, "", `#/${here().path}${query.size ? `?${query}` : ""}`);
}

export function here() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const [name, ...rest] = path.split("/").map(decoded);
  return { path, name, rest, query: new URLSearchParams(query) };
}

/** Until the signal, `isHeld()` tells that something would be lost with the view, and `ask()` whether it may be. */
export function guard(guarding, signal) {
  guarded = guarding;
  signal.addEventListener("abort", () => {
    if (guarded === guarding) guarded = null;
  });
}

/** Whether the view holds something that is nowhere else. */
export const isHeld = () => guarded?.isHeld() ?? false;

/** Whether the view may go, after a question where it holds something. */
export const mayLeave = async () => !isHeld() || guarded.ask();

async function show() {
  if (isHeld() && location.hash !== shown) {
    const wanted = location.hash;
    history.replaceState(null, "", shown); // the address goes back until it is said that it may change
    if (!(await mayLeave())) return;
    history.replaceState(null, "", wanted);
  }
  await draw(true);
}

async function draw(takesFocus) {
  leaving.abort();
  leaving = new AbortController();
  closeDialogs();
  const { signal } = leaving;
  const { name, rest, query } = here();
  const isKnown = views.has(name);
  const view = views.get(isKnown ? name : "");
  shown = location.hash;
  document.title = `${t(view.title)} · iflow2api`;
  const root = h("div", { class: `view ${isKnown && name ? name : "dashboard"}` });
  place.replaceChildren(root);
  onShown(isKnown ? name : "");
  scrollTo(0, 0);
  const drawn = view.show(root, { rest, query, signal });
  if (takesFocus) root.querySelector("h1")?.focus({ preventScroll: true });
  try {
    await drawn;
  } catch (error) {
    if (!signal.aborted) root.append(problem(error));
  }
}

function decoded(piece) {
  try {
    return decodeURIComponent(piece);
  } catch {
    return piece;
  }
}
