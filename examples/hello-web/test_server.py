"""Run by the image's build: an image whose tests fail is never made."""

# ruff: noqa: S101 - assertions are what a test is made of

from __future__ import annotations

import http.client
import json
import threading
import unittest

import server


class AnswersTest(unittest.TestCase):
    def setUp(self) -> None:
        self.server = server.serve("127.0.0.1", 0)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def tearDown(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def get(self, path: str) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.server.server_address[1], timeout=5)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def test_health_is_told_as_json(self) -> None:
        status, text = self.get("/healthz")
        assert (status, json.loads(text)) == (200, {"status": "ok"})

    def test_a_name_is_greeted_and_not_taken_for_markup(self) -> None:
        status, text = self.get("/?name=%3Cb%3EAda")
        assert status == 200
        assert "Hello, &lt;b&gt;Ada" in text
        assert "<b>Ada" not in text

    def test_an_unknown_path_is_not_found(self) -> None:
        assert self.get("/nowhere")[0] == 404


if __name__ == "__main__":
    unittest.main()
