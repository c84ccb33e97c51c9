// One line as nodes. Text of the log only ever becomes text nodes.
import { segments, settled } from "./ansi.js";

export const LONG = 2000;
const ADDRESS = /\bhttps?:\/\/[^\s<>"'`\\^{|}]+/g;

function linked(text) {
  const parts = [];
  let at = 0;
  for (const match of text.matchAll(ADDRESS)) {
    const address = match[0].replace(/[.,;:!?)\]]+$/, "");
    if (!URL.canParse(address)) continue;
    if (match.index > at) parts.push(text.slice(at, match.index));
    const link = document.createElement("a");
    Object.assign(link, { className: "url", href: address, rel: "noopener noreferrer", target: "_blank", textContent: address });
    parts.push(link);
    at = match.index + address.length;
  }
  if (at < text.length) parts.push(text.slice(at));
  return parts;
}

export function fill(span, text) {
  span.replaceChildren();
  for (const [part, names] of segments(text)) {
    const nodes = part.includes("://") ? linked(part) : [part];
    if (!names) span.append(...nodes);
    else {
      const styled = document.createElement("span");
      styled.className = names;
      styled.append(...nodes);
      span.append(styled);
    }
  }
}

/** A row; `tone` is "e", "w" or "", `href` the address of the line, `time` the text of the time column. */
export function makeRow(line, { tone, href, time }) {
  const [number, at, , stream] = line;
  const row = document.createElement("div");
  row.className = `ln ${tone}${stream === "cut" ? " w" : ""}${stream === "note" ? " said" : ""}`;
  row.id = `L${number}`;
  row.dataset.line = number;
  const anchor = document.createElement("a");
  Object.assign(anchor, { href, title: new Date(at).toISOString(), tabIndex: -1 });
  anchor.dataset.n = number;
  anchor.setAttribute("aria-label", `Line ${number}`);
  const clock = document.createElement("i");
  if (time) clock.dataset.t = time;
  const span = document.createElement("span");
  const text = settled(line[4]);
  fill(span, text.length > LONG ? text.slice(0, LONG) : text);
  row.append(anchor, clock, span);
  if (text.length > LONG) row.append(more(span, text));
  return row;
}

function more(span, text) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "more";
  button.textContent = `show ${(text.length - LONG).toLocaleString("en")} more characters`;
  button.addEventListener("click", () => {
    fill(span, text);
    button.remove();
  });
  return button;
}
