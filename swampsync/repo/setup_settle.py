"""The last part of a set-up, once the configuration points to the new place: databases, local copy, clean-up.

Every step may have been done before by a process that was killed, and commands may have run in between: they work on
the new place already, and nothing that they wrote is touched.
"""

from __future__ import annotations

from collections.abc import Callable

from swampsync.artifacts.tree import Tree
from swampsync.catalog.files import FileState
from swampsync.catalog.state import SyncState
from swampsync.catalog.state_moves import inherit_highest, leave_place, take_over
from swampsync.disk import Disk, Kind, exists
from swampsync.layout import Layout
from swampsync.log.paths import parse_version_path
from swampsync.maintenance.moving import TargetOf, clean_source, prune_source
from swampsync.maintenance.moving_in import DirectoryTarget
from swampsync.maintenance.moving_items import MoveTally
from swampsync.maintenance.moving_out import TreeSource
from swampsync.maintenance.relocate import is_directory, prune_empty, walk_files
from swampsync.namespace import SOLO, Namespace
from swampsync.repo.parts import Parts
from swampsync.repo.setup_journal import DIRECTORY, Journal, Journals
from swampsync.repo.setup_stage import stage_base, stage_directory
from swampsync.sync.clone import artifact_key_of
from swampsync.sync.kept_aside import KeptAside, kept_aside_directory
from swampsync.sync.local_copy import LocalCopy

_OLD_COPY = "old-copy"


def settle(target: Parts, journal: Journal, *, check: Callable[[], None]) -> None:
    """Finish a set-up whose configuration is written.

    Args:
        target: The repo with that configuration.
        journal: What the set-up was.
        check: Called before each removal; raises if the lock was lost.
    """
    if not journal.keeps_source:
        _take_the_place(target, journal)
        _clean(target, journal, check=check)
    elif journal.is_remote:
        _drop_copies(target, journal)
        _leave(target, journal)
    _catalogue(target, journal)
    world, layout = target.world, target.layout
    tree = Tree(world.disk, world.clock, layout, world.new_id)
    tree.remove(stage_directory(layout))
    Journals(world.disk, layout).remove()
    tree.remove(layout.local_path(DIRECTORY))


def _take_the_place(target: Parts, journal: Journal) -> None:
    """Put the clone that was made ready where the repo's is.

    First the state says what the new place has, none of it fetched; that is true whatever lies in the local copy. Then
    the copies change places, and what came with the new one is noted. If commands ran after a kill, the state is theirs
    and the local copy too: then only what they do not have yet is put there.
    """
    new = target.namespace.name
    if not target.config.is_remote:
        if journal.is_remote:
            _put_aside(target)
            _leave(target, journal)
        inherit_highest(target.state, old=journal.namespace, new=new)
        return
    world = target.world
    path = f"{stage_directory(target.layout)}/.swamp/data/_sync.db"
    position = target.state.positions.find(new)
    is_fresh = position is None or (journal.is_remote and position.commit_id == journal.commit)
    if not exists(world.disk, path):
        if is_fresh and journal.is_remote:
            _leave(target, journal)
            _put_aside(target)
        return
    with SyncState.open(path, disk=world.disk, clock=world.clock, rng=world.rng) as staged:
        if is_fresh:
            with target.state.atomic():
                leave_place(target.state, old=journal.namespace, new=new)
                take_over(target.state, staged, new)
            if journal.is_remote:
                _put_aside(target)
        _move_entries(world.disk, stage_base(target.layout), target.layout.base)
        _note_what_came(target, staged)


def _note_what_came(target: Parts, staged: SyncState) -> None:
    """Note which content is here: files that are those of the clone that was made ready, by their signatures."""
    disk, layout, files = target.world.disk, target.layout, target.state.files
    with target.state.atomic():
        for record in staged.files.all(layout.namespace.name):
            known = files.find(record.namespace, record.path)
            if known is None or known.state is not FileState.REMOTE or known.sha256 != record.sha256:
                continue
            try:
                signature = disk.stat(layout.datastore_path(record.path)).signature
            except (FileNotFoundError, NotADirectoryError):
                continue
            if signature == record.signature:
                files.put([record._replace(key=known.key)])


def _drop_copies(target: Parts, journal: Journal) -> None:
    """Remove what the local copy holds of a bucket that is left as it is; edits of what is published are kept."""
    world, files = target.world, target.state.files
    for position in target.state.positions.all():
        namespace = Namespace(position.namespace) if position.namespace else SOLO
        layout = journal.layout(target.layout.repo_dir).of(namespace)
        copy = LocalCopy(world.disk, layout, clock=world.clock, new_id=world.new_id)
        kept = KeptAside(world.disk, layout, copy)
        for record in files.all(position.namespace):
            version = parse_version_path(record.path)
            if record.state is FileState.SYNCED and version is not None:
                key = artifact_key_of(position.namespace, version.artifact)
                kept.keep_version(record, target.state.metadata.find(key, version.number))
                copy.remove_version(version.directory)
            elif record.state is FileState.SYNCED:
                kept.keep_file(record)
                copy.remove(record.path)
    if is_directory(world.disk, journal.base):
        prune_empty(world.disk, journal.base)


def _leave(target: Parts, journal: Journal) -> None:
    with target.state.atomic():
        leave_place(target.state, old=journal.namespace, new=target.namespace.name)


def _put_aside(target: Parts) -> None:
    """Put the old bucket's local copy where it is in nobody's way."""
    disk, layout = target.world.disk, target.layout
    old, aside = layout.local_path("remote"), layout.local_path(DIRECTORY, _OLD_COPY)
    if is_directory(disk, old) and not is_directory(disk, aside):
        disk.makedirs(layout.local_path(DIRECTORY))
        disk.rename(old, aside)


def _move_entries(disk: Disk, source: str, target: str) -> None:
    if not is_directory(disk, source):
        return
    disk.makedirs(target)
    for entry in disk.scandir(source):
        if is_directory(disk, f"{target}/{entry.name}"):
            prune_empty(disk, f"{target}/{entry.name}")
        if not exists(disk, f"{target}/{entry.name}"):
            disk.rename(f"{source}/{entry.name}", f"{target}/{entry.name}")


# --- the old place ---------------------------------------------------------------------------------------------


def _clean(target: Parts, journal: Journal, *, check: Callable[[], None]) -> None:
    """Remove at the old place what the new one has."""
    disk, layout = target.world.disk, target.layout
    aside = layout.local_path(DIRECTORY, _OLD_COPY)
    if journal.is_remote and not is_directory(disk, aside):
        return
    old = journal.layout(layout.repo_dir, base=aside if journal.is_remote else None)
    source = TreeSource(disk, old, layout)
    clean_source(disk, source, make_target_of(target, check=check), check=check)
    prune_source(disk, old)
    if journal.is_remote:
        _keep_rest(disk, old, kept_aside_directory(layout.of(old.namespace)))
        Tree(disk, target.world.clock, layout, target.world.new_id).remove(aside)


def make_target_of(target: Parts, *, check: Callable[[], None]) -> TargetOf:
    """Make what says where paths are in the place that is used now."""
    directory = DirectoryTarget(target.world.disk, target.layout, MoveTally(), check=check)
    if not target.config.is_remote:
        return lambda _relative: directory
    from swampsync.maintenance.moving_into_clone import CloneTarget

    syncer = target.syncing.syncer_of(target.namespace)
    clone = CloneTarget(syncer.clone, syncer.copy, MoveTally(), publish=check, check=check)
    return lambda relative: directory if target.layout.is_local(relative) else clone


def _keep_rest(disk: Disk, old: Layout, aside: str) -> None:
    """Keep what neither place knows: leftovers of commands that died, for a person to look at."""
    for subdir in old.subdirs:
        root = old.datastore_path(subdir)
        if not is_directory(disk, root):
            continue
        for relative, kind in list(walk_files(disk, root)):
            if kind is Kind.FILE and not relative.endswith("/latest"):
                path = f"{aside}/{subdir}/{relative}"
                disk.makedirs(path.rpartition("/")[0])
                disk.rename(f"{root}/{relative}", path)


def _catalogue(target: Parts, journal: Journal) -> None:
    """Make the catalog forget the old place; its rows would be ghosts in the new one."""
    for name in target.catalog.namespaces():
        target.forget(Namespace(name))
    target.state.signatures.remove_namespace(journal.namespace)
    if target.config.is_remote:
        from swampsync.sync.cataloguing import ensure_catalogued

        target.catalog.clear_populated()
        ensure_catalogued(target.catalog, target.state, target.namespace.name)
