"""A port of this machine on which a stand-in of a server waits, and the server that it stands before."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Upstream:
    """The server behind a wire: clients speak plain HTTP to the wire, and the wire speaks as the server wants it.

    Args:
        host: Its name, which its certificate has to bear.
        port: Its port.
        tls: What its certificate is checked with; `None` for a server that speaks plain HTTP.
    """

    host: str
    port: int
    tls: ssl.SSLContext | None = None

    @classmethod
    def of(cls, endpoint: str, *, tls: ssl.SSLContext | None = None) -> Self:
        """Read `http://host:port` or `https://host:port`, the ports being those of the scheme if not named.

        Args:
            endpoint: Of the server.
            tls: For https, instead of the system's trust.

        Raises:
            ValueError: It is no such URL.
        """
        parts = urlsplit(endpoint)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError(f"`{endpoint}` is no http or https URL")
        if parts.scheme == "http":
            return cls(parts.hostname, parts.port or 80)
        return cls(parts.hostname, parts.port or 443, tls or ssl.create_default_context())

    def connect(self, *, timeout_seconds: float | None = None) -> socket.socket:
        """Open a connection, encrypted if the server wants that.

        Raises:
            OSError: There is none, or its certificate is not trusted.
        """
        plain = socket.create_connection((self.host, self.port), timeout=timeout_seconds)
        if self.tls is None:
            return plain
        try:
            return self.tls.wrap_socket(plain, server_hostname=self.host)
        except OSError:
            plain.close()
            raise


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
