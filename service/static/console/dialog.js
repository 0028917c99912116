// Questions that wait for an answer: the browser's own dialog keeps the focus inside, and Escape means no.
import { el } from "./dom.js";

export function ask(title, body, { choices = [], wide = false } = {}) {
  return new Promise((answer) => {
    const before = document.activeElement;
    const dialog = el("dialog", { "aria-labelledby": "dialog-title", class: wide ? "wide" : "" });
    const close = (value) => { dialog.returnValue = ""; dialog.answer = value; dialog.close(); };
    dialog.append(
      el("h2", { id: "dialog-title" }, title),
      ...[typeof body === "function" ? body(close) : body].flat(),
      el("div", { class: "toolbar" }, choices.map(({ label, value, primary }) =>
        el("button", { type: "button", class: primary ? "primary" : "", onclick: () => close(value) }, label))),
    );
    dialog.addEventListener("close", () => {
      dialog.remove();
      if (before?.isConnected) before.focus();
      answer(dialog.answer);
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

// Why another reason is right: one click on a typical answer, or own words.
export function askWhy(from, to) {
  const typical = [...document.getElementById("whys").content.querySelectorAll("li")].map((li) => li.textContent);
  return ask(`Why is it ‘${to}’?`, (close) => {
    const own = el("input", { id: "own-why", maxlength: 1000, autocomplete: "off" });
    return [
      el("p", { class: "muted" }, from ? `Instead of ‘${from}’. The next model learns from your answer.` : "The next model learns from your answer."),
      el("div", { class: "choices" }, typical.map((why) => el("button", { type: "button", onclick: () => close(why) }, why))),
      el("form", { class: "toolbar", onsubmit: (event) => { event.preventDefault(); if (own.value.trim()) close(own.value.trim()); else own.focus(); } },
        el("label", { for: "own-why" }, "In your own words"), own, el("button", { type: "submit" }, "Save")),
    ];
  }, { choices: [{ label: "Cancel", value: null }] });
}
