// Internal notes, and completing a colleague's name after @.
import { call, el, url, when, who } from "./dom.js";
import { called, state } from "./store.js";

const TYPED = /(?:^|[^\w.@+-])@([\w.@+-]*)$/;

export function notesCard(ticket, act, reopen) {
  const box = el("textarea", {
    id: "note", rows: 3, placeholder: "Only colleagues read this; @name asks somebody", "aria-autocomplete": "list", "aria-controls": "names",
  });
  const names = el("ul", { id: "names", role: "listbox", "aria-label": "Colleagues", hidden: true });
  completion(box, names);
  const save = async () => {
    if (!box.value.trim()) return box.focus();
    let told;
    if (!(await act(async () => { told = await call(url(ticket.id, "notes"), { text: box.value }); }))) return;
    await reopen();
    const asked = told.mentioned.map(called);
    const lost = told.unknown.map((one) => `@${one.name}${one.similar.length ? ` (did you mean ${one.similar.join(", ")}?)` : ""}`);
    await act(async () => {}, ["Note saved.", asked.length ? `Asked: ${asked.join(", ")}.` : "", lost.length ? `Nobody is called ${lost.join(", ")}.` : ""].filter(Boolean).join(" "), lost.length ? "problem" : "done");
  };
  box.addEventListener("keydown", (event) => { if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) save(); });
  const written = ticket.events.filter((event) => event.kind === "noted");
  return el("section", { class: "card notes" }, el("h2", {}, "Notes"),
    written.map((event) => el("div", { class: "note" }, el("p", { class: "muted" }, `${called(who(event.actor))} · ${when(event.at)}`), el("p", {}, event.data.text))),
    el("label", { class: "visually-hidden", for: "note" }, "Note"), el("div", { class: "completed" }, box, names),
    el("div", { class: "toolbar" }, el("button", { type: "button", onclick: save }, "Save note ", el("kbd", {}, "Ctrl Enter"))));
}

function completion(box, names) {
  let at = 0;
  const options = () => [...names.children];
  const close = () => { names.hidden = true; box.removeAttribute("aria-activedescendant"); };
  const point = (index) => {
    at = (index + options().length) % options().length;
    options().forEach((option, i) => option.setAttribute("aria-selected", String(i === at)));
    box.setAttribute("aria-activedescendant", options()[at].id);
    options()[at].scrollIntoView({ block: "nearest" });
  };
  const take = (name) => {
    const [before, after] = [box.value.slice(0, box.selectionStart), box.value.slice(box.selectionStart)];
    const start = before.length - TYPED.exec(before)[1].length;
    box.value = `${before.slice(0, start)}${name} ${after}`;
    box.setSelectionRange(start + name.length + 1, start + name.length + 1);
    close();
    box.focus();
  };
  box.addEventListener("input", () => {
    const typed = TYPED.exec(box.value.slice(0, box.selectionStart));
    const begun = typed?.[1].toLowerCase();
    const fits = typed ? state.colleagues.people.filter((one) => one.name.toLowerCase().startsWith(begun) || one.display_name.toLowerCase().startsWith(begun)).slice(0, 8) : [];
    if (!fits.length) return close();
    names.replaceChildren(...fits.map((one, i) => el("li", { id: `name-${i}`, role: "option", "data-name": one.name, onmousedown: (event) => { event.preventDefault(); take(one.name); } },
      `@${one.name}`, one.display_name !== one.name ? ` ${one.display_name}` : "", one.here && !one.away ? " · here" : "")));
    names.hidden = false;
    point(0);
  });
  box.addEventListener("keydown", (event) => {
    if (names.hidden) return;
    const keys = { ArrowDown: () => point(at + 1), ArrowUp: () => point(at - 1), Enter: () => take(options()[at].dataset.name), Tab: () => take(options()[at].dataset.name), Escape: close };
    if (!keys[event.key]) return;
    event.preventDefault();
    event.stopPropagation();
    event.stopImmediatePropagation();
    keys[event.key]();
  });
  box.addEventListener("blur", close);
}
