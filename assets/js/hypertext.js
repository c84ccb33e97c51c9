// htmx, for pages that use it: it weighs more than all other scripts together, so the others do without.
const USES = ["get", "post", "put", "patch", "delete", "boost"].map((n) => `[hx-${n}], [data-hx-${n}]`).join(", ");

/** Make the hx- attributes below `root` work, loading htmx first where it is needed. */
export async function enliven(root) {
  if (!root.querySelector(USES) && !root.matches?.(USES)) return;
  // htmx reads its settings when the document is ready, and would wait for ever if it came between ready and loaded.
  if (document.readyState !== "complete") await new Promise((done) => addEventListener("load", done, { once: true }));
  const { default: htmx } = await import("htmx.org");
  htmx.process(root);
}

document.addEventListener("blockchange", (event) => enliven(event.target));
enliven(document.body);
