// The growing end of the log: server-sent events, resumed behind the last line that was taken.
const MOST_WAIT = 15000;

export class Live {
  /** `at()` gives the last line's number; `on` has lines, start, waiting, end, denied, lost, back, catchUp. */
  constructor(url, at, on) {
    Object.assign(this, { url, at, on, failures: 0, timer: 0, over: false });
  }

  open() {
    if (this.over) return;
    const source = (this.source = new EventSource(`${this.url}${this.url.includes("?") ? "&" : "?"}after=${this.at()}`));
    const listen = (name, take) =>
      source.addEventListener(name, (event) => {
        if (this.source !== source) return;
        this.fine();
        take(JSON.parse(event.data));
      });
    source.addEventListener("open", () => this.source === source && this.fine());
    source.addEventListener("error", () => this.source === source && this.lose());
    for (const name of ["waiting", "start"]) listen(name, (data) => this.on[name](data));
    listen("lines", (lines) => {
      const fresh = lines.filter((line) => line[0] > this.at());
      // A hole cannot be mended by waiting: ask again for what follows the last line.
      if (fresh.length && fresh[0][0] !== this.at() + 1) this.lose();
      else if (fresh.length) this.on.lines(fresh);
    });
    listen("end", (data) => this.stop() || this.on.end(data));
    listen("denied", (data) => this.stop() || this.on.denied(data.message));
  }

  fine() {
    this.failures = 0;
    clearTimeout(this.telling);
    this.telling = 0;
    this.on.back();
  }

  // The browser's own retry keeps the old address and gives up on refusals, so each try is a new connection.
  lose() {
    this.source.close();
    this.source = null;
    this.failures += 1;
    if (!this.telling) this.telling = setTimeout(() => this.on.lost(), 1500);
    const wait = Math.min(MOST_WAIT, 500 * 2 ** this.failures) * (0.75 + Math.random() / 2);
    this.timer = setTimeout(() => this.again(), wait);
  }

  // Lines still come this way when only the stream is away; it also tells why, when the right is gone.
  async again() {
    const refusal = await this.on.catchUp();
    if (this.over) return;
    if (refusal) {
      this.stop();
      this.on.denied(refusal);
    } else this.open();
  }

  stop() {
    this.over = true;
    clearTimeout(this.timer);
    clearTimeout(this.telling);
    this.source?.close();
    this.source = null;
    this.on.back();
  }
}
