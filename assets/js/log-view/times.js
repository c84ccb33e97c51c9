// The time column: off, elapsed since the stage began, local time, UTC.
export const MODES = ["off", "elapsed", "local", "utc"];
export const LABELS = { off: "Times", elapsed: "Times: elapsed", local: "Times: local", utc: "Times: UTC" };

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });

export const local = (ms) => clock.format(ms);

export function shown(mode, ms, began) {
  if (mode === "off") return "";
  if (mode === "local") return local(ms);
  if (mode === "utc") return new Date(ms).toISOString().slice(11, 19);
  return duration(Math.max(0, ms - began), 1);
}

export function duration(ms, digits = 1) {
  const seconds = ms / 1000;
  if (seconds < 60) return `${seconds.toFixed(digits)} s`;
  return `${Math.floor(seconds / 60)} m ${Math.floor(seconds % 60)} s`;
}
