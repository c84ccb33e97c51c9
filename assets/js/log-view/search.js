// Search over the whole log, by the server; matches that are in sight are marked here.

export class Search {
  /** `ask(path, query)` fetches JSON; `go(number)` shows a line. */
  constructor(view, { ask, go }) {
    this.form = view.querySelector(".log-find");
    this.view = view;
    this.ask = ask;
    this.go = go;
    this.numbers = [];
    this.total = this.at = 0;
    this.done = "";
    if (!this.form) return;
    this.input = this.form.elements.q;
    this.output = this.form.querySelector("output");
    const url = new URL(location.href);
    for (const name of ["case", "regex"]) this.button(name).setAttribute("aria-pressed", String(url.searchParams.get(name) === "1"));
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.move(1);
    });
    this.input.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && event.shiftKey) {
        event.preventDefault();
        this.move(-1);
      } else if (event.key === "Escape" && this.input.value) {
        event.preventDefault();
        this.input.value = "";
        this.run();
      }
    });
    this.input.addEventListener("input", () => {
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.run(), 300);
    });
  }

  button(name) {
    return this.form.querySelector(`[data-act="${name}"]`);
  }

  on(name) {
    return this.button(name).getAttribute("aria-pressed") === "true";
  }

  toggle(name) {
    this.button(name).setAttribute("aria-pressed", String(!this.on(name)));
    this.run();
  }

  get query() {
    const query = { q: this.input.value };
    for (const name of ["case", "regex"]) if (this.on(name)) query[name] = "1";
    return query;
  }

  focus() {
    this.input.focus();
    this.input.select();
  }

  /** Ask for what is typed and go to the first match at or behind the line `from`. */
  async run(from = 0, last = 0) {
    clearTimeout(this.timer);
    const query = this.query;
    const asked = (this.done = JSON.stringify(query));
    this.last = last;
    this.inUrl(query);
    if (!query.q) return this.show([], 0, "");
    this.output.textContent = "Searching…";
    try {
      const found = await this.ask("search", query);
      if (this.done !== asked) return;
      this.complete = found.complete;
      this.show(found.numbers, found.total, "");
      if (this.numbers.length) {
        const next = this.numbers.findIndex((number) => number >= from);
        await this.to(next < 0 ? 0 : next);
      }
    } catch (error) {
      if (this.done === asked) this.show([], 0, error.message);
    }
  }

  show(numbers, total, wrong) {
    Object.assign(this, { numbers, total, at: -1 });
    const sentence = this.view.querySelector("[data-part=wrong]");
    sentence.hidden = !wrong;
    sentence.textContent = wrong;
    this.input.setAttribute("aria-invalid", String(Boolean(wrong)));
    this.tell(wrong);
    this.mark();
  }

  tell(wrong) {
    const total = `${this.total.toLocaleString("en")}${this.complete === false ? "+" : ""}`;
    if (!this.input.value || wrong) this.output.textContent = "";
    else if (!this.total) this.output.textContent = "No match";
    else this.output.textContent = `${(this.at + 1).toLocaleString("en")} of ${total}`;
    this.output.title = this.total > this.numbers.length ? `The first ${this.numbers.length} can be visited.` : "";
  }

  async move(step) {
    if (JSON.stringify(this.query) !== this.done || (this.grown && !this.numbers.length)) return this.run();
    if (this.grown) {
      // The log has grown since: matches that came meanwhile count too.
      this.grown = false;
      const from = (this.numbers[this.at] ?? 0) + (step > 0 ? 1 : 0);
      if (step > 0) return this.run(from);
    }
    if (this.numbers.length) await this.to((this.at + step + this.numbers.length) % this.numbers.length);
  }

  async to(index) {
    this.at = index;
    this.tell();
    await this.go(this.numbers[index]);
    this.mark();
  }

  get current() {
    return this.numbers[this.at] ?? 0;
  }

  inUrl(query) {
    const url = new URL(location.href);
    for (const name of ["q", "case", "regex"]) {
      if (query.q && query[name]) url.searchParams.set(name, query[name]);
      else url.searchParams.delete(name);
    }
    history.replaceState(history.state, "", url);
  }

  pattern() {
    const { q } = this.query;
    if (!q || !this.total) return null;
    try {
      return new RegExp(this.on("regex") ? q : q.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"), this.on("case") ? "g" : "gi");
    } catch {
      return null; // the server's expressions know more than the browser's: lines are found, words are not marked
    }
  }

  /** Mark the matches in painted rows, without touching their nodes. */
  mark() {
    if (!globalThis.Highlight || !this.form) return;
    const pattern = this.pattern();
    CSS.highlights.delete("log-find");
    if (!pattern) return;
    const ranges = [];
    for (const span of this.view.querySelectorAll(".log-chunk .ln > span")) {
      const text = span.textContent;
      let match;
      pattern.lastIndex = 0;
      for (let count = 0; count < 50 && (match = pattern.exec(text)); count++) {
        if (match[0]) ranges.push(rangeOf(span, match.index, match.index + match[0].length));
        else pattern.lastIndex += 1;
      }
    }
    CSS.highlights.set("log-find", new Highlight(...ranges));
  }
}

function rangeOf(span, from, to) {
  const range = document.createRange();
  const walker = document.createTreeWalker(span, NodeFilter.SHOW_TEXT);
  let at = 0;
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const end = at + node.length;
    if (from >= at && from < end) range.setStart(node, from - at);
    if (to > at && to <= end) {
      range.setEnd(node, to - at);
      break;
    }
    at = end;
  }
  return range;
}

