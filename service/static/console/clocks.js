// Service-level clocks that count down while the page is open.
import { el, when } from "./dom.js";

const NAMES = { first_response: "First answer", next_response: "Next answer", resolution: "Resolution" };

// Remaining times count from what the server said was left, so that a wrong clock on this machine shows nothing wrong.
export function stamp(clocks) {
  for (const clock of clocks ?? []) clock.readAt = Date.now();
  return clocks ?? [];
}

function inWords(seconds, day = 24) {
  const minutes = Math.floor(Math.abs(seconds) / 60);
  const parts = [[Math.floor(minutes / 60 / day), "d"], [Math.floor(minutes / 60) % day, "h"], [minutes % 60, "min"]];
  const first = parts.findIndex(([n]) => n > 0);
  return first < 0 ? "under 1 min" : parts.slice(first, first + 2).filter(([n]) => n > 0).map((p) => p.join(" ")).join(" ");
}

function show(node) {
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
  show(node);
  return node;
}

const running = (clocks) => (clocks ?? []).filter((clock) => !clock.stopped_at);
export const firstClock = (clocks) => running(clocks).slice(0, 1).map((clock) => clockNode(clock));
export const allClocks = (clocks) => running(clocks).map((clock) => clockNode(clock, NAMES[clock.clock]));

setInterval(() => document.querySelectorAll(".clock").forEach(show), 30_000);
