// Tell people something without moving anything: a polite live region for screen readers, and a toast for the eye.
const TOAST = 8000;
let waiting = [];

/** Have `text` read out. A modal dialog silences everything outside it, so each dialog has a region of its own. */
export function announce(text) {
  waiting.push(text);
  if (waiting.length > 1) return; // said together with the first
  const place = document.querySelector("dialog[open] [data-announcer]") ?? document.getElementById("announce");
  if (place) place.textContent = ""; // equal texts are read only when the region was empty in between
  setTimeout(() => {
    if (place) place.textContent = waiting.join(" ");
    waiting = [];
  }, 50);
}

/** Show a confirmation in the corner. Never for errors alone: it goes away, though not while it is read. */
export function toast(text) {
  const place = document.getElementById("toasts");
  if (!place) return;
  const shown = document.createElement("p");
  shown.className = "toast";
  shown.textContent = text;
  place.append(shown);
  const leave = () => (shown.matches(":hover") ? setTimeout(leave, 1000) : shown.remove());
  setTimeout(leave, TOAST);
}

document.addEventListener("click", (event) => {
  event.target.closest?.("[data-dismiss]")?.closest(".toast")?.remove();
});
