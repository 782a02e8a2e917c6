"""moto's S3 server with each request handled under one lock.

moto checks If-Match and If-None-Match and then writes, without a lock between the two, so that two racing requests
can both pass the check: without the lock it would be a liar itself. A request's body is read before the lock is
taken, so that a slow client holds up nobody.

usage: python moto_server.py [PORT]      0, the default, takes a free port; the endpoint is printed on stdout
"""

from __future__ import annotations

import io
import sys
import threading
from collections.abc import Callable, Iterable
from typing import Any

from moto.server import DomainDispatcherApplication, create_backend_app  # type: ignore[attr-defined]  # noqa: TID253 - this process is moto
from werkzeug.serving import WSGIRequestHandler, make_server


class OneAtATime:
    """WSGI middleware: read the request, then run the application alone."""

    def __init__(self, app: Callable[..., Iterable[bytes]]) -> None:
        self.app = app
        self.lock = threading.Lock()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        length = environ.get("CONTENT_LENGTH")
        if length:
            environ["wsgi.input"] = io.BytesIO(environ["wsgi.input"].read(int(length)))
        with self.lock:
            return list(self.app(environ, start_response))


class QuietHandler(WSGIRequestHandler):
    """Speaks HTTP/1.1, as clients of S3 expect (werkzeug closes each connection all the same), and logs nothing."""

    protocol_version = "HTTP/1.1"

    def log_request(self, *args: Any, **kwargs: Any) -> None:
        """Log nothing."""


def main() -> None:
    """Serve until killed."""
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 0
    app = OneAtATime(DomainDispatcherApplication(create_backend_app))
    server = make_server("127.0.0.1", port, app, threaded=True, request_handler=QuietHandler)
    print(f"S3_ENDPOINT=http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
