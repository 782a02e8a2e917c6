from __future__ import annotations

import hashlib
import io
import itertools
import threading
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from swampsync.artifacts.batch import BatchItem
from swampsync.artifacts.metadata import Owner
from swampsync.artifacts.metadata_yaml import format_metadata
from swampsync.errors import Conflict, DataError, InvalidInput, LeaseLost, NotFound, Refused
from swampsync.layout import Layout
from swampsync.namespace import Namespace

ROOT = "infra/data/command/shell/0fe7cbe8-c8f1-4a14-811f-c7079bba1297"


def test_put_writes_the_tree_of_swamp(kit: Any) -> None:
    """A version is a directory with `raw` and `metadata.yaml`; `latest` is its number without a newline."""
    done = kit.put("out", b"content")
    assert kit.tree() == {
        f"{ROOT}/out/1/raw": b"content",
        f"{ROOT}/out/1/metadata.yaml": format_metadata(done),
        f"{ROOT}/out/latest": b"1",
    }
    assert (done.version, done.size, done.checksum) == (1, 7, hashlib.sha256(b"content").hexdigest())
    assert done.created_at.endswith(".000Z")
    second = kit.put("out", b"")
    assert (second.version, second.size, kit.marker("out")) == (2, 0, b"2")
    assert second.id != done.id
    assert (kit.get("out"), kit.get("out", 1)) == (b"", b"content")


def test_put_goes_above_the_floor_and_every_claim(kit: Any) -> None:
    """The next number is above what is on the disk, whole or not, and above what the caller knows."""
    assert kit.put("out", b"", floor=6).version == 7
    kit.disk.mkdir(f"{kit.path('out')}/9")
    assert kit.put("out", b"", floor=3).version == 10


def test_parallel_saves_get_distinct_versions(local_kit: Any) -> None:
    """Core fact 10.1.1: many writers at once get as many versions, and `latest` ends at the highest."""
    done: list[int] = []

    def work(number: int) -> None:
        done.append(local_kit.put("out", b"%d" % number).version)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(done) == list(range(1, 17))
    assert local_kit.marker("out") == b"16"
    assert sorted(local_kit.get("out", version) for version in done) == sorted(b"%d" % n for n in range(16))
    assert not [name for name in local_kit.tree() if ".tmp" in name]


@pytest.mark.parametrize("name", ["latest", "Latest", ".", ".lock", " ", "a/b", "..", ""])
def test_names_of_internal_files_are_refused(kit: Any, name: str) -> None:
    """Core fact 10.1.2: no artifact can take the name of the marker, the lock or a directory above."""
    with pytest.raises(InvalidInput):
        kit.put(name, b"")
    assert kit.disk.scandir("/base") == []


@pytest.mark.parametrize(
    "changes",
    [
        {"tags": {}},
        {"tags": {"type": "x", "a": 1}},
        {"tags": {"type": "x", "a": "\ud800"}},
        {"lifetime": "soon"},
        {"lifetime": "ephemeral"},
        {"garbage_collection": 0},
        {"content_type": ""},
        {"owner": Owner("nobody", "x")},
        {"owner": Owner("manual", "")},
    ],
    ids=str,
)
def test_draft_that_could_not_be_read_back_is_refused(kit: Any, changes: dict[str, Any]) -> None:
    """What swamp or we would refuse to read is not written."""
    with pytest.raises(InvalidInput):
        kit.put("out", b"", **changes)
    assert kit.disk.scandir("/base") == []


def test_lifetime_of_zero_becomes_workflow(kit: Any) -> None:
    """A duration of zero is normalised as swamp does."""
    assert kit.put("out", b"", lifetime="00mo").lifetime == "workflow"


def test_owner_is_checked_through_forwards(kit: Any) -> None:
    """Another type or reference is refused; the definition's hash and workflow fields do not matter."""
    kit.put("out", b"", owner=Owner("manual", "me", definition_hash="1"))
    kit.put("out", b"", owner=Owner("manual", "me", step_name="s"))
    kit.store.rename(kit.model, "out", "new")
    for name in ("out", "new"):
        with pytest.raises(Conflict, match="belongs to manual `me`, not to manual `you`"):
            kit.put(name, b"", owner=Owner("manual", "you"))
    with pytest.raises(Conflict):
        kit.put("new", b"", owner=Owner("model-method", "me"))


def test_failed_put_leaves_nothing(kit: Any) -> None:
    """A stream that breaks off, and a lease that is lost at any check, leave the tree as it was."""

    class Broken(io.RawIOBase):
        def readable(self) -> bool:
            return True

        def read(self, size: int = -1, /) -> bytes:
            raise OSError("broken pipe")

    with pytest.raises(OSError, match="broken pipe"):
        kit.store.put(kit.model, "new", Broken(), kit.draft())
    kit.put("out", b"1")
    before = {name: data for name, data in kit.tree().items() if data}
    for allowed in range(3):
        calls = iter(range(allowed))

        def check(calls: Any = calls) -> None:
            if next(calls, None) is None:
                raise LeaseLost("gone")

        with pytest.raises(LeaseLost):
            kit.put("out", b"2", check=check)
        assert {name: data for name, data in kit.tree().items() if data} == before
    assert kit.put("out", b"2").version == 2


@pytest.mark.holds("I1")
@pytest.mark.parametrize("way", ["alone", "in a batch"])
def test_cleaning_up_after_a_lost_lease_spares_the_successors_version(kit: Any, way: str) -> None:
    """While we stood still somebody deleted what we had begun, and put a version of the same number: it stays."""
    calls = itertools.count()

    def check() -> None:
        if next(calls) == 1:  # everything is written, nothing is published
            kit.store.delete_versions(kit.model, "out", [1])
            assert kit.put("out", b"theirs").version == 1
            raise LeaseLost("gone")

    batch = [BatchItem(kit.model, "out", lambda: io.BytesIO(b"ours"), kit.draft())]
    put = partial(kit.put, "out", b"ours") if way == "alone" else partial(kit.store.put_many, batch)
    with pytest.raises(LeaseLost):
        put(check=check)
    assert kit.get("out") == b"theirs"


def test_excluded_data_is_written_into_the_repo(kit: Any) -> None:
    """Every path comes from the layout: what it keeps local is written and read locally."""
    layout = replace(kit.layout, is_excluded=lambda path: path.endswith("/secret"))
    own = type(kit)(kit.disk, layout)
    own.put("secret", b"s")
    own.put("open", b"o")
    assert (own.get("secret"), own.get("open")) == (b"s", b"o")
    assert f"{ROOT}/open/latest" in kit.tree("/base")
    assert not [name for name in kit.tree("/base") if "secret" in name]
    assert f"{ROOT.removeprefix('infra/')}/secret/1/raw" in kit.tree("/repo/.swamp")


@pytest.mark.holds("I9")
def test_solo_tree_has_no_prefix(kit: Any) -> None:
    """Without a namespace the tree begins at `data`, otherwise it is the same."""
    solo = type(kit)(kit.disk, Layout("/repo", "/solo"))
    solo.put("out", b"1")
    assert set(solo.tree()) == {
        f"{ROOT.removeprefix('infra/')}/out/{end}" for end in ("1/raw", "1/metadata.yaml", "latest")
    }


@pytest.mark.holds("I4")
def test_symbolic_links_are_not_written_through(kit: Any) -> None:
    """An artifact that is a link to elsewhere is neither written, appended to nor removed."""
    kit.put("out", b"1", streaming=True)
    kit.disk.makedirs("/elsewhere/1")
    kit.disk.symlink("/elsewhere", kit.path("link"))
    with pytest.raises(Refused, match="symbolic link"):
        kit.put("link", b"")
    with pytest.raises(Refused, match="symbolic link"):
        kit.store.delete_artifact(kit.model, "link")
    with pytest.raises(Refused, match="symbolic link"):
        kit.store.rename(kit.model, "out", "link")
    with pytest.raises(Refused, match="symbolic link"):
        kit.store.append(kit.model, "link", io.BytesIO(b"x"))
    assert kit.tree("/elsewhere") == {"1": b""}


def test_missing_data_says_what_there_is(kit: Any) -> None:
    """A missing artifact and a missing version are not found; the versions that exist are listed."""
    with pytest.raises(NotFound, match="no data named `out` exists for model `m`"):
        kit.get("out")
    with pytest.raises(NotFound, match="no data named `out` exists for model `m`"):
        kit.get("out", 1)
    kit.put("out", b"")
    kit.put("out", b"")
    with pytest.raises(NotFound, match=r"version 7 does not exist for `out` \(available versions: 1, 2\)"):
        kit.get("out", 7)
    with pytest.raises(InvalidInput):
        kit.get("../out")


def test_content_that_changed_is_an_error_naming_the_file(kit: Any) -> None:
    """Bytes that differ, or are too few, are a `DataError` at the end of the stream; more bytes are not read."""
    kit.put("out", b"content")
    raw = f"{kit.path('out')}/1/raw"
    kit.write(raw, b"content and more")
    assert kit.get("out") == b"content"
    kit.write(raw, b"CONTENT")
    with pytest.raises(DataError, match="does not have the SHA-256") as caught:
        kit.get("out")
    assert caught.value.key == raw
    metadata = kit.store.list_versions(kit.model, "out")[0]
    kit.write(raw, b"cont")
    with pytest.raises(DataError, match="has 4 of 7 bytes"):
        kit.get("out", 1)
    with kit.store.open_content(kit.model, metadata) as content, pytest.raises(DataError, match="3 bytes shorter"):
        content.read()
    kit.disk.unlink(raw)
    with pytest.raises(NotFound, match="is gone"):
        kit.store.open_content(kit.model, metadata)


def test_content_streams_in_pieces(kit: Any) -> None:
    """Any way of reading gives the same bytes, and the verification comes with the last read."""
    data = bytes(range(256)) * 5_000
    metadata = kit.put("out", data)
    with kit.store.open_content(kit.model, metadata) as content:
        pieces = [content.read(70_000) for _ in range(30)]
    assert b"".join(pieces) == data
    assert metadata.checksum == hashlib.sha256(data).hexdigest()


def test_damaged_latest_does_not_block_the_name(kit: Any) -> None:
    """With broken metadata at the top, readers get the version below, and a put repairs the artifact."""
    kit.put("out", b"1")
    kit.put("out", b"2")
    kit.write(f"{kit.path('out')}/2/metadata.yaml", b"")
    assert kit.get("out") == b"1"
    with pytest.raises(DataError, match="empty"):
        kit.get("out", 2)
    assert kit.put("out", b"3").version == 3
    assert (kit.get("out"), kit.marker("out")) == (b"3", b"3")
    kit.write(f"{kit.path('only')}/1/metadata.yaml", b"broken")
    with pytest.raises(DataError, match=r"only/1/metadata.yaml"):
        kit.get("only")


def test_marker_of_any_kind_is_understood(kit: Any) -> None:
    """Text, a legacy link, nothing, rubbish: the marker's version if it is whole, else the highest."""
    for number in range(1, 4):
        kit.put("out", b"%d" % number)
    marker = f"{kit.path('out')}/latest"
    for text, expected in ((b"2", b"2"), (b" 1\n", b"1"), (b"", b"3"), (b"x", b"3"), (b"9", b"3")):
        kit.write(marker, text)
        assert kit.get("out") == expected
    kit.disk.unlink(marker)
    assert kit.get("out") == b"3"
    kit.disk.symlink("2", marker)
    assert kit.get("out") == b"2"
    assert kit.put("out", b"4").version == 4
    assert kit.marker("out") == b"4"


def test_namespaces_of_one_datastore_do_not_touch(kit: Any) -> None:
    """The same model and name in two namespaces are two artifacts."""
    other = type(kit)(kit.disk, kit.layout.of(Namespace("app")))
    kit.put("out", b"infra")
    other.put("out", b"app")
    assert (kit.get("out"), other.get("out")) == (b"infra", b"app")
    other.store.delete_artifact(other.model, "out")
    assert kit.get("out") == b"infra"
