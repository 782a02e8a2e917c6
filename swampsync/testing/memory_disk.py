"""A `Disk` in memory, with the errors of a real one, that can lose its power.

`crash()` forgets what was not synced: bytes of files, and names in directories, each by itself, as strictly as a file
system may. `power_off_after(n)` lets the n-th operation from now be the last: every later one raises `PowerFailure`,
so that no clean-up code runs on a dead machine.
"""

from __future__ import annotations

import errno
import io
import posixpath
from typing import BinaryIO

from swampsync.clock import Clock
from swampsync.disk import DiskEntry, DiskStat, Kind, WriteMode
from swampsync.testing.memory_files import Machine, MemoryFile, MemoryReader, Node, PowerFailure, describe, fail

__all__ = ["MemoryDisk", "PowerFailure"]

_MAX_LINKS = 40


def _segments(path: str) -> list[str]:
    return [part for part in path.split("/") if part not in {"", "."}]


class MemoryDisk:
    """Files and directories in memory, safe for threads.

    Args:
        clock: Where the times of files come from.
    """

    def __init__(self, clock: Clock) -> None:
        self._machine = Machine(clock)
        self._next_inode = 2
        self._root = Node(Kind.DIRECTORY, 1, self._machine.now_ns())

    @property
    def operations(self) -> int:
        """How many operations were done so far."""
        return self._machine.operations

    # --- power ------------------------------------------------------------------------------------

    def power_off_after(self, operations: int) -> None:
        """Let that many operations pass, and fail all after them until `crash()`."""
        with self._machine.lock:
            self._machine.operations_left = operations

    def crash(self) -> None:
        """Lose what was not synced, and come up again."""
        with self._machine.lock:
            self._machine.operations_left = None
            self._restore(self._root, {})
            self._count_links()

    # --- Disk -------------------------------------------------------------------------------------

    def open_read(self, path: str) -> BinaryIO:
        """Open for reading; what is written later through other descriptors is seen."""
        with self._machine.lock:
            self._machine.tick()
            return io.BufferedReader(MemoryReader(self._machine, self._file(path)))

    def read_bytes(self, path: str) -> bytes:
        """Read a whole file."""
        with self._machine.lock:
            self._machine.tick()
            return bytes(self._file(path).data)

    def read_private(self, path: str) -> bytes:
        """Read a whole file that was made private."""
        with self._machine.lock:
            self._machine.tick()
            node = self._node(path, follow=False)
            if node.kind is Kind.LINK or not node.is_private:
                fail(errno.EACCES, path)
            return bytes(node.data)

    def open_write(self, path: str, mode: WriteMode) -> MemoryFile:
        """Open for writing."""
        with self._machine.lock:
            self._machine.tick()
            if mode in {WriteMode.CREATE, WriteMode.PRIVATE}:
                parent, name = self._parent(path)
                if name in parent.entries:
                    fail(errno.EEXIST, path)
                node = self._add(parent, name, Kind.FILE)
                node.is_private = mode is WriteMode.PRIVATE
                return MemoryFile(self._machine, node, is_append=False)
            try:
                node = self._node(path)
            except FileNotFoundError:
                if mode is not WriteMode.TRUNCATE:
                    raise
                parent, name = self._parent(path)
                return MemoryFile(self._machine, self._add(parent, name, Kind.FILE), is_append=False)
            if node.kind is Kind.DIRECTORY:
                fail(errno.EISDIR, path)
            if mode is WriteMode.TRUNCATE:
                node.data.clear()
                self._machine.touch(node)
            return MemoryFile(self._machine, node, is_append=mode is WriteMode.APPEND)

    def mkdir(self, path: str) -> None:
        """Create one directory."""
        with self._machine.lock:
            self._machine.tick()
            parent, name = self._parent(path)
            if name in parent.entries:
                fail(errno.EEXIST, path)
            self._add(parent, name, Kind.DIRECTORY)

    def makedirs(self, path: str, *, is_private: bool = False) -> None:  # noqa: ARG002 - nobody else looks in here
        """Create a directory and its parents."""
        parts = [part for part in path.split("/") if part]
        for end in range(1, len(parts) + 1):
            try:
                self.mkdir("/" + "/".join(parts[:end]))
            except FileExistsError:
                with self._machine.lock:
                    if self._node("/" + "/".join(parts[:end])).kind is not Kind.DIRECTORY:
                        raise

    def symlink(self, target: str, path: str) -> None:
        """Create a symbolic link, for tests."""
        with self._machine.lock:
            parent, name = self._parent(path)
            if name in parent.entries:
                fail(errno.EEXIST, path)
            self._add(parent, name, Kind.LINK).target = target

    def link(self, source: str, target: str) -> None:
        """Give a file a second name."""
        with self._machine.lock:
            self._machine.tick()
            node = self._node(source, follow=False)
            if node.kind is Kind.DIRECTORY:
                fail(errno.EPERM, source)
            parent, name = self._parent(target)
            if name in parent.entries:
                fail(errno.EEXIST, target)
            parent.entries[name] = node
            node.links += 1
            node.ctime_ns = self._machine.now_ns()
            self._machine.touch(parent)

    def rename(self, source: str, target: str) -> None:
        """Rename, replacing an existing file or empty directory."""
        with self._machine.lock:
            self._machine.tick()
            parent, name = self._parent(source)
            node = parent.entries.get(name)
            if node is None:
                fail(errno.ENOENT, source)
            new_parent, new_name = self._parent(target)
            existing = new_parent.entries.get(new_name)
            if existing is node:
                return
            if node.kind is Kind.DIRECTORY and self._contains(node, new_parent):
                fail(errno.EINVAL, target)
            if existing is not None:
                if existing.kind is Kind.DIRECTORY and node.kind is not Kind.DIRECTORY:
                    fail(errno.EISDIR, target)
                if node.kind is Kind.DIRECTORY and existing.kind is not Kind.DIRECTORY:
                    fail(errno.ENOTDIR, target)
                if existing.entries:
                    fail(errno.ENOTEMPTY, target)
                self._drop(new_parent, new_name)
            del parent.entries[name]
            new_parent.entries[new_name] = node
            if node.kind is Kind.DIRECTORY:
                parent.links -= 1
                new_parent.links += 1
            node.ctime_ns = self._machine.now_ns()
            self._machine.touch(parent)
            self._machine.touch(new_parent)

    def touch(self, path: str) -> None:
        """Set a file's modification time to now."""
        with self._machine.lock:
            self._machine.tick()
            self._machine.touch(self._file(path))

    def unlink(self, path: str) -> None:
        """Remove a file or link."""
        with self._machine.lock:
            self._machine.tick()
            parent, name = self._parent(path)
            node = parent.entries.get(name)
            if node is None:
                fail(errno.ENOENT, path)
            if node.kind is Kind.DIRECTORY:
                fail(errno.EISDIR, path)
            self._drop(parent, name)

    def rmdir(self, path: str) -> None:
        """Remove an empty directory."""
        with self._machine.lock:
            self._machine.tick()
            parent, name = self._parent(path)
            node = parent.entries.get(name)
            if node is None:
                fail(errno.ENOENT, path)
            if node.kind is not Kind.DIRECTORY:
                fail(errno.ENOTDIR, path)
            if node.entries:
                fail(errno.ENOTEMPTY, path)
            self._drop(parent, name)

    def stat(self, path: str) -> DiskStat:
        """Describe a path, links not followed."""
        with self._machine.lock:
            self._machine.tick()
            return describe(self._node(path, follow=False))

    def scandir(self, path: str) -> list[DiskEntry]:
        """List a directory."""
        with self._machine.lock:
            self._machine.tick()
            node = self._node(path)
            if node.kind is not Kind.DIRECTORY:
                fail(errno.ENOTDIR, path)
            return [DiskEntry(name, child.kind) for name, child in node.entries.items()]

    def readlink(self, path: str) -> str:
        """Return where a symbolic link points."""
        with self._machine.lock:
            self._machine.tick()
            node = self._node(path, follow=False)
            if node.kind is not Kind.LINK:
                fail(errno.EINVAL, path)
            return node.target

    def realpath(self, path: str) -> str:
        """Resolve symbolic links; the path need not exist."""
        with self._machine.lock:
            self._machine.tick()
            resolved = ""
            parts = _segments(path)
            links = 0
            while parts:
                part = parts.pop(0)
                target = "" if part == ".." else self._link_target(f"{resolved}/{part}")
                if part == "..":
                    resolved = resolved.rpartition("/")[0]
                elif not target or links == _MAX_LINKS:
                    resolved = f"{resolved}/{part}"
                else:
                    links += 1
                    resolved = "" if target.startswith("/") else resolved
                    parts = _segments(target) + parts
            return resolved or "/"

    def sync_directory(self, path: str) -> None:
        """Make a directory's names survive a crash."""
        with self._machine.lock:
            self._machine.tick()
            node = self._node(path)
            if node.kind is not Kind.DIRECTORY:
                fail(errno.ENOTDIR, path)
            node.synced_entries = dict(node.entries)

    def sync_filesystem(self, path: str) -> None:
        """Make everything survive a crash."""
        with self._machine.lock:
            self._machine.tick()
            self._node(path)
            pending = [self._root]
            while pending:
                node = pending.pop()
                node.synced_data = bytes(node.data)
                node.synced_entries = dict(node.entries)
                pending.extend(node.entries.values())

    def filesystem_type(self, path: str) -> str:
        """Say `memory`."""
        del path
        return "memory"

    # --- inside -----------------------------------------------------------------------------------

    def _add(self, parent: Node, name: str, kind: Kind) -> Node:
        if len(name.encode()) > 255:
            fail(errno.ENAMETOOLONG, name)
        node = Node(kind, self._next_inode, self._machine.now_ns())
        self._next_inode += 1
        parent.entries[name] = node
        if kind is Kind.DIRECTORY:
            parent.links += 1
        else:
            node.links = 1
        self._machine.touch(parent)
        return node

    def _drop(self, parent: Node, name: str) -> None:
        node = parent.entries.pop(name)
        if node.kind is Kind.DIRECTORY:
            parent.links -= 1
            node.links = 0
        else:
            node.links -= 1
        node.ctime_ns = self._machine.now_ns()
        self._machine.touch(parent)

    def _parent(self, path: str) -> tuple[Node, str]:
        directory, name = posixpath.split(path.rstrip("/"))
        if not name:
            fail(errno.EEXIST, path)
        parent = self._node(directory, shown=path)
        if parent.kind is not Kind.DIRECTORY:
            fail(errno.ENOTDIR, path)
        return parent, name

    def _file(self, path: str) -> Node:
        node = self._node(path)
        if node.kind is Kind.DIRECTORY:
            fail(errno.EISDIR, path)
        return node

    def _node(self, path: str, *, follow: bool = True, shown: str = "") -> Node:
        if not path.startswith("/"):
            raise ValueError(f"no absolute path: {path!r}")
        trail = [self._root]
        parts = _segments(path)
        links = 0
        while parts:
            if trail[-1].kind is not Kind.DIRECTORY:
                fail(errno.ENOTDIR, shown or path)
            part = parts.pop(0)
            if part == "..":
                trail = trail[:-1] or trail
                continue
            child = trail[-1].entries.get(part)
            if child is None:
                fail(errno.ENOENT, shown or path)
            if child.kind is not Kind.LINK or not (parts or follow):
                trail.append(child)
                continue
            links += 1
            if links > _MAX_LINKS:
                fail(errno.ELOOP, shown or path)
            if child.target.startswith("/"):
                trail = [self._root]
            parts = _segments(child.target) + parts
        return trail[-1]

    def _link_target(self, path: str) -> str:
        try:
            return self._node(path, follow=False).target
        except OSError:
            return ""

    def _contains(self, node: Node, other: Node) -> bool:
        return node is other or any(self._contains(child, other) for child in node.entries.values())

    def _restore(self, node: Node, seen: dict[int, None]) -> None:
        if node.inode in seen:
            return
        seen[node.inode] = None
        node.entries = dict(node.synced_entries)
        node.data = bytearray(node.synced_data)
        for child in node.entries.values():
            self._restore(child, seen)

    def _count_links(self) -> None:
        pending = [self._root]
        found: dict[int, Node] = {}
        while pending:
            node = pending.pop()
            if node.kind is not Kind.DIRECTORY:
                node.links = node.links + 1 if node.inode in found else 1
            else:
                node.links = 2 + sum(child.kind is Kind.DIRECTORY for child in node.entries.values())
            found[node.inode] = node
            pending.extend(node.entries.values())
