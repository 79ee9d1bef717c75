// A request of the document as one line for a shell.

const quoted = (text) => `'${String(text).replaceAll("'", "'\\''")}'`;

/** `base` is where the gateway is; `key` a shell word that stands for the client key, empty where none is needed. */
export function curl(base, method, path, example, body, key) {
  const inside = example.path || {};
  const filled = path.replace(/\{(\w+)\}/g, (whole, name) => (name in inside ? encodeURIComponent(inside[name]) : whole));
  const query = new URLSearchParams(example.query || {}).toString();
  const pieces = ["curl"];
  if (body?.stream === true || example.query?.alt === "sse") pieces.push("-N");
  if (method === "delete" || (method !== "get" && body === undefined)) pieces.push("-X", method.toUpperCase());
  else if (method === "put" || method === "patch") pieces.push("-X", method.toUpperCase());
  pieces.push(query || /[{}]/.test(filled) ? quoted(base + filled + (query ? `?${query}` : "")) : base + filled);
  if (key && example.where !== "keys") pieces.push("-H", `"Authorization: Bearer ${key}"`);
  for (const [name, value] of Object.entries(example.headers || {})) pieces.push("-H", quoted(`${name}: ${value}`));
  if (body !== undefined) pieces.push("-H", quoted("Content-Type: application/json"), "-d", quoted(JSON.stringify(body)));
  return pieces.join(" ");
}
