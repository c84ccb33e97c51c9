// Forms: a sent form ignores further clicks, and leaving one with unsaved changes asks first.
import { isPlainClick } from "./page.js";

const pending = new Set();
let leaving = false;
let sent = null;

/** Let a form be sent again: it was answered without a new page. */
export function release(form) {
  pending.delete(form);
  for (const button of form.querySelectorAll('[aria-busy="true"]')) button.ariaBusy = null;
}

function isChanged(field) {
  if (field.disabled || field.type === "hidden" || field.type === "submit" || field.type === "button") return false;
  if (field.type === "checkbox" || field.type === "radio") return field.checked !== field.defaultChecked;
  if (field.type === "file") return field.files.length > 0;
  if (field.localName !== "select") return field.defaultValue !== undefined && field.value !== field.defaultValue;
  const set = [...field.options].some((option) => option.defaultSelected);
  if (!set && !field.multiple) return field.selectedIndex > 0;
  return [...field.options].some((option) => option.selected !== option.defaultSelected);
}

// data-guard="dirty": the server sent the form back with what was typed, and nothing of it is saved.
const isDirty = (form) => form.dataset.guard === "dirty" || [...form.elements].some(isChanged);
const dirty = () => [...document.querySelectorAll("form[data-guard]")].filter((form) => form !== sent && isDirty(form));

// In the capture phase, so that a second click reaches nobody.
document.addEventListener("submit", (event) => {
  const form = event.target, button = event.submitter;
  if (form.method !== "post" || event.defaultPrevented) return;
  if (pending.has(form)) {
    event.preventDefault();
    event.stopImmediatePropagation();
    return;
  }
  if (form.target && form.target !== "_self") return;
  pending.add(form);
  // Not `disabled`: that would take the focus away and the button's value out of what is sent.
  (button ?? form.querySelector("button.primary, button"))?.setAttribute("aria-busy", "true");
  if (form.matches("[data-guard]")) sent = form;
}, true);

document.addEventListener("click", (event) => {
  const link = event.target.closest?.("a[href]");
  if (!link || !isPlainClick(event) || link.hasAttribute("download") || link.matches("[data-dialog], [data-leave]")) return;
  if (link.target && link.target !== "_self") return;
  const there = new URL(link.href, location.href);
  if (there.hash && there.href.split("#")[0] === location.href.split("#")[0]) return;
  const dialog = document.getElementById("leave");
  if (!dialog || link.closest("dialog[open]") || dirty().length === 0) return;
  event.preventDefault();
  dialog.querySelector("[data-leave]").href = link.href;
  dialog.showModal();
  dialog.addEventListener("close", () => link.isConnected && link.focus(), { once: true });
});

document.addEventListener("click", (event) => {
  if (event.target.closest?.("[data-leave]") && isPlainClick(event)) leaving = true;
});

// Closing the tab, Back and Reload: only the browser itself can ask.
addEventListener("beforeunload", (event) => {
  if (leaving || dirty().length === 0) return;
  event.preventDefault();
  // Runs only for those who stay: what they had sent was given up with the leaving.
  setTimeout(() => [...pending].forEach(release), 0);
});

addEventListener("pageshow", (event) => {
  if (!event.persisted) return;
  leaving = false;
  sent = null;
  for (const form of [...pending]) release(form);
});
