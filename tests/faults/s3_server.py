"""An S3 server on the loopback that stops before one change: `s3_server.py`, with moto installed.

It prints its port and serves until its standard input ends. After `POST /-/stop/N`, it makes N more
changes; then it refuses every request until `POST /-/go`. This is as if the client had been killed:
its later requests have no effect. `/-/go` returns the number of changes that were made.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from threading import Lock, Thread
from typing import Any

from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

_READS = ("GET", "HEAD")


class Stopping:
    """Passes requests to moto; refuses them after a number of changes."""

    def __init__(self, application: Callable[..., Iterable[bytes]]) -> None:
        self._application = application
        self._lock = Lock()
        self._allowed: int | None = None
        self._changes = 0
        self._is_over = False

    def __call__(self, request: dict[str, Any], respond: Callable[..., Any]) -> Iterable[bytes]:
        path = request["PATH_INFO"]
        if path.startswith("/-/"):
            return self._control(path.split("/")[2:], respond)
        if self._refuses(is_change=request["REQUEST_METHOD"] not in _READS):
            respond("403 Forbidden", [("Content-Type", "application/xml")])
            return [b"<Error><Code>AccessDenied</Code><Message>stopped</Message></Error>"]
        return self._application(request, respond)

    def _control(self, words: list[str], respond: Callable[..., Any]) -> list[bytes]:
        with self._lock:
            changes = self._changes
            self._changes, self._allowed = 0, int(words[1]) if words[0] == "stop" else None
            self._is_over = False
        respond("200 OK", [("Content-Type", "text/plain")])
        return [str(changes).encode()]

    def _refuses(self, *, is_change: bool) -> bool:
        with self._lock:
            self._is_over = self._is_over or (is_change and self._changes == self._allowed)
            self._changes += is_change and not self._is_over
            return self._is_over


class Quiet(WSGIRequestHandler):
    """Logs no requests."""

    def log(self, *_: object) -> None:
        """Print nothing."""


def main() -> None:
    application = Stopping(DomainDispatcherApplication(create_backend_app))
    server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=Quiet)
    Thread(target=server.serve_forever, daemon=True).start()
    print(server.port, flush=True)
    sys.stdin.read()
    server.shutdown()


if __name__ == "__main__":
    main()
