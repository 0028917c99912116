// What the page knows: the list, the open ticket, and the colleagues.
import { agent, call } from "./dom.js";

export const state = {
  tickets: [], offset: 0, box: "all", current: null, considered: null, openedAt: 0, macro: null,
  colleagues: { me: agent, people: [], teams: [] },
};

export async function loadColleagues() {
  state.colleagues = await call("/v1/colleagues");
}

export const me = () => state.colleagues.me;

export function called(name) {
  const found = state.colleagues.people.find((one) => one.name === name);
  return found && found.display_name !== name ? found.display_name : name;
}
