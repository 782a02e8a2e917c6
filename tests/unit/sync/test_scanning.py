"""A scan of the local copy finds what no command recorded, whatever its size and times, and takes it in."""

from __future__ import annotations

import hashlib
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import BinaryIO

import pytest

from swampsync.artifacts.metadata import Metadata
from swampsync.artifacts.metadata_yaml import format_metadata
from swampsync.catalog.files import FileState
from swampsync.disk import WriteMode
from swampsync.errors import LockHeld, Refused
from swampsync.layout import Layout
from swampsync.sync.clone import Clone
from swampsync.sync.local_copy import LocalCopy
from swampsync.sync.push_plan import PushLimits
from swampsync.sync.scan_plan import Change, Scanned
from swampsync.sync.scan_run import run_scan
from swampsync.testing.dying_disk import DyingDisk
from tests.unit.sync.conftest import MODEL, Desk, Team

Pair = tuple[Desk, Desk]
OUTPUT = "outputs/command/run/1.yaml"


class NoLocks:
    def clone(self) -> AbstractContextManager[object]:
        return nullcontext()

    def model(self, _type: str, _id: str) -> AbstractContextManager[object]:
        return nullcontext()


def scan(desk: Desk, *, is_dry_run: bool = False, removals: bool = False) -> Scanned:
    desk.clock.advance(5)
    done = run_scan(desk.clone, desk.copy, NoLocks(), is_dry_run=is_dry_run, takes_removals=removals)
    desk.clock.advance(5)
    return done


def changes(scanned: Scanned) -> list[tuple[Change, str]]:
    findings = scanned.plan.findings if scanned.is_dry_run else scanned.adopted
    return [(finding.change, finding.path) for finding in findings]


def path_of(name: str, number: int, file: str = "") -> str:
    directory = Layout.version_path(MODEL.type, MODEL.id, name, number)
    return f"{directory}/{file}" if file else directory


def write(desk: Desk, path: str, content: str | bytes) -> None:
    """Write into the copy as another program does: in place, telling nobody."""
    target = f"{desk.layout.root}/{path}"
    desk.disk.makedirs(target.rpartition("/")[0])
    with desk.disk.open_write(target, WriteMode.TRUNCATE) as file:
        file.write(content.encode() if isinstance(content, str) else content)


def published(desk: Desk, name: str, *contents: str, streaming: bool = False) -> Metadata:
    """Publish versions, and have their content in the copy."""
    for content in contents:
        last = desk.put(name, content, streaming=streaming)
    desk.push()
    desk.hydrate()
    return last


def swamp_writes(desk: Desk, name: str, number: int, content: str, like: Metadata) -> Metadata:
    """Write a version as the original swamp does, which knows only what lies in the copy."""
    body = content.encode()
    checksum = hashlib.sha256(body).hexdigest()
    identifier = f"{number:08d}-0000-4000-8000-{len(body):012d}"
    metadata = replace(like, id=identifier, name=name, version=number, size=len(body), checksum=checksum)
    write(desk, path_of(name, number, "metadata.yaml"), format_metadata(metadata))
    write(desk, path_of(name, number, "raw"), body)
    return metadata


def test_scan_of_an_untouched_copy_finds_nothing(pair: Pair) -> None:
    """What our commands wrote, and what was fetched, is as it was recorded; so is what is pending."""
    ann, bob = pair
    ann.put("state", "one")
    ann.write_file(OUTPUT, "x")
    ann.push()
    ann.put("state", "two")
    bob.pull()
    bob.hydrate()
    for desk in pair:
        scanned = scan(desk)
        assert (changes(scanned), scanned.plan.missing, scanned.plan.notes, scanned.failures) == ([], [], [], [])
        assert scanned.plan.seen > 0


def test_version_of_another_program_is_published(pair: Pair) -> None:
    """A whole version that nobody recorded is taken in under its number, with the metadata that it came with."""
    ann, bob = pair
    like = published(ann, "state", "one")
    written = swamp_writes(ann, "state", 2, "two", like)
    assert changes(scan(ann)) == [(Change.NEW_VERSION, path_of("state", 2))]
    assert len(ann.rows()) == 2
    ann.push()
    bob.pull()
    assert bob.versions("state") == {1: "one", 2: "two"}
    assert [row.id for row in bob.rows() if row.version == 2] == [written.id]


def test_number_that_the_log_has_used_is_not_used_again(team: Team) -> None:
    """In a lazy copy another program begins at 1 again: its version gets the next free number, and theirs stays."""
    ann, bob = team.desk("ann"), team.desk("bob")
    like = published(ann, "state", "one", "two")
    bob.pull()
    written = swamp_writes(bob, "state", 1, "mine", like)
    assert changes(scan(bob)) == [(Change.NEW_VERSION, path_of("state", 3))]
    bob.push()
    ann.pull()
    assert ann.versions("state") == bob.versions("state") == {1: "one", 2: "two", 3: "mine"}
    assert {row.version: row.id for row in ann.rows()}[3] == written.id


def test_number_of_a_removed_version_is_not_used_again(pair: Pair) -> None:
    """A version that appears under a number that was removed is published under the next one."""
    ann, bob = pair
    like = published(ann, "state", "one", "two")
    ann.delete("state", 1)
    ann.push()
    swamp_writes(ann, "state", 1, "again", like)
    assert changes(scan(ann)) == [(Change.NEW_VERSION, path_of("state", 3))]
    ann.push()
    bob.pull()
    assert bob.versions("state") == {2: "two", 3: "again"}


def test_edit_of_equal_size_and_time_becomes_the_next_version(pair: Pair) -> None:
    """Content of a published version that was changed in place is found by its digest; the version itself stays."""
    ann, bob = pair
    published(ann, "state", "one")
    scan(ann)
    write(ann, path_of("state", 1, "raw"), "ONE")
    assert changes(scan(ann)) == [(Change.EDITED_VERSION, path_of("state", 2))]
    ann.push()
    bob.pull()
    assert bob.versions("state") == ann.versions("state") == {1: "one", 2: "ONE"}
    assert changes(scan(ann)) == []


def test_edited_tags_become_the_next_version(pair: Pair) -> None:
    """Metadata that was edited by hand is published as a version with the same content."""
    ann, bob = pair
    metadata = published(ann, "state", "one")
    edited = replace(metadata, tags={**metadata.tags, "env": "prod"})
    write(ann, path_of("state", 1, "metadata.yaml"), format_metadata(edited))
    assert changes(scan(ann)) == [(Change.EDITED_VERSION, path_of("state", 2))]
    ann.push()
    bob.pull()
    assert bob.versions("state") == {1: "one", 2: "one"}
    assert ['"env":"prod"' in row.tags.replace(" ", "") for row in sorted(bob.rows(), key=lambda r: r.version)] == [
        False,
        True,
    ]


def test_what_was_appended_to_a_published_version_is_the_next_one(pair: Pair) -> None:
    """A published version is closed: what another program appended to it becomes a version of its own."""
    ann, bob = pair
    metadata = published(ann, "log", "one\n", streaming=True)
    body = b"one\ntwo\n"
    extended = replace(metadata, size=len(body), checksum=hashlib.sha256(body).hexdigest())
    write(ann, path_of("log", 1, "metadata.yaml"), format_metadata(extended))
    write(ann, path_of("log", 1, "raw"), body)
    assert changes(scan(ann)) == [(Change.EDITED_VERSION, path_of("log", 2))]
    ann.push()
    bob.pull()
    assert bob.versions("log") == {1: "one\n", 2: "two\n"}


def test_edit_of_a_pending_version_is_published_as_it_is_now(pair: Pair) -> None:
    """A version that nobody has seen yet is published with the content that it has, under its number."""
    ann, bob = pair
    ann.put("state", "one")
    write(ann, path_of("state", 1, "raw"), "longer")
    assert changes(scan(ann)) == [(Change.EDITED_VERSION, path_of("state", 1))]
    ann.push()
    bob.pull()
    assert bob.versions("state") == {1: "longer"}
    assert [row.size for row in bob.rows()] == [6]


def test_files_of_other_tiers_are_published(pair: Pair) -> None:
    """New and changed files outside `data/` are taken in; a second scan finds nothing."""
    ann, bob = pair
    write(ann, OUTPUT, "one")
    write(ann, "audit/commands-2026-11-21.jsonl", "{}\n")
    assert [change for change, _ in changes(scan(ann))] == [Change.NEW_FILE, Change.NEW_FILE]
    ann.push()
    write(ann, OUTPUT, "two")
    assert changes(scan(ann)) == [(Change.EDITED_FILE, OUTPUT)]
    assert changes(scan(ann)) == []
    ann.push()
    bob.pull()
    bob.hydrate()
    assert bob.copy.read(OUTPUT) == b"two"


def test_edit_meets_what_others_published(pair: Pair) -> None:
    """A file that was edited here and published there ends as both: a scan comes before the pull."""
    ann, bob = pair
    ann.write_file(OUTPUT, "base")
    ann.push()
    bob.pull()
    bob.hydrate()
    ann.write_file(OUTPUT, "ann")
    ann.push()
    write(bob, OUTPUT, "bob")
    scan(bob)
    bob.push()
    bob.hydrate()
    ann.pull()
    ann.hydrate()
    beside = f"{OUTPUT}.conflict-{hashlib.sha256(b'bob').hexdigest()[:8]}"
    for desk in pair:
        assert (desk.copy.read(OUTPUT), desk.copy.read(beside)) == (b"ann", b"bob")


def test_file_whose_writer_saw_nothing_is_kept_beside(pair: Pair) -> None:
    """Where the log's content was never fetched, a file at its path does not replace it; lines are added to it."""
    ann, bob = pair
    log = "audit/log.jsonl"
    ann.write_file(OUTPUT, "ann")
    ann.write_file(log, "ann\n")
    ann.push()
    bob.pull()
    write(bob, OUTPUT, "bob")
    write(bob, log, "bob\n")
    beside = f"{OUTPUT}.conflict-{hashlib.sha256(b'bob').hexdigest()[:8]}"
    assert [path for _, path in changes(scan(bob))] == [log, beside]
    bob.push()
    ann.pull()
    ann.hydrate()
    bob.hydrate()
    for desk in pair:
        assert [desk.copy.read(path) for path in (OUTPUT, beside, log)] == [b"ann", b"bob", b"ann\nbob\n"]


def test_content_that_came_otherwise_is_taken_as_fetched(pair: Pair) -> None:
    """Content with the log's digest that nobody fetched, restored from a backup perhaps, is here from then on."""
    ann, bob = pair
    ann.write_file(OUTPUT, "same")
    ann.push()
    bob.pull()
    write(bob, OUTPUT, "same")
    assert changes(scan(bob)) == [(Change.FOUND, OUTPUT)]
    record = bob.state.files.find(bob.namespace.name, OUTPUT)
    assert record is not None
    assert record.state is FileState.SYNCED
    assert bob.work.is_empty()


@pytest.mark.holds("I1")
def test_missing_files_are_reported_and_stay(pair: Pair) -> None:
    """Content that is gone is fetched again when it is read, unless the caller says that it was removed."""
    ann, bob = pair
    published(ann, "state", "one", "two")
    ann.write_file(OUTPUT, "x")
    ann.push()
    for path in (path_of("state", 1, "raw"), OUTPUT):
        ann.disk.unlink(f"{ann.layout.root}/{path}")
    scanned = scan(ann)
    assert (changes(scanned), sorted(scanned.plan.missing)) == ([], [path_of("state", 1, "raw"), OUTPUT])
    assert ann.work.is_empty()
    assert changes(scan(ann, removals=True)) == [(Change.REMOVED, path_of("state", 1)), (Change.REMOVED, OUTPUT)]
    with pytest.raises(Refused, match="2 of 3"):
        ann.push()
    ann.push(PushLimits(max_delete=2))
    bob.pull()
    assert bob.versions("state") == {2: "two"}
    assert OUTPUT not in bob.files()


def test_content_that_was_never_fetched_is_not_missing(pair: Pair) -> None:
    """A lazy copy lacks everything, and a scan that may take removals takes none."""
    ann, bob = pair
    published(ann, "state", "one")
    bob.pull()
    scanned = scan(bob, removals=True)
    assert (changes(scanned), scanned.plan.missing) == ([], [])
    assert bob.work.is_empty()


def test_what_is_no_data_is_left_alone(pair: Pair) -> None:
    """Locks, temporary files, databases, manifests and what editors leave are neither published nor reported."""
    ann, _ = pair
    published(ann, "state", "one")
    for path in (
        f"data/{MODEL.type}/{MODEL.id}/.lock",
        f"data/{MODEL.type}/{MODEL.id}/state/.x.tmp",
        "auto-definitions/.auto-definition-create/vpc.lock",
        "outputs/.7a1f.tmp",
        "outputs/x.yaml~",
        "outputs/.x.yaml.swp",
        "outputs/.DS_Store",
        "outputs/_catalog.db-wal",
        "files/.namespace.json",
        ".locks/infra.lock",
        ".datastore-index.json",
        "_index/_meta.json",
        "secrets/key",
    ):
        write(ann, path, "x")
    scanned = scan(ann)
    assert (changes(scanned), scanned.plan.notes) == ([], [])


def test_links_are_reported_and_not_followed(pair: Pair) -> None:
    """Symbolic links to files and directories are named; what they lead to is not read."""
    ann, _ = pair
    published(ann, "state", "one")
    ann.disk.makedirs("/etc/inner")
    ann.disk.makedirs(f"{ann.layout.root}/outputs")
    for target, path in (("/etc", "outputs/dir"), ("/etc/passwd", "outputs/file"), ("/etc", "data/linked")):
        ann.disk.symlink(target, f"{ann.layout.root}/{path}")
    scanned = scan(ann)
    assert changes(scanned) == []
    assert sorted(path for path, reason in scanned.plan.notes if "symbolic link" in reason) == [
        "data/linked",
        "outputs/dir",
        "outputs/file",
    ]


def test_excluded_paths_stay_in_the_repo(pair: Pair) -> None:
    """What the repo's patterns keep out of the datastore is not published by a scan either."""
    ann, _ = pair
    layout = replace(ann.layout, is_excluded=lambda path: path.startswith("outputs/private"))
    write(ann, "outputs/private/x.yaml", "x")
    write(ann, "outputs/public.yaml", "x")
    log = type(ann.clone.log)(ann.store, layout)
    clone: Clone = replace(ann.clone, log=log)
    scanned = run_scan(clone, ann.copy, NoLocks(), is_dry_run=True)
    assert changes(scanned) == [(Change.NEW_FILE, "outputs/public.yaml")]


def test_files_among_versions_are_named(pair: Pair) -> None:
    """A file that is no version cannot be published from `data/`, and the scan says so."""
    ann, _ = pair
    published(ann, "state", "one")
    write(ann, f"data/{MODEL.type}/{MODEL.id}/state/notes.txt", "x")
    scanned = scan(ann)
    assert [path.rpartition("/")[2] for path, _ in scanned.plan.notes] == ["notes.txt"]
    assert changes(scanned) == []


def test_dry_run_changes_nothing(pair: Pair) -> None:
    """With a dry run everything is found and nothing is written, in the state or on the disk."""
    ann, _ = pair
    published(ann, "state", "one")
    write(ann, path_of("state", 1, "raw"), "ONE")
    write(ann, OUTPUT, "x")
    before = ann.files()
    dying = DyingDisk(ann.disk, lives=0)
    ann.use(ann.store, disk=dying)
    scanned = scan(ann, is_dry_run=True)
    assert changes(scanned) == [(Change.EDITED_VERSION, path_of("state", 1)), (Change.NEW_FILE, OUTPUT)]
    assert dying.operations == 0
    assert ann.files() == before
    assert ann.work.is_empty()


def test_second_scan_reads_only_what_changed(pair: Pair) -> None:
    """What the last scan hashed is skipped by its times; a change so close to a scan that times may lie is read."""
    ann, _ = pair
    published(ann, "state", "one", "two", "three")
    assert scan(ann).plan.hashed == 3
    assert scan(ann).plan.hashed == 0
    write(ann, path_of("state", 2, "raw"), "TWO")
    assert scan(ann).plan.hashed == 1
    published(ann, "late", "x")
    run_scan(ann.clone, ann.copy, NoLocks())
    run_scan(ann.clone, ann.copy, NoLocks())
    assert run_scan(ann.clone, ann.copy, NoLocks()).plan.hashed > 0  # the clock has not moved on


def test_model_that_is_written_to_is_looked_at_next_time(pair: Pair) -> None:
    """A model whose lock somebody holds is left, with the reason, and the rest is taken in."""

    class Held(NoLocks):
        def model(self, _type: str, _id: str) -> AbstractContextManager[object]:
            raise LockHeld("somebody is writing")

    ann, _ = pair
    like = published(ann, "state", "one")
    swamp_writes(ann, "state", 2, "two", like)
    write(ann, OUTPUT, "x")
    scanned = run_scan(ann.clone, ann.copy, Held())
    assert changes(scanned) == [(Change.NEW_FILE, OUTPUT)]
    assert scanned.left == [(path_of("state", 2), "somebody is writing")]
    assert changes(scan(ann)) == [(Change.NEW_VERSION, path_of("state", 2))]


def test_version_that_is_not_whole_is_left(pair: Pair) -> None:
    """A version that another program has not finished is named, and taken in once it is whole."""
    ann, _ = pair
    like = published(ann, "state", "one")
    swamp_writes(ann, "state", 2, "two", like)
    write(ann, path_of("state", 2, "raw"), "t")
    scanned = scan(ann)
    assert changes(scanned) == []
    assert [reason for _, reason in scanned.plan.notes] == ["has 1 of 3 bytes"]
    write(ann, path_of("state", 2, "raw"), "two")
    assert changes(scan(ann)) == [(Change.NEW_VERSION, path_of("state", 2))]


def test_unreadable_file_fails_alone_and_is_tried_again(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be read is a failure with its reason; the rest is taken in, and the next scan hashes everything."""
    ann, _ = pair
    write(ann, OUTPUT, "x")
    write(ann, "files/bad", "x")
    whole = LocalCopy.open

    def refuse(copy: LocalCopy, relative: str) -> BinaryIO:
        if relative == "files/bad":
            raise PermissionError(13, "Permission denied")
        return whole(copy, relative)

    monkeypatch.setattr(LocalCopy, "open", refuse)
    scanned = scan(ann)
    assert changes(scanned) == [(Change.NEW_FILE, OUTPUT)]
    assert scanned.failures == [("files/bad", "Permission denied")]
    monkeypatch.undo()
    scanned = scan(ann)
    assert changes(scanned) == [(Change.NEW_FILE, "files/bad")]
    assert scanned.plan.hashed == 2


def test_log_that_was_extended_before_its_push_is_not_cut(pair: Pair) -> None:
    """Lines that another program added to a pending file are not lost by its push; a scan takes them in."""
    ann, bob = pair
    log = "audit/log.jsonl"
    ann.write_file(log, "one\n")
    write(ann, log, "one\ntwo\n")
    assert "--scan" in ann.push().failures[0][1]
    assert ann.copy.read(log) == b"one\ntwo\n"
    assert changes(scan(ann)) == [(Change.EDITED_FILE, log)]
    assert ann.push().failures == []
    bob.pull()
    bob.hydrate()
    assert bob.copy.read(log) == b"one\ntwo\n"


def test_rest_of_a_killed_append_is_no_edit(pair: Pair) -> None:
    """Bytes behind the content that its metadata names are of an append that was never acknowledged."""
    ann, _ = pair
    published(ann, "log", "one\n", streaming=True)
    write(ann, path_of("log", 1, "raw"), "one\ntw")
    assert changes(scan(ann)) == []
