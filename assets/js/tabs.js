// A row of tabs or sections that is wider than the window opens where the current one can be seen.
for (const row of document.querySelectorAll(".tabs, .chips.sections")) {
  const tab = row.querySelector("[aria-current]");
  if (tab) row.scrollLeft = tab.offsetLeft - row.offsetLeft - (row.clientWidth - tab.offsetWidth) / 2;
}
