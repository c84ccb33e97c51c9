// The shape of a log: stages, steps and groups inside them as folds, and chunks of lines that are painted when in sight.
import { duration } from "./times.js";

export const CHUNK = 200;
const KINDS = { step: 1, open: 2 };

export const counted = (number, word) => (number ? `${number.toLocaleString("en")} ${word}${number === 1 ? "" : "s"}` : `no ${word}s`);

export function icon(shape) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  svg.setAttribute("class", `icon${shape === "run" ? " spin" : ""}`);
  svg.setAttribute("aria-hidden", "true");
  use.setAttribute("href", `#i-${shape}`);
  svg.append(use);
  return svg;
}

function title(kind, text) {
  if (kind === "step") return text.replace(/^(?:\[(\d+\/\d+)\] )?(STEP [\d/]+): /, (_, part, step) => `${part ? `${part} · ` : ""}${step} · `);
  return text.replace(/^(?:##\[group\]|::group::)/, "") || "Group";
}

class Fold {
  constructor(parent, { level, label, first, at = 0, open, info = null }) {
    Object.assign(this, { parent, level, first, last: first - 1, at, ended: 0, info, cached: false, parts: [] });
    this.el = document.createElement("section");
    this.el.className = `log-part level${level}`;
    this.bar = document.createElement("button");
    this.bar.type = "button";
    this.mark = document.createElement("span");
    this.mark.className = "log-mark";
    this.label = document.createElement("b");
    this.label.textContent = label;
    this.word = document.createElement("span");
    this.word.className = "vh";
    this.facts = document.createElement("em");
    this.bar.append(this.mark, this.label, this.word, this.facts);
    this.head = document.createElement("div");
    this.head.className = "log-head";
    this.head.append(this.bar);
    this.body = document.createElement("div");
    this.body.className = "log-body";
    this.el.append(this.head, this.body);
    this.bar.addEventListener("click", () => this.set(!this.open));
    this.set(open);
    this.dress();
  }

  set(open) {
    this.open = open;
    this.bar.setAttribute("aria-expanded", String(open));
    this.body.hidden = !open;
  }

  dress() {
    const tone = this.info?.tone ?? "";
    this.bar.className = `log-fold ${tone}`;
    if (this.info) {
      if (this.mark.dataset.shape !== this.info.shape) this.mark.replaceChildren(icon(this.info.shape));
      this.mark.dataset.shape = this.info.shape;
      this.word.textContent = `, ${this.info.word},`;
    }
    this.count();
  }

  count(now = Date.now()) {
    const facts = [];
    if (this.info?.status === "running" && this.info.started) facts.push(duration(Math.max(0, now - this.info.started), 0));
    else if (this.info?.took) facts.push(this.info.took);
    else if (this.at && this.ended) facts.push(this.cached ? "cached" : duration(Math.max(0, this.ended - this.at)));
    facts.push(counted(this.last - this.first + 1, "line"));
    const text = facts.join(" · ");
    if (this.facts.textContent !== text) this.facts.textContent = text;
  }
}

export class Folds {
  /** `observe` is called with each new chunk; `height` is that of one line in pixels. */
  constructor(body, height, observe) {
    Object.assign(this, { body, height, observe });
    this.stages = [];
    this.all = [];
    this.chunks = [];
    this.last = 0;
    this.step = this.group = null;
  }

  get stage() {
    return this.stages[this.stages.length - 1];
  }

  /** Begin a stage at the line `first`; its `info` is the server's. */
  begin(info, first, open) {
    this.close(info.started);
    const fold = new Fold(null, { level: 0, label: info.label, first, info, open });
    fold.name = info.name;
    fold.el.id = `stage-${info.name || "start"}`;
    this.stages.push(fold);
    this.all.push(fold);
    this.body.append(fold.el);
    return fold;
  }

  close(at) {
    for (const fold of [this.group, this.step]) {
      if (fold && !fold.ended && at) {
        fold.ended = at;
        fold.count();
      }
    }
    this.step = this.group = null;
  }

  /** Take the mark of line `number`; lines before it were grown already. */
  mark(number, at, kind, text, open) {
    if (kind === "cached" && this.step) this.step.cached = true;
    if (kind === "close") {
      this.grow(number);
      if (this.group) Object.assign(this.group, { ended: at }).count();
      this.group = null;
    }
    if (!(kind in KINDS) || !this.stage) return;
    if (kind === "step" || !this.step) this.close(at);
    else if (this.group) Object.assign(this.group, { ended: at }).count();
    const parent = kind === "open" && this.step ? this.step : this.stage;
    const fold = new Fold(parent, { level: parent.level + 1, label: title(kind, text), first: number, at, open });
    parent.parts.push(fold);
    parent.body.append(fold.el);
    this.all.push(fold);
    if (kind === "step") this.step = fold;
    else this.group = fold;
  }

  /** Let the log reach line `to`; the lines belong to the innermost open fold. */
  grow(to) {
    const fold = this.group ?? this.step ?? this.stage;
    while (fold && this.last < to) {
      let chunk = fold.parts[fold.parts.length - 1];
      if (!chunk?.chunk || chunk.last - chunk.first + 1 >= CHUNK) {
        chunk = { chunk: true, fold, first: this.last + 1, last: this.last, painted: false, near: false };
        chunk.el = document.createElement("div");
        chunk.el.className = "log-chunk";
        fold.parts.push(chunk);
        fold.body.append(chunk.el);
        this.chunks.push(chunk);
        this.observe(chunk);
      }
      this.last = chunk.last = Math.min(to, chunk.first + CHUNK - 1);
      // The line that a fold is named after is shown by its bar.
      const rows = chunk.last - chunk.first + (fold.level && chunk.first === fold.first ? 0 : 1);
      if (!chunk.painted) chunk.el.style.height = `${rows * this.height}px`;
    }
    for (let at = fold; at; at = at.parent) {
      at.last = this.last;
      at.count();
    }
  }

  /** Name the steps that a failed stage did not come to. */
  tellNotRun() {
    const step = this.all.findLast((fold) => fold.level === 1 && fold.parent === this.stage);
    const at = /STEP (\d+)\/(\d+)/.exec(step?.label.textContent ?? "");
    if (!at || this.stage.info.status !== "failed" || Number(at[1]) >= Number(at[2])) return;
    const next = Number(at[1]) + 1;
    const line = document.createElement("p");
    line.className = "log-tail";
    line.textContent = `STEP ${next}/${at[2]}${next < Number(at[2]) ? ` to ${at[2]}/${at[2]}` : ""} not run`;
    this.stage.body.append(line);
  }

  /** The chunk that holds a line. */
  find(number) {
    let low = 0;
    let high = this.chunks.length - 1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      const chunk = this.chunks[middle];
      if (number < chunk.first) high = middle - 1;
      else if (number > chunk.last) low = middle + 1;
      else return chunk;
    }
    return null;
  }

  /** When the stage of a line began, in milliseconds. */
  began(number) {
    return this.stages.findLast((fold) => fold.first <= number)?.info.started ?? 0;
  }

  reveal(chunk) {
    for (let fold = chunk.fold; fold; fold = fold.parent) if (!fold.open) fold.set(true);
  }
}
