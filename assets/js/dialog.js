// Dialogs. a[data-dialog] leads to a page that is complete by itself; here its [data-dialog-body] is shown over this one.
import { announce } from "./announce.js";
import { release } from "./form-guard.js";
import { ask, go, isPlainClick, parse } from "./page.js";

const FOCUSABLE =
  'a[href]:not([tabindex="-1"]), button:not(:disabled), input:not(:disabled, [type="hidden"]), select:not(:disabled), ' +
  'textarea:not(:disabled), summary, [tabindex="0"]';
const openers = new WeakMap();
let shownUrl = "";

/** Show a <dialog> modally; the focus goes back to where it was when it closes. */
export function showDialog(dialog, opener = document.activeElement) {
  if (dialog.open) return;
  openers.set(dialog, opener);
  dialog.showModal();
}

/** The browser gives the focus back by itself, unless the opener was not focused or a live block replaced it. */
function focusBack(dialog) {
  const opener = openers.get(dialog);
  openers.delete(dialog);
  if (!opener || opener === document.body || (document.activeElement ?? document.body) !== document.body) return;
  const href = opener.getAttribute("href");
  const again = opener.isConnected ? opener : href && document.querySelector(`a[href="${CSS.escape(href)}"]`);
  // An opener inside a menu went out of sight with it.
  const seen = again && !again.checkVisibility() ? again.closest("details")?.querySelector("summary") : again;
  (seen || document.querySelector("main a[href], main button"))?.focus();
}

const place = () => document.querySelector("#dialog [data-dialog-place]");

function fill(doc, url) {
  const body = doc.querySelector("[data-dialog-body]");
  const dialog = document.getElementById("dialog");
  if (!body || !dialog) return false;
  shownUrl = url;
  for (const form of body.querySelectorAll("form")) form.action = new URL(form.getAttribute("action") || "", url).href;
  place().replaceChildren(document.importNode(body, true));
  const heading = place().querySelector("h1, h2");
  if (heading) heading.id = "dialog-title";
  return true;
}

function focusFirst() {
  const inside = place();
  const wrong = inside.querySelector('[role="alert"], .summary');
  if (wrong) {
    wrong.tabIndex = -1;
    wrong.focus();
  } else (inside.querySelector("[autofocus]") ?? inside.querySelector(FOCUSABLE))?.focus();
}

async function open(opener) {
  if (opener.ariaBusy === "true") return;
  opener.ariaBusy = "true";
  try {
    const answer = await ask(opener.href, { headers: { "X-Dialog": "1" } });
    if (answer.status !== 200 || !fill(parse(await answer.text()), opener.href)) return location.assign(opener.href);
    showDialog(document.getElementById("dialog"), opener);
    focusFirst();
  } catch {
    location.assign(opener.href); // the browser says best what is wrong with the way there
  } finally {
    opener.ariaBusy = null;
  }
}

async function send(form, button) {
  const url = button?.hasAttribute("formaction") ? button.formAction : form.action;
  try {
    const answer = await ask(url, { method: "POST", body: new FormData(form, button), headers: { "X-Dialog": "1" } });
    const next = answer.headers.get("X-Location");
    if (next) return go(next);
    const doc = parse(await answer.text());
    if (fill(doc, shownUrl)) return focusFirst();
    fail(form, doc.querySelector("main h1, main [role=alert], h1")?.textContent.trim() || "This was refused.");
  } catch {
    fail(form, "The factory does not answer. Nothing may have changed; try again in a moment.");
  }
}

/** An answer without a dialog body is a refusal or an error page: its sentence is shown and the form stays. */
function fail(form, sentence) {
  release(form);
  form.querySelector(":scope > .summary[data-said]")?.remove();
  const said = document.createElement("div");
  said.className = "summary";
  said.dataset.said = "";
  said.role = "alert";
  said.tabIndex = -1;
  said.textContent = sentence;
  form.prepend(said);
  said.focus();
  announce(sentence);
}

document.addEventListener("click", (event) => {
  const opener = event.target.closest?.("a[data-dialog]");
  if (opener && isPlainClick(event) && document.getElementById("dialog")) {
    event.preventDefault();
    open(opener);
    return;
  }
  const closer = event.target.closest?.("[data-close]");
  const dialog = closer?.closest("dialog") ?? (event.target.matches?.("dialog[data-light]") ? event.target : null);
  if (!dialog) return;
  event.preventDefault();
  dialog.close();
});

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (event.defaultPrevented || form.method !== "post" || !form.closest("#dialog")) return;
  event.preventDefault();
  send(form, event.submitter);
});

// The browser lets Tab leave a modal dialog for its own bars; here it goes round.
document.addEventListener("keydown", (event) => {
  if (event.key !== "Tab" || event.defaultPrevented) return;
  const dialog = [...document.querySelectorAll("dialog[open]")].at(-1);
  if (!dialog) return;
  const all = [...dialog.querySelectorAll(FOCUSABLE)].filter((e) => e.checkVisibility() && e.tabIndex >= 0);
  if (!all.length) return event.preventDefault();
  const edge = event.shiftKey ? all[0] : all.at(-1);
  if (document.activeElement !== edge && dialog.contains(document.activeElement)) return;
  event.preventDefault();
  (event.shiftKey ? all.at(-1) : all[0]).focus();
});

// `close` does not bubble, so it is caught on the way down.
document.addEventListener("close", (event) => {
  if (event.target.localName !== "dialog") return;
  if (event.target.id === "dialog") place().replaceChildren();
  focusBack(event.target);
}, true);

addEventListener("pagehide", () => {
  for (const dialog of document.querySelectorAll("dialog[open]")) dialog.close();
});
