"""HTTP/1.1 messages read whole from a socket, byte for byte as they came."""

from __future__ import annotations

import socket
from dataclasses import dataclass, field
from typing import Final

_RECEIVE: Final = 262_144
_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Message:
    """A request or an answer.

    Args:
        raw: All its bytes, to be sent on as they are.
        head_bytes: How many of them are the head.
        method: Of a request.
        target: Of a request.
        status: Of an answer.
        is_last: Whether its sender closes the connection afterwards.
    """

    raw: bytes = field(repr=False)
    head_bytes: int
    method: str = ""
    target: str = ""
    status: int = 0
    is_last: bool = False


class MessageReader:
    """Reads one message after the other from a connection.

    Args:
        connection: A blocking socket.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._rest = b""

    def read_request(self) -> Message | None:
        """Read a request; `None` if the client has no more. `Expect: 100-continue` is answered, and cut out."""
        head = self._read_head()
        if head is None:
            return None
        first, headers = _parse(head)
        method, target, _ = first.split(" ", 2)
        if headers.get("expect", "").lower() == "100-continue":
            self._connection.sendall(_CONTINUE)
            # Whoever gets the request must not answer to it again; no client signs this header.
            head = b"\r\n".join(line for line in head.split(b"\r\n") if not line.lower().startswith(b"expect:"))
        body = self._read_body(headers, until_close=False)
        return None if body is None else Message(head + body, len(head), method=method, target=target)

    def read_answer(self, method: str) -> Message | None:
        """Read the answer to a request of `method`; `None` if the server hung up in the middle."""
        while True:
            head = self._read_head()
            if head is None:
                return None
            first, headers = _parse(head)
            status = int(first.split(" ", 2)[1])
            if status >= 200:
                break
        if method == "HEAD" or status in {204, 304}:
            body: bytes | None = b""
        else:
            body = self._read_body(headers, until_close=True)
        if body is None:
            return None
        is_last = headers.get("connection", "").lower() == "close" or first.startswith("HTTP/1.0")
        return Message(head + body, len(head), status=status, is_last=is_last)

    def _read_head(self) -> bytes | None:
        while b"\r\n\r\n" not in self._rest:
            if not self._receive():
                return None
        head, separator, self._rest = self._rest.partition(b"\r\n\r\n")
        return head + separator

    def _read_body(self, headers: dict[str, str], *, until_close: bool) -> bytes | None:
        if "chunked" in headers.get("transfer-encoding", "").lower():
            return self._read_chunks()
        length = headers.get("content-length")
        if length is not None:
            return self._take(int(length))
        if not until_close:
            return b""
        while self._receive():
            pass
        return self._take(len(self._rest))

    def _read_chunks(self) -> bytes | None:
        """Read chunks and their trailer as they stand."""
        read = b""
        while True:
            line = self._read_line()
            if line is None:
                return None
            read += line
            size = int(line.split(b";")[0], 16)
            if size == 0:
                break
            chunk = self._take(size + 2)
            if chunk is None:
                return None
            read += chunk
        while True:
            line = self._read_line()
            if line is None:
                return None
            read += line
            if line == b"\r\n":
                return read

    def _read_line(self) -> bytes | None:
        while b"\r\n" not in self._rest:
            if not self._receive():
                return None
        line, separator, self._rest = self._rest.partition(b"\r\n")
        return line + separator

    def _take(self, size: int) -> bytes | None:
        pieces = [self._rest[:size]]
        self._rest = self._rest[size:]
        missing = size - len(pieces[0])
        while missing:
            piece = self._connection.recv(min(missing, _RECEIVE))
            if not piece:
                return None
            pieces.append(piece)
            missing -= len(piece)
        return b"".join(pieces)

    def _receive(self) -> bool:
        more = self._connection.recv(_RECEIVE)
        self._rest += more
        return bool(more)


def _parse(head: bytes) -> tuple[str, dict[str, str]]:
    first, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
    return first, {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
