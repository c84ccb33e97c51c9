// Terminal sequences of one line become segments [text, class names]; what is no colour is dropped.

// eslint-disable-next-line no-control-regex
const SEQUENCE = /\x1b\[([0-9;:]*)m|\x1b\[[0-?]*[ -/]*[@-~]?|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[ -/]*[0-~]?|[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]/g;
const STYLES = { 1: "b", 2: "d", 3: "i", 4: "u", 7: "r", 9: "s" };
const ENDS = { 22: "bd", 23: "i", 24: "u", 27: "r", 29: "s" };

/** What a terminal would show of a line that was rewritten with carriage returns. */
export function settled(text) {
  if (!text.includes("\r")) return text;
  const states = text.split("\r").filter((state) => strip(state).trim());
  return states.length ? states[states.length - 1] : "";
}

export const strip = (text) => (/[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]/.test(text) ? text.replace(SEQUENCE, "") : text);

// A palette of eight that both themes can show; the exact shade gives way to contrast.
function nearest(r, g, b) {
  const high = Math.max(r, g, b);
  const low = Math.min(r, g, b);
  if (high - low < 40) return high < 150 ? 0 : 7;
  const half = (high + low) / 2;
  return (r > half ? 1 : 0) | (g > half ? 2 : 0) | (b > half ? 4 : 0);
}

function indexed(n) {
  if (n < 16) return n % 8;
  if (n > 231) return n < 244 ? 0 : 7;
  const step = (x) => (x ? 55 + 40 * x : 0);
  return nearest(step(Math.floor((n - 16) / 36)), step(Math.floor((n - 16) / 6) % 6), step((n - 16) % 6));
}

// 38 and 48: `5;n` or `2;r;g;b`, with `;` or `:` between. Returns [colour, codes used].
function extended(codes, at) {
  if (codes[at] === 5) return [indexed(codes[at + 1] & 255), 2];
  if (codes[at] === 2) return [nearest(codes[at + 1] & 255, codes[at + 2] & 255, codes[at + 3] & 255), 4];
  return [null, 0];
}

function obey(state, parameters) {
  const codes = parameters.split(/[;:]/).map(Number);
  for (let i = 0; i < codes.length; i++) {
    const code = codes[i];
    if (code === 0) Object.assign(state, { fg: null, bg: null, on: "" });
    else if (STYLES[code]) state.on += STYLES[code];
    else if (ENDS[code]) state.on = [...state.on].filter((style) => !ENDS[code].includes(style)).join("");
    else if ((code >= 30 && code < 38) || (code >= 90 && code < 98)) state.fg = code % 10;
    else if ((code >= 40 && code < 48) || (code >= 100 && code < 108)) state.bg = code % 10;
    else if (code === 39) state.fg = null;
    else if (code === 49) state.bg = null;
    else if (code === 38 || code === 48) {
      const [colour, used] = extended(codes, i + 1);
      state[code === 38 ? "fg" : "bg"] = colour;
      i += used;
    }
  }
}

function classes({ fg, bg, on }) {
  const names = [...new Set(on)].map((style) => `a-${style}`);
  // On a coloured ground the text keeps the page's own ink: no pair of colours can then be unreadable.
  if (bg !== null) names.push(`k${bg}`);
  else if (fg !== null) names.push(`f${fg}`);
  return names.join(" ");
}

export function segments(text) {
  if (!/[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]/.test(text)) return [[text, ""]];
  const found = [];
  const state = { fg: null, bg: null, on: "" };
  let at = 0;
  for (const match of text.matchAll(SEQUENCE)) {
    if (match.index > at) found.push([text.slice(at, match.index), classes(state)]);
    at = match.index + match[0].length;
    if (match[1] !== undefined) obey(state, match[1]);
  }
  if (at < text.length) found.push([text.slice(at), classes(state)]);
  return found;
}
