"""What a memory disk is made of: nodes, the machine they live in, and open files."""

from __future__ import annotations

import errno
import io
import os
import threading
from typing import NoReturn, Self

from swampsync.clock import Clock
from swampsync.disk import DiskStat, Kind

_DEVICE = 1


class PowerFailure(BaseException):
    """The machine is off; like `KeyboardInterrupt` it is no `Exception`."""


class Node:
    """A file, a directory or a symbolic link: what is there, and what would be there after a crash."""

    def __init__(self, kind: Kind, inode: int, now_ns: int) -> None:
        self.kind = kind
        self.inode = inode
        self.mtime_ns = now_ns
        self.ctime_ns = now_ns
        self.data = bytearray()
        self.synced_data = b""
        self.entries: dict[str, Node] = {}
        self.synced_entries: dict[str, Node] = {}
        self.target = ""
        self.is_private = False
        self.links = 2 if kind is Kind.DIRECTORY else 0


class Machine:
    """The lock, the clock and the power that all nodes share."""

    def __init__(self, clock: Clock) -> None:
        self.lock = threading.RLock()
        self.operations = 0
        self.operations_left: int | None = None
        self._clock = clock

    def now_ns(self) -> int:
        """Return the clock's time as file systems keep it."""
        return round(self._clock.now().timestamp() * 1_000_000) * 1_000

    def tick(self) -> None:
        """Count an operation, or fail it because the power is off."""
        if self.operations_left is not None:
            if self.operations_left <= 0:
                raise PowerFailure
            self.operations_left -= 1
        self.operations += 1

    def touch(self, node: Node) -> None:
        """Note that a node's content changed."""
        node.mtime_ns = node.ctime_ns = self.now_ns()


def fail(code: int, path: str) -> NoReturn:
    """Raise the `OSError` that a real disk would raise."""
    raise OSError(code, os.strerror(code), path)


def describe(node: Node) -> DiskStat:
    """Describe a node."""
    return DiskStat(
        kind=node.kind,
        size=len(node.target) if node.kind is Kind.LINK else len(node.data),
        mtime_ns=node.mtime_ns,
        ctime_ns=node.ctime_ns,
        inode=node.inode,
        device=_DEVICE,
        links=node.links,
    )


class MemoryFile:
    """A file of a memory disk, open for writing."""

    def __init__(self, machine: Machine, node: Node, *, is_append: bool) -> None:
        self._machine = machine
        self._node = node
        self._is_append = is_append
        self._position = 0
        self._is_open = True

    def write(self, data: bytes | memoryview, /) -> int:
        """Write at the file's position, or at its end when appending."""
        with self._machine.lock:
            self._tick()
            if self._is_append:
                self._position = len(self._node.data)
            self._place(self._position, bytes(data))
            self._position += len(data)
            return len(data)

    def write_at(self, offset: int, data: bytes) -> None:
        """Write at `offset`."""
        with self._machine.lock:
            self._tick()
            self._place(offset, data)

    def truncate(self, size: int) -> None:
        """Cut or extend with zeros."""
        with self._machine.lock:
            self._tick()
            content = self._node.data
            del content[size:]
            content.extend(bytes(size - len(content)))
            self._machine.touch(self._node)

    def stat(self) -> DiskStat:
        """Describe the open file."""
        with self._machine.lock:
            self._tick()
            return describe(self._node)

    def sync(self) -> None:
        """Make the file's bytes survive a crash; its name is its directory's affair."""
        with self._machine.lock:
            self._tick()
            self._node.synced_data = bytes(self._node.data)

    def close(self) -> None:
        """Close the file."""
        self._is_open = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _tick(self) -> None:
        if not self._is_open:
            fail(errno.EBADF, "closed file")
        self._machine.tick()

    def _place(self, offset: int, data: bytes) -> None:
        content = self._node.data
        if offset > len(content):
            content.extend(bytes(offset - len(content)))
        content[offset : offset + len(data)] = data
        self._machine.touch(self._node)


class MemoryReader(io.RawIOBase):
    """The bytes of a file as they are now, read from a position."""

    def __init__(self, machine: Machine, node: Node) -> None:
        super().__init__()
        self._machine = machine
        self._node = node
        self._position = 0

    def readable(self) -> bool:
        """Say yes."""
        return True

    def seekable(self) -> bool:
        """Say yes."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """Move the position."""
        with self._machine.lock:
            base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: len(self._node.data)}[whence]
            self._position = max(0, base + offset)
            return self._position

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]
        """Read what is there now."""
        with self._machine.lock:
            self._machine.tick()
            chunk = self._node.data[self._position : self._position + len(buffer)]
            buffer[: len(chunk)] = chunk
            self._position += len(chunk)
            return len(chunk)
