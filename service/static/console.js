// The agent's console. Everything that comes from customers is set as text, never as markup.
const main = document.getElementById("main");
const list = document.getElementById("list");
const pane = document.getElementById("ticket");
const filter = document.getElementById("filter");
const more = document.getElementById("more");
const state = { tickets: [], current: null, offset: 0, openedAt: 0, macro: null };
const agent = main.dataset.agent;
const names = Object.fromEntries([...filter.options].filter((o) => o.value).map((o) => [o.value, o.textContent]));

function el(tag, attributes = {}, ...children) {
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

async function call(path, body) {
  const response = await fetch(path, body && {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-CSRF-Token": sessionToken() },
    body: JSON.stringify({ agent, ...body }),
  });
  if (response.status === 401) location.assign(`/login?next=${encodeURIComponent(location.pathname)}`);
  const data = await response.json();
  if (!response.ok) {
    const error = new Error(data.detail || response.statusText);
    error.problem = data;
    throw error;
  }
  return data;
}

const percent = (share) => (share == null ? "" : `${Math.round(share * 100)}%`);
const when = (iso) => new Date(iso).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });

function tagOf(t) {
  const parts = [];
  if (t.guard?.length) parts.push(el("span", { class: "tag guard", title: t.guard.join(", ") }, "person needed"));
  const sure = t.confirmed_by ? "confirmed" : t.decision === "tagged" ? percent(t.confidence) : "undecided";
  const name = names[t.reason] ?? t.reason ?? "no reason yet";
  parts.push(el("span", { class: `tag ${t.decision === "tagged" ? "" : "undecided"}` }, `${name} · ${sure}`));
  return parts;
}

// Remaining times count from what the server said was left, so that a wrong clock on this machine shows nothing wrong.
function stamp(clocks) {
  for (const clock of clocks ?? []) clock.readAt = Date.now();
  return clocks ?? [];
}

function inWords(seconds, day = 24) {
  const minutes = Math.floor(Math.abs(seconds) / 60);
  const parts = [[Math.floor(minutes / 60 / day), "d"], [Math.floor(minutes / 60) % day, "h"], [minutes % 60, "min"]];
  const first = parts.findIndex(([n]) => n > 0);
  return first < 0 ? "under 1 min" : parts.slice(first, first + 2).filter(([n]) => n > 0).map((p) => p.join(" ")).join(" ");
}

function showClock(node) {
  const { clock, label } = node;
  let [text, look] = ["", "ok"];
  // what is left of a paused clock is working time, in which a day has no 24 hours
  if (clock.state === "paused") [text, look] = [`paused, ${inWords(clock.seconds_left, 1e6)} left`, "paused"];
  else {
    const left = clock.seconds_left - (Date.now() - clock.readAt) / 1000;
    const atRisk = clock.at_risk_at && left * 1000 <= new Date(clock.due_at) - new Date(clock.at_risk_at);
    if (left < 0) [text, look] = [`overdue ${inWords(left)}`, "overdue"];
    else [text, look] = [`${inWords(left)} left${atRisk ? ", at risk" : ""}`, atRisk ? "at-risk" : "ok"];
  }
  node.textContent = label ? `${label}: ${text}` : text;
  node.className = `clock ${look}`;
}

function clockNode(clock, label) {
  const due = clock.due_at ? `, due ${when(clock.due_at)}` : "";
  const node = el("span", { title: `${clock.clock.replaceAll("_", " ")}${due}, policy ${clock.policy}` });
  Object.assign(node, { clock, label });
  showClock(node);
  return node;
}

const running = (clocks) => (clocks ?? []).filter((clock) => !clock.stopped_at);
const CLOCKS = { first_response: "First answer", next_response: "Next answer", resolution: "Resolution" };

async function load(reset = true) {
  if (reset) Object.assign(state, { tickets: [], offset: 0 });
  const query = new URLSearchParams({ offset: state.offset });
  if (filter.value) query.set("reason", filter.value);
  const page = await call(`/v1/console/tickets?${query}`);
  for (const ticket of page.tickets) stamp(ticket.clocks);
  state.tickets.push(...page.tickets);
  state.offset = state.tickets.length;
  more.hidden = !page.more;
  document.getElementById("none").hidden = state.tickets.length > 0;
  document.getElementById("count").textContent = `${state.tickets.length}${page.more ? "+" : ""}`;
  drawList();
}

function drawList() {
  list.replaceChildren(...state.tickets.map((t) => el("li", {},
    el("button", { type: "button", "aria-current": String(state.current?.id === t.id), "data-id": t.id, onclick: () => open(t.id) },
      el("span", { class: "subject" }, t.subject || t.preview || "(no text)"),
      t.subject && el("span", { class: "preview" }, t.preview),
      el("span", { class: "meta" }, running(t.clocks).slice(0, 1).map((c) => clockNode(c)), tagOf(t), `${t.channel} · ${when(t.created_at)}`)))));
}

async function open(id, reason) {
  const ticket = await call(`/v1/console/tickets/${encodeURIComponent(id)}${reason ? `?reason=${reason}` : ""}`);
  Object.assign(state, { current: ticket, macro: null });
  const row = state.tickets.find((t) => t.id === id);
  stamp(ticket.state.clocks);
  if (row) row.clocks = ticket.state.clocks;
  if (!reason) state.openedAt = Date.now();
  drawList();
  drawTicket(reason);
  list.querySelector('[aria-current="true"]')?.scrollIntoView({ block: "nearest" });
}

function drawTicket(considered) {
  const t = state.current;
  const s = t.suggestions;
  const select = el("select", { id: "reason", "aria-label": "Reason", onchange: (e) => open(t.id, e.target.value) },
    document.getElementById("reasons").content.cloneNode(true));
  select.value = considered ?? t.state.reason ?? "other";
  pane.replaceChildren(
    el("h1", {}, t.subject || "(no subject)"),
    el("p", { class: "muted" }, [t.customer_name, t.channel, t.order_id && `order ${t.order_id}`, when(t.created_at), t.id].filter(Boolean).join(" · ")),
    el("div", { class: "toolbar" }, tagOf(t.state), running(t.state.clocks).map((c) => clockNode(c, CLOCKS[c.clock]))),
    el("div", { class: "toolbar" }, select,
      el("button", { type: "button", class: "primary", onclick: keep }, "Reason is right ", el("kbd", {}, "y")),
      el("button", { type: "button", onclick: resolve }, "Close without reply")),
    el("div", { id: "notice", "aria-live": "polite" }),
    el("div", { class: "message", lang: t.state.language }, t.body),
    el("div", { class: "columns" },
      el("section", { class: "card" }, el("h2", {}, "Reply"),
        el("label", { class: "visually-hidden", for: "reply" }, "Reply"),
        el("textarea", { id: "reply", lang: s.locale, placeholder: "Insert a macro with 1-3, or write" }),
        el("div", { class: "toolbar" },
          el("button", { type: "button", class: "primary", onclick: () => send(true) }, "Send and close"),
          el("button", { type: "button", onclick: () => send(false) }, "Send, keep open"))),
      el("section", { class: "card" }, el("h2", {}, "Macros"),
        s.macros.length ? s.macros.map(macro) : el("p", { class: "muted" }, "No macro fits this reason and order."),
        s.hidden.map((h) => el("p", { class: "muted" }, `${h.macro_id}: ${h.why}`))),
      el("section", { class: "card" }, el("h2", {}, "Articles"),
        s.passages.length ? s.passages.map((p) => el("details", {}, el("summary", {}, `${p.title}: ${p.heading ?? ""} (${percent(p.probability)})`), el("p", {}, p.passage)))
          : el("p", { class: "muted" }, "No article answers this.")),
      el("section", { class: "card" }, el("h2", {}, "Order"), facts(t.facts)),
      el("section", { class: "card" }, el("h2", {}, "What happened"),
        el("ol", { class: "muted" }, t.events.filter((e) => e.kind !== "suggested").map((e) => el("li", {}, `${e.kind.replaceAll("_", " ")} · ${e.actor} · ${when(e.at)}${e.data.why ? ` · ${e.data.why}` : ""}`))))));
  pane.focus();
}

function facts(all) {
  const rows = Object.entries(all);
  if (!rows.length) return el("p", { class: "muted" }, "Nothing is known about this order.");
  return el("dl", { class: "facts" }, rows.flatMap(([key, value]) => [el("dt", {}, key), el("dd", {}, String(value))]));
}

function macro(m, index) {
  const ready = m.text != null;
  return el("div", { class: "macro" },
    el("div", { class: "toolbar" }, el("b", {}, m.title),
      el("button", { type: "button", disabled: !ready, onclick: () => insert(index) }, "Insert ", el("kbd", {}, String(index + 1)))),
    ready ? el("pre", {}, m.text) : el("p", { class: "missing" }, `Missing for this order: ${m.missing.join(", ")}`),
    m.warnings.map((w) => el("p", { class: "missing" }, w)));
}

function insert(index) {
  const chosen = state.current?.suggestions.macros[index];
  if (!chosen?.text) return;
  state.macro = chosen.macro_id;
  const box = document.getElementById("reply");
  box.value = chosen.text;
  box.focus();
  box.setSelectionRange(0, 0);
  box.scrollTop = 0;
}

function tell(message, kind) {
  const box = document.getElementById("notice");
  box?.replaceChildren(el("p", { class: kind }, message));
}

async function act(work, done) {
  try {
    await work();
    if (done) tell(done, "done");
    return true;
  } catch (error) {
    const rules = error.problem?.violations?.map((v) => `${v.rule}: ${v.remedy}`).join(" ") ?? "";
    tell(`${error.message} ${rules}`, "problem");
    return false;
  }
}

const url = (verb) => `/v1/console/tickets/${encodeURIComponent(state.current.id)}/${verb}`;

async function keep() {
  const chosen = document.getElementById("reason").value;
  const same = chosen === state.current.state.reason;
  const ok = await act(() => (same ? call(url("confirm"), {}) : call(url("correct"), { reason: chosen })));
  if (!ok) return;
  const row = state.tickets.find((t) => t.id === state.current.id);
  await open(state.current.id);
  if (row) Object.assign(row, { ...state.current.state });
  drawList();
  tell(same ? "Reason confirmed." : `Reason is now: ${names[chosen]}.`, "done");
}

async function send(close) {
  const text = document.getElementById("reply").value;
  if (!text.trim()) return tell("Write a reply or insert a macro first.", "problem");
  const seconds = Math.min(3600, (Date.now() - state.openedAt) / 1000);
  if (await act(() => call(url("reply"), { text, macro: state.macro, seconds, resolve: close }), "Sent.")) await leave(close);
}

async function resolve() {
  if (await act(() => call(url("resolve"), {}), "Closed.")) await leave(true);
}

async function leave(closed) {
  if (!closed) return open(state.current.id);
  const at = state.tickets.findIndex((t) => t.id === state.current.id);
  state.tickets.splice(at, 1);
  state.offset -= 1;
  const next = state.tickets[Math.min(at, state.tickets.length - 1)];
  if (next) await open(next.id);
  else { state.current = null; drawList(); pane.replaceChildren(el("p", { class: "empty" }, "Nothing left to do here.")); }
}

function step(by) {
  const at = state.tickets.findIndex((t) => t.id === state.current?.id);
  const next = state.tickets[Math.max(0, Math.min(state.tickets.length - 1, at + by))];
  if (next) open(next.id);
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("textarea, input, select")) {
    if (event.key === "Escape") pane.focus();
    return;
  }
  const keys = {
    j: () => step(1), k: () => step(-1), y: () => state.current && keep(),
    c: () => document.getElementById("reason")?.focus(), r: () => document.getElementById("reply")?.focus(),
    1: () => insert(0), 2: () => insert(1), 3: () => insert(2),
  };
  if (keys[event.key]) { event.preventDefault(); keys[event.key](); }
});
filter.addEventListener("change", () => load());
setInterval(() => document.querySelectorAll(".clock").forEach(showClock), 30_000);
more.addEventListener("click", () => load(false));
load();
