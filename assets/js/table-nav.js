// Rows by keyboard: j k move, Enter is the link's own, x selects, the full stop opens the row's menu; right click too.
import { openMenu } from "./menu.js";
import { isLetter, isVisible } from "./page.js";

const rows = () => [...document.querySelectorAll("[data-row]")].filter(isVisible);

/** What takes the focus in a row: its link, so that Enter opens it and a screen reader says it. */
function target(row) {
  if (row.matches("a[href], button")) return row;
  const inside = row.querySelector("a.row-link") ?? row.querySelector("a[href], button");
  if (!inside) row.tabIndex = -1;
  return inside ?? row;
}

export function move(step) {
  const all = rows();
  if (!all.length) return false;
  const at = all.findIndex((row) => row.contains(document.activeElement));
  const next = at < 0 ? (step > 0 ? 0 : all.length - 1) : Math.min(Math.max(at + step, 0), all.length - 1);
  target(all[next]).focus();
  all[next].scrollIntoView({ block: "nearest" });
  return true;
}

const menuOf = (row) => row?.querySelector("details.menu");

document.addEventListener("keydown", (event) => {
  if (!isLetter(event)) return;
  const row = event.target.closest?.("[data-row]");
  let done = false;
  if (event.key === "j" || event.key === "k") done = move(event.key === "j" ? 1 : -1);
  else if (event.key === "x" && row) {
    const box = row.querySelector('input[type="checkbox"]:not(:disabled)');
    box?.click();
    done = Boolean(box);
  } else if (event.key === "." && menuOf(row)) {
    openMenu(menuOf(row));
    done = true;
  } else if (event.key === "Enter" && row && event.target === row) {
    target(row).click();
    done = true;
  }
  if (done) event.preventDefault();
});

// With Shift the browser's own menu comes.
document.addEventListener("contextmenu", (event) => {
  const menu = menuOf(event.target.closest?.("[data-row]"));
  if (!menu || event.shiftKey || event.defaultPrevented) return;
  event.preventDefault();
  openMenu(menu);
});
