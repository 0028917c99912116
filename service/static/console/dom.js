// Elements, requests and words. Everything that comes from customers is set as text, never as markup.
const main = document.getElementById("main");
export const agent = main.dataset.agent;
export const names = Object.fromEntries(
  [...document.getElementById("filter").options].filter((o) => o.value).map((o) => [o.value, o.textContent]),
);
export const teams = Object.fromEntries(
  [...document.getElementById("team").options].filter((o) => o.value).map((o) => [o.value, o.textContent]),
);

export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (value === true) node.setAttribute(key, "");
    else if (value !== false && value != null) node.setAttribute(key, value);
  }
  node.append(...children.flat().filter((child) => child != null && child !== false));
  return node;
}

// The proof that a request comes from a page of this session; there is none without accounts.
const sessionToken = () => document.cookie.match(/(?:^|; )(?:__Host-)?paretodesk_request=([^;]*)/)?.[1] ?? "";

// Leaves for the sign-in page, unless that would throw away what somebody is writing; true where it stays.
function signInAgain() {
  const written = [...document.querySelectorAll("textarea")].some((box) => box.value.trim());
  if (!written) location.assign(`/login?next=${encodeURIComponent(location.pathname)}`);
  return written;
}

export async function call(path, body, { method, headers = {}, keepalive = false } = {}) {
  const verb = method ?? (body ? "POST" : "GET");
  const sent = verb === "GET" ? undefined : {
    method: verb,
    keepalive,
    headers: { "Content-Type": "application/json", "X-CSRF-Token": sessionToken(), ...headers },
    body: body && JSON.stringify({ agent, ...body }),
  };
  let response;
  try {
    response = await fetch(path, sent);
  } catch {
    throw new Error("The desk cannot be reached. What you wrote is still here; try again in a moment.");
  }
  if (response.status === 401 && signInAgain()) throw new Error("You were signed out. Sign in again in another tab, then try once more; what you wrote is still here.");
  const data = await response.json();
  if (!response.ok) {
    const error = new Error(data.detail || response.statusText);
    error.problem = data;
    error.status = response.status;
    throw error;
  }
  return data;
}

export const percent = (share) => (share == null ? "" : `${Math.round(share * 100)}%`);
export const when = (iso) => new Date(iso).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
export const who = (actor) => actor.replace(/^agent:/, "");
export const url = (id, verb) => `/v1/tickets/${encodeURIComponent(id)}/${verb}`;

export function tagOf(t) {
  const parts = [];
  if (t.priority && t.priority !== "normal") parts.push(el("span", { class: `tag priority ${t.priority}` }, t.priority));
  if (t.guard?.length) parts.push(el("span", { class: "tag guard", title: t.guard.join(", ") }, "person needed"));
  const sure = t.confirmed_by ? "confirmed" : t.decision === "tagged" ? percent(t.confidence) : "undecided";
  const name = names[t.reason] ?? t.reason ?? "no reason yet";
  parts.push(el("span", { class: `tag ${t.decision === "tagged" ? "" : "undecided"}` }, `${name} · ${sure}`));
  return parts;
}
