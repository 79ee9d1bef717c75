// One answer of a model as it comes: thinking apart, text, and how long and large it was.

import { h, replace, say } from "../dom.js";
import { number, span } from "../format.js";
import { copyButton, problem } from "../parts.js";
import { events } from "../sse.js";
import { t } from "../words.js";
import { answerText } from "./answer_text.js";

const SOON_S = 0.1; // a rate over less says nothing

export function answerBox(model) {
  const told = { begunAt: performance.now(), firstS: null, usage: null, text: "" };
  const parts = drawing(model);
  const add = (delta) => addPieces(delta, told, parts);
  const finish = (note = "") => {
    replace(parts.words, answerText(told.text));
    parts.copy.replaceChildren(...(told.text ? [copyButton(told.text, t("Copy"), { class: "quiet small" })] : []));
    say(parts.facts, factsLine(note, told));
  };
  const take = async (answer, isStream) => {
    if (isStream) {
      for await (const event of events(answer)) {
        if (event.error) throw new Error(event.error.message);
        told.usage = event.usage ?? told.usage;
        add(event.choices?.[0]?.delta ?? {});
      }
    } else {
      const whole = await answer.json();
      told.usage = whole.usage;
      add(whole.choices?.[0]?.message ?? {});
    }
    finish(told.text || !parts.thinking.hidden ? "" : t("The answer is empty."));
  };
  const fail = (error) => {
    if (error.name === "AbortError") return finish(t("Stopped"));
    parts.node.append(problem(error));
    return finish();
  };
  return { node: parts.node, take, fail, text: () => told.text };
}

function drawing(model) {
  const thoughts = h("p", { class: "pre" });
  const summary = h("summary", {}, t("Thinking"));
  const thinking = h("details", { class: "thinking", hidden: true, open: true }, summary, thoughts);
  const words = h("div", { class: "stack tight pre words" });
  const facts = h("p", { class: "soft facts-line", role: "status" });
  const copy = h("div");
  const node = h(
    "article",
    { class: "turn model", "aria-label": t("Answer of {model}", { model }) },
    h("p", { class: "soft" }, model),
    thinking,
    words,
    h("div", { class: "row spread" }, facts, copy),
  );
  return { node, thinking, thoughts, words, facts, copy };
}

const secondsSince = (begunAt) => (performance.now() - begunAt) / 1000;

function addPieces({ content, reasoning_content: reasoning, reasoning: otherName, tool_calls: calls }, told, parts) {
  const thought = reasoning ?? otherName;
  if (told.firstS === null && (content || thought)) told.firstS = secondsSince(told.begunAt);
  if (thought) {
    parts.thinking.hidden = false;
    parts.thoughts.append(thought);
  }
  if (content && !told.text) parts.thinking.open = false;
  const called = (calls ?? []).map((call) => `${call.function?.name ?? ""}${call.function?.arguments ?? ""}`);
  const more = [content ?? "", ...called].join("");
  told.text += more;
  if (more) parts.words.append(more);
}

function factsLine(note, { begunAt, firstS, usage }) {
  const all = secondsSince(begunAt);
  const out = usage?.completion_tokens;
  const streamedS = all - (firstS ?? all);
  const parts = [
    note,
    firstS === null ? "" : t("first after {time}", { time: span(firstS) }),
    t("{time} in all", { time: span(all) }),
    usage ? t("{prompt} in, {completion} out", { prompt: usage.prompt_tokens, completion: out }) : "",
    out && streamedS > SOON_S ? t("{n} tokens/s", { n: number(Number((out / streamedS).toFixed(1))) }) : "",
  ];
  return parts.filter(Boolean).join(" · ");
}
