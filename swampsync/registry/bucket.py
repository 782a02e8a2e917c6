"""The registry of a datastore in a bucket.

A namespace is claimed by creating its manifest with a create-only put, so that of many at once exactly one wins;
whoever gets no clear answer reads who did. What we note of it is changed by compare-and-swap, and every body carries a
nonce, since an ETag is a digest and equal bodies would let a second swap through. Reading never creates anything.

A store without compare-and-swap gets a weaker mode for notes (claims are as safe as ever): a record that exists is
replaced unconditionally and read back, so that of two changes at the same moment one may be lost without a word, unless
both hold the structural lock. `doctor backend` tells whether a store is such.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from concurrent.futures import Executor
from dataclasses import replace
from random import Random
from typing import Final

from swampsync.backends.base import (
    Create,
    ETag,
    IfMatch,
    NotSupported,
    ObjectExists,
    ObjectNotFound,
    ObjectStore,
    Overwrite,
    PreconditionFailed,
    PutMode,
)
from swampsync.backends.prefixed import Prefixed
from swampsync.clock import Clock, format_timestamp
from swampsync.errors import NotFound, Unavailable
from swampsync.layout import Layout
from swampsync.namespace import RESERVED, Namespace
from swampsync.registry.bucket_place import require_free_place, solo_taken
from swampsync.registry.bucket_scan import list_places, scan_manifests
from swampsync.registry.claims import ClaimOutcome, adding, checked, not_registered, require_named, taken
from swampsync.registry.interface import NamespaceRegistry
from swampsync.registry.manifest import (
    MembersRecord,
    NamespaceManifest,
    RegistryScan,
    format_manifest,
    format_members,
    parse_manifest,
    parse_members,
)

_NONCE: Final = "nonce"
_TRIES: Final = 50
_FIRST_DELAY_SECONDS: Final = 0.02
_LONGEST_DELAY_SECONDS: Final = 0.5


class BucketRegistry(NamespaceRegistry):
    """Claims, members and listings in a bucket; holds no state.

    Writes go through the guard of the namespace that they are about, whichever the caller acts in.

    Args:
        store: The bucket, with repetitions (`Retrying`) and without a namespace's guard.
        clock: For `registeredAt`, and for waiting between two tries.
        layout: Of any namespace of the datastore; the one asked for is named in each call.
        new_id: Makes a random text.
        rng: Spreads the waits.
        make_pool: Makes threads for reading manifests side by side.
    """

    def __init__(
        self,
        store: ObjectStore,
        clock: Clock,
        layout: Layout,
        *,
        new_id: Callable[[], str],
        rng: Random,
        make_pool: Callable[[int], Executor],
    ) -> None:
        self._store = store
        self._clock = clock
        self._layout = layout
        self._new_id = new_id
        self._rng = rng
        self._make_pool = make_pool

    # --- claiming ----------------------------------------------------------------------------------

    def claim(self, namespace: Namespace, repo_id: str) -> ClaimOutcome:
        """Claim a namespace for a repo, or the un-namespaced place of the bucket; durable when it returns.

        Raises:
            Conflict: Another repo owns it, and this one is no member.
            Refused: Somebody else's objects lie there, or swamp's own index.
            DataError: The manifest that is there cannot be read.
        """
        outcome = self.check_claim(namespace, repo_id)
        if outcome is ClaimOutcome.OWNED:
            return outcome
        if namespace.is_solo or outcome is ClaimOutcome.ADOPTED:
            return self._adopt(namespace, repo_id, outcome)
        manifest = NamespaceManifest(namespace.name, repo_id, format_timestamp(self._clock.now()))
        key = self._layout.of(namespace).manifest_key()
        try:
            # Two clones of one repo may put equal bytes and both be told that they won: they did.
            Prefixed(self._store, namespace).put(key, format_manifest(manifest), Create())
        except ObjectExists:
            return self.claim(namespace, repo_id)
        self._become_first(namespace, repo_id)
        return ClaimOutcome.CLAIMED

    def check_claim(self, namespace: Namespace, repo_id: str | None) -> ClaimOutcome:
        """Say what a claim would come to as things stand; writes nothing.

        Args:
            namespace: Which; solo for the un-namespaced place.
            repo_id: `None` for a repo that has no id yet, and so can own nothing.

        Raises:
            Conflict: See `claim`.
            Refused: See `claim`.
            DataError: See `claim`.
        """
        layout = self._layout.of(namespace)
        if namespace.is_solo:
            members = self.read_members(namespace).members
            if members and repo_id not in members:
                raise solo_taken(layout, members)
            if not members:
                require_free_place(self._store, layout, others=self._names())
            return ClaimOutcome.OWNED if members else ClaimOutcome.CLAIMED
        try:
            manifest = self.read_manifest(namespace)
        except NotFound:
            require_free_place(self._store, layout)
            return ClaimOutcome.CLAIMED
        if repo_id is not None and manifest.repo_id == repo_id:
            return ClaimOutcome.OWNED
        members = self.read_members(namespace).members
        if repo_id is not None and repo_id in members:
            return ClaimOutcome.OWNED
        if manifest.repo_id or members:
            raise taken(namespace, manifest)
        return ClaimOutcome.ADOPTED

    def _adopt(self, namespace: Namespace, repo_id: str, outcome: ClaimOutcome) -> ClaimOutcome:
        # No manifest says whose it is: the first in the members' record has it, as good as any claim.
        members = self._become_first(namespace, repo_id)
        if repo_id in members:
            return outcome
        if namespace.is_solo:
            raise solo_taken(self._layout.of(namespace), members)
        raise taken(namespace, self.read_manifest(namespace))

    def _become_first(self, namespace: Namespace, repo_id: str) -> tuple[str, ...]:
        return self.change_members(namespace, lambda r: r if r.members else r.with_members([repo_id])).members

    def require_member(self, namespace: Namespace, repo_id: str) -> None:
        """Make sure that a repo may write in a namespace, claiming it if nobody has; to be called before a write.

        Raises:
            Conflict: Others have it, and this repo is no member.
            Refused: Nobody has it, but somebody else's objects lie there.
            DataError: A manifest cannot be read.
        """
        if namespace.is_solo:
            return
        try:
            manifest = self.read_manifest(namespace)
        except NotFound:
            self.claim(namespace, repo_id)
            return
        if manifest.repo_id != repo_id and repo_id not in self.read_members(namespace).members:
            self.claim(namespace, repo_id)

    def join(self, namespace: Namespace, repo_id: str, *, check: Callable[[], None]) -> MembersRecord:
        """Make a repo a member; before each put, `check` raises `LeaseLost` if the structural lock is lost.

        Raises:
            NotFound: Nobody has claimed the namespace.
            DataError: A manifest cannot be read.
        """
        manifest = self.read_manifest(namespace)
        return self.change_members(namespace, adding([manifest.repo_id, repo_id], check))

    # --- reading and changing ----------------------------------------------------------------------

    def read_manifest(self, namespace: Namespace) -> NamespaceManifest:
        """Read who owns a namespace.

        Raises:
            NotFound: Nobody has claimed it.
            DataError: The manifest cannot be read, or belongs to another namespace.
        """
        require_named(namespace)
        key = self._layout.of(namespace).manifest_key()
        try:
            body = self._store.get(key).body
        except ObjectNotFound as error:
            raise not_registered(namespace, path=key.text) from error
        return checked(parse_manifest(body, path=key.text), namespace.name, path=key.text)

    def read_members(self, namespace: Namespace) -> MembersRecord:
        """Read what we note of a namespace, or of the un-namespaced place; an empty record if nothing is.

        Raises:
            DataError: The record cannot be read.
        """
        return self._read_members(namespace)[0]

    def change_members(self, namespace: Namespace, change: Callable[[MembersRecord], MembersRecord]) -> MembersRecord:
        """Change what we note of a namespace, by compare-and-swap where the store can (see above).

        Raises:
            DataError: The record that is there cannot be read.
            Unavailable: Others kept changing it.
        """
        guarded = Prefixed(self._store, namespace)
        key = self._layout.of(namespace).members_key()
        is_weak = not self._store.capabilities.compare_and_swap
        for number in range(_TRIES):
            current, etag = self._read_members(namespace)
            changed = change(current)
            if changed == current and etag is not None:
                return current
            changed = self._with_nonce(changed)
            mode: PutMode = Create() if etag is None else Overwrite() if is_weak else IfMatch(etag)
            try:
                guarded.put(key, format_members(changed), mode)
            except (ObjectExists, PreconditionFailed):
                pass
            except NotSupported:
                if not isinstance(mode, IfMatch):
                    raise
                is_weak = True  # the store did not say so beforehand
                continue
            else:
                if not is_weak or self.read_members(namespace).extra.get(_NONCE) == changed.extra[_NONCE]:
                    return changed
            longest = min(_LONGEST_DELAY_SECONDS, _FIRST_DELAY_SECONDS * 2.0 ** min(number, 8))
            self._clock.sleep(self._rng.uniform(0, longest))
        raise Unavailable(f"`{key}` is changed by others all the time", hint="run the command again", key=key.text)

    def _read_members(self, namespace: Namespace) -> tuple[MembersRecord, ETag | None]:
        key = self._layout.of(namespace).members_key()
        try:
            found = self._store.get(key)
        except ObjectNotFound:
            return MembersRecord(), None
        return parse_members(found.body, path=key.text), found.info.etag

    def _with_nonce(self, record: MembersRecord) -> MembersRecord:
        return replace(record, extra={**record.extra, _NONCE: self._new_id()})

    # --- all of them -------------------------------------------------------------------------------

    def scan(self) -> RegistryScan:
        """Read all manifests, side by side: of the directories of the bucket that have one.

        Raises:
            AccessDenied: The bucket's directories may not be listed.
        """
        return scan_manifests(self._store, self._layout, list_places(self._store), make_pool=self._make_pool)

    def find_names(self, *, known: Collection[str] = ()) -> list[str]:
        """Name the registered namespaces: one listing, and one request for each directory not `known` to be one.

        Raises:
            AccessDenied: The bucket's directories may not be listed.
        """
        places = [name for name in list_places(self._store) if name not in RESERVED]
        new = [name for name in places if name not in known]
        found = scan_manifests(self._store, self._layout, new, make_pool=self._make_pool).manifests
        return sorted({*(name for name in places if name in known), *(manifest.namespace for manifest in found)})

    def _names(self) -> list[str]:
        return [manifest.namespace for manifest in self.scan().manifests]
