// Drawings of numbers: bars stacked over days, and the last minute. Each has its numbers in a table or text too.

import { h, replace, svg } from "./dom.js";

const WIDTH = 1000;
const TALL = 220;
const STRETCHED = { preserveAspectRatio: "none" };

/** The last minute, a bar a second: requests, the errors among them on top. `draw(history)` brings it up to date. */
export function minuteBars(label) {
  const height = 120;
  const step = WIDTH / 60;
  const node = svg(
    "svg",
    { class: "minute", viewBox: `0 0 ${WIDTH} ${height}`, ...STRETCHED, role: "img", "aria-label": label },
  );
  const draw = (history) => {
    const most = Math.max(4, ...history.map((second) => second.requests));
    const bars = history.flatMap(({ requests, errors }, index) => {
      const bar = (count, from, kind) => {
        const tall = (count / most) * height;
        const place = {
          x: index * step + 1.5,
          width: step - 3,
          y: height - (from / most) * height - tall,
          height: tall,
        };
        return count > 0 && svg("rect", { class: kind, ...place, rx: 2 });
      };
      return [bar(requests - errors, 0, "good"), bar(errors, Math.max(0, requests - errors), "error")];
    });
    replace(node, svg("line", { x1: 0, x2: WIDTH, y1: height - 0.5, y2: height - 0.5 }), bars);
  };
  return { node, draw };
}

/** A line without axes. */
export function sparkline(label) {
  const node = svg(
    "svg",
    { class: "spark", viewBox: "0 0 120 32", preserveAspectRatio: "none", role: "img", "aria-label": label },
  );
  const draw = (values) => {
    const most = Math.max(1, ...values);
    const step = 120 / Math.max(1, values.length - 1);
    const line = values.map((value, index) =>
      `${(index * step).toFixed(1)} ${(31.5 - (value / most) * 30).toFixed(1)}`,
    ).join(" L");
    replace(
      node,
      svg("path", { class: "under", d: `M0 32 L${line} L120 32Z` }),
      svg("path", { class: "line", d: `M${line}` }),
    );
  };
  return { node, draw };
}

/**
 * Bars over columns (days), each stacked of series. `columns` are `{ name, label, parts: [number per series] }`,
 * `series` their names; `shown(number)` writes a value. Pointing at a column, or going there with the arrow keys, tells
 * its parts in the line below.
 */
export function stackedBars(label, columns, series, shown) {
  const most = niceTop(Math.max(...columns.map((column) => sum(column.parts)), 0));
  const readout = h("p", { class: "readout", "aria-live": "polite" });
  const tell = (column) => replace(readout, ...told(column, series, shown));
  const drawing = h("div", { class: "drawing" }, barsOf(label, columns, most, tell), names(columns));
  if (columns.length) tell(columns.at(-1));
  return h(
    "div",
    { class: "chart", tabindex: "0", role: "group", "aria-label": label, onkeydown: walk(columns, tell) },
    scale(most, shown),
    drawing,
    readout,
  );
}

function barsOf(label, columns, most, tell) {
  const step = WIDTH / Math.max(1, columns.length);
  const groups = columns.map((column, index) => {
    const ground = svg("rect", { class: "ground", x: index * step, y: 0, width: step, height: TALL });
    return svg("g", { onpointerenter: () => tell(column) }, ground, stack(column.parts, index, step, most));
  });
  const lines = [0.25, 0.5, 0.75, 1].map((share) =>
    svg("line", { x1: 0, x2: WIDTH, y1: TALL * (1 - share), y2: TALL * (1 - share) }),
  );
  const seen = { class: "bars", viewBox: `0 0 ${WIDTH} ${TALL}`, role: "img", "aria-label": label, ...STRETCHED };
  return svg("svg", seen, lines, groups);
}

function stack(parts, index, step, most) {
  const width = Math.min(step * 0.72, 64);
  const x = index * step + (step - width) / 2;
  let from = 0;
  return parts.map((part, which) => {
    from += part;
    const place = { x, y: TALL - (from / most) * TALL, width, height: Math.max((part / most) * TALL - 1, 0.75) };
    return part > 0 && svg("rect", { class: `series-${which % 8}`, ...place });
  });
}

function scale(most, shown) {
  const steps = [1, 0.75, 0.5, 0.25, 0].map((share) => h("span", {}, shown(most * share)));
  return h("div", { class: "scale", "aria-hidden": "true" }, steps);
}

/** Eight of them at most, every second one of which goes where there is little room. */
function names(columns) {
  const every = Math.ceil(columns.length / 8);
  const nameOf = (column, index) => {
    const back = columns.length - 1 - index;
    return h("span", { class: back % (2 * every) ? "minor" : null }, back % every ? "" : column.label);
  };
  return h("div", { class: "names", "aria-hidden": "true" }, columns.map(nameOf));
}

/** By the arrow keys from column to column, by Home and End to the first and the last. */
function walk(columns, tell) {
  const last = columns.length - 1;
  let at = last;
  return (event) => {
    const next = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: last }[event.key];
    if (next === undefined || !columns.length) return;
    event.preventDefault();
    at = Math.min(last, Math.max(0, next));
    tell(columns[at]);
  };
}

function told(column, series, shown) {
  const parts = column.parts.map((part, index) =>
    h("span", {}, swatch(index), `${series[index]} ${part > 0 ? shown(part) : "–"}`),
  );
  return [h("strong", {}, `${column.label}: ${shown(sum(column.parts))}`), ...parts];
}

const swatch = (index) => svg(
  "svg",
  { class: `swatch series-${index % 8}`, viewBox: "0 0 10 10", "aria-hidden": "true" },
  svg("rect", { width: 10, height: 10, rx: 3 }),
);

const sum = (numbers) => numbers.reduce((all, one) => all + one, 0);

/** The round number above, so that lines of the scale have round names. */
function niceTop(value) {
  if (value <= 0) return 4;
  const unit = 10 ** Math.floor(Math.log10(value / 4));
  const isRound = (factor) => unit < 1 || Number.isInteger(factor * unit); // no half requests
  const steps = [1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10].filter(isRound);
  return steps.find((factor) => factor * unit * 4 >= value * 0.999) * unit * 4;
}
