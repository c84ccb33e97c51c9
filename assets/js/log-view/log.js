// <log-view>: takes over the log that the server wrote into the page. Each job has a module; this one joins them.
import { growth } from "./growth.js";
import { onKey } from "./keys.js";
import { Lines } from "./lines.js";
import { Marks } from "./marks.js";
import { Painter } from "./painter.js";
import * as prefs from "./prefs.js";
import { makeRow } from "./row.js";
import { Search } from "./search.js";
import * as selection from "./selection.js";
import { takeover } from "./takeover.js";
import { LABELS, MODES, shown } from "./times.js";

const END = 24; // pixels from the end that still count as "at the end"

class LogView extends HTMLElement {
  connectedCallback() {
    if (this.scroller) return;
    document.documentElement.classList.add("js");
    this.attempt = Number(this.dataset.attempt);
    this.state = JSON.parse(this.dataset.state);
    this.prefs = prefs.read();
    this.scroller = this.querySelector(".log-scroll");
    this.body = this.part("body");
    this.marks = new Marks(JSON.parse(this.dataset.patterns));
    this.lines = new Lines((after, limit) => this.ask("lines", { after, limit }));
    this.painter = new Painter(this.scroller, this.lines, {
      rowOf: (line) => this.rowOf(line),
      painted: () => {
        if (this.unread) this.tellLost((this.unread = ""));
        if (this.search.total) this.search.mark();
      },
      failed: (error) => this.tellLost((this.unread = error.message)),
    });
    this.search = new Search(this, { ask: (path, query) => this.ask(path, query), go: (number) => this.go(number) });
    this.unseen = this.cursor = 0;
    this.range = null;
    this.following = false;
    this.wire();
    this.fit();
    this.begin();
  }

  disconnectedCallback() {
    this.live?.stop();
    clearInterval(this.ticking);
    this.left?.abort();
  }

  part(name) {
    return this.querySelector(`[data-part="${name}"]`);
  }

  act(name) {
    return this.querySelector(`[data-act="${name}"]`);
  }

  async ask(path, query = {}) {
    const parameters = new URLSearchParams(query);
    if (this.attempt) parameters.set("attempt", this.attempt);
    const answer = await fetch(`${this.dataset.base}/log/${path}?${parameters}`, { headers: { accept: "application/json" } });
    const body = await answer.json().catch(() => null);
    if (answer.ok && body) return body;
    const error = new Error(body?.error?.message ?? "The factory does not answer right now; try again in a moment.");
    error.refused = [401, 403, 404].includes(answer.status) && Boolean(body);
    throw error;
  }

  /** Let the pane end where the window does, whatever stands above it. */
  fit() {
    const above = Math.round(this.scroller.getBoundingClientRect().top + scrollY);
    this.style.setProperty("--above", `${above}px`);
  }

  wire() {
    this.left = new AbortController();
    const { signal } = this.left;
    const acts = {
      errors: () => this.jump("error"), warnings: () => this.jump("warning"), follow: () => this.follow(!this.following),
      times: () => this.cycleTimes(), wrap: () => this.wrap(!this.prefs.wrap), folds: () => this.setFolds(),
      latest: () => this.follow(true), case: () => this.search.toggle("case"), regex: () => this.search.toggle("regex"),
      previous: () => this.search.move(-1), next: () => this.search.move(1),
    };
    this.addEventListener("click", (event) => {
      const act = event.target.closest("[data-act]")?.dataset.act;
      if (acts[act] && this.folds) {
        event.preventDefault();
        acts[act]();
      }
      const anchor = event.target.closest(".ln > a");
      if (anchor && this.folds && !event.ctrlKey && !event.metaKey && event.button === 0) {
        event.preventDefault();
        this.pick(Number(anchor.dataset.n), event.shiftKey);
      }
    });
    this.scroller.addEventListener("scroll", () => this.scrolled(), { passive: true });
    this.addEventListener("copy", (event) => {
      const text = selection.selected(this.scroller);
      if (text === null) return;
      event.clipboardData.setData("text/plain", text);
      event.preventDefault();
    });
    document.addEventListener("keydown", (event) => onKey(event, this), { signal });
    addEventListener("hashchange", () => this.fromHash(), { signal });
    addEventListener("resize", () => this.fit(), { signal });
    document.addEventListener("blockchange", () => this.fit(), { signal });
    document.addEventListener("click", (event) => this.fromLink(event), { signal });
    this.wrap(Boolean(this.prefs.wrap));
    this.times = MODES.includes(this.prefs.times) ? this.prefs.times : "off";
    this.showTimes();
  }

  // ---- lines ------------------------------------------------------------------------------------------------------

  rowOf(line) {
    const kind = this.marks.of(line[4]);
    const row = makeRow(line, {
      tone: { error: "e", warning: "w", step: "title", open: "title" }[kind] ?? "",
      href: `?attempt=${this.attempt}#L${line[0]}`,
      time: shown(this.times, line[1], this.folds.began(line[0])),
    });
    if (this.range && line[0] >= this.range.from && line[0] <= this.range.to) row.classList.add("sel");
    if (line[0] === this.cursor) row.classList.add("now");
    return row;
  }

  /** Take lines that come behind the last one. */
  add(lines) {
    const { folds } = this;
    const fresh = lines.filter((line) => line[0] > folds.last);
    if (!fresh.length) return;
    this.lines.put(fresh);
    const before = folds.chunks[folds.chunks.length - 1];
    let changed = false;
    for (const [number, at, stage, , text] of fresh) {
      if (!folds.stage || folds.stage.name !== stage) {
        folds.grow(number - 1);
        if (!this.state.stages.some((known) => known.name === stage && known.started)) changed = true;
        this.beginStage(stage, number);
        changed = true;
      }
      const kind = this.marks.of(text);
      this.marks.add(kind, number);
      if (kind && kind !== "error" && kind !== "warning") {
        folds.grow(number - 1);
        folds.mark(number, at, kind, text.slice(0, 200), true);
      }
    }
    folds.grow(fresh[fresh.length - 1][0]);
    this.lastAt = fresh[fresh.length - 1][1];
    if (before) this.painter.extend(before);
    if (this.search.total) this.search.mark();
    this.search.grown = true;
    // Text that is being selected must not be scrolled away.
    if (this.following && selection.selected(this.scroller)) this.follow(false);
    if (this.following) this.toEnd();
    else this.unseen += fresh.length;
    this.facts();
    if (changed) this.sync();
  }

  // ---- moving -----------------------------------------------------------------------------------------------------

  /** Unfold and show a line. `point` marks it as the current one. */
  async go(number, { place = "center", point = true } = {}) {
    const chunk = this.folds?.find(number);
    if (!chunk) {
      if (number <= this.folds?.last) this.tellLost(`Line ${number.toLocaleString("en")} is in the raw log only.`);
      return false;
    }
    if (!this.live || this.live.over) this.tellLost("");
    this.follow(false);
    this.folds.reveal(chunk);
    await this.painter.show(chunk, number, place);
    // Chunks near it may have taken their true height meanwhile.
    await this.painter.show(chunk, number, place);
    if (point) this.point(number);
    return true;
  }

  point(number) {
    this.cursor = number;
    for (const row of this.scroller.querySelectorAll(".now")) row.classList.remove("now");
    this.named(number)?.head.classList.add("now");
    this.scroller.querySelector(`.ln[data-line="${number}"]`)?.classList.add("now");
  }

  jump(kind, back = false) {
    const number = this.marks.next(kind, this.cursor, back);
    if (number) this.go(number).then(() => this.say(`Line ${number.toLocaleString("en")}.`));
  }

  fromHash() {
    const range = selection.parse(location.hash);
    if (!range || !this.folds?.find(range.from)) return false;
    this.choose(range.from, range.to);
    this.scrollIntoView({ block: "nearest" });
    this.go(range.from);
    return true;
  }

  pick(number, extend) {
    const from = extend && this.range ? this.range.from : number;
    this.choose(Math.min(from, number), Math.max(from, number));
    history.replaceState(history.state, "", selection.address(this.attempt, this.range.from, this.range.to));
    if (extend) document.getSelection().removeAllRanges();
  }

  choose(from, to) {
    this.range = { from, to };
    for (const row of this.scroller.querySelectorAll(".ln[data-line]")) {
      row.classList.toggle("sel", row.dataset.line >= from && row.dataset.line <= to);
    }
    for (const fold of this.folds.all) fold.head.classList.toggle("sel", fold.level > 0 && fold.first >= from && fold.first <= to);
  }

  /** The fold whose bar stands for a line. */
  named(number) {
    return this.folds.all.find((fold) => fold.level > 0 && fold.first === number);
  }

  // Links of the page around the log, to a stage or to lines of the attempt that is shown.
  fromLink(event) {
    const link = event.target.closest("a[href]");
    const plain = event.button === 0 && !event.ctrlKey && !event.metaKey && !event.shiftKey && !event.defaultPrevented;
    if (!link || !plain || link.origin !== location.origin || link.pathname !== location.pathname) return;
    if (link.hash.startsWith("#stage-")) this.toStage(event, link.hash);
    const attempt = new URLSearchParams(link.search).get("attempt");
    if (!selection.parse(link.hash) || (attempt && Number(attempt) !== this.attempt)) return;
    event.preventDefault();
    history.pushState(null, "", link.href);
    this.fromHash();
  }

  toStage(event, hash) {
    const fold = this.folds?.stages.find((stage) => `#${stage.el.id}` === hash);
    if (!fold) return;
    event.preventDefault();
    this.follow(false);
    fold.set(true);
    this.scroller.scrollTop += fold.el.getBoundingClientRect().top - this.scroller.getBoundingClientRect().top;
    fold.bar.focus({ preventScroll: true });
  }

  get atEnd() {
    return this.scroller.scrollHeight - this.scroller.scrollTop - this.scroller.clientHeight < END;
  }

  scrolled() {
    const up = this.scroller.scrollTop < (this.top ?? 0) - 1;
    this.top = this.scroller.scrollTop;
    if (!this.live || this.live.over) return;
    if (up && !this.atEnd) this.follow(false);
    else if (!up && this.atEnd && !this.following) this.follow(true);
  }

  follow(on) {
    const able = on && Boolean(this.dataset.live) && !this.state.finished;
    if (able) {
      this.unseen = 0;
      this.following = true;
      this.toEnd();
    }
    this.following = able;
    this.act("follow").setAttribute("aria-pressed", String(able));
    if (this.folds) this.facts();
  }

  toEnd() {
    const chunk = this.folds?.chunks[this.folds.chunks.length - 1];
    if (chunk) this.painter.paint(chunk);
    this.scroller.scrollTop = this.scroller.scrollHeight;
    this.top = this.scroller.scrollTop;
  }

  // ---- how it looks -----------------------------------------------------------------------------------------------

  wrap(on) {
    this.toggleAttribute("data-wrap", on);
    this.act("wrap")?.setAttribute("aria-pressed", String(on));
    if (this.prefs.wrap !== on) prefs.write(Object.assign(this.prefs, { wrap: on }));
  }

  cycleTimes() {
    this.times = MODES[(MODES.indexOf(this.times) + 1) % MODES.length];
    prefs.write(Object.assign(this.prefs, { times: this.times }));
    this.showTimes();
    for (const clock of this.scroller.querySelectorAll(".ln[data-line] > i")) {
      const line = this.lines.get(Number(clock.parentElement.dataset.line));
      if (line) clock.dataset.t = shown(this.times, line[1], this.folds.began(line[0]));
    }
  }

  showTimes() {
    this.dataset.times = this.times;
    this.act("times").textContent = LABELS[this.times];
  }

  setFolds() {
    const open = this.act("folds").textContent === "Expand all";
    for (const fold of this.folds.all) fold.set(open);
    this.act("folds").textContent = open ? "Collapse all" : "Expand all";
  }
}

Object.assign(LogView.prototype, takeover, growth);
customElements.define("log-view", LogView);
