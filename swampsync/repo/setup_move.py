"""Moving a repo's data from the place that `.swamp.yaml` names to another one, and using that from then on.

What goes to a bucket is made ready in a clone of its own, `.swamp/setup/clone`, with its own local copy and databases:
until the configuration is written nothing of the repo has changed, and a killed set-up is resumed or given up without
a trace. Then that clone takes the repo's place, and the old place is cleaned up. The journal says how far this is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import Any

from swampsync.errors import Refused, SyncIncomplete
from swampsync.locks.directory_guard import DirectoryGuard
from swampsync.locks.guard import LockGuard
from swampsync.maintenance.moving import MovePlan, Progress, TargetOf, carry, plan_move, verify_move
from swampsync.maintenance.moving_in import DirectoryTarget
from swampsync.maintenance.moving_items import MoveTally, MoveTarget
from swampsync.maintenance.moving_known import KnownFiles, plan_of_state
from swampsync.maintenance.moving_out import TreeSource
from swampsync.maintenance.relocate import is_directory
from swampsync.repo.parts import Parts
from swampsync.repo.setup_journal import Journal, Journals, name_place
from swampsync.repo.setup_settle import settle
from swampsync.repo.setup_stage import Stage, stage_base
from swampsync.sync.progress import silent

COMMAND = "datastore setup"
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Moved:
    """What a move did.

    Args:
        plan: What there was to move.
        tally: What became of it.
        pulled: Files that were fetched from the bucket that is left.
        is_switched: Whether the new place is used now.
    """

    plan: MovePlan = field(default_factory=MovePlan)
    tally: MoveTally = field(default_factory=MoveTally)
    pulled: int = 0
    is_switched: bool = True

    def errors(self) -> tuple[str, ...]:
        """Say what could not be moved, one line each."""
        problems = dict.fromkeys([*self.plan.problems, *self.tally.problems])
        return tuple(f"{path}: {reason}" for path, reason in problems)

    def warnings(self) -> Iterator[dict[str, Any]]:
        """Say what a person might not expect of a union."""
        for what, pairs in (
            ("got another number, because theirs was taken", self.tally.renumbered),
            ("went beside another file of its path, because the contents differ", self.tally.kept_beside),
        ):
            for old, new in pairs[:_SHOWN]:
                yield {"message": f"`{old}` {what}: `{new}`", "from": old, "to": new}
            if len(pairs) > _SHOWN:
                yield {"message": f"{len(pairs) - _SHOWN} more {what}"}
        for path, reason in self.tally.left_out[:_SHOWN]:
            yield {"message": f"`{path}` stays where it is: it {reason}", "path": path}
        if len(self.tally.left_out) > _SHOWN:
            yield {"message": f"{len(self.tally.left_out) - _SHOWN} more stay where they are"}


class Move:
    """One move.

    Args:
        written: What `.swamp.yaml` says now.
        target: What it will say.
        progress: Called with the count done and the total.
    """

    def __init__(self, written: Parts, target: Parts, *, progress: Progress | None = None) -> None:
        self._written = written
        self._target = target
        self._progress = progress or silent
        self._disk = target.world.disk
        self._journals = Journals(self._disk, target.layout)
        self._pulled = 0

    def plan(self) -> MovePlan:
        """Look at what would move; writes nothing and asks no bucket."""
        if self._written.config.is_remote:
            return plan_of_state(self._written.state, self._written.namespace.name)
        return plan_move(self._source(None), into_bucket=self._target.config.is_remote)

    def run(self, write: Callable[[], None], *, repo_id: str, keeps_source: bool = False) -> Moved:
        """Carry everything over, verify it, use the new place, and clean the old one up.

        Args:
            write: Writes the configuration that points to the new place.
            repo_id: Of the repo, which may write in the target's namespace.
            keeps_source: Leave the data where it is, and only use the new place.

        Raises:
            Refused: Something that was never published would be left behind.
            DataError: Not everything arrived; the old place is used as before.
            SyncIncomplete: Not all content of the old bucket could be fetched.
            LockTimeout: Somebody is writing.
        """
        with ExitStack() as stack:
            check = self._hold(stack, keeps_source=keeps_source)
            known = self._have_everything() if self._written.config.is_remote and not keeps_source else None
            plan, tally = MovePlan(), MoveTally()
            if not keeps_source:
                source = self._source(known)
                plan = plan_move(source, into_bucket=self._target.config.is_remote)
                if known is not None:
                    known.require_all()
                if plan.problems:
                    return Moved(plan, tally, self._pulled, is_switched=False)
            journal = self._make_journal(keeps_source=keeps_source)
            self._journals.write(journal)
            if plan.items:
                self._carry(source, plan, tally, repo_id=repo_id, check=check)
                if tally.problems:
                    return Moved(plan, tally, self._pulled, is_switched=False)
            check()
            write()
            settle(self._target, journal, check=check)
        return Moved(plan, tally, self._pulled)

    def _source(self, known: KnownFiles | None) -> TreeSource:
        old, new = self._written.layout, self._target.layout
        stays = None
        if self._target.config.is_remote:
            from swampsync.maintenance.moving_into_clone import stays_out_of_buckets

            stays = stays_out_of_buckets
            # Two buckets have their local copies in one place: what is in it moves all the same.
            new = replace(new, base=stage_base(new))
        return TreeSource(self._disk, old, new, known=known, stays=stays)

    def _carry(
        self, source: TreeSource, plan: MovePlan, tally: MoveTally, *, repo_id: str, check: Callable[[], None]
    ) -> None:
        done, total = 0, plan.items * (2 if self._target.config.is_remote else 1)

        def count(number: int) -> None:
            nonlocal done
            done = min(total, done + number)
            self._progress(done, total)

        layout = self._target.layout
        directory = DirectoryTarget(self._disk, layout, tally, check=check)
        if not self._target.config.is_remote:
            self._take(source, lambda _relative: directory, [directory], tally, count)
            return
        stage = Stage(self._target, repo_id, tally)
        try:
            stage.on_upload = lambda: count(1)
            clone = stage.open(source, check=check)
            targets: list[MoveTarget] = [directory, clone]
            self._take(source, lambda path: directory if layout.is_local(path) else clone, targets, tally, count)
            if not tally.problems:
                stage.require_whole()
        finally:
            stage.close()

    def _take(
        self,
        source: TreeSource,
        target_of: TargetOf,
        targets: list[MoveTarget],
        tally: MoveTally,
        count: Callable[[int], None],
    ) -> None:
        carry(source, target_of, tally, on_item=count)
        for target in targets:
            target.finish()
        tally.problems += source.problems
        if not tally.problems:
            verify_move(self._disk, source, target_of, tally)

    # --- the old place -----------------------------------------------------------------------------

    def _hold(self, stack: ExitStack, *, keeps_source: bool) -> Callable[[], None]:
        """Keep everybody from writing at either end."""
        written, target = self._written, self._target
        guards: list[LockGuard] = []
        if not written.config.is_remote and is_directory(self._disk, written.layout.base):
            guards.append(written.guard)
        if not target.config.is_remote and (written.config.is_remote or target.layout.root != written.layout.root):
            guards.append(DirectoryGuard(target.layout, self._disk, target.keeper_parts))
        if written.config.is_remote:
            if not keeps_source:
                self._fetch()
            stack.enter_context(written.syncing.syncer_of(written.namespace).locked())
            _require_published(written, is_leaving=keeps_source)
        held = [stack.enter_context(guard.structural_lock(command=COMMAND)) for guard in guards]

        def check() -> None:
            for locks in held:
                locks.check()

        return check

    def _fetch(self) -> None:
        """Bring the local copy of the bucket that is left up to its newest commit, while others still work."""
        syncer = self._written.syncing.syncer_of(self._written.namespace)
        syncer.pull()
        hydrated = syncer.hydrate(progress=lambda done, total=None, _size=None: self._progress(done, total))
        self._pulled += hydrated.files
        _require_fetched(hydrated.failures)

    def _have_everything(self) -> KnownFiles:
        """Fetch under the clone's lock what came meanwhile, and what is here and is not what the log says."""
        from swampsync.sync.hydrate import Hydrator
        from swampsync.sync.pull import pull

        syncer = self._written.syncing.syncer_of(self._written.namespace)
        pull(syncer.clone, syncer.copy)
        hydrator = Hydrator(syncer.clone, syncer.copy)
        hydrated = hydrator.hydrate_all()
        self._pulled += hydrated.files
        _require_fetched(hydrated.failures)
        for record in syncer.clone.state.files.all(syncer.clone.namespace):
            hydrator.require(record.path)
        return KnownFiles(syncer.clone.state, self._written.layout)

    def _make_journal(self, *, keeps_source: bool) -> Journal:
        written = self._written
        layout = written.layout
        position = written.state.positions.find(layout.namespace.name) if written.config.is_remote else None
        return Journal(
            target=name_place(self._target.config),
            base=layout.base,
            namespace=layout.namespace.name,
            subdirs=layout.subdirs,
            exclude=written.config.exclude,
            is_remote=written.config.is_remote,
            commit="" if position is None else position.commit_id,
            keeps_source=keeps_source,
        )


def warn_of_missing(written: Parts) -> Iterator[dict[str, Any]]:
    """Say that the directory which is left does not exist: it may be a mount that is absent today."""
    layout = written.layout
    if written.config.is_remote or layout.base == layout.local_path() or is_directory(written.world.disk, layout.base):
        return
    message = (
        f"`{layout.base}` does not exist, so nothing was moved from there; if it is a mount, its data is still on it"
    )
    yield {"message": message, "path": layout.base}


def _require_fetched(failures: list[tuple[str, str]]) -> None:
    if failures:
        raise SyncIncomplete(
            f"{len(failures)} files of the bucket cannot be fetched, such as `{failures[0][0]}` ({failures[0][1]});"
            " nothing was moved",
            failures=tuple(failures),
            hint="swamp datastore verify",
        )


def _require_published(written: Parts, *, is_leaving: bool) -> None:
    """Make sure that nothing which only this clone has would be left behind.

    Args:
        written: The repo as it is configured.
        is_leaving: Whether its own namespace's data is left too, and not moved.
    """
    with written.state.database.read() as connection:
        sql = "SELECT namespace, count(*) FROM pending GROUP BY namespace"
        pending = dict(connection.execute(sql).fetchall())
    own = written.namespace.name
    for name, number in pending.items():
        if name == own and not is_leaving:
            continue
        where = f"namespace `{name}`" if name else "the un-namespaced place"
        raise Refused(
            f"{number} changes in {where} of `{written.datastore_place}` were not published yet and would be lost",
            hint="swamp datastore sync" if name == own else f"swamp -n {name} datastore sync",
        )
