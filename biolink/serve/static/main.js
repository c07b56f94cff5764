// Ties the page together: what is asked, drawn, and pressed.
import { get, getBlob, link, onTokenNeeded, postBlob, useToken } from "./api.js";
import * as correct from "./correct.js";
import { drawDetails, openSearch } from "./details.js";
import { $, el, save, say } from "./dom.js";
import { branches, chosenItem, exported, here, itemsOf, kindClass, shownItems, state } from "./model.js";
import { drawTable } from "./table.js";
import { drawText, focusOn } from "./text.js";

const KEYS = [
  ["j, →", "the next mention"], ["k, ←", "the mention before"], ["a", "accept what is shown, a link or NIL"],
  ["1 – 9", "choose a candidate"], ["s", "search another concept"], ["x", "NIL"],
  ["e", "change the span; select text first, or use ← → with Shift and Ctrl"], ["m", "add a mention: the text that is selected, or the next word"],
  ["d", "it is no mention"], ["u", "undo the last act on this document"], ["o", "the next undecided mention"],
  ["]", "the next document"], ["[", "the document before"], ["t", "text or table"], ["?", "these keys"],
];

// ---- drawing -------------------------------------------------------------------------------

function draw() {
  const entry = here();
  const shown = Boolean(entry && entry.view);
  $("work").hidden = $("controls").hidden = !shown;
  $("documents").hidden = !state.reviewing && state.documents.length < 2;
  if (!shown) return;
  drawControls(entry);
  const items = shownItems();
  drawText(entry.view.document.text, items, choose);
  drawTable(tabled(items, entry), choose, draw);
  $("text").hidden = state.view !== "text";
  $("table").hidden = state.view !== "table";
  drawDetails(chosenItem(), actions);
  if (state.draft) drawDraft();
}

const tabled = (items, entry) => items.map((item) => ({ ...item, url: item.best ? (entry.urls || {})[item.best.curie || item.best.concept_id] : "" }));

function drawControls(entry) {
  const counts = new Map();
  for (const item of itemsOf(entry)) counts.set(item.type, (counts.get(item.type) || 0) + 1);
  const kinds = new Set([...state.setup.kinds.filter((kind) => counts.has(kind)), ...counts.keys()]);
  keepFocus(() => $("kinds").replaceChildren(el("legend", {}, "Kinds"), ...[...kinds].map((kind) => {
    const box = el("input", { type: "checkbox", id: `kind-${kind}`, checked: !state.hiddenKinds.has(kind), onchange: (event) => {
      if (event.target.checked) state.hiddenKinds.delete(kind); else state.hiddenKinds.add(kind);
      draw();
    } });
    return el("label", { class: "check" }, box, el("span", { class: `swatch ${kindClass(kind)}` }, kind || "no type"), ` ${counts.get(kind)}`);
  })));
  const options = branches(entry).map(({ curie, name, count }) => el("option", { value: curie }, `${name} (${count})`));
  if (state.branch && !options.some((option) => option.value === state.branch)) {
    options.push(el("option", { value: state.branch }, `${(entry.names || {})[state.branch] || state.branch} (0)`));
  }
  $("branch").replaceChildren(el("option", { value: "" }, "all concepts"), ...options);
  $("branch").value = state.branch;
  $("threshold-value").textContent = state.threshold.toFixed(2);
  $("view-text").setAttribute("aria-pressed", String(state.view === "text"));
  $("view-table").setAttribute("aria-pressed", String(state.view === "table"));
  $("corrections").hidden = state.reviewing || !state.documents.some((one) => one.acts.length);
  drawDocuments();
}

function drawDocuments() {
  if ($("document").options.length !== state.documents.length) {
    $("document").replaceChildren(...state.documents.map((_, number) => el("option", { value: number })));
  }
  state.documents.forEach((entry, number) => {
    const done = entry.view ? itemsOf(entry).filter((item) => item.decision).length : entry.decided || 0;
    const all = entry.view ? entry.view.document.mentions.length : entry.mentions || 0;
    $("document").options[number].textContent = `${done === all && (all || state.reviewing) ? "✓ " : ""}${number + 1}. ${entry.title} (${state.reviewing ? `${done} of ` : ""}${all})`;
  });
  $("document").value = String(state.at);
  if (state.progress) {
    const { decided, mentions, finished, documents } = state.progress;
    $("progress").hidden = false;
    $("meter").max = Math.max(1, mentions);
    $("meter").value = decided;
    $("progress-text").textContent = `${decided} of ${mentions} mentions, ${finished} of ${documents} documents`;
  }
}

function keepFocus(change) {
  const id = document.activeElement && document.activeElement.id;
  change();
  if (id && $(id) && document.activeElement !== $(id)) $(id).focus({ preventScroll: true });
}

/** The form for a span that is being changed. */
function drawDraft() {
  const draft = state.draft;
  const words = Array.from(here().view.document.text).slice(draft.start, draft.end).join("");
  const types = [...new Set([...state.setup.kinds, draft.type])];
  const select = el("select", { id: "draft-type", onchange: (event) => { draft.type = event.target.value; } },
    ...types.map((type) => el("option", { value: type, selected: type === draft.type }, type || "no type")));
  $("details").replaceChildren(
    el("h2", {}, draft.number === null ? "A new mention" : "Another span"),
    el("p", { id: "draft-text" }, `“${words}”`),
    el("p", {}, el("label", { for: "draft-type" }, "Kind "), select),
    el("div", { class: "acts" },
      el("button", { type: "button", class: "main", id: "draft-save", onclick: saveDraft }, "Save", el("kbd", { "aria-hidden": "true" }, "Enter")),
      el("button", { type: "button", onclick: leaveDraft }, "Leave it", el("kbd", { "aria-hidden": "true" }, "Escape"))));
}

// ---- choosing and deciding -------------------------------------------------------------------

async function choose(number, focus = true) {
  state.chosen = number;
  state.candidate = 0;
  state.draft = null;
  draw();
  if (focus && state.view === "text") focusOn(number);
  const item = chosenItem();
  if (item && !item.decision && (item.changed || !item.links.length)) {
    await correct.findCandidates(number);
    if (state.chosen === number && !state.draft && document.activeElement !== $("search")) {
      draw();
      if (focus && state.view === "text") focusOn(number);
    }
  }
}

/** After an act: the next undecided mention in a review, otherwise the same one. */
async function settle(done) {
  if (!done) return;
  const next = state.reviewing ? correct.stepped(1, true) : state.chosen;
  await choose(itemsOf(here()).some((item) => item.number === next) ? next : correct.stepped(1));
}

const onChosen = (action) => async (...values) => {
  const item = chosenItem();
  if (!item) { say("Choose a mention first."); return; }
  await action(item, ...values);
};

const actions = {
  accept: onChosen(async (item) => settle(await correct.accept(item))),
  nil: onChosen(async (item) => settle(await correct.nil(item))),
  remove: onChosen(async (item) => {
    const next = correct.stepped(1);
    if (await correct.remove(item)) await choose(next === item.number ? null : next);
  }),
  choose: onChosen(async (item, index) => settle(await correct.choose(item, index))),
  found: onChosen(async (item, hit) => settle(await correct.chooseFound(item, hit))),
  search: onChosen((item) => openSearch(item.text)),
  searched: () => { draw(); if (state.chosen !== null) focusOn(state.chosen); },
  span: onChosen((item) => { correct.beginSpan(item); draw(); }),
  show: (index) => {
    state.candidate = index;
    draw();
    const names = document.querySelectorAll("#details button.name[aria-expanded]");
    if (names[index]) names[index].focus();
  },
  undo: async () => { if (await correct.undo()) await choose(chosenItem() ? state.chosen : correct.stepped(1)); },
};

async function saveDraft() {
  const number = await correct.saveSpan(state.draft.type);
  if (number !== null) await choose(number);
}

function leaveDraft() {
  state.draft = null;
  say("");
  draw();
  if (state.chosen !== null) focusOn(state.chosen);
}

// ---- documents -------------------------------------------------------------------------------

const titleOf = (document) => (document.text.trim().split("\n")[0] || document.id).slice(0, 70);

async function linkContent(content, name) {
  const words = name || "the text";
  say(`Linking ${words} …`);
  document.body.setAttribute("aria-busy", "true");
  try {
    const answer = await link(content, name);
    state.documents = answer.documents.map((one) => ({
      original: one, acts: [], title: titleOf(one), above: answer.above, names: answer.names, urls: answer.urls,
      view: { document: one, mentions: one.mentions.map((_, number) => ({ number, decision: "", changed: false })), acts: [], undoable: 0 },
    }));
    Object.assign(state, { at: 0, chosen: null, draft: null, branch: "" });
    $("source").rows = 2; // what was found has the room
    draw();
    const count = answer.documents.reduce((sum, one) => sum + one.mentions.length, 0);
    const read = answer.format === "text" ? "" : `, read as ${answer.format}`;
    say([`${count} mentions in ${answer.documents.length === 1 ? "one document" : `${answer.documents.length} documents`}${read}.`, ...answer.problems].join(" "), answer.problems.length > 0);
  } catch (error) {
    say(error.message, true);
  } finally {
    document.body.removeAttribute("aria-busy");
  }
}

async function openDocument(number) {
  if (number < 0 || number >= state.documents.length) return;
  state.at = number;
  Object.assign(state, { chosen: null, draft: null });
  const entry = here();
  try {
    if (state.reviewing && !entry.view) {
      const { progress, above, names, urls, ...view } = await get(`page/review/${number}`);
      Object.assign(entry, { view, acts: view.acts, above, names, urls });
      state.progress = progress;
    }
    draw();
    if (state.reviewing) await choose(correct.stepped(1, true));
  } catch (error) {
    say(error.message, true);
  }
}

async function beginReview() {
  const summary = await get("page/review");
  state.reviewing = true;
  state.progress = summary.progress;
  state.documents = summary.documents.map((one) => ({ ...one, title: one.begins.split("\n")[0].slice(0, 60) || one.id, acts: [] }));
  $("input").hidden = $("threshold-field").hidden = true;
  $("open-field").hidden = false;
  $("subtitle").textContent = `Review of ${summary.name}; every act is saved in ${state.setup.saved}`;
  document.title = `${summary.name} – biolink review`;
  const open = summary.documents.findIndex((one) => one.decided < one.mentions);
  await openDocument(open < 0 ? 0 : open);
}

async function exportAll() {
  const kind = $("format").value;
  const suffix = $("format").selectedOptions[0].dataset.suffix;
  try {
    const blob = state.reviewing ? await getBlob(`page/review/export?format=${kind}`)
      : await postBlob(`page/export?format=${kind}`, { documents: state.documents.map(exported) });
    save(blob, `linked${suffix}`);
    say(`linked${suffix} is saved where your browser keeps its downloads.`);
  } catch (error) { say(error.message, true); }
}

async function saveCorrections() {
  try {
    const corrected = state.documents.filter((one) => one.acts.length);
    const blob = await postBlob("page/corrections", { documents: corrected.map((one) => one.original), acts: corrected.map((one) => one.acts) });
    save(blob, "corrections.jsonl");
    say("corrections.jsonl is saved where your browser keeps its downloads.");
  } catch (error) { say(error.message, true); }
}

// ---- events ----------------------------------------------------------------------------------

function pressed(event) {
  if (event.altKey || event.metaKey || $("help").open) return;
  const inField = /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName) && event.target.type !== "checkbox";
  if (state.draft && !(inField && event.target.id !== "draft-type")) {
    if (pressedInDraft(event)) event.preventDefault();
    return;
  }
  if (event.ctrlKey || inField || !here() || !here().view) return;
  const onMark = event.target.tagName === "MARK";
  const action = {
    j: () => step(1), k: () => step(-1), o: () => step(1, true),
    a: actions.accept, x: actions.nil, s: actions.search, e: actions.span, d: actions.remove, u: actions.undo,
    m: () => { correct.beginMention(); draw(); },
    "]": () => openDocument(state.at + 1), "[": () => openDocument(state.at - 1),
    t: () => show(state.view === "text" ? "table" : "text"), "?": () => $("help").showModal(),
    ...(onMark ? { ArrowRight: () => step(1), ArrowLeft: () => step(-1), Enter: () => choose(Number(event.target.dataset.number)), " ": () => choose(Number(event.target.dataset.number)) } : {}),
  }[event.key] || (/^[1-9]$/.test(event.key) && state.chosen !== null ? () => actions.choose(Number(event.key) - 1) : null);
  if (action) {
    event.preventDefault();
    action();
  }
}

function pressedInDraft(event) {
  if (event.key === "Escape") leaveDraft();
  else if (event.key === "Enter" && event.target.tagName !== "BUTTON") saveDraft();
  else if (event.target.id !== "draft-type" && /^Arrow(Left|Right)$/.test(event.key)) {
    correct.moveEdge(event.key === "ArrowRight" ? 1 : -1, event.shiftKey, event.ctrlKey);
    draw();
  } else return false;
  return true;
}

function step(by, undecidedOnly = false) {
  const number = correct.stepped(by, undecidedOnly);
  if (number === null) say("No mention is shown.");
  else choose(number);
}

function show(view) {
  state.view = view;
  draw();
}

function listen() {
  document.addEventListener("keydown", pressed);
  $("input").addEventListener("submit", (event) => { event.preventDefault(); linkContent($("source").value, ""); });
  $("source").addEventListener("keydown", (event) => { if (event.key === "Enter" && event.ctrlKey) linkContent($("source").value, ""); });
  $("file").addEventListener("change", () => { const [file] = $("file").files; if (file) linkContent(file, file.name); $("file").value = ""; });
  for (const kind of ["dragover", "dragleave", "drop"]) {
    document.addEventListener(kind, (event) => {
      event.preventDefault();
      if (state.reviewing) return;
      $("input").classList.toggle("over", kind === "dragover");
      if (kind !== "drop") return;
      const [file] = event.dataTransfer.files;
      if (file) linkContent(file, file.name);
      else { $("source").value = event.dataTransfer.getData("text/plain"); linkContent($("source").value, ""); }
    });
  }
  $("example").addEventListener("change", () => {
    const example = state.setup.examples[$("example").value];
    if (example) { $("source").value = example.text; linkContent(example.text, ""); }
  });
  $("threshold").addEventListener("input", () => { state.threshold = Number($("threshold").value); draw(); });
  $("own").addEventListener("change", () => { state.own = $("own").checked; draw(); });
  $("branch").addEventListener("change", () => { state.branch = $("branch").value; draw(); });
  $("filter").addEventListener("input", () => { state.filter = $("filter").value; draw(); });
  $("open").addEventListener("change", () => { state.openOnly = $("open").checked; draw(); });
  $("view-text").addEventListener("click", () => show("text"));
  $("view-table").addEventListener("click", () => show("table"));
  $("export").addEventListener("click", exportAll);
  $("corrections").addEventListener("click", saveCorrections);
  $("document").addEventListener("change", () => openDocument(Number($("document").value)));
  $("previous").addEventListener("click", () => openDocument(state.at - 1));
  $("next").addEventListener("click", () => openDocument(state.at + 1));
  $("help-open").addEventListener("click", () => $("help").showModal());
  $("help-close").addEventListener("click", () => $("help").close());
  $("keys").replaceChildren(...KEYS.flatMap(([key, does]) => [el("dt", {}, el("kbd", {}, key)), el("dd", {}, does)]));
  $("token-form").addEventListener("submit", (event) => { event.preventDefault(); useToken($("token").value.trim()); $("token-form").hidden = true; begin(); });
  onTokenNeeded(() => { $("token-form").hidden = false; $("token").focus(); });
  window.addEventListener("beforeunload", (event) => { if (!state.reviewing && state.documents.some((one) => one.acts.length)) event.preventDefault(); });
}

async function begin() {
  try {
    state.setup = await get("page/setup");
    $("example").replaceChildren(el("option", { value: "" }, "Examples …"), ...state.setup.examples.map((one, number) => el("option", { value: number }, one.title)));
    $("format").replaceChildren(...state.setup.formats.map((one) => el("option", { value: one.name, "data-suffix": one.suffix, title: one.label }, one.name)));
    $("format").value = "jsonl";
    if (state.setup.review !== null) await beginReview();
    say(state.setup.review === null ? `biolink ${state.setup.version} links ${state.setup.kinds.join(", ") || "concepts"}.` : "");
    document.body.dataset.ready = "yes";
  } catch (error) { say(error.message, true); }
}

listen();
begin();
