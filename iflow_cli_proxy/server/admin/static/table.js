// A table that becomes a list of cards where there is little room; its meaning for screen readers stays.

import { h } from "./dom.js";

/**
 * `columns` are `{ label, cell(row), isNumber, isMain, className }`; `isMain` heads the card on a narrow screen.
 * `rowOf(node, row)` may change each row that was made.
 */
export function table(caption, columns, rows, { rowOf = () => {}, className = "" } = {}) {
  const head = columns.map((column) =>
    h("th", { role: "columnheader", scope: "col", class: kindOf(column) }, column.label),
  );
  const body = rows.map((row) => {
    const node = h("tr", { role: "row" }, columns.map((column) => cellOf(column, row)));
    rowOf(node, row);
    return node;
  });
  return h(
    "div",
    { class: `table ${className}` },
    h(
      "table",
      { role: "table" },
      h("caption", { class: "unseen" }, caption),
      h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, head)),
      h("tbody", { role: "rowgroup" }, body),
    ),
  );
}

function cellOf(column, row) {
  const content = column.cell(row);
  const isBare = content === null || content === undefined || content === "" || content === "–";
  return h(
    "td",
    { role: "cell", class: `${kindOf(column)}${isBare ? " bare" : ""}`, "data-label": column.label },
    h("div", {}, content),
  );
}

function kindOf({ isNumber, isMain, className = "" }) {
  return [isNumber && "number", isMain && "main", className].filter(Boolean).join(" ");
}
