"""Disks with the manners of real ones."""

from __future__ import annotations

import errno
from collections.abc import Callable

from swampsync.clock import Clock
from swampsync.testing.memory_disk import MemoryDisk


class HookedDisk(MemoryDisk):
    """Calls a test before or after an operation on a path that ends as given."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.before_rename: Callable[[str], None] | None = None
        self.after_rename: Callable[[str], None] | None = None
        self.after_link: Callable[[str], None] | None = None

    def rename(self, source: str, target: str) -> None:
        hook, self.before_rename = self.before_rename, None
        if hook is not None:
            hook(source)
        super().rename(source, target)
        hook, self.after_rename = self.after_rename, None
        if hook is not None:
            hook(target)

    def link(self, source: str, target: str) -> None:
        super().link(source, target)
        if self.after_link is not None:
            self.after_link(target)


class LinklessDisk(MemoryDisk):
    """A file system without hard links."""

    def link(self, source: str, target: str) -> None:
        raise OSError(errno.EPERM, "no hard links", target)


class ForgetfulDisk(MemoryDisk):
    """A network file system that does the work and loses the answer, every time."""

    def link(self, source: str, target: str) -> None:
        super().link(source, target)
        raise FileExistsError(errno.EEXIST, "asked again after a lost answer", target)

    def rename(self, source: str, target: str) -> None:
        super().rename(source, target)
        raise FileNotFoundError(errno.ENOENT, "asked again after a lost answer", source)
