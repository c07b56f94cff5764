// The mentions as a table.
import { $, el, pageLink } from "./dom.js";
import { idOf, kindClass, nameOf, percent, state } from "./model.js";

const COLUMNS = [
  ["Mention", (item) => item.text.toLowerCase()],
  ["Kind", (item) => item.type],
  ["Concept", (item) => (item.best ? idOf(item.best) : "")],
  ["Name, or why it is NIL", (item) => (item.best ? nameOf(item.best) : item.reason)],
  ["Probability", (item) => (item.best ? item.best.probability : -1)],
];
const order = { column: null, down: false };

export function drawTable(items, choose, again) {
  const rows = [...items];
  if (order.column !== null) {
    const value = COLUMNS[order.column][1];
    rows.sort((a, b) => (value(a) < value(b) ? -1 : value(a) > value(b) ? 1 : 0));
    if (order.down) rows.reverse();
  }
  const heads = COLUMNS.map(([name], number) => {
    const sorted = order.column === number;
    const arrow = sorted ? (order.down ? " ↓" : " ↑") : "";
    const sort = () => {
      order.down = sorted && !order.down;
      order.column = number;
      again();
    };
    return el("th", { scope: "col", "aria-sort": sorted ? (order.down ? "descending" : "ascending") : "none" },
      el("button", { type: "button", onclick: sort }, name + arrow));
  });
  const body = rows.map((item) => el("tr", { class: item.number === state.chosen ? "chosen" : "" },
    el("td", {}, el("button", { type: "button", "data-number": item.number, onclick: () => choose(item.number) }, item.text),
      item.decision ? " ✓" : ""),
    el("td", {}, item.type ? el("span", { class: `swatch ${kindClass(item.type)}` }, item.type) : ""),
    el("td", { class: "id" }, item.best ? pageLink(item.url, idOf(item.best)) : "NIL"),
    el("td", {}, item.best ? nameOf(item.best) : el("span", { class: "soft" }, item.reason)),
    el("td", { class: "number" }, item.best ? percent(item.best.probability) : "")));
  $("table").replaceChildren(el("table", {},
    el("caption", { class: "unseen" }, "The mentions that are shown"),
    el("thead", {}, el("tr", {}, ...heads)), el("tbody", {}, ...body)));
}
