"""A small web server that shows how many people it greeted; Python's standard library only."""

from __future__ import annotations

import html
import json
import os
import signal
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

PAGE = Path(__file__).with_name("page.html")


class Greetings:
    """Counts greetings; many threads may use it at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._count = 0

    def greet(self, name: str) -> str:
        with self._lock:
            self._count += 1
            count = self._count
        text = PAGE.read_text(encoding="utf-8")
        return text.replace("{name}", html.escape(name[:80] or "world")).replace("{count}", str(count))


class Handler(BaseHTTPRequestHandler):
    """Answers `/` with the page and `/healthz` with a small JSON document."""

    greetings = Greetings()

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        if url.path == "/healthz":
            self._answer(200, "application/json", json.dumps({"status": "ok"}))
        elif url.path == "/":
            name = parse_qs(url.query).get("name", [""])[0]
            self._answer(200, "text/html; charset=utf-8", self.greetings.greet(name))
        else:
            self._answer(404, "text/plain; charset=utf-8", "There is nothing here; go to /\n")

    def _answer(self, status: int, kind: str, text: str) -> None:
        data = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def serve(host: str, port: int) -> ThreadingHTTPServer:
    """Return a server that is bound, and serves once `serve_forever` is called."""
    return ThreadingHTTPServer((host, port), Handler)


def main() -> None:
    server = serve(os.environ.get("HOST", "0.0.0.0"), int(os.environ.get("PORT", "8080")))  # noqa: S104 - in a container
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    print(f"Listening on port {server.server_address[1]}", flush=True)
    server.serve_forever()
    server.server_close()


if __name__ == "__main__":
    main()
