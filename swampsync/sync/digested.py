"""A file that is hashed while it goes up, however often a store begins again."""

from __future__ import annotations

import hashlib
import io
from typing import BinaryIO, Final

_CHUNK: Final = 1 << 20


class Digested:
    """The first bytes of a file, hashed as they are read from the beginning; read again, they are hashed again.

    Args:
        stream: The file, at its beginning, open for reading.
        size: How many of its bytes; what comes after them does not exist here.
    """

    def __init__(self, stream: BinaryIO, size: int) -> None:
        self._stream = stream
        self._size = size
        self._at = 0
        self._hashed = 0
        self._digest = hashlib.sha256()

    @property
    def hexdigest(self) -> str:
        """The digest of what was read, as far as it was read without a gap."""
        return self._digest.hexdigest()

    def read(self, size: int = -1, /) -> bytes:
        """Read up to `size` bytes; a piece of them where no size is named."""
        data = self._stream.read(min(self._size - self._at, _CHUNK if size < 0 else size))
        if self._at == 0:
            self._digest, self._hashed = hashlib.sha256(), 0
        if self._at == self._hashed:
            self._digest.update(data)
            self._hashed += len(data)
        self._at += len(data)
        return data

    def seekable(self) -> bool:
        """Say that it can be rewound."""
        return True

    def tell(self) -> int:
        """Return where the next byte is read."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Go to a place, no further than the end."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = self._stream.seek(min(max(base + offset, 0), self._size))
        return self._at
