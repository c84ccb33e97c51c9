// Make one element like another by changing only what differs, so that focus, scroll and open details stay as they are.
const KEPT = new Set(["aria-busy", "data-done", "data-full"]);

/** What a child is known by across versions: its id, or for a row its name or its link. */
export function keyOf(node) {
  if (node.nodeType !== Node.ELEMENT_NODE) return "";
  if (node.id) return `#${node.id}`;
  if (!node.hasAttribute("data-row")) return "";
  return node.dataset.row || node.getAttribute("href") || node.querySelector("a[href]")?.getAttribute("href") || "";
}

function attributes(old, fresh) {
  for (const { name, value } of fresh.attributes) {
    if (name === "open" && old.localName === "details") continue;
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  for (const { name } of [...old.attributes]) {
    const mine = KEPT.has(name) || (name === "open" && old.localName === "details") || (name === "title" && old.dataset.full);
    if (!mine && !fresh.hasAttribute(name)) old.removeAttribute(name);
  }
}

const alike = (old, fresh) =>
  old.nodeType === fresh.nodeType && !keyOf(old) && (old.nodeType !== Node.ELEMENT_NODE || old.localName === fresh.localName);

function partner(place, known, fresh) {
  const key = keyOf(fresh);
  if (key) {
    const found = known.get(key);
    return found?.localName === fresh.localName ? found : null;
  }
  let have = place;
  while (have && !alike(have, fresh)) have = have.nextSibling;
  return have;
}

/** Rows of a list that people look at: those there are change in place, new ones wait. Returns how many wait. */
function rowsInPlace(old, fresh) {
  const known = new Map([...old.children].map((row) => [keyOf(row), row]));
  let waiting = 0;
  for (const row of [...fresh.children]) {
    const have = known.get(keyOf(row));
    if (have) morph(have, row);
    else waiting += 1;
  }
  return waiting;
}

/**
 * Change `old` into `fresh`. With `hold`, lists of [data-row] inside [data-live-new] neither gain nor lose nor move rows.
 * Returns the number of rows that were held back. Custom elements and [data-keep] are left alone inside.
 */
export function morph(old, fresh, hold = false) {
  if (old.isEqualNode(fresh)) return 0;
  if (old.nodeType !== Node.ELEMENT_NODE) {
    old.nodeValue = fresh.nodeValue;
    return 0;
  }
  attributes(old, fresh);
  if (old.localName.includes("-") || old.hasAttribute("data-keep")) return 0;
  const held = hold && old.closest("[data-live-new]") && old.querySelector(":scope > [data-row]");
  if (held) return rowsInPlace(old, fresh);
  const known = new Map([...old.children].map((child) => [keyOf(child), child]));
  let place = old.firstChild, waiting = 0;
  for (const want of [...fresh.childNodes]) {
    const have = partner(place, known, want);
    if (!have) {
      old.insertBefore(want, place);
      continue;
    }
    if (have === place) place = place.nextSibling;
    else old.insertBefore(have, place);
    waiting += morph(have, want, hold);
  }
  while (place) {
    const next = place.nextSibling;
    place.remove();
    place = next;
  }
  return waiting;
}
