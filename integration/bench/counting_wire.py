"""A TCP proxy that counts: what really goes over the wire, heads and signatures included."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
from types import TracebackType
from typing import Self

from swampsync.testing.listener import Listener, Upstream

# A client sends the head of a request at the beginning of a segment.
_REQUEST = re.compile(rb"(?:GET|HEAD|PUT|POST|DELETE) \S+ HTTP/1\.1\r\n")


class CountingWire:
    """Stands between a client and `http://host:port`; a context manager.

    Attributes:
        endpoint: What a client connects to.
        requests: From the client so far.
        up: Bytes from the client so far.
        down: Bytes to the client so far.
    """

    def __init__(self, endpoint: str) -> None:
        self._server = Upstream.of(endpoint)
        if self._server.tls is not None:
            raise ValueError(f"what is encrypted cannot be counted: name an http endpoint instead of `{endpoint}`")
        self._listener = Listener()
        self.endpoint = self._listener.endpoint
        self._lock = threading.Lock()
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self.requests = self.up = self.down = 0

    def take(self) -> tuple[int, int]:
        """Return requests and bytes both ways since the last call."""
        with self._lock:
            found = self.requests, self.up + self.down
            self.requests = self.up = self.down = 0
        return found

    def __enter__(self) -> Self:
        self._accepting.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._listener.stop()
        self._listener.close()
        self._accepting.join()

    def _accept(self) -> None:
        for client in self._listener.connections():
            threading.Thread(target=self._connect, args=(client,), daemon=True).start()

    def _connect(self, client: socket.socket) -> None:
        with client, self._server.connect() as server:
            down = threading.Thread(target=self._pump, args=(server, client), kwargs={"is_up": False}, daemon=True)
            down.start()
            self._pump(client, server, is_up=True)
            down.join()

    def _pump(self, source: socket.socket, target: socket.socket, *, is_up: bool) -> None:
        try:
            while data := source.recv(65_536):
                with self._lock:
                    if is_up:
                        self.requests += _REQUEST.match(data) is not None
                        self.up += len(data)
                    else:
                        self.down += len(data)
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:  # one side is gone: so the other goes
            with contextlib.suppress(OSError):
                target.shutdown(socket.SHUT_RDWR)
