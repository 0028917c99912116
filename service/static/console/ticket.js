// The open ticket: what was said, what may be answered, what is known.
import { call, el, names, percent, tagOf, teams, url, when, who } from "./dom.js";
import { allClocks, stamp } from "./clocks.js";
import { ask, askWhy } from "./dialog.js";
import { handlingBar } from "./handling.js";
import * as list from "./list.js";
import { notesCard } from "./notes.js";
import { beat, enter, leave as leaveTicket, showOthers } from "./presence.js";
import { called, state } from "./store.js";

const pane = document.getElementById("ticket");
const rows = document.getElementById("list");
const path = (verb) => `/v1/console/tickets/${encodeURIComponent(state.current.id)}/${verb}`;
const QUIET = new Set(["suggested", "noted", "mentioned"]);

let latest = 0;
let sending = false;

export async function open(id, reason) {
  const turn = (latest += 1);
  const ticket = await call(`/v1/console/tickets/${encodeURIComponent(id)}${reason ? `?reason=${encodeURIComponent(reason)}` : ""}`);
  if (turn !== latest) return; // another ticket was chosen while this one was on its way
  const kept = draft(id);
  Object.assign(state, { current: ticket, considered: reason ?? null, macro: kept.macro });
  const row = state.tickets.find((t) => t.id === id);
  stamp(ticket.state.clocks);
  if (row && state.box !== "mentions") Object.assign(row, ticket.state);
  if (!reason) state.openedAt = Date.now();
  enter(id);
  list.draw();
  drawTicket();
  for (const name of ["reply", "note"]) if (kept[name]) document.getElementById(name).value = kept[name];
  showOthers(ticket.others, [], reload);
  beat(reload);
  rows.querySelector('[aria-current="true"]')?.scrollIntoView({ block: "nearest" });
}

export const reload = () => open(state.current.id);

// What somebody wrote is not lost when the same ticket is drawn anew.
function draft(id) {
  if (state.current?.id !== id) return { macro: null };
  return { macro: state.macro, reply: document.getElementById("reply")?.value, note: document.getElementById("note")?.value };
}

function drawTicket() {
  const t = state.current;
  const s = t.suggestions;
  const select = el("select", { id: "reason", "aria-label": "Reason", onchange: (e) => open(t.id, e.target.value) },
    document.getElementById("reasons").content.cloneNode(true));
  select.value = state.considered ?? t.state.reason ?? "other";
  const closed = t.state.status === "resolved";
  pane.replaceChildren(
    el("h1", {}, t.subject || "(no subject)"),
    el("p", { class: "muted" }, [t.customer_name, t.channel, t.order_id && `order ${t.order_id}`, when(t.created_at), t.id].filter(Boolean).join(" · ")),
    el("div", { class: "toolbar" }, closed && el("span", { class: "tag" }, "closed"), tagOf(t.state), allClocks(t.state.clocks)),
    el("div", { class: "toolbar" }, select,
      el("button", { type: "button", class: "primary", onclick: keep }, "Reason is right ", el("kbd", {}, "y")),
      !closed && el("button", { type: "button", onclick: resolve }, "Close without reply")),
    handlingBar(t, handled),
    el("div", { id: "others", "aria-live": "polite" }),
    el("div", { id: "notice", "aria-live": "polite" }),
    ...conversation(t),
    el("div", { class: "columns" },
      el("section", { class: "card" }, el("h2", {}, "Reply"),
        el("label", { class: "visually-hidden", for: "reply" }, "Reply"),
        el("textarea", { id: "reply", lang: s.locale, placeholder: "Insert a macro with 1-3, or write" }),
        el("div", { class: "toolbar" },
          el("button", { type: "button", class: "primary", onclick: () => send(true) }, "Send and close"),
          el("button", { type: "button", onclick: () => send(false) }, "Send, keep open"))),
      notesCard(t, act, reloadWithoutNote),
      el("section", { class: "card" }, el("h2", {}, "Macros"),
        s.macros.length ? s.macros.map(macro) : el("p", { class: "muted" }, "No macro fits this reason and order."),
        s.hidden.map((h) => el("p", { class: "muted" }, `${h.macro_id}: ${h.why}`))),
      el("section", { class: "card" }, el("h2", {}, "Articles"),
        s.passages.length ? s.passages.map((p) => el("details", {}, el("summary", {}, `${p.title}: ${p.heading ?? ""} (${percent(p.probability)})`), el("p", {}, p.passage)))
          : el("p", { class: "muted" }, "No article answers this.")),
      el("section", { class: "card" }, el("h2", {}, "Order"), facts(t.facts)),
      el("section", { class: "card" }, el("h2", {}, "What happened"),
        el("ol", { class: "muted story" }, t.events.filter((e) => !QUIET.has(e.kind)).map((e) => el("li", {}, story(e)))))));
  pane.focus();
}

function conversation(t) {
  const said = t.events.filter((e) => ["customer_wrote", "replied", "macro_sent"].includes(e.kind) && e.data.text);
  return [el("div", { class: "message", lang: t.state.language }, t.body), ...said.map((e) => {
    const customer = e.kind === "customer_wrote";
    const name = customer ? "The customer" : e.data.automatic ? `${called(who(e.actor))}, automatically` : called(who(e.actor));
    return el("div", { class: `message ${customer ? "" : "ours"}` }, el("p", { class: "muted" }, `${name} · ${when(e.at)}`), e.data.text);
  })];
}

function story(event) {
  const { data } = event;
  const what = {
    assigned: () => (data.assignee ? `to ${called(data.assignee)}` : "taken back"),
    routed: () => [data.team && (teams[data.team] ?? data.team), data.assignee && `to ${called(data.assignee)}`, data.priority && `priority ${data.priority}`].filter(Boolean).join(", "),
    priority_set: () => data.priority,
    snoozed: () => `until ${when(data.until)}`,
    retagged: () => `${names[data.instead_of] ?? data.instead_of ?? "nothing"} → ${names[data.reason] ?? data.reason}`,
  }[event.kind]?.();
  return [event.kind.replaceAll("_", " "), what, called(who(event.actor)), when(event.at), data.why].filter(Boolean).join(" · ");
}

function facts(all) {
  const known = Object.entries(all);
  if (!known.length) return el("p", { class: "muted" }, "Nothing is known about this order.");
  return el("dl", { class: "facts" }, known.flatMap(([key, value]) => [el("dt", {}, key), el("dd", {}, String(value))]));
}

function macro(m, index) {
  const ready = m.text != null;
  return el("div", { class: "macro" },
    el("div", { class: "toolbar" }, el("b", {}, m.title),
      el("button", { type: "button", disabled: !ready, onclick: () => insert(index) }, "Insert ", el("kbd", {}, String(index + 1)))),
    ready ? el("pre", {}, m.text) : el("p", { class: "missing" }, `Missing for this order: ${m.missing.join(", ")}`),
    m.warnings.map((w) => el("p", { class: "missing" }, w)));
}

export function insert(index) {
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
  document.getElementById("notice")?.replaceChildren(el("p", { class: kind }, message));
}

async function act(work, done, kind = "done") {
  try {
    await work();
    if (done) tell(done, kind);
    return true;
  } catch (error) {
    const rules = error.problem?.violations?.map((v) => `${v.rule}: ${v.remedy}`).join(" ") ?? "";
    tell(`${error.message} ${rules}`, "problem");
    return false;
  }
}

export async function handled(work, done, gone = false) {
  if (!(await act(work))) return;
  if (gone) return next("Put off. It is in the list ‘Put off’ until then.");
  await reload();
  tell(done, "done");
}

async function reloadWithoutNote() {
  document.getElementById("note").value = "";
  await reload();
}

export async function keep() {
  const chosen = document.getElementById("reason").value;
  const same = chosen === state.current.state.reason;
  const why = same ? null : await askWhy(names[state.current.state.reason], names[chosen]);
  if (!same && !why) return;
  const ok = await act(() => (same ? call(path("confirm"), {}) : call(path("correct"), { reason: chosen, why })));
  if (!ok) return;
  await reload();
  tell(same ? "Reason confirmed." : `Reason is now: ${names[chosen]}.`, "done");
}

// One answer to one press: whoever presses twice means it once.
async function once(work) {
  if (sending) return undefined;
  sending = true;
  try {
    return await work();
  } finally {
    sending = false;
  }
}

const send = (close) => once(() => deliver(close));
const resolve = () => once(close);

async function deliver(close, force = false) {
  const text = document.getElementById("reply").value;
  if (!text.trim()) return tell("Write a reply or insert a macro first.", "problem");
  const seconds = Math.min(3600, (Date.now() - state.openedAt) / 1000);
  const body = { text, macro: state.macro, seconds, resolve: close, force };
  try {
    await call(path("reply"), body, { headers: { "If-Match": `"${state.current.seq}"` } });
  } catch (error) {
    if (error.status === 409 && error.problem?.since) return collided(error.problem, close);
    return act(() => { throw error; });
  }
  state.macro = null;
  document.getElementById("reply").value = "";
  if (close) return next("Sent.");
  await reload();
  tell("Sent.", "done");
}

async function collided(problem, close) {
  const body = [el("p", {}, problem.detail), ...problem.since.filter((one) => one.text).map((one) =>
    el("div", { class: "message ours" }, el("p", { class: "muted" }, `${one.kind === "customer_wrote" ? "The customer" : called(one.who)} · ${when(one.at)}`), one.text))];
  const answer = await ask("Somebody was quicker", body, {
    choices: [{ label: "Read it first", value: "read", primary: true }, { label: "Send mine, too", value: "send" }], wide: true,
  });
  if (answer === "send") return deliver(close, true);
  await reload();
}

async function close() {
  if (await act(() => call(path("resolve"), {}))) await next("Closed.");
}

async function next(message) {
  const at = state.tickets.findIndex((t) => t.id === state.current.id);
  const mentions = state.box === "mentions";
  if (at >= 0 && !mentions) {
    state.tickets.splice(at, 1);
    state.offset = state.tickets.length;
  }
  // where I am mentioned a ticket stays in the list when it is done: go on to the one below
  const following = state.tickets[mentions ? at + 1 : Math.min(Math.max(at, 0), state.tickets.length - 1)];
  if (following && following.id !== state.current.id) {
    await open(following.id);
    return tell(message, "done");
  }
  leaveTicket();
  state.current = null;
  list.draw();
  pane.replaceChildren(el("p", { class: "done", role: "status" }, message), el("p", { class: "empty" }, "Nothing left to do here."));
}

export function step(by) {
  const at = state.tickets.findIndex((t) => t.id === state.current?.id);
  const following = state.tickets[Math.max(0, Math.min(state.tickets.length - 1, at + by))];
  if (following) open(following.id);
}
