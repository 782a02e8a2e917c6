"""Model definitions: from a name or an id to a model, and creating the definition of a new one."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from swampsync.artifacts.core_schema import resolve_plain
from swampsync.artifacts.model import Model, normalise_type
from swampsync.artifacts.scan import Problem
from swampsync.artifacts.tree import Tree
from swampsync.disk import Disk, Kind
from swampsync.errors import Conflict, DataError, InvalidInput, SwampsyncError, printable
from swampsync.layout import Layout
from swampsync.strict_yaml import parse_strict

DEFAULT_TYPE: Final = "swampsync/artifact"
TYPE_VERSION: Final = "2026.11.21.1"
AUTO_DEFINITIONS: Final = "auto-definitions"
EVALUATED_DEFINITIONS: Final = "definitions-evaluated"

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}|@[a-z0-9][a-z0-9_-]*(?:/[a-z0-9][a-z0-9_-]*)+")
_NAMESPACE_URL: Final = bytes.fromhex("6ba7b8119dad11d180b400c04fd430c8")


@dataclass(frozen=True, slots=True)
class Definition:
    """A model with the file that defines it."""

    model: Model
    path: str


def definition_sources(layout: Layout) -> tuple[str, ...]:
    """Return the directories that define one's own models, in the order in which they are asked."""
    return (layout.models_path(), layout.resolve(AUTO_DEFINITIONS))


def foreign_definition_sources(layout: Layout) -> tuple[str, ...]:
    """Return the directories that tell the models of another namespace, whose repo we do not have.

    Args:
        layout: The layout of that namespace (`Layout.of`).
    """
    return (layout.datastore_path(AUTO_DEFINITIONS), layout.datastore_path(EVALUATED_DEFINITIONS))


def find_definition(
    disk: Disk, sources: tuple[str, ...], text: str, *, on_problem: Callable[[Problem], None] | None = None
) -> Definition | None:
    """Find a model by name, else by id; a source is only asked if those before it do not know the name.

    Files called after the name are read first; only if there is none are all others looked at, and parsed only if
    they hold the text at all.

    Args:
        disk: Where the definitions lie.
        sources: Directories, from `definition_sources`.
        text: A name or an id, taken literally.
        on_problem: Told of every file that cannot be read as a definition.

    Raises:
        Conflict: Two files of one source define the name.
    """
    listed: dict[str, list[str]] = {}
    for source in sources:
        paths = listed[source] = list(_list_files(disk, source))
        called = [path for path in paths if path.removesuffix(".yaml").endswith(f"/{text}")]
        by_name = [found for found in _load_all(disk, source, called, on_problem) if found.model.name == text]
        if not by_name:
            others = [path for path in paths if path not in set(called)]
            by_name = [
                found
                for found in _load_all(disk, source, others, on_problem, containing=text)
                if found.model.name == text
            ]
        if by_name:
            return _only(by_name, text)
    by_id = [
        found
        for source, paths in listed.items()
        for found in _load_all(disk, source, paths, None, containing=text)
        if found.model.id == text
    ]
    return _only(by_id, text) if by_id else None


def list_definitions(
    disk: Disk, sources: tuple[str, ...], *, on_problem: Callable[[Problem], None] | None = None
) -> list[Definition]:
    """List every definition of the sources, by path within each source."""
    return [found for source in sources for found in _load_all(disk, source, _list_files(disk, source), on_problem)]


def check_model_name(name: str) -> None:
    """Refuse a name that swamp would not take for a new model.

    Raises:
        InvalidInput: The name is neither `[a-z0-9][a-z0-9_-]*` of at most 64 characters nor `@collective/name`.
    """
    if _NAME.fullmatch(name) is None:
        shown = printable(name[:80])
        raise InvalidInput(
            f"model name `{shown}` must match [a-z0-9][a-z0-9_-]* with at most 64 characters, or be @collective/name"
        )


def automatic_id(repo_id: str, model_type: str, name: str) -> str:
    """Make the id of an automatic definition: a UUID of version 5, the same in every clone of a repo."""
    digest = hashlib.sha1(  # noqa: S324  that is what version 5 is made of
        _NAMESPACE_URL + f"swampsync:{repo_id}:{model_type}:{name}".encode()
    ).digest()[:16]
    number = int.from_bytes(digest, "big")
    number = number & ~(0xF << 76) & ~(0x3 << 62) | 5 << 76 | 0x2 << 62
    digits = f"{number:032x}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def create_definition(tree: Tree, name: str, *, repo_id: str, model_type: str = DEFAULT_TYPE) -> Definition:
    """Create the automatic definition of a model, or return the one that somebody else created first.

    Whoever may meet others that create the same name under another type holds the name's lock
    (`Layout.definition_lock_path`).

    Raises:
        InvalidInput: The name or the type cannot be used.
        Conflict: The name is defined under another type.
    """
    check_model_name(name)
    model_type = normalise_type(model_type)
    model = Model(model_type, automatic_id(repo_id, model_type, name), name)
    sources = definition_sources(tree.layout)
    found = find_definition(tree.disk, sources, name)
    if found is None:
        path = f"{sources[1]}/{model_type}/{name}.yaml"
        _create(tree, path, model)
        found = find_definition(tree.disk, sources, name)
        if found is None:
            found = _parse_definition(tree.disk.read_bytes(path), sources[1], path)
            raise Conflict(f"`{path}` defines `{found.model.name}`, not `{name}`", key=path)
    if found.model.type != model_type:
        raise Conflict(
            f"model `{name}` has type `{found.model.type}` already, not `{model_type}`",
            hint=f"leave --type out, or: --type {found.model.type}",
            key=found.path,
        )
    return found


def create_model(tree: Tree, name: str, *, model_type: str) -> Definition:
    """Create a definition in the repo's own `models/`, with a fresh id.

    Raises:
        InvalidInput: The name or the type cannot be used.
        Conflict: The name is defined already.
    """
    check_model_name(name)
    model_type = normalise_type(model_type)
    found = find_definition(tree.disk, definition_sources(tree.layout), name)
    path = f"{tree.layout.models_path()}/{model_type}/{name}.yaml"
    model = Model(model_type, tree.new_id(), name)
    if found is not None or not _create(tree, path, model):
        raise Conflict(f"model `{name}` is defined already in `{found.path if found else path}`", key=name)
    return Definition(model, path)


def format_definition(model: Model) -> bytes:
    """Format a definition that says no more than what the model is, in the shape that swamp writes."""
    from swampsync.artifacts.emit_scalar import format_text  # noqa: PLC0415  finding a definition needs none of it

    lines = (
        f"type: {format_text(model.type, indent=2)}",
        f"typeVersion: {TYPE_VERSION}",
        f"id: {format_text(model.id, indent=2)}",
        f"name: {format_text(model.name, indent=2)}",
        "version: 1",
        "tags: {}",
        "globalArguments: {}",
        "methods: {}",
    )
    return ("\n".join(lines) + "\n").encode()


def _create(tree: Tree, path: str, model: Model) -> bool:
    """Create a file with its whole content, exclusively; say whether it was us."""
    directory = path.rpartition("/")[0]
    tree.disk.makedirs(directory)
    temporary = tree.write_beside(path, format_definition(model))
    try:
        tree.disk.link(temporary, path)
    except FileExistsError:
        return False
    finally:
        tree.disk.unlink(temporary)
    layout = tree.layout
    tops = (layout.base, layout.repo_dir)
    while any(directory.startswith(top) for top in tops):
        tree.disk.sync_directory(directory)
        directory = directory.rpartition("/")[0]
    return True


def _list_files(disk: Disk, source: str) -> Iterator[str]:
    """List the definition files below a directory, links to files included, in order of path."""
    try:
        entries = disk.scandir(source)
    except (FileNotFoundError, NotADirectoryError):
        return
    for entry in sorted(entries, key=lambda entry: entry.name):
        path = f"{source}/{entry.name}"
        if entry.name.startswith("."):
            continue
        if entry.kind is Kind.DIRECTORY:
            yield from _list_files(disk, path)
        elif entry.name.endswith(".yaml") and entry.kind in {Kind.FILE, Kind.LINK}:
            yield path


def _load_all(
    disk: Disk,
    source: str,
    paths: Iterator[str] | list[str],
    on_problem: Callable[[Problem], None] | None,
    *,
    containing: str = "",
) -> Iterator[Definition]:
    needle = containing.encode("utf-8", "surrogatepass")
    for path in paths:
        try:
            data = disk.read_bytes(path)
            # A double-quoted text may be written with escapes, which no search finds.
            if needle not in data and b"\\" not in data:
                continue
            yield _parse_definition(data, source, path)
        except SwampsyncError as error:
            _report(on_problem, path, error.message)
        except OSError as error:
            _report(on_problem, path, error.strerror or str(error))


def _report(on_problem: Callable[[Problem], None] | None, path: str, reason: str) -> None:
    if on_problem is not None:
        on_problem(Problem(path, reason))


def _parse_definition(data: bytes, source: str, path: str) -> Definition:
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise DataError(f"`{path}`: not UTF-8 at byte {error.start}", key=path) from error
    values = parse_strict(text, plain=resolve_plain)
    if values is None:
        from swampsync.artifacts.load_yaml import load_yaml  # noqa: PLC0415  brings PyYAML

        values = load_yaml(text, path)
    name, identifier = values.get("name"), values.get("id")
    if not isinstance(name, str) or not name or not isinstance(identifier, str) or not identifier:
        raise DataError(f"`{path}`: field `name` or `id` is missing or is not text", key=path)
    if "/" in identifier or identifier in {".", ".."} or "\0" in identifier:
        raise DataError(f"`{path}`: field `id` cannot be part of a path", key=path)
    model_type = values.get("type")
    if not isinstance(model_type, str) or not model_type:
        # Swamp takes the type of an automatic definition from its directories where the file does not say.
        model_type = path[len(source) + 1 :].rpartition("/")[0]
    return Definition(Model(normalise_type(model_type), identifier, name), path)


def _only(found: list[Definition], text: str) -> Definition:
    # The same model twice is no harm: evaluated definitions are kept by name and by id.
    other = next((item for item in found if item.model != found[0].model), None)
    if other is not None:
        raise Conflict(f"model `{text}` is defined twice: `{found[0].path}` and `{other.path}`", key=other.path)
    return found[0]
