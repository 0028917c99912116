// Who else is at this ticket, and what they did there since it was loaded. One beat every ten seconds.
import { call, el, url, when } from "./dom.js";
import { state } from "./store.js";

const EVERY = 10_000;
const SAID = { replied: "replied", macro_sent: "replied", resolved: "closed the ticket", customer_wrote: "wrote again" };
let at = null;

const doing = () => {
  const box = document.getElementById("reply");
  return box && (box.value.trim() || document.activeElement === box) ? "replying" : "viewing";
};

export async function beat(reload) {
  if (document.hidden) return;
  const id = state.current?.id ?? null;
  try {
    const told = await call("/v1/presence", { ticket_id: id, doing: doing(), seq: state.current?.seq ?? null });
    document.dispatchEvent(new CustomEvent("mentions", { detail: told.unread_mentions }));
    if (state.current?.id === id && id) showOthers(told.others, told.since, reload);
  } catch {
    // the next beat tries again; acts say by themselves when the desk is away
  }
}

export function showOthers(others, since = [], reload = null) {
  const box = document.getElementById("others");
  if (!box) return;
  const lines = others.map((one) => el("p", { class: one.doing === "replying" ? "warning" : "muted" },
    one.doing === "replying" ? `${one.agent} is replying` : `${one.agent} is looking at this, too`));
  const last = since.at(-1);
  if (last) {
    const subject = last.kind === "customer_wrote" ? "The customer" : last.who;
    lines.unshift(el("p", { class: "warning" }, `${subject} ${SAID[last.kind]} at ${when(last.at)}. `,
      reload && el("button", { type: "button", onclick: reload }, "Show it")));
  }
  const key = lines.map((line) => line.textContent).join("\n");
  if (box.dataset.key === key) return; // said again it would be read out again
  box.dataset.key = key;
  box.replaceChildren(...lines);
}

export function enter(id) {
  if (at && at !== id) leave();
  at = id;
}

export function leave(keepalive = false) {
  if (at) call(url(at, "presence"), null, { method: "DELETE", keepalive }).catch(() => {});
  at = null;
}

export function start(reload) {
  setInterval(() => beat(reload), EVERY);
  document.addEventListener("visibilitychange", () => beat(reload));
  // whoever begins to write is seen at once
  document.addEventListener("focusin", (event) => { if (event.target.id === "reply") beat(reload); });
  addEventListener("pagehide", () => leave(true));
  beat(reload);
}
