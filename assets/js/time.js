// Times that stay true while the page is open: "4 min ago", ticking durations, and the full time on hover and focus.
const MINUTE = 60, HOUR = 3600, DAY = 86400;
const full = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "long" });
const utc = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "medium", timeZone: "UTC" });
const day = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium" });

/** Seconds by which the server's clock is ahead; <body data-now> is the second in which the page was made. */
function skew() {
  const made = Number(document.body.dataset.now);
  if (!made) return 0;
  const [entry] = performance.getEntriesByType("navigation");
  const ahead = made + 0.5 - (performance.timeOrigin + (entry?.responseStart ?? 0)) / 1000;
  return Math.abs(ahead) < 2 ? 0 : ahead;
}
const ahead = skew();
const now = () => Date.now() / 1000 + ahead;

/** "just now", "4 min ago", "3 h ago", "2 d ago", then the date. */
export function relative(seconds, at) {
  if (seconds < MINUTE) return "just now";
  if (seconds < HOUR) return `${Math.floor(seconds / MINUTE)} min ago`;
  if (seconds < DAY) return `${Math.floor(seconds / HOUR)} h ago`;
  if (seconds < 30 * DAY) return `${Math.floor(seconds / DAY)} d ago`;
  return day.format(at);
}

/** "12 s", "1 m 17 s", "2 h 05 m". */
export function elapsed(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < MINUTE) return `${whole} s`;
  if (whole < HOUR) return `${Math.floor(whole / MINUTE)} m ${whole % MINUTE} s`;
  return `${Math.floor(whole / HOUR)} h ${String(Math.floor((whole % HOUR) / MINUTE)).padStart(2, "0")} m`;
}

function put(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function tick() {
  for (const element of document.querySelectorAll("time[data-since]")) {
    const start = Date.parse(element.dataset.since);
    if (start) put(element, elapsed(now() - start / 1000));
  }
}

function age() {
  for (const element of document.querySelectorAll("time[data-relative]")) {
    const at = Date.parse(element.dateTime);
    if (at) put(element, relative(now() - at / 1000, at));
  }
}

/** The whole time, local and UTC: the tooltip of a mouse, and by CSS for the keyboard and a long press. */
function explain(event) {
  const element = event.target.closest?.("time[datetime]") ?? event.target.querySelector?.(":scope > time[datetime]");
  if (!element || element.dataset.full) return;
  const at = Date.parse(element.dateTime);
  if (!at) return;
  element.dataset.full = `${full.format(at)} · ${utc.format(at)} UTC`;
  element.title = element.dataset.full;
}

let seconds = 0;
setInterval(() => {
  if (document.hidden) return;
  tick();
  seconds = (seconds + 1) % 15;
  if (seconds === 0) age();
}, 1000);
document.addEventListener("visibilitychange", () => { if (!document.hidden) { tick(); age(); } });
addEventListener("pageshow", (event) => { if (event.persisted) { tick(); age(); } });
for (const kind of ["pointerover", "focusin", "touchstart"]) document.addEventListener(kind, explain, { passive: true });

// A new account begins with the zone of the browser, where it is one that the factory knows.
const zone = document.querySelector("[data-own-zone]");
const own = Intl.DateTimeFormat().resolvedOptions().timeZone;
if (zone && [...zone.list.options].some((option) => option.value === own)) zone.value = own;
