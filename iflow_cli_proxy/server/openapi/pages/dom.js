// Elements from plain values. Text is always text: nothing of the document is ever read as HTML.

export function el(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value != null) made.setAttribute(name, value);
  }
  made.append(...children.flat().filter((child) => child != null && child !== ""));
  return made;
}

/** A sentence in which `code` stands in backticks. */
export function words(text) {
  return text.split("`").map((piece, at) => (at % 2 ? el("code", {}, piece) : piece));
}

/** Paragraphs, and lists whose lines begin with a dash. */
export function prose(text) {
  return text.split("\n\n").filter(Boolean).map((block) => {
    const lines = block.split("\n");
    if (!lines.every((line) => line.startsWith("- "))) return el("p", {}, words(block));
    return el("ul", {}, lines.map((line) => el("li", {}, words(line.slice(2)))));
  });
}

/** A `details` whose inside is drawn when it is opened for the first time. */
export function fold(attributes, summary, draw) {
  const made = el("details", attributes, el("summary", {}, summary));
  const fill = () => {
    if (made.open && made.childElementCount === 1) made.append(draw());
  };
  made.addEventListener("toggle", fill);
  made.fill = fill;
  return made;
}
