// <log-view>: takes over the log that the server wrote into the page. Each job has a module; this one joins them.
import { Folds, icon } from "./folds.js";
import { onKey } from "./keys.js";
import { Lines } from "./lines.js";
import { Live } from "./live.js";
import { Marks } from "./marks.js";
import { Painter } from "./painter.js";
import * as prefs from "./prefs.js";
import { makeRow } from "./row.js";
import { Search } from "./search.js";
import * as selection from "./selection.js";
import { LABELS, MODES, local, shown } from "./times.js";

const END = 24; // pixels from the end that still count as "at the end"
const count = (number, word) => `${number.toLocaleString("en")} ${word}${number === 1 ? "" : "s"}`;

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
      painted: () => this.search.total && this.search.mark(),
      failed: (error) => this.tellLost(error.message),
    });
    this.search = new Search(this, { ask: (path, query) => this.ask(path, query), go: (number) => this.go(number) });
    this.unseen = this.cursor = 0;
    this.range = null;
    this.following = false;
    this.wire();
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
      if (acts[act]) {
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
    for (const link of document.querySelectorAll('a[href^="#stage-"]')) link.addEventListener("click", (event) => this.toStage(event, link));
    this.wrap(Boolean(this.prefs.wrap));
    this.times = MODES.includes(this.prefs.times) ? this.prefs.times : "off";
    this.showTimes();
  }

  // ---- taking over -------------------------------------------------------------------------------------------------

  async begin() {
    if (this.attempt && this.state.total) {
      let outline = null;
      try {
        outline = await this.ask("outline");
      } catch (error) {
        this.tellLost(error.message);
      }
      const first = this.place(outline);
      await this.lines.load(Math.max(1, first - 300), Math.min(this.total(outline), first + 300)).catch(() => {});
      this.take(outline);
    } else this.take(null);
    this.classList.add("ready");
    this.fromPage();
    if (this.dataset.live) this.goLive();
    this.apply(this.state);
  }

  total(outline) {
    return this.dataset.live ? Math.max(outline?.last ?? 0, this.state.total) : this.state.total;
  }

  /** The line that a person wants to see first. */
  place(outline) {
    const range = selection.parse(location.hash);
    const total = this.total(outline);
    if (range) return Math.min(range.from, total);
    const failed = this.state.stages.find((stage) => stage.status === "failed" && stage.first);
    if (!failed) return total;
    const after = this.state.stages.find((stage) => stage.first > failed.first);
    return Math.max(1, after ? after.first - 1 : total);
  }

  /** Replace the server's lines by folds and chunks. */
  take(outline) {
    const height = parseFloat(getComputedStyle(this).getPropertyValue("--line-height")) || 19;
    this.folds = new Folds(this.body, height, (chunk) => this.painter.observe(chunk));
    this.body.replaceChildren();
    this.part("plain")?.remove();
    if (!this.attempt) return;
    if (outline) this.marks.take(outline);
    const total = this.total(outline);
    const stages = this.state.stages.filter((stage) => stage.first && stage.first <= total + 1);
    if (total && (!stages.length || stages[0].first > 1)) this.beginStage("", 1);
    const events = [...stages.map((stage) => [stage.first, 0, stage]), ...(outline?.folds ?? []).map((fold) => [fold[0], 1, fold])];
    events.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
    for (const [number, kind, what] of events) {
      this.folds.grow(number - 1);
      if (kind) this.folds.mark(number, what[1], what[2], what[3], false);
      else this.folds.begin(what, number, what.status === "failed" || what.status === "running");
    }
    this.folds.grow(total);
    if (this.state.finished) this.folds.close(this.folds.stage?.info.finished);
    this.openWhatMatters();
  }

  // In a stage that failed or runs, the newest step is open, and those with errors in them.
  openWhatMatters() {
    const { all, stages } = this.folds;
    for (const stage of stages) {
      if (!stage.open) continue;
      all.findLast((fold) => fold.level === 1 && fold.parent === stage)?.set(true);
      if (stage.info.status !== "failed") continue;
      const inside = this.marks.errors.filter((number) => number >= stage.first && number <= stage.last);
      for (const number of inside.slice(0, 100)) this.folds.reveal(this.folds.find(number));
      // The exit of a stage is an error even when no line says so.
      if (!inside.length && stage.last >= stage.first) {
        this.marks.errors = [...this.marks.errors, stage.last].sort((a, b) => a - b);
        this.marks.counts.error += 1;
      }
    }
    if (stages.length && !stages.some((stage) => stage.open) && this.state.status !== "succeeded") this.folds.stage.set(true);
  }

  beginStage(name, first) {
    const info = this.state.stages.find((stage) => stage.name === name) ?? {
      name, label: name ? name[0].toUpperCase() + name.slice(1) : "Start", tone: name ? "run" : "", shape: name ? "run" : "ok",
      word: name ? "Running" : "", status: name ? "running" : "", started: 0, took: "",
    };
    return this.folds.begin(info, first, Boolean(name) || this.state.stages.length === 0);
  }

  /** Go where the address, the failure or the running end says. */
  fromPage() {
    if (this.fromHash()) return;
    if (new URL(location.href).searchParams.get("q") && this.search.form) this.search.run();
    else if (this.dataset.live) this.follow(true);
    else {
      const failed = this.folds.stages.find((stage) => stage.info.status === "failed" && stage.last >= stage.first);
      if (failed) this.go(failed.last, { place: "end", point: false });
    }
  }

  // ---- lines -------------------------------------------------------------------------------------------------------

  rowOf(line) {
    const kind = this.marks.of(line[4]);
    const row = makeRow(line, {
      tone: { error: "e", warning: "w", step: "step", open: "step" }[kind] ?? "",
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
    this.search.grown = true;
    if (this.following) this.toEnd();
    else this.unseen += fresh.length;
    this.facts();
    if (changed) this.sync();
  }

  // ---- live --------------------------------------------------------------------------------------------------------

  goLive() {
    this.act("follow").hidden = false;
    this.live = new Live(this.dataset.live, () => this.folds.last, {
      lines: (lines) => this.add(lines),
      start: ({ attempt }) => this.started(attempt),
      waiting: () => {},
      end: () => this.ended(),
      denied: (reason) => this.denied(reason),
      lost: () => this.tellLost(`Reconnecting – ${this.lastAt ? `last line ${local(this.lastAt)}` : "no line yet"}`),
      back: () => this.tellLost(""),
      catchUp: () => this.catchUp(),
    });
    this.live.open();
    this.ticking = setInterval(() => this.tick(), 1000);
  }

  tick() {
    for (const stage of this.folds.stages) if (stage.info.status === "running") stage.count();
    this.ticks = (this.ticks ?? 0) + 1;
    if (!this.folds.last && this.ticks % 10 === 0) this.sync();
  }

  started(attempt) {
    if (this.attempt) return;
    this.attempt = attempt;
    for (const link of this.querySelectorAll(".log-tools a")) link.search = `?attempt=${attempt}`;
    this.sync();
  }

  /** Fetch what is behind the last line, and the state. Returns the reason when it is refused. */
  async catchUp() {
    try {
      const news = await this.ask("lines", { after: this.folds.last, limit: 5000 });
      this.apply(news);
      this.add(news.lines);
      return "";
    } catch (error) {
      return error.refused ? error.message : "";
    }
  }

  async sync() {
    try {
      this.apply(await this.ask("lines", { after: this.folds.last, limit: 0 }));
    } catch {
      // The stream says when something is wrong; the state comes with the next change.
    }
  }

  // The log ends a moment before the attempt is written down as over.
  async ended(tries = 20) {
    const refusal = await this.catchUp();
    if (!refusal && !this.state.finished && tries) {
      setTimeout(() => this.ended(tries - 1), 500);
      return;
    }
    clearInterval(this.ticking);
    this.folds.close(this.folds.stage?.info.finished);
    this.follow(false);
    this.act("follow").hidden = true;
  }

  denied(reason) {
    clearInterval(this.ticking);
    this.follow(false);
    this.act("follow").hidden = true;
    this.tellLost(reason);
  }

  tellLost(text) {
    const box = this.part("lost");
    box.hidden = !text;
    box.textContent = text;
  }

  // ---- what the server says of stages ------------------------------------------------------------------------------

  apply(state) {
    for (const info of state.stages) {
      const fold = this.folds.stages.find((one) => one.name === info.name);
      const before = this.state.stages.find((one) => one.name === info.name)?.status ?? "waiting";
      if (before !== info.status && info.status !== "skipped") this.say(`${info.label}: ${info.word.toLowerCase()}.`);
      if (!fold) continue;
      fold.info = info;
      fold.dress();
      if (info.status === "failed") fold.set(true);
    }
    if (state.finished && !this.state.finished) this.say(`The attempt is over: ${state.word.toLowerCase()}.`);
    this.state = state;
    const notes = this.part("notes");
    notes.hidden = !state.notes.length;
    notes.textContent = state.notes.join(" ");
    const empty = this.part("empty");
    if (empty && state.empty) empty.textContent = state.empty;
    this.rail();
    this.facts();
  }

  rail() {
    const list = document.querySelector(".log-rail [data-part=stages]");
    list?.replaceChildren(
      ...this.state.stages.map((stage) => {
        const item = document.createElement("li");
        const link = document.createElement(stage.first ? "a" : "span");
        if (stage.first) link.href = `#stage-${stage.name || "start"}`;
        link.className = stage.tone;
        const [name, took] = [document.createElement("span"), document.createElement("em")];
        name.textContent = stage.label;
        took.textContent = stage.took || stage.word.toLowerCase();
        link.append(icon(stage.shape), name, took);
        link.addEventListener("click", (event) => this.toStage(event, link));
        item.append(link);
        return item;
      }),
    );
  }

  facts() {
    this.part("count").textContent = this.folds.last ? count(this.folds.last, "line") : "";
    this.part("tools").hidden = !this.attempt;
    const empty = this.part("empty");
    if (empty) empty.hidden = this.folds.last > 0;
    for (const [name, kind] of [["errors", "error"], ["warnings", "warning"]]) {
      const button = this.act(name);
      button.hidden = !this.marks.counts[kind];
      button.textContent = count(this.marks.counts[kind], kind);
    }
    const latest = this.act("latest");
    latest.hidden = this.following || !this.dataset.live || this.state.finished || !this.unseen;
    latest.textContent = `Jump to latest (${this.unseen.toLocaleString("en")} new)`;
  }

  say(text) {
    this.part("status").textContent = text;
  }

  // ---- moving ------------------------------------------------------------------------------------------------------

  /** Unfold and show a line. `point` marks it as the current one. */
  async go(number, { place = "center", point = true } = {}) {
    const chunk = this.folds.find(number);
    if (!chunk) return false;
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
    for (const row of this.scroller.querySelectorAll(".ln.now")) row.classList.remove("now");
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
  }

  toStage(event, link) {
    const fold = this.folds?.stages.find((stage) => `#${stage.el.id}` === link.getAttribute("href"));
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

  // ---- how it looks ------------------------------------------------------------------------------------------------

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
    for (const fold of this.folds?.all ?? []) fold.set(open);
    this.act("folds").textContent = open ? "Collapse all" : "Expand all";
  }
}

customElements.define("log-view", LogView);
