// What the page says, in the language of the person. The English text is the key; the Chinese comes from the server.

const KEPT = "iflow2api.language";
let words = {};
let chosen = "en";

/** The text in the chosen language, with `{name}` filled in. */
export function t(text, values = {}) {
  const said = words[text] ?? text;
  return said.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}

/** Marks a text that is translated where it is shown, not where it is written. */
export function later(text) {
  return text;
}

export const language = () => chosen;
/** For numbers and dates: the person's own English where the browser has one. */
export function locale() {
  if (chosen === "zh") return "zh-CN";
  return navigator.language.startsWith("en") ? navigator.language : "en-GB";
}

/** Speak the language that was chosen here before, else that of the browser. */
export async function loadLanguage() {
  const wanted = localStorage.getItem(KEPT) ?? navigator.language;
  await speak(wanted.toLowerCase().startsWith("zh") ? "zh" : "en");
}

export async function chooseLanguage(name) {
  localStorage.setItem(KEPT, name);
  await speak(name);
}

async function speak(name) {
  words = name === "zh" ? await chinese() : {};
  chosen = name;
  document.documentElement.lang = name === "zh" ? "zh-Hans" : "en";
  for (const node of document.querySelectorAll("[data-t]")) node.textContent = t(node.dataset.t);
}

async function chinese() {
  try {
    const answer = await fetch("/admin/lang/zh.json");
    return answer.ok ? await answer.json() : {};
  } catch {
    return {}; // English is better than no page
  }
}
