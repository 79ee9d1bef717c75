// The page: reads openapi.json and draws it, an endpoint's inside when it is opened.

import { curl } from "./curl.js";
import { el, fold, prose, words } from "./dom.js";
import { fields, found, know, typeOf } from "./schema.js";

const METHODS = ["get", "post", "put", "patch", "delete"];
const at = (id) => document.getElementById(id);
/** Opened from the admin page, this says nothing of whether a program needs a key; at /docs, nobody asked for one. */
const KEY = location.pathname.startsWith("/admin") ? "$IFLOW2API_KEY" : "";

const shown = [];

/** Operations under their tags; those that are another one under a second path are listed there. */
function gathered(api) {
  const all = [], others = new Map();
  for (const [path, item] of Object.entries(api.paths)) {
    for (const method of METHODS.filter((one) => item[one])) {
      const same = item[method]["x-same-as"];
      if (same) others.set(same, [...(others.get(same) || []), path]);
      else all.push({ path, method, told: item[method] });
    }
  }
  for (const one of all) one.others = others.get(`${one.method.toUpperCase()} ${one.path}`) || [];
  return all;
}

function copier(text) {
  const button = el("button", { type: "button" }, "Copy");
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
    } catch {
      const range = document.createRange();
      range.selectNodeContents(button.closest(".example").querySelector("pre"));
      getSelection().removeAllRanges();
      getSelection().addRange(range);
      button.textContent = "Selected";
    }
    setTimeout(() => (button.textContent = "Copy"), 1500);
  });
  return button;
}

const pretty = (value) => (typeof value === "string" ? value : JSON.stringify(value, null, 2));

function example(one, op) {
  const body = op.told.requestBody?.content["application/json"].examples?.[one.name]?.value;
  const line = curl(location.origin, op.method, op.path, one, body, KEY, op.told.security);
  const box = el("div", { class: "example" },
    el("div", { class: "head" }, el("span", {}, words(one.summary || one.name.replaceAll("_", " ")), " ", mark(one.status)), copier(line)),
    el("pre", { tabindex: "0" }, line));
  for (const media of Object.values(found(op.told.responses[one.status])?.content || {})) {
    const answer = media.examples?.[one.name];
    if (answer) box.append(el("pre", { tabindex: "0" }, pretty(answer.value)));
  }
  return box;
}

const mark = (status) => el("span", { class: `status s${String(status)[0]}` }, String(status));

function parameter(one) {
  return el("li", {},
    el("span", { class: "name" }, one.name), " ", el("span", { class: "type" }, `${typeOf(one.schema)}, in ${one.in}`), " ",
    one.required ? el("span", { class: "must" }, "required") : "",
    one.description ? el("p", {}, words(one.description)) : "");
}

function answer(status, told) {
  const [first, ...rest] = told.description.split("\n\n");
  return fold({ class: "answer" }, [mark(status), " ", words(first)], () => {
    const box = el("div", {}, rest.flatMap(prose));
    for (const [type, media] of Object.entries(told.content || {})) {
      box.append(el("p", { class: "soft" }, el("code", {}, type), media["x-item-schema"] ? " each event:" : ""));
      if (media["x-item-schema"]) box.append(fields(media["x-item-schema"]));
      else if (type.includes("json")) box.append(fields(media.schema));
      if (media["x-end"]) box.append(el("p", { class: "soft" }, "At the end: ", el("code", {}, media["x-end"])));
    }
    const headers = Object.entries(told.headers || {});
    if (headers.length) {
      box.append(fold({ class: "schema soft" }, "Headers", () => el("ul", { class: "rows" }, headers.map(([name, header]) =>
        el("li", {}, el("span", { class: "name" }, name), el("p", {}, words(found(header).description || "")))))));
    }
    return box;
  });
}

const NAMES = { bearer: "Authorization: Bearer", xApiKey: "x-api-key", xGoogApiKey: "x-goog-api-key", keyInQuery: "?key=",
  adminSession: "the session of the admin page", csrfToken: "x-csrf-token" };

function access(security) {
  if (!security.length) return "Open to everybody.";
  const ways = security.map((one) => Object.keys(one).map((name) => NAMES[name] || name).join(" with ")).filter(Boolean);
  const isOptional = security.some((one) => !Object.keys(one).length);
  return isOptional ? `With a client key where keys are required: ${ways.join(", ")}.` : `With ${ways.join(", or ")}.`;
}

function inside(op) {
  const { told } = op;
  const left = el("div", {}), right = el("div", {});
  if (told.parameters) left.append(el("h3", {}, "Parameters"), el("ul", { class: "rows" }, told.parameters.map(parameter)));
  const body = told.requestBody?.content["application/json"];
  if (body) left.append(el("h3", {}, told.requestBody.required ? "Body" : "Body, if any"), el("p", { class: "type" }, typeOf(body.schema)), fields(body.schema));
  left.append(el("h3", {}, "Answers"), ...Object.entries(told.responses).map(([status, one]) => answer(status, found(one))));
  const examples = told["x-examples"] || [];
  if (examples.length) right.append(el("h3", {}, examples.length > 1 ? "Examples" : "Example"), ...examples.map((one) => example(one, op)));
  const about = el("div", { class: "wide" }, told.description ? prose(told.description) : "", el("p", { class: "soft" }, access(told.security)));
  if (op.others.length) about.append(el("p", { class: "soft" }, "Also at ", op.others.flatMap((path, n) => [n ? ", " : "", el("code", {}, path)]), "."));
  return el("div", { class: "inside" }, about, left, right);
}

function drawn(op) {
  const { told, method, path } = op;
  const title = [el("span", { class: `method ${method}` }, method.toUpperCase()), el("span", { class: "path" }, path), el("span", { class: "says" }, told.summary)];
  op.box = fold({ class: "operation", id: told.operationId }, title, () => inside(op));
  op.box.addEventListener("toggle", () => {
    if (op.box.open) history.replaceState(null, "", `#${told.operationId}`);
  });
  op.link = el("li", {}, el("a", { href: `#${told.operationId}`, title: `${path}: ${told.summary}` },
    el("span", { class: `method ${method}` }, method === "delete" ? "DEL" : method.toUpperCase()), el("span", { class: "path" }, path)));
  op.text = [method, path, ...op.others, told.operationId, told.summary, told.tags[0]].join(" ").toLowerCase();
  shown.push(op);
  return op;
}

function draw(api) {
  know(api);
  at("version").textContent = api.info.version;
  at("about").append(...words(api.info.description));
  const operations = gathered(api);
  for (const tag of api.tags) {
    const own = operations.filter((op) => op.told.tags[0] === tag.name).map(drawn);
    if (!own.length) continue;
    at("sections").append(el("section", { "aria-label": tag.name }, el("h2", {}, tag.name), el("p", {}, words(tag.description)), own.map((op) => op.box)));
    at("nav").append(el("div", {}, el("h2", {}, tag.name), el("ul", {}, own.map((op) => op.link))));
  }
}

function narrow() {
  const wanted = at("search").value.toLowerCase().split(/\s+/).filter(Boolean);
  let count = 0;
  for (const op of shown) {
    const fits = wanted.every((word) => op.text.includes(word));
    op.box.hidden = op.link.hidden = !fits;
    count += fits;
  }
  for (const section of document.querySelectorAll("section, nav > div")) {
    section.hidden = !section.querySelector(".operation:not([hidden]), li:not([hidden])");
  }
  at("found").textContent = !wanted.length ? "" : count === 1 ? "1 endpoint" : count ? `${count} endpoints` : "No endpoint is called that. Escape shows all again.";
}

/** Open what the address names. */
function follow() {
  const target = location.hash && at(decodeURIComponent(location.hash.slice(1)));
  if (!target || !target.classList.contains("operation")) return;
  target.open = true;
  target.fill();
  target.scrollIntoView();
}

function listen() {
  const search = at("search"), wide = matchMedia("(min-width: 861px)");
  const unfold = () => (at("contents").open = wide.matches);
  unfold();
  wide.addEventListener("change", unfold);
  search.addEventListener("input", narrow);
  addEventListener("hashchange", follow);
  at("nav").addEventListener("click", () => {
    if (!wide.matches) at("contents").open = false;
  });
  addEventListener("keydown", (event) => {
    if (event.key === "/" && document.activeElement !== search) {
      event.preventDefault();
      search.focus();
    } else if (event.key === "Escape" && document.activeElement === search) {
      search.value = "";
      narrow();
    }
  });
}

async function start() {
  try {
    const answered = await fetch("openapi.json");
    if (!answered.ok) throw new Error(`openapi.json: status ${answered.status}`);
    draw(await answered.json());
    listen();
    follow();
  } catch (error) {
    at("sections").append(el("p", { role: "alert" }, `The description could not be read: ${error.message}. Load the page again.`));
  }
}

start();
