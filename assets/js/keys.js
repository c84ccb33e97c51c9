// Keys of every page: Ctrl/Cmd+K and Ctrl/Cmd+Enter always; single letters while nothing is typed and data-keys is on.
import { announce, toast } from "./announce.js";
import { copyText } from "./copy.js";
import { showDialog } from "./dialog.js";
import { openMenu } from "./menu.js";
import { isLetter, isVisible, labelOf } from "./page.js";
import { openPalette } from "./palette.js";

const PATIENCE = 1500; // milliseconds for the letter after `g`
let going = 0;

const first = (selector) => [...document.querySelectorAll(selector)].find(isVisible);

/** Do what a control does: a field is focused, everything else is clicked. */
function use(element) {
  if (element.matches("input, textarea, select")) element.focus();
  else element.click();
}

function submit(event) {
  const form = event.target.closest?.("form[data-submit]") ?? (event.target === document.body && first("form[data-submit]"));
  if (!form) return false;
  const buttons = [...form.elements].filter((b) => b.type === "submit");
  form.requestSubmit(buttons.find((b) => b.classList.contains("primary")) ?? buttons[0]);
  return true;
}

async function copyLink() {
  const done = await copyText(location.href);
  const said = done ? "Link copied" : "The browser does not allow copying here. Copy the address from the address bar.";
  announce(said);
  toast(said);
}

export function showKeys() {
  const dialog = document.getElementById("keys");
  if (!dialog) return;
  const place = dialog.querySelector("[data-page-keys]");
  const rows = [...document.querySelectorAll("[data-key], [data-go]")].filter(isVisible).map((element) => {
    const row = document.createElement("div");
    const what = document.createElement("dt"), how = document.createElement("dd");
    what.textContent = labelOf(element);
    const keys = element.dataset.go ? ["g", element.dataset.go] : [element.dataset.key];
    how.append(...keys.map((key) => Object.assign(document.createElement("kbd"), { textContent: key })));
    row.append(what, how);
    return row;
  });
  place.replaceChildren(...rows);
  place.parentElement.hidden = rows.length === 0;
  for (const part of dialog.querySelectorAll("[data-when]")) part.hidden = !document.querySelector(part.dataset.when);
  showDialog(dialog);
}

const COMMANDS = {
  "?": () => showKeys(),
  "/": () => {
    const field = first("[data-filter]");
    field?.focus();
    field?.select?.();
    return Boolean(field);
  },
  t: () => {
    const menu = first("details.switch");
    if (menu) openMenu(menu);
    return Boolean(menu);
  },
  y: () => void copyLink(),
  g: () => {
    going = performance.now();
  },
};

function letter(event) {
  const waited = performance.now() - going;
  const goes = going && waited < PATIENCE;
  going = 0;
  const element = first(`[data-${goes ? "go" : "key"}="${CSS.escape(event.key)}"]:not([aria-disabled="true"], :disabled)`);
  if (element) use(element);
  else if (goes || !Object.hasOwn(COMMANDS, event.key) || COMMANDS[event.key]() === false) return false;
  return true;
}

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.isComposing) return;
  let done = false;
  if ((event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey) {
    if (event.key.toLowerCase() === "k") done = openPalette();
    else if (event.key === "Enter") done = submit(event);
  } else if (event.key.length === 1 && !event.repeat && isLetter(event)) done = letter(event);
  if (done) event.preventDefault();
});

document.addEventListener("click", (event) => {
  if (event.target.closest?.("[data-show-keys]")) showKeys();
});

if (/Mac|iPhone|iPad/.test(navigator.platform)) {
  for (const key of document.querySelectorAll("kbd")) key.textContent = key.textContent.replace(/^Ctrl/, "⌘");
}
