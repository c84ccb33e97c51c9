// The lines that this page holds, in blocks that are fetched when something shows them and dropped when many others were.
const BLOCK = 1000;
const KEPT = 150;

export class Lines {
  constructor(fetchLines) {
    this.fetchLines = fetchLines;
    this.blocks = new Map();
    this.pending = new Map();
  }

  get(number) {
    return this.blocks.get(Math.floor((number - 1) / BLOCK))?.[(number - 1) % BLOCK];
  }

  has(first, last) {
    for (let number = first; number <= last; number++) if (!this.get(number)) return false;
    return true;
  }

  put(lines) {
    for (const line of lines) {
      const index = Math.floor((line[0] - 1) / BLOCK);
      let block = this.blocks.get(index);
      if (!block) this.blocks.set(index, (block = []));
      block[(line[0] - 1) % BLOCK] = line;
    }
  }

  async load(first, last) {
    const wanted = [];
    for (let index = Math.floor((first - 1) / BLOCK); index * BLOCK < last; index++) {
      const from = Math.max(first, index * BLOCK + 1);
      const to = Math.min(last, (index + 1) * BLOCK);
      if (!this.has(from, to)) wanted.push(this.loadBlock(index));
      else this.touch(index);
    }
    await Promise.all(wanted);
  }

  loadBlock(index) {
    let loading = this.pending.get(index);
    if (!loading) {
      loading = this.fetchBlock(index).finally(() => this.pending.delete(index));
      this.pending.set(index, loading);
    }
    return loading;
  }

  // One answer may be cut at some megabytes, so it is asked for until the block is whole or the log ends.
  async fetchBlock(index) {
    let after = index * BLOCK;
    const end = after + BLOCK;
    while (after < end) {
      const { lines } = await this.fetchLines(after, end - after);
      if (!lines.length) break;
      this.put(lines);
      after = lines[lines.length - 1][0];
    }
    this.touch(index);
    for (const old of this.blocks.keys()) {
      if (this.blocks.size <= KEPT) break;
      this.blocks.delete(old);
    }
  }

  touch(index) {
    const block = this.blocks.get(index);
    if (!block) return;
    this.blocks.delete(index);
    this.blocks.set(index, block);
  }
}
