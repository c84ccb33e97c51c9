// Puts chunks into the page when they come near the part in sight, and takes them out again when they are far from it.

const RETRY = 3000; // milliseconds until lines that could not be fetched are asked for again

export class Painter {
  /** `rowOf(line)` makes a row; `painted()` is told after rows came or went. */
  constructor(scroller, lines, { rowOf, painted, failed }) {
    Object.assign(this, { scroller, lines, rowOf, painted, failed });
    this.chunks = new WeakMap();
    this.watch = new IntersectionObserver((entries) => this.moved(entries), { root: scroller, rootMargin: "1200px 0px" });
  }

  observe(chunk) {
    this.chunks.set(chunk.el, chunk);
    this.watch.observe(chunk.el);
  }

  moved(entries) {
    for (const { target, isIntersecting } of entries) {
      const chunk = this.chunks.get(target);
      chunk.near = isIntersecting;
      if (isIntersecting) this.paint(chunk);
      else this.clear(chunk);
    }
  }

  async paint(chunk) {
    if (chunk.painted || chunk.loading) return;
    if (!this.lines.has(chunk.first, chunk.last)) {
      chunk.loading = true;
      try {
        await this.lines.load(chunk.first, chunk.last);
      } catch (error) {
        this.failed(error);
        setTimeout(() => chunk.near && this.paint(chunk), RETRY);
        return;
      } finally {
        chunk.loading = false;
      }
    }
    this.keepingPlace(chunk, () => {
      const rows = document.createDocumentFragment();
      for (let number = chunk.first; number <= chunk.last; number++) {
        const line = this.lines.get(number);
        if (!line) break;
        rows.append(this.rowOf(line));
      }
      chunk.el.replaceChildren(rows);
      chunk.el.style.height = "";
      chunk.painted = true;
    });
    this.painted();
  }

  /** Add the rows that a painted chunk has gained. */
  extend(chunk) {
    if (!chunk.painted) return;
    for (let number = chunk.first + chunk.el.children.length; number <= chunk.last; number++) {
      const line = this.lines.get(number);
      if (!line) return;
      chunk.el.append(this.rowOf(line));
    }
  }

  clear(chunk) {
    const selection = document.getSelection();
    // What is being selected stays, or it could not be copied.
    if (!chunk.painted || (!selection.isCollapsed && this.scroller.contains(selection.anchorNode))) return;
    const height = chunk.el.offsetHeight;
    if (height) chunk.el.style.height = `${height}px`;
    chunk.el.replaceChildren();
    chunk.painted = false;
    this.painted();
  }

  // A wrapped chunk above the part in sight is as high as its lines turn out to be; what is read must not move.
  keepingPlace(chunk, change) {
    const before = chunk.el.getBoundingClientRect();
    change();
    if (before.bottom <= this.scroller.getBoundingClientRect().top) {
      const grown = chunk.el.offsetHeight - before.height;
      if (grown) this.scroller.scrollTop += grown;
    }
  }

  /** Rows are made again as they are shown; for a change that touches all of them. */
  again(chunks) {
    for (const chunk of chunks) {
      if (!chunk.painted) continue;
      chunk.painted = false;
      this.paint(chunk);
    }
  }

  /** Scroll a line into sight and return its row; the page itself does not move. */
  async show(chunk, number, place = "center") {
    await this.paint(chunk);
    const row = chunk.el.children[number - chunk.first];
    if (!row) return null;
    const box = this.scroller.getBoundingClientRect();
    const at = row.getBoundingClientRect();
    const room = place === "center" ? (box.height - at.height) / 2 : box.height - at.height - 8;
    this.scroller.scrollTop += at.top - box.top - Math.max(40, room);
    return row;
  }
}
