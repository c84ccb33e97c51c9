// A row of tabs that is wider than the window opens where the current tab can be seen.
for (const row of document.querySelectorAll(".tabs")) {
  const tab = row.querySelector("[aria-current]");
  if (tab) row.scrollLeft = tab.offsetLeft - row.offsetLeft - (row.clientWidth - tab.offsetWidth) / 2;
}
