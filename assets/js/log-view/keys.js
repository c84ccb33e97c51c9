// Keys of the log: l, f, e, Shift+E, w, z anywhere on the page, and find inside the log.

const typing = (target) => target.closest?.("input, textarea, select, [contenteditable]");

export function onKey(event, view) {
  if (event.defaultPrevented) return;
  if ((event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey && event.key.toLowerCase() === "f") {
    // A second time, from our own field, it is the browser's.
    if (view.search.form && view.attempt && view.contains(event.target) && event.target !== view.search.input) {
      event.preventDefault();
      view.search.focus();
    }
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
  if (document.documentElement.dataset.keys === "off" || document.querySelector("dialog[open]")) return;
  const acts = {
    l: () => view.scroller.focus(),
    f: () => view.follow(!view.following),
    e: () => view.jump(view.marks.errors.length ? "error" : "warning"),
    E: () => view.jump(view.marks.errors.length ? "error" : "warning", true),
    w: () => view.wrap(!view.prefs.wrap),
    z: () => view.cycleTimes(),
  };
  if (!acts[event.key]) return;
  event.preventDefault();
  acts[event.key]();
}
