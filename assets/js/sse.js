// Read server-sent events (WHATWG HTML, "Server-sent events") from a fetched answer. EventSource is not used for page
// events: it takes no listener for "every type", hides the status of a refusal, and does not show heartbeats.

function read(block) {
  const event = { id: "", type: "message", data: "" };
  const data = [];
  for (const line of block.split("\n")) {
    const colon = line.indexOf(":");
    if (colon <= 0) continue; // a comment, or a field without a value
    const name = line.slice(0, colon), value = line.slice(colon + 1).replace(/^ /, "");
    if (name === "data") data.push(value);
    else if (name === "id") event.id = value;
    else if (name === "event") event.type = value;
  }
  if (!data.length) event.type = "ping";
  event.data = data.join("\n");
  return event;
}

/** Yield {id, type, data}; heartbeats come as type "ping". Ends with the stream. */
export async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const blocks = (rest + value).split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) yield read(block);
  }
}
