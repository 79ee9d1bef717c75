// One answer of a model as it comes: thinking apart, text, and how long and large it was.

import { h, say } from "../dom.js";
import { number, span } from "../format.js";
import { problem } from "../parts.js";
import { events } from "../sse.js";
import { t } from "../words.js";

export function answerBox(model) {
  const begunAt = performance.now();
  const seconds = () => (performance.now() - begunAt) / 1000;
  const thoughts = h("p", { class: "pre" });
  const thinking = h(
    "details",
    { class: "thinking", hidden: true, open: true },
    h("summary", {}, t("Thinking")),
    thoughts,
  );
  const words = h("p", { class: "pre words" });
  const facts = h("p", { class: "soft facts-line", role: "status" });
  const node = h(
    "article",
    { class: "turn model", "aria-label": t("Answer of {model}", { model }) },
    h("p", { class: "soft" }, model),
    thinking,
    words,
    facts,
  );
  let firstS = null;
  let usage = null;

  const add = ({ content, reasoning_content: reasoning, reasoning: otherName, tool_calls: calls }) => {
    const thought = reasoning ?? otherName;
    if (firstS === null && (content || thought)) firstS = seconds();
    if (thought) {
      thinking.hidden = false;
      thoughts.append(thought);
    }
    if (content) {
      if (!words.textContent) thinking.open = false;
      words.append(content);
    }
    for (const call of calls ?? []) words.append(`${call.function?.name ?? ""}${call.function?.arguments ?? ""}`);
  };
  const finish = (note = "") => {
    const all = seconds();
    const out = usage?.completion_tokens;
    const perSecond = out / (all - (firstS ?? 0));
    const parts = [
      note,
      firstS === null ? "" : t("first after {time}", { time: span(firstS) }),
      t("{time} in all", { time: span(all) }),
      usage ? t("{prompt} in, {completion} out", { prompt: usage.prompt_tokens, completion: out }) : "",
      Number.isFinite(perSecond) ? t("{n} tokens/s", { n: number(Number(perSecond.toFixed(1))) }) : "",
    ];
    say(facts, parts.filter(Boolean).join(" · "));
  };
  const take = async (answer, isStream) => {
    if (isStream) {
      for await (const event of events(answer)) {
        if (event.error) throw new Error(event.error.message);
        usage = event.usage ?? usage;
        add(event.choices?.[0]?.delta ?? {});
      }
    } else {
      const whole = await answer.json();
      usage = whole.usage;
      add(whole.choices?.[0]?.message ?? {});
    }
    finish();
  };
  const fail = (error) => {
    if (error.name === "AbortError") return finish(t("Stopped"));
    node.append(problem(error));
    return finish();
  };
  return { node, take, fail, text: () => words.textContent };
}
