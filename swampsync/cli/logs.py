"""What `-v`, `-vv` and SWAMP_LOG_LEVEL show of the library's log."""

from __future__ import annotations

import logging
import re
from typing import Final

from swampsync.cli.console import Console

# Anything that looks like a credential, wherever it stands in a line.
_SECRETS: Final = re.compile(
    r"(?i)((?:secret|password|token|authorization|signature|credential)[\w-]*[\"']?\s*[=:]\s*[\"']?)[^\s\"',&]+"
    r"|\b(?:AKIA|ASIA)[A-Z0-9]{12,}\b"
)


def redact(text: str) -> str:
    """Replace what looks like a credential by `***`."""
    return _SECRETS.sub(lambda found: (found.group(1) or "") + "***", text)


class _Redacting(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record))


def show_logs(verbosity: int, level: str | None, console: Console) -> None:
    """Send the library's log to stderr, at a level by flag or by name."""
    chosen = logging.DEBUG if verbosity > 1 else logging.INFO if verbosity else _parse_level(level)
    logger = logging.getLogger("swampsync")
    logger.setLevel(chosen)
    handler = logging.StreamHandler(console.stderr)
    handler.setFormatter(_Redacting("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logger.handlers[:] = [handler]


def _parse_level(name: str | None) -> int:
    known = {"trace": logging.DEBUG, "debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING}
    known |= {"warn": logging.WARNING, "error": logging.ERROR, "fatal": logging.CRITICAL}
    return known.get((name or "").lower(), logging.WARNING)
