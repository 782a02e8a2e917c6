"""Which removed things a person asks for: a model and names, or paths of the namespace, both with wildcards."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from swampsync.errors import InvalidInput
from swampsync.log.paths import RAW_FILE, SHARED_SUBDIRS, parse_version_path
from swampsync.log.rows import ArtifactRow
from swampsync.log.undelete import Undelete
from swampsync.log.wildcards import compile_name, compile_path
from swampsync.namespace import Namespace, parse_scoped_name


@dataclass(frozen=True, slots=True)
class Selection:
    """What is asked for.

    Args:
        words: As they were typed.
        namespace: Named by `ns:model`; `None` for the one that the repo acts in.
        model: Name or id of a model; `None` where paths are asked for.
        names: Of the model's artifacts; all if there is none.
        paths: Relative to the namespace; a directory stands for all below it.
        version: Only this version.
    """

    words: tuple[str, ...]
    namespace: Namespace | None
    model: str | None
    names: tuple[re.Pattern[str], ...]
    paths: tuple[re.Pattern[str], ...]
    version: int | None

    def wants(self, path: str) -> bool:
        """Say whether a file, or a version's directory, may be asked for; whose model it is shows later."""
        version = parse_version_path(f"{path}/{RAW_FILE}")
        if version is not None and self.version not in (None, version.number):
            return False
        if self.model is None:
            return any(pattern.fullmatch(path) for pattern in self.paths)
        if version is None:
            return False
        name = version.artifact.rpartition("/")[2]
        return not self.names or any(pattern.fullmatch(name) for pattern in self.names)

    def takes(self, found: Undelete, *, model_ids: frozenset[str]) -> bool:
        """Say whether something that `wants` let through is asked for.

        Args:
            found: With the metadata of then.
            model_ids: Ids of models that are known by the name that is asked for.
        """
        if self.model is None:
            return True
        if found.artifact is None:
            return False
        identifier = found.artifact.model_id
        return identifier in model_ids or self.model in (identifier, model_name_of(found.artifact))


def model_name_of(row: ArtifactRow) -> str:
    """Name the model of a version as its tags do; empty if they do not."""
    tags = row.metadata.get("tags")
    name = tags.get("modelName") if isinstance(tags, dict) else None
    return name if isinstance(name, str) else ""


def parse_selection(words: Sequence[str], *, version: int | None = None) -> Selection:
    """Understand what was typed: `MODEL [NAME…]`, or paths such as `files/**` and `data/…`.

    Raises:
        InvalidInput: Nothing was, or both kinds were.
    """
    usage = "swamp datastore undelete MODEL [NAME]… or PATH…"
    if not words or not all(words):
        raise InvalidInput(f"what to bring back is missing. Usage: {usage}", hint="swamp datastore undelete MODEL NAME")
    are_paths = {word.partition("/")[0] in SHARED_SUBDIRS and "/" in word for word in words}
    if len(are_paths) > 1:
        raise InvalidInput(f"a model's name and paths do not go together. Usage: {usage}", hint=usage)
    if are_paths.pop():
        return Selection(tuple(words), None, None, (), tuple(map(compile_path, words)), version)
    if any("/" in word for word in words[1:]):
        raise InvalidInput(f"a data name has no slash. Usage: {usage}", hint=usage)
    namespace, model = parse_scoped_name(words[0])
    return Selection(tuple(words), namespace, model, tuple(map(compile_name, words[1:])), (), version)
