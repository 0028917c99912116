// The lists: everybody's, mine, my team's, nobody's, where I am mentioned, put off.
import { call, el, tagOf, teams, when } from "./dom.js";
import { firstClock, stamp } from "./clocks.js";
import { called, state } from "./store.js";

const list = document.getElementById("list");
const more = document.getElementById("more");
const none = document.getElementById("none");
const count = document.getElementById("count");
const filter = document.getElementById("filter");
const team = document.getElementById("team");
const boxes = [...document.querySelectorAll("#boxes button")];
const EMPTY = {
  all: "No open ticket. Import some with ‘paretodesk import’.", mine: "Nothing is assigned to you.",
  team: "Nothing waits in this team.", unassigned: "Everything is assigned.",
  mentions: "Nobody asked you anything.", snoozed: "Nothing is put off.",
};
let openTicket = () => {};
let turn = 0;

export async function load(reset = true) {
  if (reset) Object.assign(state, { tickets: [], offset: 0 });
  document.getElementById("filters").hidden = state.box === "mentions";
  document.getElementById("team-choice").hidden = state.box !== "team";
  const asked = state.box;
  const mine = (turn += 1);
  const overtaken = () => mine !== turn; // the filter or the list was changed while this answer was on its way
  if (asked === "mentions") {
    const told = await call("/v1/mentions");
    if (overtaken()) return;
    more.hidden = true;
    count.textContent = `${told.unread} unread`;
    showUnread(told.unread);
    drawMentions(told.mentions);
    return;
  }
  const query = new URLSearchParams({ offset: state.offset, box: asked });
  if (filter.value) query.set("reason", filter.value);
  const priority = document.getElementById("by-priority").value;
  if (priority) query.set("priority", priority);
  if (asked === "team" && team.value) query.set("team", team.value);
  const page = await call(`/v1/console/tickets?${query}`);
  if (overtaken()) return;
  for (const ticket of page.tickets) stamp(ticket.clocks);
  state.tickets.push(...page.tickets);
  state.offset = state.tickets.length;
  more.hidden = !page.more;
  none.hidden = state.tickets.length > 0;
  none.textContent = EMPTY[asked];
  count.textContent = `${state.tickets.length}${page.more ? "+" : ""}`;
  draw();
}

export function draw() {
  if (state.box === "mentions") return mark();
  list.replaceChildren(...state.tickets.map((t) => el("li", {}, row(t.id,
    el("span", { class: "subject" }, t.subject || t.preview || "(no text)"),
    t.subject && el("span", { class: "preview" }, t.preview),
    el("span", { class: "meta" }, firstClock(t.clocks), tagOf(t), `${t.channel} · ${when(t.created_at)}`),
    el("span", { class: "meta" }, [
      t.team && (teams[t.team] ?? t.team), t.assignee ? called(t.assignee) : "nobody yet",
      state.box === "snoozed" && `until ${when(t.snoozed_until)}`,
    ].filter(Boolean).join(" · "))))));
}

const row = (id, ...children) => el("button",
  { type: "button", "aria-current": String(state.current?.id === id), "data-id": id, onclick: () => openTicket(id) }, ...children);

const mark = () => list.querySelectorAll("button[data-id]").forEach((button) =>
  button.setAttribute("aria-current", String(state.current?.id === button.dataset.id)));

function drawMentions(found) {
  state.tickets = [...new Set(found.map((m) => m.ticket_id))].map((id) => ({ id }));
  none.hidden = found.length > 0;
  none.textContent = EMPTY.mentions;
  const unread = found.some((m) => !m.read_at);
  list.replaceChildren(
    ...(unread ? [el("li", { class: "toolbar all-read" }, el("button", { type: "button", onclick: () => read(null) }, "Mark all as read"))] : []),
    ...found.map((m) => el("li", { class: m.read_at ? "mention" : "mention unread" },
      row(m.ticket_id, el("span", { class: "subject" }, `${called(m.by)}: ${m.text}`),
        el("span", { class: "preview" }, m.subject || m.ticket_id),
        el("span", { class: "meta" }, [when(m.at), m.read_at ? "read" : "not read", m.status === "resolved" && "ticket is closed"].filter(Boolean).join(" · "))),
      !m.read_at && el("button", { type: "button", class: "mark-read", "aria-label": `Mark the note by ${called(m.by)} as read`, onclick: () => read([m.id]) }, "Mark as read"))));
}

async function read(ids) {
  showUnread((await call("/v1/mentions/read", { ids })).unread);
  await load();
}

export function showUnread(number) {
  const badge = document.getElementById("unread");
  badge.textContent = number ? String(number) : "";
  badge.hidden = !number;
  badge.setAttribute("aria-label", `${number} not read`);
}

export function choose(box) {
  state.box = box;
  boxes.forEach((button) => button.setAttribute("aria-pressed", String(button.value === box)));
  return load();
}

export const nextBox = (by) => {
  const at = boxes.findIndex((button) => button.value === state.box);
  return choose(boxes[(at + by + boxes.length) % boxes.length].value);
};

export function start(open) {
  openTicket = open;
  boxes.forEach((button) => button.addEventListener("click", () => choose(button.value)));
  for (const select of [filter, team, document.getElementById("by-priority")]) select.addEventListener("change", () => load());
  more.addEventListener("click", () => load(false));
  document.addEventListener("mentions", (event) => showUnread(event.detail));
}
