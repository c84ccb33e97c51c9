// The palette (Ctrl/Cmd+K): the server's answers, and the current page's actions from [data-key] and [data-go].
// A combobox with a listbox (ARIA Authoring Practices): the focus stays in the field, aria-activedescendant moves.
import { announce } from "./announce.js";
import { showDialog } from "./dialog.js";
import { ask, isVisible, labelOf, parse } from "./page.js";

const PAUSE = 80; // milliseconds of rest in typing before the server is asked
let timer = 0;
let asked = null;
let answer = [];
let actions = [];
let behind = false; // the answers shown are those of an earlier text
let opening = false; // Enter was pressed meanwhile

const dialog = () => document.getElementById("palette");
const field = () => dialog().querySelector("input");
const list = () => dialog().querySelector('[role="listbox"]');
const options = () => [...list().querySelectorAll('[role="option"]')];

export function openPalette() {
  const box = dialog();
  if (!box) return false;
  if (box.open) {
    box.close();
    return true;
  }
  if (document.querySelector("dialog[open]")) return false;
  actions = collect();
  answer = [];
  behind = opening = false;
  field().value = "";
  draw();
  showDialog(box);
  field().focus();
  load();
  return true;
}

function collect() {
  return [...document.querySelectorAll("[data-key], [data-go]")].filter(isVisible).map((element) => ({
    element,
    label: labelOf(element),
    keys: element.dataset.go ? `g ${element.dataset.go}` : element.dataset.key,
    href: element.dataset.go ? element.getAttribute("href") : "",
  }));
}

function option(action) {
  const made = document.createElement("div");
  const name = document.createElement("span"), keys = document.createElement("kbd");
  made.role = "option";
  name.textContent = action.label;
  keys.textContent = action.keys;
  made.append(name, " ", keys);
  made.addEventListener("click", () => {
    dialog().close();
    action.element.click();
  });
  return made;
}

function here(words, known) {
  const fits = actions.filter((action) => {
    const label = action.label.toLowerCase();
    return words.every((word) => label.includes(word)) && !(action.href && known.has(action.href));
  });
  if (!fits.length) return [];
  const group = document.createElement("div"), head = document.createElement("div");
  group.role = "group";
  group.ariaLabel = head.textContent = "On this page";
  head.className = "head";
  head.ariaHidden = "true";
  group.append(head, ...fits.map(option));
  return [group];
}

function draw(problem = "") {
  const words = field().value.toLowerCase().split(/\s+/).filter(Boolean);
  const known = new Set();
  for (const group of answer) for (const link of group.querySelectorAll("[href]")) known.add(link.getAttribute("href"));
  list().replaceChildren(...here(words, known), ...answer);
  const all = options();
  all.forEach((item, index) => {
    item.id = `palette-${index}`;
    item.tabIndex = -1;
  });
  dialog().querySelector(".none").textContent = problem || (all.length ? "" : `Nothing found for “${field().value}”.`);
  field().ariaExpanded = String(all.length > 0);
  choose(0);
}

function choose(index) {
  const all = options();
  all.forEach((item, at) => item.setAttribute("aria-selected", String(at === index)));
  const chosen = all[index];
  if (chosen) field().setAttribute("aria-activedescendant", chosen.id);
  else field().removeAttribute("aria-activedescendant");
  chosen?.scrollIntoView({ block: "nearest" });
}

async function load() {
  asked?.abort();
  asked = new AbortController();
  const { signal } = asked;
  const query = new URLSearchParams({ q: field().value, tenant: dialog().dataset.tenant ?? "" });
  try {
    const reply = await ask(`/palette?${query}`, { signal });
    if (reply.headers.get("X-Location")) throw new Error("signed out");
    const found = reply.ok ? [...parse(await reply.text()).body.children] : [];
    if (signal.aborted) return;
    behind = false;
    answer = found.map((group) => document.importNode(group, true));
    draw(reply.ok ? "" : "The search does not answer just now. Try again in a moment.");
  } catch (error) {
    if (signal.aborted) return;
    behind = false;
    answer = [];
    draw(error.message === "signed out" ? "You are signed out. Reload the page to sign in." : "The factory does not answer. Try again in a moment.");
  }
  if (opening) options()[0]?.click();
  opening = false;
  if (field().value) announce(`${options().length} found`);
}

document.addEventListener("input", (event) => {
  if (!event.target.closest?.("#palette")) return;
  clearTimeout(timer);
  asked?.abort();
  behind = true;
  opening = false;
  draw();
  timer = setTimeout(load, PAUSE);
});

document.addEventListener("keydown", (event) => {
  if (event.isComposing || !event.target.closest?.("#palette[open]")) return;
  const all = options(), at = all.findIndex((item) => item.ariaSelected === "true");
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (step && all.length) {
    event.preventDefault();
    choose((at + step + all.length) % all.length);
  } else if (event.key === "Enter") {
    event.preventDefault();
    // What the page itself offers is up to date at once; what the server says is waited for.
    if (behind && all[at]?.localName !== "div") opening = true;
    else all[at]?.click();
  }
});

document.addEventListener("click", (event) => {
  if (event.target.closest?.("[data-palette]")) openPalette();
});
