// A request of the document as one line for a shell.

const quoted = (text) => `'${String(text).replaceAll("'", "'\\''")}'`;

/** `base` is where the gateway is; `key` a shell word that stands for the client key, empty where none is needed;
 * `ways` how one comes in. */
export function curl(base, method, path, example, body, key, ways) {
  const inside = example.path || {};
  const filled = path.replace(/\{(\w+)\}/g, (whole, name) => (name in inside ? encodeURIComponent(inside[name]) : whole));
  const query = new URLSearchParams(example.query || {}).toString();
  const pieces = ["curl"];
  if (body?.stream === true || example.query?.alt === "sse") pieces.push("-N");
  if (method === "delete" || (method !== "get" && body === undefined)) pieces.push("-X", method.toUpperCase());
  else if (method === "put" || method === "patch") pieces.push("-X", method.toUpperCase());
  pieces.push(query || /[{}]/.test(filled) ? quoted(base + filled + (query ? `?${query}` : "")) : base + filled);
  const shows = (name) => ways.some((way) => name in way);
  if (key && shows("bearer") && example.where !== "keys") pieces.push("-H", `"Authorization: Bearer ${key}"`);
  if (shows("adminSession")) pieces.push("-b", `"iflow2api_admin_${new URL(base).port || 80}=$SESSION"`);
  if (path.startsWith("/admin") && method !== "get") pieces.push("-H", quoted(`Origin: ${base}`));
  if (shows("csrfToken")) pieces.push("-H", '"x-csrf-token: $TOKEN"');
  for (const [name, value] of Object.entries(example.headers || {})) pieces.push("-H", quoted(`${name}: ${value}`));
  if (body !== undefined || shows("csrfToken")) pieces.push("-H", quoted("Content-Type: application/json"));
  if (body !== undefined) pieces.push("-d", quoted(JSON.stringify(body)));
  return pieces.join(" ");
}
