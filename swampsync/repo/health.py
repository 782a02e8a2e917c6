"""`datastore status`: can the datastore be used now, and how fast does it answer?"""

from __future__ import annotations

import posixpath
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from swampsync.disk import WriteMode
from swampsync.repo.parts import Parts


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """Whether the datastore can be used.

    Args:
        type: The kind of datastore, as configured.
        path: Where it is, as people write it.
        is_healthy: Whether it can be used now.
        message: That in a sentence.
        problem: What went wrong; `None` if nothing did.
        latency_ms: Of one question.
        directories: What of a repo lies there.
        exclude: The patterns of what does not.
    """

    type: str
    path: str
    is_healthy: bool
    message: str
    problem: str | None
    latency_ms: float
    directories: tuple[str, ...]
    exclude: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Make the document that `datastore status` prints."""
        document: dict[str, Any] = {
            "type": self.type,
            "path": self.path,
            "healthy": self.is_healthy,
            "message": self.message,
            "latencyMs": self.latency_ms,
            "directories": list(self.directories),
        }
        return document | ({"exclude": list(self.exclude)} if self.exclude else {})

    def lines(self) -> list[tuple[str, str]]:
        """Make the lines that a person reads."""
        state = f"● {'healthy' if self.is_healthy else 'unhealthy'} ({self.latency_ms:.0f}ms)"
        lines = [("Type", self.type), ("Path", self.path), ("Health", state)]
        if not self.is_healthy:
            lines.append(("Error", self.message))
        lines.append(("Dirs", ", ".join(self.directories)))
        return lines + ([("Exclude", ", ".join(self.exclude))] if self.exclude else [])


def read_health(parts: Parts, *, probe: Callable[[], str | None] | None = None) -> Health:
    """Create and remove a small file in a directory, as swamp does, or list in a bucket; and time it.

    Args:
        parts: Of the repo.
        probe: What to time in a bucket once it has answered; returns what went wrong.
    """
    place = parts.datastore_place
    start = parts.world.clock.uptime()
    if parts.config.is_remote:
        from swampsync.repo.bucket_probe import reach_bucket

        kind, problem = "S3 datastore", reach_bucket(parts)
        if problem is None:
            # The first request also loaded the client and opened the connection; the second one tells the latency.
            start = parts.world.clock.uptime()
            problem = reach_bucket(parts) if probe is None else probe()
    else:
        kind, problem = "Filesystem datastore", _touch(parts)
    latency = parts.world.clock.uptime() - start
    return Health(
        type=parts.config.datastore.type,
        path=place,
        is_healthy=problem is None,
        message=f"{kind} at {place} is healthy" if problem is None else f"{kind} at {place}: {problem}",
        problem=problem,
        latency_ms=latency * 1000,
        directories=parts.layout.subdirs,
        exclude=parts.config.exclude,
    )


def _touch(parts: Parts) -> str | None:
    probe = posixpath.join(parts.layout.base, f".swamp-health-check-{parts.world.new_id()}")
    try:
        with parts.world.disk.open_write(probe, WriteMode.CREATE) as file:
            file.write(b"")
        parts.world.disk.unlink(probe)
    except OSError as error:
        return (error.strerror or str(error)).lower()
    return None
