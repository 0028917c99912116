// Who has a ticket, how urgent it is, and until when it is put off.
import { call, el, teams, url, when } from "./dom.js";
import { called, me, state } from "./store.js";

const PRESETS = { later_today: "Later today", tomorrow_morning: "Tomorrow morning", monday: "Monday" };
const asleep = (t) => t.state.snoozed_until && new Date(t.state.snoozed_until) > new Date();

export function handlingBar(ticket, done) {
  const choice = el("select", { id: "assignee", onchange: (event) => done(() => assign(ticket, event.target.value || null), "Assigned.") },
    el("option", { value: "" }, "nobody"), people(ticket).map(([name, label]) => el("option", { value: name }, label)));
  choice.value = ticket.state.assignee ?? "";
  const priority = el("select", { id: "priority", onchange: (event) => done(() => call(url(ticket.id, "priority"), { priority: event.target.value }), `Priority is ${event.target.value} now.`) },
    document.getElementById("priorities").content.cloneNode(true));
  priority.value = ticket.state.priority;
  const mine = ticket.state.assignee === me();
  return el("div", { class: "toolbar handling" },
    el("label", {}, "Assigned to ", choice),
    !mine && el("button", { type: "button", onclick: () => done(() => assign(ticket, me()), "It is yours.") }, "Take it ", el("kbd", {}, "a")),
    el("label", {}, "Priority ", priority),
    ticket.state.status === "open" && (asleep(ticket) ? back(ticket, done) : putOff(ticket, done)),
    ticket.state.team && el("span", { class: "muted" }, teams[ticket.state.team] ?? ticket.state.team));
}

export const assign = (ticket, assignee) => call(url(ticket.id, "assignment"), { assignee });

function people(ticket) {
  const all = state.colleagues.people.map((one) => [one.name, `${one.display_name}${one.name === me() ? " (me)" : one.here ? (one.away ? " · away" : " · here") : ""}`]);
  const { assignee } = ticket.state;
  return assignee && !all.some(([name]) => name === assignee) ? [[assignee, assignee], ...all] : all;
}

function back(ticket, done) {
  return [el("span", { class: "tag" }, `put off until ${when(ticket.state.snoozed_until)}`),
    el("button", { type: "button", onclick: () => done(() => call(url(ticket.id, "snooze"), null, { method: "DELETE" }), "It is back.") }, "Bring it back")];
}

function putOff(ticket, done) {
  const until = el("input", { type: "datetime-local", id: "until" });
  const later = (body) => done(() => call(url(ticket.id, "snooze"), body), "Put off.", true);
  return el("details", { class: "menu", id: "put-off" }, el("summary", {}, "Put off ", el("kbd", {}, "s")),
    el("div", { class: "card" },
      ticket.snooze.map((offer) => el("button", { type: "button", onclick: () => later({ preset: offer.preset }) }, `${PRESETS[offer.preset]}, ${when(offer.until)}`)),
      el("label", { for: "until" }, "Until"), until,
      el("button", { type: "button", onclick: () => (until.value ? later({ until: new Date(until.value).toISOString() }) : until.focus()) }, "Put off until then"),
      el("p", { class: "muted" }, "It comes back sooner when the customer writes. Its clocks go on.")));
}
