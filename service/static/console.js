// The agent's console; its parts lie in ./console/.
import { call } from "./console/dom.js";
import { beat, start as startPresence } from "./console/presence.js";
import * as keys from "./console/keys.js";
import * as list from "./console/list.js";
import { loadColleagues, state } from "./console/store.js";
import { open, reload } from "./console/ticket.js";

const COLLEAGUES_EVERY = 60_000;
const away = document.getElementById("away");

async function colleagues() {
  try {
    await loadColleagues();
  } catch {
    return; // the list of names of before stays
  }
  away.checked = Boolean(state.colleagues.people.find((one) => one.name === state.colleagues.me)?.away);
}

away.addEventListener("change", async () => {
  await call("/v1/presence/away", { away: away.checked }).catch(() => { away.checked = !away.checked; });
});
list.start(open);
keys.start();
startPresence(reload);
await colleagues();
setInterval(colleagues, COLLEAGUES_EVERY);
await list.load();
beat(reload);
