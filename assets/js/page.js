// Questions about the page and the event that several modules ask.
const TEXTLESS = new Set(["button", "checkbox", "color", "file", "image", "radio", "range", "reset", "submit"]);

/** Whether what is typed now goes into a field, so that a letter is no command. */
export function isTyping(event) {
  const target = event.composedPath?.()[0] ?? event.target;
  if (event.isComposing || !(target instanceof Element)) return Boolean(event.isComposing);
  if (target.localName === "input") return !TEXTLESS.has(target.type);
  return target.localName === "textarea" || target.localName === "select" || target.isContentEditable;
}

/** Whether this key press is a command by a single letter: switched on, not typing, no modifier, no dialog open. */
export function isLetter(event) {
  return (
    !event.defaultPrevented && !event.ctrlKey && !event.metaKey && !event.altKey && !isTyping(event) &&
    document.documentElement.dataset.keys !== "off" && !document.querySelector("dialog[open]")
  );
}

/** Whether a click means "go there": the primary button alone. */
export const isPlainClick = (event) =>
  !event.defaultPrevented && event.button === 0 && !event.ctrlKey && !event.metaKey && !event.shiftKey && !event.altKey;

export const isVisible = (element) => element.checkVisibility({ visibilityProperty: true });

/** The text of a control without its key hints and icons. */
export function labelOf(element) {
  if (element.ariaLabel) return element.ariaLabel;
  const copy = element.cloneNode(true);
  for (const part of copy.querySelectorAll("kbd, svg, .count")) part.remove();
  return copy.textContent.replace(/\s+/g, " ").trim();
}

export const parse = (html) => new DOMParser().parseFromString(html, "text/html");

/**
 * Fetch from our own origin. A redirect comes back as 204 with X-Location (entry/web/redirects.py): following it here
 * would load the next page once for nothing and use up its messages.
 */
export function ask(url, { headers = {}, ...options } = {}) {
  const token = document.querySelector('meta[name="csrf"]')?.content ?? "";
  const sent = { "X-Follow": "no", ...(options.method === "POST" ? { "X-CSRFToken": token } : {}), ...headers };
  return fetch(url, { credentials: "same-origin", cache: "no-store", ...options, headers: sent });
}

/** Go to an address, also when it is the one that is shown. */
export function go(address) {
  const target = new URL(address, location.href);
  const here = target.pathname === location.pathname && target.search === location.search;
  if (!here) return location.assign(target);
  if (target.hash) location.hash = target.hash;
  location.reload();
}
