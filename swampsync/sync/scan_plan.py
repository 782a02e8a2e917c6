"""What a scan of the local copy found: values only; `scanning.py` finds them, `taking_in.py` records them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from swampsync.catalog.files import FileRecord

_LISTED: Final = 10_000


class Change(StrEnum):
    """What happened to a version or file behind our back."""

    NEW_VERSION = "new version"  # that nobody knows; under its own number, or the next one where that was used
    EDITED_VERSION = "edited version"  # content or metadata; published as the next version
    NEW_FILE = "new file"
    EDITED_FILE = "edited file"
    FOUND = "found"  # content that the log has and that was not fetched by us
    COPY = "copy"  # of a version that is known under another number
    REMOVED = "removed"  # was here, as the log has it, and is gone


@dataclass(frozen=True, slots=True)
class Finding:
    """One version or file that is not what was recorded.

    Args:
        change: What happened.
        path: Of the file; of a version its directory.
        size: Of its content, in bytes.
    """

    change: Change
    path: str
    size: int = 0


@dataclass(slots=True)
class ScanPlan:
    """Everything that a scan found.

    Attributes:
        findings: What is not as it was recorded, in order of path.
        missing: Paths of fetched content that is not here any more.
        notes: Path and reason of what cannot be taken in, and need not: links, files among versions.
        failures: Path and reason of what could not be read.
        touched: Records of files that are as they were recorded, but for their times.
        seen: How many versions and files were looked at.
        hashed: How many of them were read.
    """

    findings: list[Finding] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    notes: list[tuple[str, str]] = field(default_factory=list)
    failures: list[tuple[str, str]] = field(default_factory=list)
    touched: list[FileRecord] = field(default_factory=list)
    seen: int = 0
    hashed: int = 0

    def counts(self) -> dict[Change, int]:
        """Count the findings of each kind."""
        return Counter(finding.change for finding in self.findings)


@dataclass(slots=True)
class Scanned:
    """What a scan did.

    Attributes:
        plan: What it found.
        is_dry_run: Whether that was all.
        adopted: What was taken in: how it changed, and its path now.
        left: Path and reason of what was found and could not be taken in.
    """

    plan: ScanPlan
    is_dry_run: bool = False
    adopted: list[Finding] = field(default_factory=list)
    left: list[tuple[str, str]] = field(default_factory=list)

    @property
    def failures(self) -> list[tuple[str, str]]:
        """What could not be read or taken in, with the reason."""
        return [*self.plan.failures, *self.left]

    def to_json(self) -> dict[str, Any]:
        """Make the part of `datastore sync --json` that tells of a scan."""
        findings = self.plan.findings if self.is_dry_run else self.adopted
        return {
            "looked": self.plan.seen,
            "read": self.plan.hashed,
            "adopted": [] if self.is_dry_run else [_to_json(f) for f in findings[:_LISTED]],
            "found": [_to_json(f) for f in self.plan.findings[:_LISTED]],
            "missing": len(self.plan.missing),
            "notes": [{"path": path, "reason": reason} for path, reason in self.plan.notes[:_LISTED]],
        }


def _to_json(finding: Finding) -> dict[str, Any]:
    return {"change": finding.change.value, "path": finding.path, "bytes": finding.size}
