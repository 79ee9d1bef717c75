// A conversation with any model, through the gateway as every client goes; nothing of it is kept.

import { get, send } from "../api.js";
import { h, replace } from "../dom.js";
import { field, isGarbled, numberField, textField, toggle } from "../fields.js";
import { icon } from "../icons.js";
import { empty, heading } from "../parts.js";
import { guard } from "../router.js";
import { busy } from "../toast.js";
import { later, t } from "../words.js";
import { answerBox } from "./answer_box.js";

const NEAR_PX = 80;

export const playgroundView = { title: later("Playground"), show };

async function show(root, { signal }) {
  const history = [];
  const talk = h("div", { class: "talk" });
  const nothing = empty(t("Ask something; the answer streams in here."));
  const options = optionFields();
  const form = askForm(options, async (text, buttons) => {
    nothing.remove();
    history.push({ role: "user", content: text });
    const said = await ask(talk, body(options, history), { ...buttons, signal });
    if (said) history.push({ role: "assistant", content: said });
    else history.pop();
    return said;
  });
  const begin = () => (history.splice(0), replace(talk, nothing));
  const clear = h("button", { class: "secondary", onclick: begin }, t("New conversation"));
  begin();
  guard({ isHeld: () => history.length > 0, ask: () => true }, signal);
  root.append(
    heading(t("Playground"), clear),
    h("div", { class: "playground-body" }, h("div", { class: "stack" }, talk, form), options.node),
  );
  const { models } = await get("models", { signal });
  replace(options.names, models.map((model) => h("option", { value: model.id })));
  if (!options.model.input.value && models.length) options.model.input.value = models[0].id;
}

/** `send(text, { submit, stop })` gives the answer; where there was none, the text comes back to be tried again. */
function askForm(options, send) {
  const place = h("textarea", { name: "prompt", rows: 3, placeholder: t("Ctrl+Enter sends it") });
  const prompt = field(t("Your message"), place);
  const submit = h("button", { class: "primary", type: "submit" }, icon("send"), t("Send"));
  const stop = h("button", { class: "danger", type: "button", hidden: true }, icon("stop"), t("Stop"));
  const act = async (event) => {
    event.preventDefault();
    const text = place.value.trim();
    if (submit.getAttribute("aria-busy")) return; // by the keyboard, while an answer comes
    if (!isComplete(prompt, options)) return;
    place.value = "";
    if (!(await send(text, { submit, stop }))) place.value ||= text;
    place.focus();
  };
  const keys = (event) => event.key === "Enter" && (event.ctrlKey || event.metaKey) && form.requestSubmit();
  const buttons = h("footer", { class: "row end" }, stop, submit);
  const form = h("form", { class: "card ask", onsubmit: act, onkeydown: keys, novalidate: true }, prompt.node, buttons);
  return form;
}

/** Otherwise the first field that is not says so. */
function isComplete(prompt, { model, temperature, most }) {
  for (const [one, text] of [[prompt, t("Write something first.")], [model, t("Choose a model first.")]]) {
    if (one.input.value.trim()) continue;
    one.wrong(text);
    one.input.focus();
    return false;
  }
  return !isGarbled([temperature, most]);
}

function optionFields() {
  const names = h("datalist", { id: "playground-models" });
  const model = textField(t("Model"), { name: "model", list: "playground-models", required: true });
  const system = field(t("System message"), h("textarea", { name: "system", rows: 2 }));
  const temperature = numberField(
    t("Temperature"),
    { name: "temperature", inputmode: "decimal", step: "0.1", max: "2", placeholder: t("default") },
  );
  const most = numberField(t("Longest answer, tokens"), { name: "max_tokens", placeholder: t("default") });
  const stream = toggle(t("Stream the answer"), true, { name: "stream" });
  const rest = [system.node, h("div", { class: "columns" }, temperature.node, most.node), stream.node];
  const more = h(
    "details",
    { open: !matchMedia("(max-width: 920px)").matches },
    h("summary", {}, t("More options")),
    h("div", { class: "stack" }, rest),
  );
  const node = h("section", { class: "card stack options", "aria-label": t("Options") }, model.node, names, more);
  return { node, names, model, system, temperature, most, stream };
}

function body({ model, system, temperature, most, stream }, history) {
  const rules = system.input.value.trim();
  const messages = rules ? [{ role: "system", content: rules }, ...history] : history;
  const asked = { model: model.input.value.trim(), messages, stream: stream.input.checked };
  if (temperature.input.value) asked.temperature = Number(temperature.input.value);
  if (most.input.value) asked.max_tokens = Number(most.input.value);
  if (asked.stream) asked.stream_options = { include_usage: true };
  return asked;
}

/** Sends it and shows what comes; returns the text of the answer, "" when there was none. */
async function ask(talk, asked, { submit, stop, signal }) {
  const stopping = new AbortController();
  signal.addEventListener("abort", () => stopping.abort());
  stop.hidden = false;
  stop.onclick = () => stopping.abort();
  const box = answerBox(asked.model);
  talk.append(h("div", { class: "turn you" }, h("p", {}, asked.messages.at(-1).content)), box.node);
  const follow = follower(talk, stopping.signal);
  await busy(submit, async () => {
    try {
      await box.take(await send("POST", "playground", asked, { signal: stopping.signal }), asked.stream);
    } catch (error) {
      box.fail(error);
    }
  });
  stop.hidden = true;
  follow.end();
  return box.text();
}

/** Keeps the newest words in sight as they come, until the person goes back up to read. */
function follower(talk, signal) {
  const page = document.scrollingElement;
  let isFollowing = true;
  const toEnd = () => isFollowing && (page.scrollTop = page.scrollHeight);
  const look = () => (isFollowing = page.scrollHeight - page.scrollTop - page.clientHeight < NEAR_PX);
  addEventListener("wheel", look, { signal, passive: true });
  addEventListener("touchmove", look, { signal, passive: true });
  addEventListener("keyup", look, { signal });
  const growth = new ResizeObserver(toEnd);
  growth.observe(talk);
  return { end: () => requestAnimationFrame(() => (toEnd(), growth.disconnect())) };
}
