// Copy buttons: [data-copy]. "Copied" is shown on the button itself and read out.
import { announce } from "./announce.js";

const SHOWN = 2000;
const timers = new WeakMap();

/** Put text on the clipboard; answers whether it worked. Plain http has no clipboard API, so the old way is kept. */
export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyBySelection(text);
  }
}

function copyBySelection(text) {
  const before = document.activeElement;
  const field = document.createElement("textarea");
  field.value = text;
  field.readOnly = true;
  field.className = "vh";
  (document.querySelector("dialog[open]") ?? document.body).append(field);
  field.select();
  const done = document.execCommand("copy");
  field.remove();
  before?.focus?.({ preventScroll: true });
  return done;
}

function say(button, word) {
  clearTimeout(timers.get(button));
  const said = button.querySelector(".said") ?? button.appendChild(document.createElement("span"));
  said.className = "said";
  said.ariaHidden = "true"; // it is announced
  said.textContent = word;
  button.dataset.done = "";
  timers.set(button, setTimeout(() => { said.remove(); delete button.dataset.done; }, SHOWN));
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest?.("[data-copy]");
  if (!button) return;
  event.preventDefault();
  const done = await copyText(button.dataset.copy);
  say(button, done ? "Copied" : "Not copied");
  announce(done ? "Copied" : "The browser does not allow copying here. Select the text and copy it.");
});
