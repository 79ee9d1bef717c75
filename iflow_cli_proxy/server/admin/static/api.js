// The way to the server: JSON in, JSON out, and errors that carry what to do next.

import { language, t } from "./words.js";

let csrf = null;
let onSignedOut = () => {};

/** A refusal of the server, or the lack of one; `hint` is the next thing to try, `param` the field it is about. */
export class ApiError extends Error {
  constructor(status, { kind = "", message = "", hint = "", param = "" } = {}, retryAfterS = 0) {
    super(message || t("The server answered with {status}.", { status }));
    Object.assign(this, { status, kind, hint, param, retryAfterS });
  }
}

/** Called when an answer says that nobody is signed in any more. */
export function whenSignedOut(act) {
  onSignedOut = act;
}

/** Every answer that is a session brings the token that changes must carry. */
export function adopt(session) {
  csrf = session.csrf ?? null;
  return session;
}

export const get = (path, options) => call("GET", path, undefined, options);
export const post = (path, body = {}, options) => call("POST", path, body, options);
export const put = (path, body, options) => call("PUT", path, body, options);
export const patch = (path, body, options) => call("PATCH", path, body, options);
export const remove = (path, options) => call("DELETE", path, {}, options);

/** A path with a query; empty values are left out. */
export function withQuery(path, values) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) {
    if (value !== "" && value !== null && value !== false) query.set(name, value);
  }
  return query.size ? `${path}?${query}` : path;
}

/** The raw answer, for streams; raises ApiError when it is no success. */
export async function send(method, path, body, options) {
  try {
    return await sent(method, path, body, options);
  } catch (error) {
    if (error.kind !== "csrf") throw error;
    adopt(await get("session")); // somebody signed in in another tab: the cookie came here by itself, the token did not
    return sent(method, path, body, options);
  }
}

async function sent(method, path, body, { signal } = {}) {
  const headers = { Accept: "application/json", "Accept-Language": language() };
  if (method !== "GET") headers["Content-Type"] = "application/json";
  if (method !== "GET" && csrf) headers["X-CSRF-Token"] = csrf;
  let answer;
  try {
    const text = body === undefined ? undefined : JSON.stringify(body);
    answer = await fetch(`/admin/${path}`, { method, headers, body: text, signal, credentials: "same-origin" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, {
      kind: "unreachable",
      message: t("The gateway does not answer."),
      hint: t("Check that it is still running; this page goes on by itself when it is back."),
    });
  }
  if (answer.ok) return answer;
  const error = await refusal(answer);
  const isOurs = error.kind && error.kind !== "wrong_password"; // the playground answers in another shape
  if (answer.status === 401 && isOurs) onSignedOut();
  throw error;
}

async function call(method, path, body, options) {
  const answer = await send(method, path, body, options);
  return answer.status === 204 ? null : answer.json();
}

async function refusal(answer) {
  const retryAfterS = Number(answer.headers.get("Retry-After")) || 0;
  try {
    const { error } = await answer.json();
    return new ApiError(answer.status, error ?? {}, retryAfterS);
  } catch {
    return new ApiError(answer.status, {}, retryAfterS);
  }
}
