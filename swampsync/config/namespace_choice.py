"""Which namespace, and why: `-n`, then `SWAMP_NAMESPACE`, then `.swamp.yaml`, then solo."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from swampsync.config.environment import NAMESPACE
from swampsync.errors import InvalidInput
from swampsync.namespace import SOLO, Namespace, derive_namespace

FLAG_SOURCE: Final = "flag"
FILE_SOURCE: Final = ".swamp.yaml"
DEFAULT_SOURCE: Final = "default"


@dataclass(frozen=True, slots=True)
class NamespaceChoice:
    """The namespace that a command acts in.

    Args:
        namespace: Validated; `SOLO` for none.
        source: `flag`, `SWAMP_NAMESPACE`, `.swamp.yaml` or `default`.
        explanation: A line for each place that was looked at, the first one first.
    """

    namespace: Namespace
    source: str
    explanation: tuple[str, ...]


def resolve_namespace(*, flag: str | None, environ: Mapping[str, str], file_value: str | None) -> NamespaceChoice:
    """Choose the namespace; only what is chosen has to be valid.

    Args:
        flag: What `-n` was given; an empty one is refused: `-n "$UNSET"` must not write into another place.
        environ: An empty variable counts as unset.
        file_value: `datastore.namespace`; an empty one counts as unset.

    Raises:
        InvalidInput: The chosen name is not valid; the message names where it comes from.
    """
    candidates = (
        (FLAG_SOURCE, "flag `-n`", flag, flag is not None),
        (NAMESPACE, f"`{NAMESPACE}`", environ.get(NAMESPACE), bool(environ.get(NAMESPACE))),
        (FILE_SOURCE, "`datastore.namespace` of `.swamp.yaml`", file_value, bool(file_value)),
    )
    chosen: tuple[str, Namespace] | None = None
    explanation = []
    for source, where, text, is_given in candidates:
        if not is_given:
            explanation.append(f"{where}: {'not set' if text is None else 'empty, which counts as not set'}")
        elif chosen is None:
            chosen = (source, _parse(text or "", where=where))
            explanation.append(f"{where}: `{text}`, chosen")
        else:
            explanation.append(f"{where}: `{text}`, not needed")
    if chosen is None:
        explanation.append("default: solo (no namespace), chosen")
        chosen = (DEFAULT_SOURCE, SOLO)
    return NamespaceChoice(chosen[1], chosen[0], tuple(explanation))


def derive_from_repo(repo_dir: str) -> Namespace:
    """Make the namespace that `namespace set` without a name takes: the repo directory's name, made valid.

    Raises:
        InvalidInput: Nothing usable is left of the name.
    """
    return derive_namespace(posixpath.basename(repo_dir.rstrip("/")))


def _parse(text: str, *, where: str) -> Namespace:
    try:
        return Namespace.parse(text)
    except InvalidInput as error:
        raise InvalidInput(f"{where}: {error.message}", hint=error.hint) from error
