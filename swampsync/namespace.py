"""A namespace: one repo's share of a datastore. Solo is the empty one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from swampsync.errors import InvalidInput, printable

MAX_LENGTH: Final = 64

# The fifteen subdirectories of swamp, in its order; the first group lies in the datastore by default.
DATASTORE_SUBDIRS: Final = (
    "auto-definitions",
    "definitions-evaluated",
    "workflows-evaluated",
    "data",
    "outputs",
    "workflow-runs",
    "secrets",
    "bundles",
    "vault-bundles",
    "driver-bundles",
    "report-bundles",
    "audit",
    "telemetry",
    "logs",
    "files",
)
ALWAYS_LOCAL_SUBDIRS: Final = frozenset(
    {"secrets", "bundles", "vault-bundles", "driver-bundles", "report-bundles", "datastore-bundles"}
)

_DEVICES: Final = frozenset({"con", "prn", "aux", "nul"} | {f"{kind}{n}" for kind in ("com", "lpt") for n in range(10)})
RESERVED: Final = (
    frozenset(DATASTORE_SUBDIRS)
    | ALWAYS_LOCAL_SUBDIRS
    | {"remote", "core", "pgmq", "system", "shared", "all"}
    | _DEVICES
)

_PATTERN: Final = re.compile(r"[a-z0-9](?:[a-z0-9_-]*[a-z0-9])?")


@dataclass(frozen=True, order=True)
class Namespace:
    """A validated namespace; construct it with `Namespace.parse` or take `SOLO`."""

    name: str

    @classmethod
    def parse(cls, text: str) -> Namespace:
        """Validate an explicit name; it is never changed.

        Raises:
            InvalidInput: The name is empty, too long, malformed or reserved.
        """
        if not text:
            raise InvalidInput(
                "a namespace cannot be empty",
                hint="leave the setting out for solo mode, or: swamp datastore namespace unset",
            )
        if len(text) > MAX_LENGTH:
            raise InvalidInput(
                f"a namespace has at most {MAX_LENGTH} characters, this one has {len(text)}",
                hint=_suggest(text[:MAX_LENGTH]),
            )
        if _PATTERN.fullmatch(text) is None:
            raise InvalidInput(
                f"namespace `{printable(text[:80])}` may hold a-z, 0-9, `-`, `_`, with a letter or digit at both ends",
                hint=_suggest(text),
            )
        if text in RESERVED:
            raise InvalidInput(
                f"namespace `{text}` is reserved: it names a directory or device that means something else",
                hint=f"swamp datastore namespace set {text}-team",
            )
        return cls(text)

    @property
    def is_solo(self) -> bool:
        """Whether this is the empty namespace: no prefix anywhere."""
        return not self.name

    @property
    def is_swamp_compatible(self) -> bool:
        """Whether swamp accepts the name too; it knows no underscore."""
        return "_" not in self.name

    def __str__(self) -> str:
        return self.name


SOLO: Final = Namespace("")


def derive_namespace(directory_name: str) -> Namespace:
    """Make a valid namespace of a directory's name, always the same one (`My Repo` becomes `my-repo`).

    Raises:
        InvalidInput: Nothing usable is left of the name.
    """
    slug = re.sub(r"[^a-z0-9_-]+", "-", directory_name.lower())
    slug = slug.strip("-_")[:MAX_LENGTH].strip("-_")
    if slug in RESERVED:
        slug = f"{slug}-repo"
    if not slug:
        raise InvalidInput(
            f"no namespace can be made of the directory name `{printable(directory_name[:80])}`",
            hint="name one: swamp datastore namespace set NAME",
        )
    return Namespace.parse(slug)


def parse_scoped_name(text: str) -> tuple[Namespace | None, str]:
    """Split `ns:name` at its first colon; `None` means that no namespace was named, `:name` names solo.

    Raises:
        InvalidInput: The part before the colon is no namespace, or nothing follows it.
    """
    head, colon, tail = text.partition(":")
    if not colon:
        return None, text
    if not tail:
        raise InvalidInput(f"a name is missing after the colon in `{printable(text[:80])}`")
    return (Namespace.parse(head) if head else SOLO), tail


def _suggest(text: str) -> str | None:
    try:
        return f"a valid name: {derive_namespace(text)}"
    except InvalidInput:
        return None
