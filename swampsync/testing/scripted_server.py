"""An HTTP server on loopback that answers with exactly the bytes it was given, well formed or not."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from types import TracebackType
from typing import Final, Self

from swampsync.clock import Spawner, Thread, spawn_daemon

_RECEIVE: Final = 65_536


class End(Enum):
    """What happens to the connection after the reply's bytes."""

    KEEP = "keep"  # wait for the next request
    CLOSE = "close"
    RESET = "reset"  # the peer sees ECONNRESET
    STALL = "stall"  # stay open and silent until the server is closed


@dataclass(frozen=True, slots=True)
class Reply:
    """Bytes to send, and what to do then."""

    data: bytes = b""
    end: End = End.KEEP


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it came in; header names in lower case."""

    method: str
    target: str
    headers: dict[str, str] = field(repr=False)
    body: bytes = field(repr=False)


def answer(status: str, body: bytes = b"", **headers: str) -> Reply:
    """Make a well-formed answer; `_` in a header's name stands for `-`."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return Reply("\r\n".join([*lines, "", ""]).encode() + body)


def s3_error(status: str, code: str, message: str = "no", extra: str = "") -> Reply:
    """Make an error as S3 words it."""
    body = (
        f"<Error><Code>{code}</Code><Message>{message}</Message>{extra}<RequestId>4442587FB7D0A2F9</RequestId></Error>"
    )
    return answer(status, ('<?xml version="1.0" encoding="UTF-8"?>\n' + body).encode(), Content_Type="application/xml")


class ScriptedServer:
    """Answers each request as `script` says, in threads; a context manager.

    Args:
        script: Makes the reply to a request.
        tls: Makes it an https server.
        spawner: Starts the threads.
    """

    def __init__(
        self,
        script: Callable[[Request], Reply],
        *,
        tls: ssl.SSLContext | None = None,
        spawner: Spawner = spawn_daemon,
    ) -> None:
        self.requests: list[Request] = []
        self._script = script
        self._tls = tls
        self._spawner = spawner
        self._lock = threading.Lock()
        self._connections: set[socket.socket] = set()
        self._threads: list[Thread] = []
        self._closed = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._listener.getsockname()[1]

    @property
    def endpoint(self) -> str:
        """The server's URL."""
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._threads.append(self._spawner(self._accept, name="scripted-accept"))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._closed.set()
        # Wakes the accept() that close() alone would leave waiting.
        self._listener.shutdown(socket.SHUT_RDWR)
        with self._lock:
            for connection in self._connections:
                _hang_up(connection)
        for thread in self._threads:
            thread.join(5)
        self._listener.close()

    def _accept(self) -> None:
        while not self._closed.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                if self._closed.is_set():
                    connection.close()
                    return
                self._connections.add(connection)
                self._threads.append(self._spawner(lambda c=connection: self._serve(c), name="scripted"))  # type: ignore[misc]

    def _serve(self, connection: socket.socket) -> None:
        try:
            with connection:
                if self._tls is None:
                    self._converse(connection)
                else:
                    with self._tls.wrap_socket(connection, server_side=True) as secured:
                        with self._lock:
                            self._connections.add(secured)  # it took the descriptor over
                        self._converse(secured)
        except OSError:
            pass  # the client went away, or the server is closed
        finally:
            with self._lock:
                self._connections.discard(connection)
                self._connections = {c for c in self._connections if c.fileno() != -1}

    def _converse(self, connection: socket.socket) -> None:
        rest = b""
        while True:
            received = read_request(connection, rest)
            if received is None:
                return
            request, rest = received
            self.requests.append(request)
            reply = self._script(request)
            connection.sendall(reply.data)
            match reply.end:
                case End.KEEP:
                    continue
                case End.CLOSE:
                    return
                case End.RESET:
                    reset(connection)
                    return
                case End.STALL:
                    self._closed.wait()
                    return


def reset(connection: socket.socket) -> None:
    """Close a connection so that the peer sees it reset."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def _hang_up(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):  # it may be gone already
        connection.shutdown(socket.SHUT_RDWR)


def read_request(connection: socket.socket, rest: bytes) -> tuple[Request, bytes] | None:
    """Read one request; also return what was received beyond it. `None` if the peer has no more."""
    while b"\r\n\r\n" not in rest:
        more = connection.recv(_RECEIVE)
        if not more:
            return None
        rest += more
    head, _, rest = rest.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ", 2)
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    length = int(headers.get("content-length", "0"))
    if length and headers.get("expect", "").lower() == "100-continue":
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")  # boto3 waits a second for it
    while len(rest) < length:
        more = connection.recv(_RECEIVE)
        if not more:
            return None
        rest += more
    return Request(method, target, headers, rest[:length]), rest[length:]
