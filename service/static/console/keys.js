// Keyboard shortcuts and their help.
import { el } from "./dom.js";
import { ask } from "./dialog.js";
import { assign } from "./handling.js";
import * as list from "./list.js";
import { me, state } from "./store.js";
import { handled, insert, keep, step } from "./ticket.js";

const focus = (id) => document.getElementById(id)?.focus();
const current = (act) => () => state.current && act(state.current);
const KEYS = [
  ["j", "Next ticket", () => step(1)],
  ["k", "Previous ticket", () => step(-1)],
  ["]", "Next list", () => list.nextBox(1)],
  ["[", "Previous list", () => list.nextBox(-1)],
  ["y", "The reason is right", current(() => keep())],
  ["c", "Choose another reason", () => focus("reason")],
  ["1", "Insert the first macro", () => insert(0)],
  ["2", "Insert the second macro", () => insert(1)],
  ["3", "Insert the third macro", () => insert(2)],
  ["r", "Write a reply", () => focus("reply")],
  ["n", "Write a note", () => focus("note")],
  ["a", "Take the ticket", current((ticket) => handled(() => assign(ticket, me()), "It is yours."))],
  ["p", "Set the priority", () => focus("priority")],
  ["s", "Put the ticket off", () => { const menu = document.getElementById("put-off"); if (menu) { menu.open = true; menu.querySelector("button").focus(); } }],
  ["?", "This help", help],
];

function help() {
  ask("Keyboard", el("dl", { class: "keys" }, [...KEYS, ["Esc", "Leave a field"], ["Ctrl Enter", "Save a note"]].flatMap(([key, what]) =>
    [el("dt", {}, el("kbd", {}, key)), el("dd", {}, what)])), { choices: [{ label: "Close", value: null, primary: true }] });
}

export function start() {
  document.getElementById("help").addEventListener("click", help);
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    if (event.target.closest("textarea, input, select")) {
      if (event.key === "Escape") document.getElementById("ticket").focus();
      return;
    }
    const found = KEYS.find(([key]) => key === event.key);
    if (!found) return;
    event.preventDefault();
    found[2]();
  });
}
