// Links to lines (#L120, #L120-L134) and copying of text without numbers and times.

export function parse(hash) {
  const match = /^#L(\d{1,12})(?:-L(\d{1,12}))?$/.exec(hash);
  if (!match) return null;
  const ends = [Number(match[1]), Number(match[2] ?? match[1])].sort((a, b) => a - b);
  return ends[0] ? { from: ends[0], to: ends[1] } : null;
}

export function address(attempt, from, to = from) {
  const url = new URL(location.href);
  if (attempt) url.searchParams.set("attempt", attempt);
  url.hash = from === to ? `L${from}` : `L${from}-L${to}`;
  return url;
}

/** The text that is selected inside `scroller`, line by line. */
export function selected(scroller) {
  const range = document.getSelection().rangeCount ? document.getSelection().getRangeAt(0) : null;
  if (!range || range.collapsed || !scroller.contains(range.commonAncestorContainer)) return null;
  const texts = [];
  for (const row of scroller.querySelectorAll(".ln")) {
    if (!range.intersectsNode(row)) continue;
    const span = row.querySelector(":scope > span");
    const part = document.createRange();
    part.selectNodeContents(span);
    if (range.comparePoint(span, 0) === 0 || range.intersectsNode(span)) {
      if (part.compareBoundaryPoints(Range.START_TO_START, range) < 0) part.setStart(range.startContainer, range.startOffset);
      if (part.compareBoundaryPoints(Range.END_TO_END, range) > 0) part.setEnd(range.endContainer, range.endOffset);
      texts.push(part.toString());
    }
  }
  return texts.length ? texts.join("\n") : null;
}
