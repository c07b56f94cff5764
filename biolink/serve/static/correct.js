// Acts: each is checked by the service, and saved there where a file is reviewed.
import { post } from "./api.js";
import { say } from "./dom.js";
import { chosenItem, here, idOf, itemsOf, nameOf, shownItems, state } from "./model.js";
import { selectedSpan, wordEdge } from "./text.js";

/** Send an act and show what the document is after it. */
async function act(record) {
  const entry = here();
  if (entry.busy) return false;
  entry.busy = true;
  try {
    const sent = { start: null, end: null, ...record };
    if (state.reviewing) {
      const { progress, ...view } = await post(`page/review/${state.at}`, sent);
      take(entry, view);
      state.progress = progress;
    } else {
      take(entry, await post("page/act", { document: entry.original, acts: entry.acts, act: sent }));
    }
    return true;
  } catch (error) {
    say(error.message, true);
    return false;
  } finally {
    entry.busy = false;
  }
}

function take(entry, view) {
  entry.view = view;
  entry.acts = view.acts;
}

const place = (item) => ({ mention: item.number, start: item.start, end: item.end, text: item.text, type: item.type });
const meaning = (link) => ({ id: link.concept_id, curie: link.curie || "", name: link.preferred_name || link.name || "" });
const saved = () => (state.reviewing ? "saved" : "kept on this page");

export async function accept(item) {
  const concepts = item.best ? [meaning(item.best)] : [];
  const done = await act({ act: "accept", ...place(item), concepts });
  if (done) say(`“${item.text}”: accepted as ${item.best ? nameOf(item.best) : "NIL"}; ${saved()}.`);
  return done;
}

export async function choose(item, index) {
  const link = item.links[index];
  if (!link) return false;
  const done = await act({ act: "choose", ...place(item), concepts: [meaning(link)], source: "candidate" });
  if (done) say(`“${item.text}”: ${nameOf(link)}, ${idOf(link)}; ${saved()}.`);
  return done;
}

export async function chooseFound(item, hit) {
  const type = hit.types.includes(item.type) || !hit.types.length ? item.type : hit.types[0];
  const done = await act({ act: "choose", ...place(item), type, concepts: [{ id: hit.id, curie: hit.curie, name: hit.name }], source: "search" });
  if (done) say(`“${item.text}”: ${hit.name}, ${hit.curie}; ${saved()}.`);
  return done;
}

export async function nil(item) {
  const done = await act({ act: "nil", ...place(item) });
  if (done) say(`“${item.text}”: NIL; ${saved()}.`);
  return done;
}

export async function remove(item) {
  const done = await act({ act: "remove", ...place(item) });
  if (done) say(`“${item.text}” is no mention; ${saved()}.`);
  return done;
}

export async function undo() {
  if (!here().view.undoable) { say("There is nothing to undo in this document."); return false; }
  const done = await act({ act: "undo" });
  if (done) say(`The last act on this document is taken back; ${saved()}.`);
  return done;
}

/** Begin to change the span of a mention, or that of a new one. */
export function beginSpan(item) {
  const selected = selectedSpan(here().view.document.text);
  const { start, end } = selected || item;
  state.draft = { start, end, number: item.number, type: item.type };
  say(HOW);
}

export function beginMention() {
  const text = here().view.document.text;
  const points = Array.from(text);
  const selected = selectedSpan(text);
  const after = chosenItem() ? chosenItem().end : 0;
  const start = selected ? selected.start : nextWord(points, after);
  const end = selected ? selected.end : wordEdge(points, start, 1);
  state.draft = { start, end, number: null, type: chosenItem() ? chosenItem().type : defaultType() };
  say(HOW);
}

const HOW = "← → move the end, Shift with ← → the beginning, Ctrl by a character; Enter saves, Escape leaves it.";
const defaultType = () => (state.setup.kinds.length ? state.setup.kinds[0] : "");

function nextWord(points, from) {
  let at = from;
  while (at < points.length && !/[\p{L}\p{N}]/u.test(points[at])) at += 1;
  return at < points.length ? at : 0;
}

/** Move an edge of the span that is being changed. */
export function moveEdge(step, beginning, byCharacter) {
  const points = Array.from(here().view.document.text);
  const draft = state.draft;
  const move = (from) => (byCharacter ? from + step : wordEdge(points, from, step, beginning));
  if (beginning) draft.start = Math.max(0, Math.min(move(draft.start), draft.end - 1));
  else draft.end = Math.min(points.length, Math.max(move(draft.end), draft.start + 1));
}

/** Save the span that is being changed; returns the number of its mention, or null. */
export async function saveSpan(type) {
  const draft = state.draft;
  const text = Array.from(here().view.document.text).slice(draft.start, draft.end).join("");
  const spot = { start: draft.start, end: draft.end, text, type };
  const before = new Set(itemsOf(here()).map((item) => item.number));
  const done = draft.number === null ? await act({ act: "add", ...spot }) : await act({ act: "span", mention: draft.number, ...spot });
  if (!done) return null;
  state.draft = null;
  const added = itemsOf(here()).find((item) => !before.has(item.number));
  const number = draft.number === null ? added.number : draft.number;
  await findCandidates(number);
  say(`“${text}”: the span is ${saved()}.`);
  return number;
}

/** Ask for the candidates of a mention that has none, or whose span changed. */
export async function findCandidates(number) {
  const entry = here();
  const item = itemsOf(entry).find((one) => one.number === number);
  if (!item || item.decision) return;
  entry.found = entry.found || new Map();
  const at = `${item.start}-${item.end} ${item.type}`;
  if (entry.found.has(number) && entry.found.get(number).at === at) return;
  try {
    const answer = await post("page/candidates", { text: entry.view.document.text, start: item.start, end: item.end, type: item.type });
    const [mention] = answer.documents[0].mentions;
    entry.found.set(number, { ...mention, links: mention.links || [], at });
    Object.assign((entry.above = entry.above || {}), answer.above);
    Object.assign((entry.names = entry.names || {}), answer.names);
    Object.assign((entry.urls = entry.urls || {}), answer.urls);
  } catch (error) {
    say(error.message, true);
  }
}

/** The next mention, in a direction, among those that are shown; past the end comes the first. */
export function stepped(step, undecidedOnly = false) {
  const items = shownItems().filter((item) => !undecidedOnly || !item.decision || item.number === state.chosen);
  if (!items.length) return null;
  const at = items.findIndex((item) => item.number === state.chosen);
  if (at < 0) return items[step > 0 ? 0 : items.length - 1].number;
  return items[(at + step + items.length) % items.length].number;
}
