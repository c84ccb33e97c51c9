// Live pages. <body data-live="/live?topics=…" data-live-after="id"> names the stream; <section data-block data-block-url
// data-on="build. image."> is fetched again when an event comes whose type starts with one of its words.
//
// Topics: tenant:<id> (all that the person may see in it), project:<id>, build:<id>, user:<id> (themselves). Web grants
// them by rights. Types are those of domain/*/events.py that reactions/table.py tells pages: build.*, image.*,
// project.*, member.*, tenant.*; and notification.changed. From the stream itself: hello, reset, denied
// (docs/reference/live-events.md).
//
// A block may carry data-title (the page's new title) and data-announce (a sentence that is read out when it changes).
import { announce } from "./announce.js";
import { keyOf, morph } from "./morph.js";
import { ask, parse } from "./page.js";
import { events } from "./sse.js";

const DEBOUNCE = 250, HIDDEN = 60_000, POLL = 15_000, SILENT = 45_000, MOST = 30_000, SPREAD = 2000, AGAIN = 5000;
const POLL_AFTER = 3;

let connection = null; // the AbortController of the open or opening stream
let lastId = "", failures = 0, missed = false, over = false;
let lastNews = new Date();
let retryTimer = 0, pollTimer = 0, hiddenTimer = 0;

const blocks = () => [...document.querySelectorAll("[data-block][data-block-url]")];

// --- the stream -----------------------------------------------------------------------------------------------------

function address() {
  const url = new URL(document.body.dataset.live, location.href);
  const after = lastId || document.body.dataset.liveAfter;
  if (after) url.searchParams.set("after", after);
  return url;
}

function begin() {
  if (!document.body.dataset.live || connection || over) return;
  clearTimeout(retryTimer);
  connection = new AbortController();
  follow(connection);
}

async function follow(mine) {
  let silence = 0, wait = 0;
  const alive = () => {
    clearTimeout(silence);
    silence = setTimeout(() => mine.abort(), SILENT); // a proxy dropped the connection and told nobody
  };
  try {
    alive();
    const headers = { accept: "text/event-stream" };
    const answer = await fetch(address(), { headers, signal: mine.signal, cache: "no-store" });
    if ([401, 403, 404].includes(answer.status)) return end(answer.status === 401 ? SIGNED_OUT : NO_MORE);
    if (!answer.ok || !answer.body) {
      wait = Number(answer.headers.get("retry-after")) * 1000 || 0;
      throw new Error(`status ${answer.status}`);
    }
    for await (const event of events(answer.body)) {
      alive();
      if (connection !== mine) return;
      take(event);
    }
  } catch {
    // Told below: a stream that ended and one that broke are the same to a page.
  } finally {
    clearTimeout(silence);
  }
  if (connection === mine) failed(wait);
}

const SIGNED_OUT = "You are signed out. Reload the page to sign in.";
const NO_MORE = "You may not see this any more. Reload the page.";

function take({ id, type }) {
  if (id) lastId = id;
  if (type === "denied") return end(NO_MORE);
  connected();
  if (type === "reset") setTimeout(refreshAll, Math.random() * SPREAD);
  else if (type === "hello") {
    if (missed) refreshAll();
    missed = false;
  } else if (type !== "ping") changed(type);
}

function connected() {
  failures = 0;
  clearInterval(pollTimer);
  pollTimer = 0;
  lastNews = new Date();
  say("");
}

function failed(wait) {
  connection = null;
  failures += 1;
  if (!lastId) missed = true; // nothing to resume from
  const backOff = Math.min(1000 * 2 ** (failures - 1), MOST) * (0.5 + Math.random() / 2);
  retryTimer = setTimeout(begin, Math.max(backOff, wait));
  if (failures > 1) degraded();
  if (failures >= POLL_AFTER && !pollTimer) {
    refreshAll();
    pollTimer = setInterval(refreshAll, POLL);
  }
}

/** Stop without an error: the page is hidden or left. What is missed meanwhile is replayed, or comes as `reset`. */
function pause() {
  clearTimeout(retryTimer);
  clearInterval(pollTimer);
  pollTimer = 0;
  const mine = connection;
  connection = null;
  mine?.abort();
  if (!lastId) missed = true;
}

function end(sentence) {
  over = true;
  pause();
  say(sentence);
}

function say(text) {
  const place = document.getElementById("live-state");
  if (!place || place.textContent === text) return;
  place.textContent = text;
  place.hidden = !text;
}

const degraded = () => say(`Reconnecting – last update ${lastNews.toLocaleTimeString("en-GB")}`);

// --- the blocks -----------------------------------------------------------------------------------------------------

const due = new Map(); // block name -> timer
const busy = new Set();

function changed(type) {
  for (const block of blocks()) {
    if ((block.dataset.on ?? "").split(/\s+/).some((word) => word && type.startsWith(word))) later(block.dataset.block);
  }
}

function later(name, wait = DEBOUNCE) {
  clearTimeout(due.get(name));
  due.set(name, setTimeout(() => { due.delete(name); refresh(name); }, wait));
}

function refreshAll() {
  for (const block of blocks()) refresh(block.dataset.block);
}

const find = (root, name) => root.querySelector(`[data-block="${CSS.escape(name)}"]`);

/** Fetch a block and put it in place. One fetch of a block at a time; what changes meanwhile is fetched afterwards. */
async function refresh(name, show = false) {
  const url = find(document, name)?.dataset.blockUrl;
  if (!url) return;
  if (busy.has(name)) return later(name);
  busy.add(name);
  try {
    const answer = await ask(url, { headers: { "X-Block": name } });
    if (answer.headers.get("X-Location") || answer.status === 401) return end(SIGNED_OUT);
    if (answer.status === 403 || answer.status === 404) return end(NO_MORE);
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    const fresh = find(parse(await answer.text()), name);
    const block = find(document, name);
    if (!fresh || !block) return;
    put(block, document.importNode(fresh, true), show);
    lastNews = new Date();
    if (failures > 1) degraded();
    else if (!over) say("");
  } catch {
    degraded(); // the old content stays
    later(name, AGAIN);
  } finally {
    busy.delete(name);
  }
}

function put(block, fresh, show) {
  const { title: oldTitle, announce: oldSentence } = block.dataset;
  const focused = block.contains(document.activeElement) ? document.activeElement : null;
  const before = new Set([...block.querySelectorAll("[data-row]")].map(keyOf));
  const bar = block.querySelector(":scope > .newbar-place");
  bar?.remove();
  const waiting = morph(block, fresh, !show);
  if (waiting) block.prepend(newBar(bar, block, waiting));
  if (show) {
    const row = [...block.querySelectorAll("[data-row]")].find((one) => !before.has(keyOf(one)));
    (row?.querySelector("a[href]") ?? row)?.focus();
  } else if (focused) focusAgain(block, focused);
  const { title, announce: sentence } = block.dataset;
  if (title && title !== oldTitle) document.title = title;
  if (sentence && sentence !== oldSentence) announce(sentence);
  block.dispatchEvent(new CustomEvent("blockchange", { bubbles: true }));
}

/** "3 new builds – show", laid over the list so that nothing moves. */
function newBar(old, block, count) {
  const list = block.matches("[data-live-new]") ? block : block.querySelector("[data-live-new]");
  const noun = list.dataset.liveNew.toLowerCase();
  const word = count === 1 ? noun.replace(/s$/, "") : noun;
  const place = old ?? document.createElement("div");
  if (!old) {
    place.className = "newbar-place";
    const button = document.createElement("button");
    button.type = "button";
    button.className = "newbar";
    button.addEventListener("click", () => refresh(place.parentElement.dataset.block, true));
    place.append(button);
  }
  const text = `${count} new ${word} – show`;
  if (place.firstChild.textContent !== text) {
    place.firstChild.textContent = text;
    announce(`${count} new ${word}.`);
  }
  return place;
}

function focusAgain(block, focused) {
  if (document.activeElement === focused) return;
  const same = ["id", "name", "href", "data-key"].map((n) => [n, focused.getAttribute(n)]).find(([, value]) => value);
  const again = focused.isConnected ? focused : same && block.querySelector(`[${same[0]}="${CSS.escape(same[1])}"]`);
  again?.focus({ preventScroll: true });
}

// --- when to listen -------------------------------------------------------------------------------------------------

function seen() {
  clearTimeout(hiddenTimer);
  if (document.hidden) hiddenTimer = setTimeout(pause, HIDDEN);
  else begin();
}
document.addEventListener("visibilitychange", seen);
addEventListener("online", begin);
addEventListener("pagehide", pause); // an open connection would keep the page out of the back-forward cache
addEventListener("pageshow", (event) => { if (event.persisted) begin(); });
begin();
if (document.hidden) seen();
