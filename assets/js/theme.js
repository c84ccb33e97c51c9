// The appearance form works at once: the attribute changes as the choice does, and the server keeps it in a cookie.
import { announce } from "./announce.js";
import { release } from "./form-guard.js";
import { ask } from "./page.js";

const NAMES = ["theme", "density", "keys"];
const root = document.documentElement;

function set(name, value) {
  root.dataset[name] = value;
  for (const field of document.querySelectorAll("form[data-appearance] [name]")) {
    if (field.name !== name) continue;
    if (field.type === "radio") field.checked = field.value === value;
    else if (field.localName === "select") field.value = value;
  }
}

async function save(form, name, value) {
  set(name, value);
  const body = new URLSearchParams({ [name]: value });
  try {
    const answer = await ask(form.action, { method: "POST", body });
    announce(answer.ok ? "Saved" : "This choice was not saved. Reload the page and choose again.");
  } catch {
    announce("This choice was not saved: the factory does not answer. Choose again in a moment.");
  }
  release(form);
}

document.addEventListener("change", (event) => {
  const field = event.target, form = field.form;
  if (form?.matches("form[data-appearance]") && NAMES.includes(field.name)) save(form, field.name, field.value);
});

// A button with a value, such as "Turn single letters off" in the list of keys.
document.addEventListener("submit", (event) => {
  const form = event.target, button = event.submitter;
  if (!form.matches("form[data-appearance]") || !NAMES.includes(button?.name)) return;
  event.preventDefault();
  save(form, button.name, button.value);
}, true);

// A page from the back-forward cache may be older than the last choice.
addEventListener("pageshow", (event) => {
  if (!event.persisted) return;
  for (const name of NAMES) {
    const found = document.cookie.match(new RegExp(`(?:^|; )${name}=([a-z]+)`));
    if (found) set(name, found[1]);
  }
});
