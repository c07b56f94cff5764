// The text with its mentions, and the places in it that somebody selects.
import { $, el } from "./dom.js";
import { idOf, kindClass, nameOf, percent, state } from "./model.js";

const spansOf = (item) => (item.spans && item.spans.length ? item.spans : [[item.start, item.end]]);

export function describe(item) {
  const kind = item.type ? `, ${item.type}` : "";
  const decision = item.decision ? ", decided" : "";
  if (item.nil) return `${item.text}${kind}, NIL: ${item.reason}${decision}`;
  const long = item.long_form ? `, for ${item.long_form}` : "";
  return `${item.text}${kind}${long}, ${nameOf(item.best)}, ${idOf(item.best)}, probability ${percent(item.best.probability)}${decision}`;
}

/** Draw the text. Where mentions overlap, the shortest gives the colour and takes the click. */
export function drawText(text, items, choose) {
  const points = Array.from(text);
  const draft = state.draft;
  const cuts = new Set([0, points.length]);
  for (const item of items) for (const span of spansOf(item)) span.forEach((at) => cuts.add(at));
  if (draft) cuts.add(draft.start).add(draft.end);
  const marks = [...cuts].sort((a, b) => a - b);
  const begun = new Set();
  const pieces = [];
  for (let n = 0; n + 1 < marks.length; n += 1) {
    const [start, end] = [marks[n], marks[n + 1]];
    const words = points.slice(start, end).join("");
    const at = items.filter((item) => spansOf(item).some(([a, b]) => a <= start && end <= b));
    if (draft && draft.start <= start && end <= draft.end) {
      pieces.push(el("mark", { class: "draft", "data-start": start }, words));
    } else if (!at.length) {
      pieces.push(el("span", { "data-start": start }, words));
    } else {
      pieces.push(marked(start, words, at, begun, choose));
    }
  }
  $("text").replaceChildren(...pieces);
}

function marked(start, words, at, begun, choose) {
  const inner = at.reduce((a, b) => (b.end - b.start < a.end - a.start ? b : a));
  const chosen = at.some((item) => item.number === state.chosen);
  const classes = [kindClass(inner.type)];
  if (inner.nil) classes.push("nil");
  if (chosen) classes.push("chosen");
  const last = start + Array.from(words).length === inner.end;
  if (inner.decision && last) classes.push("decided");
  const first = !begun.has(inner.number);
  begun.add(inner.number);
  const properties = {
    class: classes.join(" "), "data-start": start, "data-number": inner.number,
    title: describe(inner), onclick: () => { if (document.getSelection().isCollapsed) choose(inner.number); },
  };
  if (first) {
    Object.assign(properties, {
      role: "button", tabindex: inner.number === state.chosen || state.chosen === null ? 0 : -1,
      "aria-label": describe(inner), "aria-pressed": inner.number === state.chosen ? "true" : "false",
    });
  }
  return el("mark", properties, words);
}

export function focusOn(number) {
  const mark = document.querySelector(`#text mark[role="button"][data-number="${number}"]`);
  if (mark) {
    mark.focus({ preventScroll: true });
    mark.scrollIntoView({ block: "nearest" });
  }
}

/** The span of the text that is selected, without the white space around it, or null. */
export function selectedSpan(text) {
  const selection = document.getSelection();
  if (!selection || selection.isCollapsed || !selection.rangeCount) return null;
  const range = selection.getRangeAt(0);
  if (!$("text").contains(range.startContainer) || !$("text").contains(range.endContainer)) return null;
  const points = Array.from(text);
  let start = offset(range.startContainer, range.startOffset);
  let end = offset(range.endContainer, range.endOffset);
  while (start < end && !points[start].trim()) start += 1;
  while (end > start && !points[end - 1].trim()) end -= 1;
  return start < end ? { start, end } : null;
}

function offset(node, at) {
  if (node.nodeType === Node.TEXT_NODE) {
    return Number(node.parentElement.dataset.start) + Array.from(node.data.slice(0, at)).length;
  }
  const range = document.createRange();
  range.setStart($("text"), 0);
  range.setEnd(node, at);
  return Array.from(range.toString()).length;
}

/**
 * The place to which the beginning or the end of a span moves, by a word: a beginning stops where
 * words begin, an end where they end.
 */
export function wordEdge(points, from, step, beginning = false) {
  const inWord = (at) => /[\p{L}\p{N}]/u.test(points[step > 0 ? at : at - 1]);
  const inside = (at) => (step > 0 ? at < points.length : at > 0);
  let at = from;
  const pass = (word) => { while (inside(at) && inWord(at) === word) at += step; };
  const grows = beginning === step < 0;
  pass(!grows);
  pass(grows);
  return at;
}
