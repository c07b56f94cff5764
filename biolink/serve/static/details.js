// What is known of the chosen mention: candidates, concepts, why it is NIL; and the acts on it.
import { concept, search } from "./api.js";
import { $, el, pageLink, say } from "./dom.js";
import { idOf, kindClass, nameOf, percent, state } from "./model.js";

const MOST_NAMES = 8;
const WAIT = 200;

export function drawDetails(item, acts) {
  const panel = $("details");
  if (!item) {
    panel.replaceChildren(el("p", { class: "soft" }, "Choose a mention in the text: click it, or press ", el("kbd", {}, "j"), "."));
    return;
  }
  panel.replaceChildren(
    el("h2", {}, item.text),
    el("p", {}, item.type ? el("span", { class: `swatch ${kindClass(item.type)}` }, item.type) : "", " ", el("span", { class: "soft" }, `characters ${item.start}–${item.end}`)),
    item.long_form ? el("p", {}, "Short for ", el("strong", {}, item.long_form)) : "",
    verdict(item),
    buttons(item, acts),
    searchForm(item, acts),
    candidates(item, acts),
  );
}

function verdict(item) {
  const words = { accept: "Accepted.", choose: "Chosen by you.", nil: "NIL, decided by you." };
  const nil = item.nil && !item.decision ? el("span", {}, el("strong", {}, "NIL"), `: ${item.reason}`) : "";
  const chance = item.nil && typeof item.nil_probability === "number" && !item.reason.startsWith("NIL has probability")
    ? el("span", { class: "soft" }, ` Probability of NIL ${percent(item.nil_probability)}.`) : "";
  return el("p", { id: "verdict" }, nil, chance, item.decision ? el("strong", {}, words[item.decision]) : "",
    item.best && item.best.reason && !item.decision ? el("span", { class: "soft" }, `Chosen by ${item.best.reason}.`) : "");
}

function buttons(item, acts) {
  const button = (words, key, action, main = false) => el("button", { type: "button", class: main ? "main" : "", onclick: action, "aria-keyshortcuts": key },
    words, el("kbd", { "aria-hidden": "true" }, key));
  return el("div", { class: "acts", role: "group", "aria-label": "Decide" },
    button(item.nil ? "Accept NIL" : "Accept", "a", acts.accept, true),
    button("NIL", "x", acts.nil),
    button("Search", "s", acts.search),
    button("Span", "e", acts.span),
    button("No mention", "d", acts.remove),
    button("Undo", "u", acts.undo));
}

function candidates(item, acts) {
  if (!item.links.length) return el("p", { class: "soft" }, "No candidates.");
  const list = el("ol", { class: "candidates" });
  item.links.forEach((link, index) => {
    const shown = index === state.candidate;
    const row = el("li", { class: shown ? "shown" : "" },
      el("div", { class: "candidate" },
        el("button", { type: "button", class: "name", "aria-expanded": shown ? "true" : "false", onclick: () => acts.show(index) }, nameOf(link)),
        el("span", { class: "p" }, meter(link.probability), percent(link.probability)),
        el("span", { class: "id" }, idOf(link), link.name && link.name !== nameOf(link) ? `, found as “${link.name}”` : ""),
        el("button", { type: "button", class: "choose", onclick: () => acts.choose(index), "aria-label": `Choose ${nameOf(link)}` }, "Choose", index < 9 ? el("kbd", { "aria-hidden": "true" }, index + 1) : "")));
    if (shown) row.append(more(link));
    list.append(row);
  });
  return el("div", {}, el("h3", {}, "Candidates"), list);
}

function meter(probability) {
  if (typeof probability !== "number") return "";
  return el("meter", { min: 0, max: 1, value: probability, "aria-hidden": "true" });
}

/** The entry of a concept, which arrives later. */
function more(link) {
  const box = el("div", { class: "more" }, "…");
  concept(idOf(link)).then((entry) => box.replaceChildren(...entryParts(entry, link)))
    .catch((error) => box.replaceChildren(el("span", { class: "soft" }, error.message)));
  return box;
}

function entryParts(entry, link) {
  const names = entry.synonyms.filter((name) => name !== entry.name);
  const rest = names.length - MOST_NAMES;
  return [
    el("p", {}, pageLink(entry.url, entry.curie), entry.types.length ? ` · ${entry.types.join(", ")}` : "", entry.taxon && entry.taxon !== entry.curie ? ` · ${entry.taxon}` : ""),
    entry.definitions.length ? el("p", { class: "definition" }, entry.definitions[0]) : el("p", { class: "soft" }, "It has no definition."),
    link.long_form ? el("p", {}, "Linked as ", el("strong", {}, link.long_form)) : "",
    names.length ? el("p", { class: "soft" }, `Also: ${names.slice(0, MOST_NAMES).join("; ")}${rest > 0 ? ` and ${rest} more` : ""}`) : "",
    entry.parents.length ? el("div", {}, el("span", { class: "soft" }, "Directly below"), path(entry.parents)) : "",
    entry.ancestors.length > entry.parents.length ? el("details", {}, el("summary", {}, `${entry.ancestors.length} concepts above it`), path(entry.ancestors)) : "",
  ].filter(Boolean);
}

const path = (concepts) => el("ul", { class: "path" }, ...concepts.map((above) => el("li", {}, pageLink(above.url, above.name))));

function searchForm(item, acts) {
  const found = el("ul", { class: "found", id: "found", "aria-label": "Concepts that were found" });
  const input = el("input", { id: "search", type: "search", autocomplete: "off", placeholder: "name or id", value: "" });
  let timer = 0;
  let asked = 0;
  const ask = async () => {
    const query = input.value.trim();
    asked += 1;
    const mine = asked;
    if (!query) { found.replaceChildren(); return; }
    try {
      const hits = await search(query);
      if (mine !== asked) return;
      found.replaceChildren(...hits.map((hit) => el("li", {}, el("div", { class: "candidate" },
        el("button", { type: "button", class: "name", onclick: () => acts.found(hit) }, hit.name),
        el("span", { class: "p soft" }, hit.types.join(", ")),
        el("span", { class: "id" }, pageLink(hit.url, hit.curie), hit.matched !== hit.name ? `, found as “${hit.matched}”` : "")))));
      say(hits.length ? `${hits.length} concepts were found` : "No concept was found");
    } catch (error) { say(error.message, true); }
  };
  const later = () => { clearTimeout(timer); timer = setTimeout(ask, WAIT); };
  const step = (event) => {
    const names = [...found.querySelectorAll("button.name")];
    const at = names.indexOf(document.activeElement);
    if (event.key === "ArrowDown") { (names[at + 1] || names[0] || input).focus(); event.preventDefault(); }
    if (event.key === "ArrowUp") { (at > 0 ? names[at - 1] : input).focus(); event.preventDefault(); }
    if (event.key === "Escape") { acts.searched(); event.preventDefault(); }
    event.stopPropagation();
  };
  const form = el("form", { id: "search-form", hidden: true, onkeydown: step,
    onsubmit: (event) => { event.preventDefault(); clearTimeout(timer); const first = found.querySelector("button.name"); if (first) first.click(); else ask(); } },
    el("label", { for: "search" }, el("h3", {}, "Search another concept")), input, found);
  input.addEventListener("input", later);
  return form;
}

export function openSearch(words) {
  const form = $("search-form");
  if (!form) return;
  form.hidden = false;
  const input = $("search");
  input.value = words;
  input.focus();
  input.select();
  input.dispatchEvent(new Event("input"));
}
