// Line drawings of 20 by 20, drawn in the colour of the text around them.

import { svg } from "./dom.js";

const PATHS = {
  dashboard: "M3 11h5V3H3zM12 17h5V9h-5zM3 17h5v-3H3zM12 6h5V3h-5z",
  accounts: "M10 9.5a3 3 0 1 0 0-6 3 3 0 0 0 0 6zM4 17c.6-3.4 2.9-5 6-5s5.4 1.6 6 5",
  keys: "M12.5 11.5a4 4 0 1 0-3.7-2.6L3 14.7V17h2.5v-2H7.5v-2H9l1-1.3M13.6 6.5h.01",
  models: "M10 2.8 16.5 6.4v7.2L10 17.2 3.5 13.6V6.4zM3.7 6.5 10 10l6.3-3.5M10 10v7",
  usage: "M3 17h14M5.5 14V9M10 14V4M14.5 14V7",
  requests: "M4 5h12M4 10h12M4 15h7",
  logs: "M3 4h14v12H3zM6 8l2.5 2L6 12M10.5 12.5H14",
  playground: "M3 4.5h14v9H9.5L6 16.5v-3H3z",
  settings: "M4 6h6M14 6h2M4 14h2M10 14h6M12 4v4M8 12v4",
  sun: "M10 13.5a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7zM10 2v1.5M10 16.5V18M2 10h1.5M16.5 10H18M4.3 4.3l1 1M14.7 14.7l1 1M4.3 15.7l1-1M14.7 5.3l1-1",
  menu: "M3 5.5h14M3 10h14M3 14.5h14",
  close: "M5 5l10 10M15 5 5 15",
  ok: "M4 10.5l4 4 8-9",
  warn: "M10 3 18 17H2zM10 8v4M10 14.5h.01",
  bad: "M10 2.5a7.5 7.5 0 1 0 0 15 7.5 7.5 0 0 0 0-15zM7.5 7.5l5 5M12.5 7.5l-5 5",
  idle: "M10 2.5a7.5 7.5 0 1 0 0 15 7.5 7.5 0 0 0 0-15zM6.5 10h7",
  clock: "M10 2.5a7.5 7.5 0 1 0 0 15 7.5 7.5 0 0 0 0-15zM10 6v4.3l2.8 1.7",
  info: "M10 2.5a7.5 7.5 0 1 0 0 15 7.5 7.5 0 0 0 0-15zM10 9v5M10 6.3h.01",
  lock: "M5 9h10v8H5zM7 9V6.5a3 3 0 0 1 6 0V9",
  copy: "M7 7h9v10H7zM4 13V3h9",
  plus: "M10 4v12M4 10h12",
  external: "M8 4H4v12h12v-4M11 3h6v6M17 3l-7.5 7.5",
  out: "M8 3.5H4v13h4M12 6.5 15.5 10 12 13.5M15 10H8",
  search: "M9 14.5a5.5 5.5 0 1 0 0-11 5.5 5.5 0 0 0 0 11zM13 13l4 4",
  stop: "M5.5 5.5h9v9h-9z",
  send: "M3.5 10 16.5 4l-4 12.5-3-4.5zM9.5 12l3-3.5",
  back: "M12.5 4 6.5 10l6 6",
};

/** Decoration beside a text, unless it is given a name of its own. */
export function icon(name, label = "") {
  const told = label ? { role: "img", "aria-label": label } : { "aria-hidden": "true" };
  return svg("svg", { class: "icon", viewBox: "0 0 20 20", ...told }, svg("path", { d: PATHS[name] }));
}
