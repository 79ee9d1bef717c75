// The frame around every view: navigation, the state of the gateway, language, theme and the way out.

import { post } from "./api.js";
import { h, replace, say } from "./dom.js";
import { icon } from "./icons.js";
import { changePassword } from "./views/password.js";
import { connect, connection, disconnect, lastSnapshot, listen } from "./live.js";
import * as router from "./router.js";
import { brand, tastes } from "./tastes.js";
import { busy } from "./toast.js";
import { accountsView } from "./views/accounts.js";
import { dashboardView } from "./views/dashboard.js";
import { keysView } from "./views/keys.js";
import { logsView } from "./views/logs.js";
import { modelsView } from "./views/models.js";
import { playgroundView } from "./views/playground.js";
import { requestsView } from "./views/requests.js";
import { settingsView } from "./views/settings.js";
import { usageView } from "./views/usage.js";
import { t } from "./words.js";

const VIEWS = [
  ["", "dashboard", dashboardView],
  ["accounts", "accounts", accountsView],
  ["keys", "keys", keysView],
  ["models", "models", modelsView],
  ["usage", "usage", usageView],
  ["requests", "requests", requestsView],
  ["logs", "logs", logsView],
  ["playground", "playground", playgroundView],
  ["settings", "settings", settingsView],
];

let heard = new AbortController();

/** `takesFocus`: somebody has just done something; a page that is merely loaded begins at its beginning. */
export function showShell(page, session, redraw, { takesFocus }) {
  heard.abort();
  heard = new AbortController();
  const links = VIEWS.map(([name, drawing, view]) =>
    h("a", { href: `#/${name}`, "data-view": name }, icon(drawing), h("span", {}, t(view.title))),
  );
  const menu = menuButton();
  const main = h("main", { id: "main", tabindex: "-1" });
  const home = h("a", { class: "brand", href: "#/" }, brand(), "iflow2api");
  const shell = h(
    "div",
    { class: "shell", onkeydown: ({ key }) => key === "Escape" && menu.close() && menu.node.focus() },
    h("header", { class: "bar" }, home, gatewayState(), menu.node),
    side(links, session, redraw),
    h("div", { class: "veil", onclick: menu.close }),
    main,
  );
  replace(page, shell);
  for (const [name, , view] of VIEWS) router.register(name, view);
  listen("state", () => resume(main), heard.signal);
  connect();
  router.start(main, takesFocus, (name) => {
    menu.close();
    mark(links, name);
  });
}

/** The gateway is back: what could not be fetched from it is fetched now. */
function resume(main) {
  const isMissing = main.querySelector("[data-unreachable]") !== null;
  if (connection() === "live" && isMissing && !router.isHeld()) router.again();
}

function mark(links, name) {
  for (const link of links) {
    if (link.dataset.view === name) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}

/** Opens the navigation where it has no room of its own; `close()` tells whether it was open. */
function menuButton() {
  const named = { "aria-expanded": "false", "aria-controls": "nav", "aria-label": t("Menu") };
  const isOpen = () => node.getAttribute("aria-expanded") === "true";
  const open = (wanted) => {
    node.setAttribute("aria-expanded", String(wanted));
    node.closest(".shell").classList.toggle("open", wanted);
  };
  const node = h("button", { class: "quiet menu", ...named, onclick: () => open(!isOpen()) }, icon("menu"));
  const close = () => {
    const wasOpen = isOpen();
    open(false);
    return wasOpen;
  };
  return { node, close };
}

function side(links, session, redraw) {
  const version = h("p", { class: "soft" }, `iflow2api ${session.version}`);
  return h(
    "div",
    { class: "side" },
    h("nav", { id: "nav", "aria-label": t("Views") }, links),
    h("div", { class: "foot" }, preferences(session, redraw), version),
  );
}

/** Whether it takes requests, and whether this page still hears from it. */
function gatewayState() {
  const node = h("p", { class: "gateway", role: "status" });
  const draw = () => {
    const snapshot = lastSnapshot();
    const [kind, text] =
      connection() === "lost" ? ["bad", t("Connection lost, trying again")]
      : !snapshot ? ["idle", t("Connecting")]
      : snapshot.draining ? ["warn", t("Stopping")]
      : snapshot.accepting ? ["ok", t("Accepting requests")]
      : ["warn", t("Not accepting requests")];
    node.className = `gateway ${kind}`;
    node.closest(".shell")?.classList.toggle("lost", connection() === "lost");
    say(node, text);
  };
  listen("snapshot", draw, heard.signal);
  listen("state", draw, heard.signal);
  draw();
  return node;
}

function preferences(session, redraw) {
  const leave = async ({ currentTarget }) => {
    if (!(await router.mayLeave())) return;
    const left = await busy(currentTarget, () => post("logout"));
    if (!left) return;
    disconnect();
    redraw({ ...session, signed_in: false, setup_needed: false });
  };
  return [
    h("div", { class: "row tight" }, tastes(redraw, router.mayLeave)),
    h("a", { class: "button quiet small wide", href: "/admin/docs", id: "docs" }, icon("info"), t("API reference")),
    h(
      "button",
      { class: "quiet small wide", onclick: changePassword, id: "password" },
      icon("lock"),
      t("Change password"),
    ),
    h("button", { class: "quiet small wide", onclick: leave, id: "sign-out" }, icon("out"), t("Sign out")),
  ];
}
