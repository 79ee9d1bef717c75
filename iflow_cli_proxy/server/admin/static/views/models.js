// What models there are and where they go; other names for them.

import { get } from "../api.js";
import { h, replace, say } from "../dom.js";
import { textField } from "../fields.js";
import { compact } from "../format.js";
import { badge, empty, fetched, heading } from "../parts.js";
import { table } from "../table.js";
import { later, t } from "../words.js";
import { aliasEditor } from "./aliases.js";

export const modelsView = { title: later("Models"), show };

async function show(root, { signal }) {
  const place = h("div", { class: "stack" });
  const toAliases = () => {
    place.querySelector(".aliases")?.scrollIntoView();
    place.querySelector(".aliases h2")?.focus({ preventScroll: true });
  };
  root.append(heading(t("Models"), h("button", { class: "secondary", onclick: toAliases }, t("Aliases"))), place);
  await fetched(
    place,
    get("models", { signal }),
    ({ models, aliases }) => [modelList(models), aliasEditor(aliases, models, signal)],
  );
}

function modelList(models) {
  const search = textField(
    t("Search"),
    { type: "search", name: "search", placeholder: t("a name or a provider"), oninput: () => draw() },
  );
  const count = h("p", { class: "soft", role: "status" });
  const list = h("div");
  const none = t("No model yet. Add an account, and its models appear here.");
  const told = ({ id, provider, routes: ways = [] }) => [id, provider, ...ways].join(" ").toLowerCase();
  const draw = () => {
    const words = search.input.value.toLowerCase().split(/\s+/).filter(Boolean);
    const fitting = models.filter((model) => words.every((word) => told(model).includes(word)));
    say(count, fitting.length === 1 ? t("1 model") : t("{n} models", { n: fitting.length }));
    replace(list, fitting.length ? modelTable(fitting) : empty(models.length ? t("No model has such a name.") : none));
  };
  draw();
  return h("section", { "aria-label": t("Models") }, h("div", { class: "filters" }, search.node, count), list);
}

function modelTable(models) {
  const columns = [
    { label: t("Model"), isMain: true, cell: (model) => [h("code", {}, model.id)] },
    { label: t("Provider"), cell: (model) => model.provider },
    { label: t("Context"), isNumber: true, cell: (model) => tokens(model.context_window) },
    { label: t("Longest answer"), isNumber: true, cell: (model) => tokens(model.max_output_tokens) },
    { label: t("Abilities"), cell: (model) => abilities(model) },
    { label: t("Routes"), cell: (model) => routes(model) },
  ];
  return table(t("Models"), columns, models, { className: "card" });
}

const tokens = (count) => (count ? compact(count) : "–");

function abilities({ vision, thinking }) {
  const told = [vision && badge("plain", t("sees images")), thinking && badge("plain", t("thinks"))].filter(Boolean);
  return told.length ? h("span", { class: "row tight" }, told) : "–";
}

/** Only where they say more than name and provider do. */
function routes({ id, provider, routes: ways = [] }) {
  const isPlain = ways.length === 1 && ways[0] === `${provider}/${id}`;
  return ways.length && !isPlain ? h("span", { class: "soft" }, ways.join(" → ")) : "–";
}
