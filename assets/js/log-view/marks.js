// What a line is: error, warning, or where a fold begins. The server says the patterns, so both read alike.
import { strip } from "./ansi.js";

export class Marks {
  constructor(patterns) {
    this.length = patterns.length;
    this.tests = ["step", "open", "close", "cached", "error", "warning"].map((kind) => [kind, new RegExp(patterns[kind])]);
    this.errors = [];
    this.warnings = [];
    this.counts = { error: 0, warning: 0 };
  }

  of(text) {
    const head = strip(text.slice(0, this.length * 2)).slice(0, this.length);
    return this.tests.find(([, pattern]) => pattern.test(head))?.[0] ?? "";
  }

  take(outline) {
    this.errors = outline.errors;
    this.warnings = outline.warnings;
    this.counts = { error: outline.error_count, warning: outline.warning_count };
  }

  add(kind, number) {
    if (!(kind in this.counts)) return;
    this.counts[kind] += 1;
    (kind === "error" ? this.errors : this.warnings).push(number);
  }

  /** The line to jump to from `at`, forwards or backwards, around the end. */
  next(kind, at, back) {
    const list = kind === "error" ? this.errors : this.warnings;
    if (!list.length) return 0;
    if (back) return list.findLast((number) => number < at) ?? list[list.length - 1];
    return list.find((number) => number > at) ?? list[0];
  }
}
