"""A port of this machine on which a stand-in of a server waits."""

from __future__ import annotations

import socket
from collections.abc import Iterator


def address_of(endpoint: str) -> tuple[str, int]:
    """Take host and port out of `http://host:port`."""
    host, _, port = endpoint.removeprefix("http://").rstrip("/").partition(":")
    return host, int(port or 80)


class Listener:
    """A free port on loopback; it is listened on from the start."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port: int = self._socket.getsockname()[1]

    @property
    def endpoint(self) -> str:
        """What a client connects to."""
        return f"http://127.0.0.1:{self.port}"

    def connections(self) -> Iterator[socket.socket]:
        """Wait for clients, one after the other, until `stop`."""
        while True:
            try:
                client, _ = self._socket.accept()
            except OSError:
                return
            yield client

    def stop(self) -> None:
        """Take no more clients; wakes the accept() that close() alone would leave waiting."""
        self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Give the port back."""
        self._socket.close()
