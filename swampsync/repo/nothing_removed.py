"""Why `datastore undelete` finds nothing: an unknown name, or a known one of which nothing was removed."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

from swampsync.artifacts.definitions import AUTO_DEFINITIONS
from swampsync.artifacts.model import Model
from swampsync.errors import NotFound, SwampsyncError
from swampsync.log.rows import ArtifactRow
from swampsync.log.state import NamespaceState
from swampsync.log.wildcards import compile_path, has_wildcards
from swampsync.repo.selecting import Selection, model_name_of

# How many names are looked at one by one; each takes some ten microseconds.
_MANY: Final = 2_000


@dataclass(slots=True)
class KnownNames:
    """What there is or was in a namespace, as far as its log and the definitions at hand tell.

    Attributes:
        models: Names and ids of models, each with the ids that it stands for.
        artifacts: By model id: names of artifacts, whether or not a version of them is left.
        paths: Of artifacts and other files.
    """

    models: dict[str, set[str]] = field(default_factory=dict)
    artifacts: dict[str, set[str]] = field(default_factory=dict)
    paths: set[str] = field(default_factory=set)

    def ids_of(self, model: str) -> set[str]:
        """Return the ids of the models that a name or id stands for."""
        return self.models.get(model, set())

    def add_model(self, identifier: str, name: str) -> None:
        """Note a model, which may have no name."""
        for text in filter(None, (identifier, name)):
            self.models.setdefault(text, set()).add(identifier)

    def add_artifact(self, path: str) -> None:
        """Note an artifact by its path, and its model."""
        *_, identifier, name = path.split("/")
        self.add_model(identifier, "")
        self.artifacts.setdefault(identifier, set()).add(name)
        self.paths.add(path)


def gather_names(now: NamespaceState, removed: Iterable[ArtifactRow], defined: Iterable[Model]) -> KnownNames:
    """Gather what a namespace knows; pure.

    Args:
        now: The state at the head, with its memory of what ever was.
        removed: Metadata of what was removed lately; a model of which nothing is left is called by name only there.
        defined: Models whose definitions are at hand.
    """
    known = KnownNames()
    for row in (*now.artifacts(), *removed):
        known.add_artifact(row.artifact)
        known.add_model(row.model_id, model_name_of(row))
    for artifact in now.highest:
        known.add_artifact(artifact)
    for model in defined:
        known.add_model(model.id, model.name)
    known.paths |= now.used
    for path in now.used:  # definitions that are not here: named by their files, or by their ids
        if path.startswith(f"{AUTO_DEFINITIONS}/"):
            known.models.setdefault(path.rpartition("/")[2].removesuffix(".yaml"), set())
    return known


def explain_nothing(
    selection: Selection,
    known: KnownNames,
    *,
    pending: Collection[str],
    seq: int | None,
    horizon: str,
    gone: int = 0,
) -> SwampsyncError:
    """Make the error that says why nothing is to be brought back; pure.

    Args:
        selection: What was asked for.
        known: What there is or was.
        pending: Paths whose removal this clone has not published yet.
        seq: The commit as of which it was asked for; `None` for the newest removals.
        horizon: How far back those were looked for (`7 days`).
        gone: The commit before which what was removed was vacuumed already; 0 for none.
    """
    unknown = _find_unknown_path(selection, known) if selection.model is None else _find_unknown_name(selection, known)
    if unknown is not None:
        return unknown
    words = " ".join(selection.words)
    which = words if selection.version is None else f"{words} --version {selection.version}"
    ids = None if selection.model is None else known.ids_of(selection.model)
    if any(selection.wants(path) and (ids is None or path.split("/")[-3] in ids) for path in pending):
        return NotFound(
            f"the removal of what `{which}` names is not published yet: the log still has it",
            hint="swamp datastore sync, and then the same again",
            key=words,
        )
    if seq is not None:
        return NotFound(
            f"nothing that `{which}` names existed at commit {seq} and is missing now",
            hint=f"swamp data list --as-of {seq}",
            key=words,
        )
    is_open = any(map(has_wildcards, selection.words))
    nothing = f"nothing that `{which}` names" if is_open else f"`{which}` is known, but nothing of it"
    if gone:
        narrowed = f"--path {selection.words[0]}" if ids is None else " ".join(selection.words[:2])
        return NotFound(
            f"{nothing} was removed since commit {gone}, before which removed content was vacuumed",
            hint=f"swamp datastore log {narrowed}",
            key=words,
        )
    return NotFound(
        f"{nothing} was removed within the last {horizon}, for which removed content is kept",
        hint=f"swamp datastore undelete {which} --at SEQ, if it was removed earlier and not vacuumed yet",
        key=words,
    )


def _find_unknown_name(selection: Selection, known: KnownNames) -> NotFound | None:
    model, names = str(selection.model), selection.words[1:]
    scope = "" if selection.namespace is None else f"{selection.namespace}:"
    if model not in known.models:
        near = _near(model, known.models)
        suggested = "" if not near else " ".join((f"{scope}{near[0]}", *names))
        return NotFound(
            f"no model `{scope}{model}` has data, or had any that was removed and is still known{_also(near)}",
            hint=f"did you mean: swamp datastore undelete {suggested}" if near else "swamp data list",
            key=model,
        )
    ids = known.ids_of(model)
    had = {name for identifier in ids for name in known.artifacts.get(identifier, ())}
    unknown = [name for name in names if not has_wildcards(name) and name not in had]
    if not ids or not unknown or len(unknown) < len(names):
        return None
    near = _near(unknown[0], had)
    return NotFound(
        f"model `{scope}{model}` never had data named `{unknown[0]}`{_also(near)}",
        hint=f"did you mean: swamp datastore undelete {scope}{model} {near[0]}"
        if near
        else f"swamp data list {scope}{model}",
        key=unknown[0],
    )


def _find_unknown_path(selection: Selection, known: KnownNames) -> NotFound | None:
    for word in selection.words:
        wanted = compile_path(word)
        # What is asked for lies at, below or, where a version or its file is named, above what is known.
        if has_wildcards(word) or any(wanted.fullmatch(p) or word.startswith(f"{p}/") for p in known.paths):
            return None
    word = selection.words[0]
    near = _near(word, known.paths)
    return NotFound(
        f"the namespace never had anything at `{word}`{_also(near)}",
        hint=f"did you mean: swamp datastore undelete {near[0]}" if near else "swamp datastore log",
        key=word,
    )


def _near(text: str, known: Collection[str]) -> list[str]:
    """Find names that are nearly the same; of very many only those that begin and end alike, which takes no time."""
    candidates = sorted(known)
    if len(candidates) > _MANY:
        alike = (name for name in candidates if name.startswith(text[:2]) and name.endswith(text[-2:]))
        candidates = list(islice(alike, _MANY))
    return difflib.get_close_matches(text, candidates, n=3, cutoff=0.6)


def _also(near: list[str]) -> str:
    return f"; there is {', '.join(f'`{name}`' for name in near)}" if near else ""
