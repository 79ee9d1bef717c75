// JSON schemas as nested lists of fields; what a reference names is drawn when somebody opens it.

import { el, fold, prose, words } from "./dom.js";

let components = {};

export function know(document) {
  components = document.components;
}

/** What a `$ref` names, or the value itself. */
export function found(value) {
  if (!value || !value.$ref) return value;
  const [, , room, name] = value.$ref.split("/");
  return components[room][name];
}

const nameOf = (ref) => ref.split("/").pop();
/** So many alternatives are named; more of them are counted, and listed below. */
const FEW = 3;
const branches = (schema) => schema.anyOf || schema.oneOf;

/** In a word or two. */
export function typeOf(schema) {
  if (schema === true || !schema) return "anything";
  if (schema.$ref) return nameOf(schema.$ref);
  if ("const" in schema) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map((one) => JSON.stringify(one)).join(" | ");
  if (branches(schema)) {
    const among = branches(schema).map((one) => one.title || typeOf(one));
    return among.length > FEW ? `one of ${among.length}` : among.join(" | ");
  }
  const types = [schema.type || (schema.properties ? "object" : "anything")].flat();
  return types.map((type) => (type === "array" ? `list of ${schema.items ? typeOf(schema.items) : "anything"}` : type)).join(" | ");
}

const LIMITS = [["minimum", "maximum", ""], ["minLength", "maxLength", " characters"], ["minItems", "maxItems", " items"]];

function limits(schema) {
  const own = branches(schema)?.find((one) => one.type !== "null" && !one.$ref) || schema;
  return LIMITS.map(([least, most, unit]) => {
    if (least in own && most in own) return `${own[least]} to ${own[most]}${unit}`;
    if (least in own) return `at least ${own[least]}${unit}`;
    return most in own ? `at most ${own[most]}${unit}` : "";
  }).filter(Boolean).join(", ");
}

/** The schemas that a value of this one may have fields of. */
function inner(schema) {
  if (!schema || schema === true) return [];
  if (schema.$ref) return [schema];
  if (schema.items) return inner(schema.items);
  const own = schema.properties || schema.allOf ? [schema] : [];
  return [...own, ...(branches(schema) || []).flatMap((one) => (one.title ? [one] : inner(one)))];
}

function field(name, schema, isRequired) {
  const item = el("li", {},
    el("span", { class: "name" }, name), " ", el("span", { class: "type" }, typeOf(schema)), " ",
    isRequired ? el("span", { class: "must" }, "required") : "");
  const says = [schema.description, limits(schema), schema.examples ? `such as ${schema.examples.map((one) => `\`${one}\``).join(", ")}` : ""];
  for (const text of says.filter(Boolean)) item.append(el("p", {}, words(text)));
  const deeper = inner(schema);
  if (deeper.length) item.append(...deeper.map(folded));
  return item;
}

function folded(schema) {
  const title = schema.title || (schema.$ref ? nameOf(schema.$ref) : "its fields");
  return fold({ class: "schema soft" }, title, () => fields(schema));
}

/** Every field of a schema, of those it is made of, and of what it may be besides. */
export function fields(schema) {
  const whole = found(schema) || {};
  const box = el("div", { class: "fields" });
  if (whole.description) box.append(...prose(whole.description));
  const required = new Set(whole.required || []);
  const list = el("ul", { class: "rows" });
  for (const [name, one] of Object.entries(whole.properties || {})) list.append(field(name, one, required.has(name)));
  if (list.childElementCount) box.append(list);
  for (const part of whole.allOf || []) {
    const wanted = needs(part.then || part);
    if (wanted) box.append(el("p", { class: "soft" }, part.if ? `if ${condition(part.if)}: ` : "", `needs ${wanted}`));
    else if (part.if) box.append(fold({ class: "schema soft" }, `if ${condition(part.if)}`, () => fields(part.then)));
    else box.append(...fields(part).childNodes);
  }
  if (branches(whole)) box.append(...inner(whole).filter((one) => one !== whole).map(folded));
  if (whole.items) box.append(el("p", { class: "soft" }, typeOf(whole)), ...inner(whole.items).map(folded));
  if (!box.childElementCount) box.append(el("p", { class: "soft" }, typeOf(whole)));
  return box;
}

/** Which fields must be there, for a schema that says nothing else. */
function needs(schema) {
  if (schema.$ref || schema.items || (schema.properties && !schema.required)) return "";
  const inside = Object.values(schema.properties || {});
  if (inside.some((one) => one.$ref || Object.keys(one).some((key) => key !== "type"))) return "";
  if (schema.anyOf) return schema.anyOf.every(needs) ? schema.anyOf.map(needs).join(" or ") : "";
  return inside.length > (schema.required || []).length ? "" : (schema.required || []).join(" and ");
}

function condition(schema) {
  return Object.entries(schema.properties || {}).map(([name, one]) => `${name} is ${one.pattern || typeOf(one)}`).join(" and ");
}
