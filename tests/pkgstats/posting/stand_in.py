"""A server with Mastodon's status API on loopback, for tests: it says what it is told to say.

with Server() as server:
    server.script(429, {"retry-after": "30"})      # the next answer; else posts are taken
    ... client posts to server.url ...
    assert server.posts == ["the text", ...]       # made once for each Idempotency-Key
"""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, NamedTuple, Self

if TYPE_CHECKING:
    from collections.abc import Mapping

TOKEN = "a-token"  # noqa: S105 - of the stand-in


class Asked(NamedTuple):
    """One request as it came, its headers in lower case."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]


class Answer(NamedTuple):
    """What is answered; `taken`: the post is made all the same; status 0: nothing is said."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    taken: bool


class Server:
    """Takes posts with the right token."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.made: dict[str, str] = {}
        self._script: list[Answer] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                size = int(self.headers["content-length"])
                headers = {key.lower(): value for key, value in self.headers.items()}
                asked = Asked(self.path, headers, json.loads(self.rfile.read(size)))
                answer = outer.answer(asked)
                if not answer.status:
                    self.close_connection = True
                    return
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(answer.body)))
                self.end_headers()
                self.wfile.write(answer.body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def posts(self) -> list[str]:
        return list(self.made.values())

    def script(
        self,
        status: int,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"{}",
        *,
        taken: bool = False,
    ) -> None:
        """Say this next, after what is to be said already."""
        self._script.append(Answer(status, headers or {}, body, taken))

    def answer(self, asked: Asked) -> Answer:
        self.asked.append(asked)
        answer = self._script.pop(0) if self._script else self._usual(asked)
        if answer.taken:
            self.made.setdefault(asked.headers["idempotency-key"], asked.body["status"])
        return answer

    def _usual(self, asked: Asked) -> Answer:
        if asked.headers.get("authorization") != f"Bearer {TOKEN}":
            return Answer(401, {}, b'{"error": "The access token is invalid"}', taken=False)
        return Answer(200, {}, b'{"id": "1", "url": "https://a.example/1"}', taken=True)
