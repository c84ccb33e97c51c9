// details.menu and details.switch: one open at a time, closed by Escape and by a click elsewhere, walked with arrows.
const OPEN = "details.menu[open], details.switch[open]";
const ITEMS = "a[href], button:not(:disabled), input:not(:disabled), select:not(:disabled)";

export function openMenu(menu) {
  menu.open = true;
  items(menu)[0]?.focus();
}

const items = (menu) => [...menu.querySelectorAll(ITEMS)].filter((item) => item.checkVisibility());

document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll(OPEN)) if (!menu.contains(event.target)) menu.open = false;
});

document.addEventListener("keydown", (event) => {
  const menu = event.target.closest?.(OPEN);
  if (!menu || event.defaultPrevented) return;
  if (event.key === "Escape") {
    event.preventDefault();
    menu.open = false;
    menu.querySelector("summary")?.focus();
    return;
  }
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!step || event.target.matches("select, input, textarea")) return;
  event.preventDefault();
  const all = items(menu), at = all.indexOf(event.target);
  all[at < 0 ? (step > 0 ? 0 : all.length - 1) : (at + step + all.length) % all.length]?.focus();
});

document.addEventListener("focusout", (event) => {
  const menu = event.target.closest?.(OPEN);
  if (menu && event.relatedTarget && !menu.contains(event.relatedTarget)) menu.open = false;
});
