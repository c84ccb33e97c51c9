// While the attempt runs: lines and states as they come, a connection that breaks, the end.
import { counted, icon } from "./folds.js";
import { Live } from "./live.js";
import { local } from "./times.js";

/** Methods of the view. */
export const growth = {
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
  },

  tick() {
    for (const stage of this.folds.stages) if (stage.info.status === "running") stage.count();
    this.ticks = (this.ticks ?? 0) + 1;
    if (!this.folds.last && this.ticks % 10 === 0) this.sync();
  },

  started(attempt) {
    if (this.attempt) return;
    this.attempt = attempt;
    for (const link of this.querySelectorAll(".log-tools a")) link.search = `?attempt=${attempt}`;
    this.sync();
  },

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
  },

  async sync() {
    try {
      this.apply(await this.ask("lines", { after: this.folds.last, limit: 0 }));
    } catch {
      // The stream says when something is wrong; the state comes with the next change.
    }
  },

  // The log ends a moment before the attempt is written down as over.
  async ended(tries = 20) {
    const refusal = await this.catchUp();
    if (!refusal && !this.state.finished && tries) {
      setTimeout(() => this.ended(tries - 1), 500);
      return;
    }
    clearInterval(this.ticking);
    this.folds.close(this.folds.stage?.info.finished);
    this.folds.tellNotRun();
    this.follow(false);
    this.act("follow").hidden = true;
  },

  denied(reason) {
    clearInterval(this.ticking);
    this.follow(false);
    this.act("follow").hidden = true;
    this.tellLost(reason);
  },

  tellLost(text) {
    const box = this.part("lost");
    box.hidden = !text;
    box.textContent = text;
  },

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
  },

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
        const time = document.createElement("time");
        if (stage.status === "running" && stage.started) time.dataset.since = new Date(stage.started).toISOString();
        time.textContent = stage.took || stage.word.toLowerCase();
        took.append(time);
        link.append(icon(stage.shape), name, took);
        item.append(link);
        return item;
      }),
    );
  },

  facts() {
    this.part("count").textContent = this.folds.last ? counted(this.folds.last, "line") : "";
    this.part("tools").hidden = !this.attempt;
    this.style.setProperty("--digits", `${String(this.folds.last).length}ch`);
    const empty = this.part("empty");
    if (empty) empty.hidden = this.folds.last > 0;
    for (const [name, kind] of [["errors", "error"], ["warnings", "warning"]]) {
      const button = this.act(name);
      button.hidden = !this.marks.counts[kind];
      button.textContent = counted(this.marks.counts[kind], kind);
    }
    const latest = this.act("latest");
    latest.hidden = this.following || !this.dataset.live || this.state.finished || !this.unseen;
    latest.textContent = `Jump to latest (${this.unseen.toLocaleString("en")} new)`;
  },

  say(text) {
    this.part("status").textContent = text;
  },
};
