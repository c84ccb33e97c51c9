// From the server's lines to folds and chunks: what is built, and what is open and in sight at first.
import { Folds } from "./folds.js";
import * as selection from "./selection.js";

/** Methods of the view. */
export const takeover = {
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
  },

  total(outline) {
    return this.dataset.live ? Math.max(outline?.last ?? 0, this.state.total) : this.state.total;
  },

  /** The line that a person wants to see first. */
  place(outline) {
    const range = selection.parse(location.hash);
    const total = this.total(outline);
    if (range) return Math.min(range.from, total);
    const failed = this.state.stages.find((stage) => stage.status === "failed" && stage.first);
    if (!failed) return total;
    const after = this.state.stages.find((stage) => stage.first > failed.first);
    return Math.max(1, after ? after.first - 1 : total);
  },

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
    this.leaveOut(total - Number(this.dataset.most));
    const from = this.folds.last + 1;
    if (total && (!stages.length || stages[0].first > from)) this.beginStage("", from);
    const events = [...stages.map((stage) => [stage.first, 0, stage]), ...(outline?.folds ?? []).map((fold) => [fold[0], 1, fold])];
    events.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
    for (const [number, kind, what] of events) {
      if (kind && number < from) continue;
      this.folds.grow(number - 1);
      if (kind) this.folds.mark(number, what[1], what[2], what[3], false);
      else this.stageFold(what, Math.max(number, from), ["failed", "running", "cancelled"].includes(what.status));
    }
    this.folds.grow(total);
    this.lastAt = this.lines.get(total)?.[1];
    if (this.state.finished) {
      this.folds.close(this.folds.stage?.info.finished);
      this.folds.tellNotRun();
    }
    this.openWhatMatters();
  },

  // A browser draws no page higher than some 18 million pixels.
  leaveOut(number) {
    if (number <= 0) return;
    this.folds.last = number;
    const line = document.createElement("p");
    line.className = "log-tail";
    line.textContent = `The first ${number.toLocaleString("en")} lines are not shown here; they are in the raw log and in the download.`;
    this.body.append(line);
  },

  // In a stage that failed or runs, the newest step is open, and those with errors in them.
  openWhatMatters() {
    const { stages } = this.folds;
    for (const stage of stages) {
      if (!stage.open) continue;
      const newest = this.folds.find(stage.last);
      if (newest && stage.last >= stage.first) this.folds.reveal(newest);
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
  },

  beginStage(name, first) {
    // Lines before the first stage: an attempt that failed without any stage failed there.
    const early = !name && this.state.status === "failed" && !this.state.stages.length;
    const info = this.state.stages.find((stage) => stage.name === name) ?? {
      name, label: name ? name[0].toUpperCase() + name.slice(1) : "Start",
      tone: name ? "run" : early ? "bad" : "good", shape: name ? "run" : early ? "fail" : "ok",
      word: name ? "Running" : "", status: name ? "running" : "", started: 0, took: "",
    };
    return this.stageFold(info, first, Boolean(name) || this.state.stages.length === 0);
  },

  stageFold(info, first, open) {
    const fold = this.folds.begin(info, first, open);
    if (info.name && this.querySelector('.log-tools [href*="/log/download"]')) {
      const link = document.createElement("a");
      link.href = `${this.dataset.base}/log/download?${new URLSearchParams({ attempt: this.attempt, stage: info.name })}`;
      link.textContent = "Download";
      link.setAttribute("aria-label", `Download the log of ${info.label}`);
      fold.head.append(link);
    }
    return fold;
  },

  /** Go where the address, the failure or the running end says. */
  fromPage() {
    if (this.fromHash()) return;
    if (new URL(location.href).searchParams.get("q") && this.search.form) this.search.run();
    else if (this.dataset.live) this.follow(true);
    else {
      const failed = this.folds.stages.find((stage) => /^(failed|cancelled)$/.test(stage.info.status) && stage.last >= stage.first);
      if (failed) this.go(failed.last, { place: "end", point: false });
    }
  },
};
