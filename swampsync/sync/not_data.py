"""Which files of a copy are nobody's data, by their names."""

from __future__ import annotations

import re
from typing import Final

from swampsync.layout import MANIFEST_NAME, MEMBERS_NAME, MODEL_LOCK_NAME

# Locks, temporary files of ours, of swamp and of editors, and what systems leave behind.
_NOT_DATA: Final = re.compile(
    r"\..*\.tmp|\..*\.sw[a-z]|\.#.*|#.*#|.*~|\.lock|\.takeover-.*|\.DS_Store|Thumbs\.db|desktop\.ini|\.nfs.*"
    r"|\.fuse_hidden.*|\.goutputstream-.*|_catalog\.db.*|_sync\.db.*|\.push-queue\.json|\.datastore.*"
    r"|" + "|".join(re.escape(name) for name in (MODEL_LOCK_NAME, MANIFEST_NAME, MEMBERS_NAME))
)


def is_data(name: str) -> bool:
    """Say whether a file of this name may be somebody's data; the contrary is never published."""
    return _NOT_DATA.fullmatch(name) is None
