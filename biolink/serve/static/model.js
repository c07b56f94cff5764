// What is shown of the documents: kinds, branch, NIL. Offsets are counted in code points, as the
// service counts them; strings of JavaScript are counted in other units.

const KNOWN = ["disease", "chemical", "gene", "species", "cellline", "variant"];
const SOME = 8;

export const state = {
  setup: null,
  reviewing: false,
  documents: [], // {original, acts, view, above, names}
  at: 0,
  chosen: null, // the number of a mention
  candidate: 0, // which of its candidates is shown
  draft: null, // {start, end, number or null}: a span that is being changed
  threshold: 0,
  own: true,
  hiddenKinds: new Set(),
  branch: "",
  filter: "",
  openOnly: false,
  view: "text",
};

export const here = () => state.documents[state.at];

export function kindClass(type) {
  const plain = (type || "").toLowerCase().replace(/[^a-z0-9]/g, "");
  if (KNOWN.includes(plain)) return `k-${plain}`;
  let sum = 0;
  for (const letter of plain) sum = (sum * 31 + letter.codePointAt(0)) % 9973;
  return `k-${sum % SOME}`;
}

/** A probability as it is shown; documents of other tools may have none. */
export const percent = (probability) => (typeof probability === "number" ? probability.toFixed(2) : "–");
export const idOf = (link) => link.curie || link.concept_id;
export const nameOf = (link) => link.preferred_name || link.name;

/** The mentions of a document in the order of the text, with what is decided about each. */
export function itemsOf(entry) {
  if (!entry || !entry.view) return [];
  const { document, mentions } = entry.view;
  return document.mentions
    .map((mention, index) => item(mention, mentions[index], entry))
    .sort((a, b) => a.start - b.start || b.end - a.end || a.number - b.number);
}

function item(mention, reviewed, entry) {
  const found = (entry.found && entry.found.get(reviewed.number)) || null;
  const given = mention.links || [];
  // The candidates of a mention that was added or changed are those that were asked for since.
  const anew = found && !reviewed.decision && (reviewed.changed || !given.length);
  const links = anew ? found.links : given;
  const own = { ...mention, ...reviewed, links, type: mention.type || "" };
  if (anew && reviewed.changed) Object.assign(own, { nil_reason: found.nil_reason || null, nil_probability: found.nil_probability });
  const [nil, reason] = reviewed.decision ? decided(mention) : undecided(own, state);
  return { ...own, nil, reason, best: nil ? null : links[0] };
}

function decided(mention) {
  return mention.links && mention.links.length ? [false, ""] : [true, mention.nil_reason || ""];
}

function undecided(own, { threshold, own: byLinker, reviewing }) {
  const best = own.links[0];
  if (!best || ((byLinker || reviewing) && own.nil_reason)) return [true, own.nil_reason || "no candidate"];
  if (!reviewing && best.probability < threshold) {
    return [true, `probability ${percent(best.probability)} below threshold ${threshold.toFixed(2)}`];
  }
  return [false, ""];
}

/** Whether a mention is of the kinds and of the branch that are wanted. */
export function wanted(item, entry) {
  if (state.hiddenKinds.has(item.type)) return false;
  if (!state.branch) return true;
  return item.best !== null && [idOf(item.best), ...((entry.above || {})[idOf(item.best)] || [])].includes(state.branch);
}

/** Whether a mention fits the words of the filter, too. */
export function fits(item) {
  if (state.openOnly && item.decision) return false;
  const words = state.filter.trim().toLowerCase();
  if (!words) return true;
  const said = [item.text, item.type, item.reason, item.nil ? "nil" : "", item.long_form || ""];
  if (item.best) said.push(idOf(item.best), nameOf(item.best), item.best.name);
  return said.join("\n").toLowerCase().includes(words);
}

export const shownItems = () => itemsOf(here()).filter((item) => wanted(item, here()) && fits(item));
export const chosenItem = () => itemsOf(here()).find((item) => item.number === state.chosen) || null;

/** A document as it is shown, for export. */
export function exported(entry) {
  const mentions = itemsOf(entry).filter((item) => wanted(item, entry)).map((item) => {
    const { number, decision, changed, nil, reason, best, ...mention } = item;
    if (nil) return { ...mention, links: [], nil_reason: reason };
    return { ...mention, nil_reason: null };
  });
  return { ...entry.view.document, mentions };
}

/** The concepts above those that are linked, with the number of mentions below each. */
export function branches(entry) {
  const counts = new Map();
  for (const found of itemsOf(entry)) {
    if (!found.best) continue;
    for (const above of (entry.above || {})[idOf(found.best)] || []) counts.set(above, (counts.get(above) || 0) + 1);
  }
  const names = entry.names || {};
  return [...counts].sort((a, b) => b[1] - a[1] || String(names[a[0]]).localeCompare(String(names[b[0]])))
    .map(([curie, count]) => ({ curie, count, name: names[curie] || curie }));
}
