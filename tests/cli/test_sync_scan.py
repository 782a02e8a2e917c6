"""`datastore sync --scan`: what other programs did in the local copy, through the command line."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.cli.conftest import BucketPlace, Swamp
from tests.cli.test_sync import Member, make_member

OUTPUT = "outputs/command/run/1.yaml"


@pytest.fixture
def ann(swamp: Swamp, tmp_path: Path, bucket: BucketPlace, namespace: str) -> Member:
    return make_member(swamp, tmp_path / "ann", bucket, namespace)


@pytest.fixture
def bob(swamp: Swamp, tmp_path: Path, bucket: BucketPlace, namespace: str, ann: Member) -> Member:
    return make_member(swamp, tmp_path / "bob", bucket, namespace, "  exclude: [outputs/private]\n")


def write(member: Member, path: str, content: str) -> Path:
    """Write a file into the copy of the member's namespace as another program does."""
    root = member.path / ".swamp" / "remote"
    (base,) = {raw.parents[6] for raw in root.rglob("raw")} if list(root.rglob("raw")) else {root}
    target = base / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(content)
    return target


def test_what_other_programs_wrote_reaches_the_others(ann: Member, bob: Member) -> None:
    """An edit of equal size and time, and a file of another tier, are found, published, and read elsewhere."""
    ann.put("state", "one")
    bob("datastore", "sync").ok()
    (raw,) = (bob.path / ".swamp" / "remote").rglob("state/1/raw")
    before = raw.stat()
    raw.write_text("ONE")
    os.utime(raw, ns=(before.st_atime_ns, before.st_mtime_ns))
    write(bob, OUTPUT, "a: 1\n")
    write(bob, "outputs/private/x.yaml", "secret")
    found = bob("datastore", "sync", "--scan", "--dry-run", "--json").json
    assert [f["change"] for f in found["scan"]["found"]] == ["edited version", "new file"]
    assert found["scan"]["adopted"] == []
    assert bob("datastore", "status", "--json").json["sync"]["pending"] == []
    report = bob("datastore", "sync", "--scan", "--json").json
    assert [f["change"] for f in report["scan"]["adopted"]] == ["edited version", "new file"]
    assert report["filesPushed"] == 2
    assert ann("datastore", "sync", "--json").json["filesPulled"] == 2
    assert (ann.content("state"), ann.content("state", "--version", "1")) == ("ONE", "one")
    assert (bob.content("state"), bob.content("state", "--version", "1")) == ("ONE", "one")
    assert [path.read_text() for path in (ann.path / ".swamp" / "remote").rglob(OUTPUT)] == ["a: 1\n"]
    again = bob("datastore", "sync", "--scan", "--json").json
    assert (again["scan"]["found"], again["filesPushed"], again["requests"]) == ([], 0, 1)


def test_a_person_is_told_what_was_taken_in(ann: Member) -> None:
    """The report names each change; links are warned about and never followed."""
    ann.put("state", "one")
    target = write(ann, OUTPUT, "a: 1\n")
    (target.parent / "link").symlink_to("/etc/hostname")
    outcome = ann("datastore", "sync", "--scan").ok()
    assert f"Took in new file {OUTPUT} (5B)" in outcome.text
    assert "outputs/command/run/link is a symbolic link, which is not followed" in outcome.err
    assert "Pushed 1 file" in outcome.text


def test_missing_content_is_removed_only_when_asked(ann: Member, bob: Member) -> None:
    """A file that is gone stays in the datastore; with --removals and --yes it goes."""
    ann.put("state", "one")
    bob("datastore", "sync").ok()
    (raw,) = (bob.path / ".swamp" / "remote").rglob("state/1/raw")
    raw.unlink()
    assert "1 fetched content missing" in bob("datastore", "sync", "--scan").ok().text
    assert bob.content("state") == "one"
    raw.unlink()
    assert bob("datastore", "sync", "--scan", "--removals", "--json").status == 0
    ann("datastore", "sync").ok()
    assert ann("data", "get", "vpc", "state").status == 1
    assert bob("datastore", "sync", "--removals").status == 2


def test_what_cannot_be_published_is_named(ann: Member) -> None:
    """Links and names that no key can have are noted, exit 0, and everything else is published."""
    ann.put("state", "one")
    directory = write(ann, OUTPUT, "a").parent
    (directory / "loop").symlink_to(directory / "loop")
    (directory / "tab\t").write_text("x")
    outcome = ann("datastore", "sync", "--scan", "--json")
    assert outcome.status == 0
    assert outcome.json["filesPushed"] == 1
    assert sorted(note["reason"] for note in outcome.json["scan"]["notes"]) == [
        "holds a control character",
        "is a symbolic link, which is not followed",
    ]


def test_scan_is_of_the_own_namespace_only(ann: Member) -> None:
    """What is here of another namespace is a cache, where nobody works: a scan of it is refused."""
    refused = ann("datastore", "sync", "--scan", "-n", "other", "--json")
    assert refused.status == 1
    assert refused.error["code"] == "refused"
