"""Data in buckets through the command line: two repos of one namespace, and one that reads another's."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cli.conftest import BucketPlace, Outcome, Place, Swamp

UNREACHABLE = "http://127.0.0.1:9"


@dataclass(frozen=True)
class Member:
    """A repo of the team, and how its commands are run."""

    path: Path
    bucket: BucketPlace
    swamp: Swamp

    def __call__(self, *words: str, stdin: bytes | str = b"", env: dict[str, str] | None = None) -> Outcome:
        return self.swamp(self.path, *words, stdin=stdin, env=self.bucket.env | (env or {}))

    def put(self, name: str, content: str, *flags: str) -> Outcome:
        return self("data", "put", "vpc", name, "-", *flags, stdin=content).ok()

    def content(self, name: str, *flags: str) -> str:
        return self("data", "get", "vpc", name, "--output", "-", *flags).ok().text


def make_member(swamp: Swamp, path: Path, bucket: BucketPlace, namespace: str, extra: str = "") -> Member:
    """Write by hand what set-up writes, without its probe."""
    path.mkdir()
    swamp(path, "repo", "init").ok()
    with (path / ".swamp.yaml").open("a") as file:
        file.write(
            f'datastore:\n  type: "@swampsync/s3"\n{extra}  config:\n    bucket: {bucket.name}\n'
            f'    endpoint: "{bucket.endpoint}"\n'
        )
    if namespace:
        words = ("set", namespace) if not bucket.keys(f"{namespace}/") else ("join", namespace)
        swamp(path, "namespace", *words, env=bucket.env).ok()
    return Member(path, bucket, swamp)


@pytest.fixture
def ann(swamp: Swamp, tmp_path: Path, bucket: BucketPlace, namespace: str) -> Member:
    return make_member(swamp, tmp_path / "ann", bucket, namespace)


@pytest.fixture
def bob(swamp: Swamp, tmp_path: Path, bucket: BucketPlace, namespace: str, ann: Member) -> Member:
    return make_member(swamp, tmp_path / "bob", bucket, namespace, "  hydrationStrategy: lazy\n")


def commits(bucket: BucketPlace, namespace: str) -> list[str]:
    return bucket.keys(f"{namespace}/_log/" if namespace else "_log/")


def test_every_writing_command_is_one_commit(ann: Member, bob: Member, bucket: BucketPlace, namespace: str) -> None:
    """Put, import, append, rename and delete each publish exactly one commit, which others then read."""
    ann.put("state", "one", "--streaming")
    assert len(commits(bucket, namespace)) == 1
    source = ann.path / "source"
    source.mkdir()
    for name in ("a.txt", "b.txt"):
        (source / name).write_text(name)
    ann("data", "import", str(source), "--model", "vpc").ok()
    assert len(commits(bucket, namespace)) == 2
    ann("data", "put", "vpc", "state", "-", "--append", stdin="two").ok()
    assert len(commits(bucket, namespace)) == 3
    ann("data", "rename", "vpc", "a.txt", "c.txt").ok()
    ann("data", "delete", "vpc", "b.txt", "-y").ok()
    assert len(commits(bucket, namespace)) == 5
    report = bob("datastore", "sync", "--json").json
    assert report["commitsPulled"] == 5
    assert report["filesFetched"] == 0
    listed = bob("data", "list", "vpc", "--json").json
    assert [item["name"] for group in listed["groups"] for item in group["items"]] == ["c.txt", "state"]
    assert bob.content("c.txt") == "a.txt"
    assert bob.content("a.txt") == "a.txt"
    # What is published is closed: an append begins the next version.
    assert (bob.content("state", "--version", "1"), bob.content("state")) == ("one", "two")


def test_sync_of_nothing_is_one_request(ann: Member) -> None:
    """A sync that finds nothing to do makes one request."""
    ann.put("state", "one")
    report = ann("datastore", "sync", "--json").json
    assert (report["requests"], report["commitsPulled"], report["filesPushed"]) == (1, 0, 0)


def test_own_reads_make_no_request(ann: Member, bucket: BucketPlace) -> None:
    """Listing, searching, querying and getting own data work while the bucket cannot be reached."""
    ann.put("state", '{"a":1}', "--content-type", "application/json")
    config = ann.path / ".swamp.yaml"
    config.write_text(config.read_text().replace(bucket.endpoint, UNREACHABLE))
    assert ann("data", "list", "vpc", "--json").json["total"] == 1
    assert ann("data", "search", "state", "--json").json["total"] == 1
    assert ann("data", "query", "attributes.a == 1", "--json").json["total"] == 1
    assert ann.content("state") == '{"a":1}'
    assert ann("data", "versions", "vpc", "state", "--json").json["total"] == 1


def test_no_sync_leaves_versions_pending_and_marked(
    ann: Member, bob: Member, bucket: BucketPlace, namespace: str
) -> None:
    """With --no-sync nothing is sent; the version is marked in listings and counted by status until a sync."""
    ann.put("state", "one")
    before = bucket.keys()
    ann.put("state", "two", "--no-sync")
    ann.put("other", "x", "--no-sync")
    assert bucket.keys() == before
    lines = ann("data", "list", "vpc").ok().text.splitlines()
    assert len([line for line in lines if "(pending)" in line]) == 2
    assert len(ann("datastore", "status", "--json").json["sync"]["pending"]) == 2
    plan = ann("datastore", "sync", "--dry-run", "--json").json["plan"]
    # Two objects each and a commit, besides a look at the log and, where there are members, at who they are.
    assert (plan["puts"], plan["requests"]) == (2, 7 if namespace else 6)
    assert bucket.keys() == before
    assert ann("datastore", "sync", "--json").json["filesPushed"] == 2
    assert "(pending)" not in ann("data", "list", "vpc").ok().text
    bob("datastore", "sync").ok()
    assert bob.content("state") == "two"


def test_auto_sync_off_is_no_sync(swamp: Swamp, tmp_path: Path, bucket: BucketPlace) -> None:
    """`autoSync: false` leaves what every command writes pending."""
    repo = make_member(swamp, tmp_path / "r", bucket, "", "  autoSync: false\n")
    repo.put("state", "one")
    assert bucket.keys() == []
    assert repo("datastore", "sync", "--json").json["filesPushed"] == 2  # its definition too


def test_put_that_cannot_be_published_is_kept(ann: Member, bucket: BucketPlace) -> None:
    """A put while the bucket is not there keeps the version, says so and exits 1; the next sync publishes it."""
    ann.put("state", "one")
    config = ann.path / ".swamp.yaml"
    text = config.read_text()
    config.write_text(text.replace(bucket.name, "no-such-bucket"))
    outcome = ann("data", "put", "vpc", "state", "-", "--json", stdin="two")
    assert outcome.status == 1
    assert "safe and pending" in outcome.error["error"]
    config.write_text(text)
    assert ann.content("state") == "two"
    assert ann("datastore", "sync", "--json").json["filesPushed"] == 1


def test_number_taken_by_another_repo_is_reported(ann: Member, bob: Member) -> None:
    """A pending version whose number somebody published meanwhile gets the next one, and the report says so."""
    ann.put("state", "one")
    bob("datastore", "sync").ok()
    bob.put("state", "bob", "--no-sync")
    ann.put("state", "ann")
    report = bob("datastore", "sync", "--json").json
    assert [entry["to"].rpartition("/")[2] for entry in report["renumbered"]] == ["3"]
    assert (bob.content("state"), bob.content("state", "--version", "2")) == ("bob", "ann")


def test_put_tells_what_became_of_pending_versions(ann: Member, bob: Member) -> None:
    """A put that renumbers a version that was pending names it on stderr; its document is as ever."""
    ann.put("state", "one")
    bob("datastore", "sync").ok()
    bob.put("state", "bob", "--no-sync")
    ann.put("state", "ann")
    outcome = bob.put("another", "x", "--json")
    (line,) = outcome.err.splitlines()
    assert re.fullmatch(r"Warning: Renumbered data/\S+/state/2 -> 3", line)
    assert outcome.json["name"] == "another"
    assert bob.put("another", "y").err == ""


@pytest.mark.parametrize("flags", [(), ("--json",)])
def test_refused_push_keeps_the_report_of_the_pull(ann: Member, bob: Member, flags: tuple[str, ...]) -> None:
    """A sync whose push is refused says what it pulled and renumbered, then the error with its status."""
    ann.put("state", "one")
    bob("datastore", "sync").ok()
    bob.put("state", "bob", "--no-sync")
    ann.put("state", "ann")
    outcome = bob("datastore", "sync", "--max-requests", "0", *flags)
    assert outcome.status == 1
    if flags:
        report = json.loads(outcome.out)
        assert [entry["to"].rpartition("/")[2] for entry in report["renumbered"]] == ["3"]
        assert (report["commitsPulled"], report["filesPushed"], report["seq"]) == (1, 0, 2)
        assert outcome.error["code"] == "refused"
    else:
        assert "Pulled 1 commit:" in outcome.text
        assert re.search(r"^Renumbered data/\S+/state/2 -> 3$", outcome.text, re.MULTILINE)
        assert outcome.err.startswith("Error: this sync needs")
    # Nothing new came the second time: only the error is left to tell.
    assert bob("datastore", "sync", "--max-requests", "0").text == ""


def test_put_reports_the_number_that_was_published(ann: Member, bob: Member) -> None:
    """A put by a repo that is behind takes in the others' versions first and gets the number after them."""
    bob("data", "list").ok()
    for content in ("1", "2"):
        ann.put("state", content)
    assert "v3 of vpc" in bob.put("state", "3").text


def test_status_tells_when_the_last_sync_is_too_long_ago(ann: Member) -> None:
    """With --max-age, status exits 1 if the log was never looked at, or too long ago."""
    assert ann("datastore", "status", "--max-age", "1h").status == 1
    ann.put("state", "one")
    assert ann("datastore", "status", "--max-age", "1h").status == 0


def test_gc_is_one_commit(ann: Member, bob: Member, bucket: BucketPlace, namespace: str) -> None:
    """A collection goes by the log's state and is published as one commit."""
    for content in ("1", "2", "3"):
        ann.put("state", content, "--gc", "1")
    assert ann("data", "gc", "--dry-run", "--json").json["versionsDeleted"] == 2
    before = len(commits(bucket, namespace))
    assert ann("data", "gc", "-y", "--json").json["versionsDeleted"] == 2
    assert len(commits(bucket, namespace)) == before + 1
    bob("datastore", "sync").ok()
    assert [v["version"] for v in bob("data", "versions", "vpc", "state", "--json").json["versions"]] == [3]


def test_log_tells_who_did_what(ann: Member, bob: Member) -> None:
    """The log lists commits newest first, with author, kind and counts, narrowed by path."""
    ann.put("state", "one")
    bob.put("other", "two")
    bob("data", "delete", "vpc", "other", "-y").ok()
    entries = ann("datastore", "log", "--json").json["commits"]
    assert [(e["seq"], e["kind"]) for e in entries] == [(3, "delete"), (2, "put"), (1, "put")]
    assert entries[0]["removed"] == 1
    row = ann("data", "list", "--json").json["models"][0]
    path = f"data/{row['modelType']}/{row['modelId']}/other"
    assert [e["seq"] for e in ann("datastore", "log", "--path", path, "--json").json["commits"]] == [3, 2]
    assert ann("datastore", "log", "--since", "1h", "--limit", "1", "--json").json["total"] == 1


def is_automatic(member: Member, *, wanted: bool) -> None:
    """Let commands publish what they do, or leave it pending."""
    config = member.path / ".swamp.yaml"
    text = config.read_text().replace("  autoSync: false\n", "")
    config.write_text(text if wanted else text.replace("  config:", "  autoSync: false\n  config:"))


def test_push_of_most_of_a_namespace_needs_a_confirmation(ann: Member) -> None:
    """Removals of more than half of a namespace are published only as --max-delete or --yes allows, however few."""
    for name in ("a", "b", "c"):
        ann.put(name, name)
    is_automatic(ann, wanted=False)
    ann("data", "delete", "vpc", "--all", "-y").ok()
    refused = ann("datastore", "sync", "--json")
    assert refused.status == 1
    assert "would remove 3 of 4 versions and files, and 2 are allowed" in refused.error["error"]
    assert refused.error["hint"] == "if that is meant: swamp datastore sync --yes, or --max-delete 3"
    # A put that is refused for it says the same, and not to sync, which is refused too.
    is_automatic(ann, wanted=True)
    put = ann("data", "put", "vpc", "more", "-", "--json", stdin="y")
    assert (put.status, put.error["hint"]) == (1, refused.error["hint"])
    assert ann("datastore", "sync", "--max-delete", "2", "--json").status == 1
    assert ann("datastore", "sync", "--max-delete", "3", "--json").json["removalsPushed"] == 3


def test_what_a_command_asks_about_is_removed_without_ado(ann: Member) -> None:
    """A confirmed delete publishes its own removals; what was pending before waits for the --yes of a sync."""
    for name in ("a", "b", "c"):
        ann.put(name, name)
    ann("data", "delete", "vpc", "--all", "-y").ok()
    assert ann("datastore", "log", "--json").json["commits"][0]["removed"] == 3
    for name in ("d", "e", "f", "g"):
        ann.put(name, name)
    is_automatic(ann, wanted=False)
    for name in ("d", "e", "f"):
        ann("data", "delete", "vpc", name, "-y").ok()
    is_automatic(ann, wanted=True)
    deleted = ann("data", "delete", "vpc", "g", "-y", "--json")
    assert deleted.status == 1
    assert "would remove 3 of 5 versions and files, and 2 are allowed" in deleted.error["error"]
    assert ann("datastore", "sync", "--yes", "--json").json["removalsPushed"] == 4


def test_unreadable_file_fails_alone(ann: Member) -> None:
    """One version whose content was lost is reported with its reason and exit 1; the others are published."""
    ann.put("good", "x", "--no-sync")
    ann.put("bad", "x", "--no-sync")
    (raw,) = (ann.path / ".swamp" / "remote").rglob("bad/1/raw")
    raw.unlink()
    outcome = ann("datastore", "sync", "--json")
    assert outcome.status == 1
    report = json.loads(outcome.out)
    assert report["filesPushed"] == 2
    assert [entry["path"].rpartition("/")[0].rpartition("/")[2] for entry in report["failures"]] == ["bad"]
    assert report["failures"][0]["reason"] == "its content is missing from the local copy"
    letters = ann("datastore", "status", "--json").json["sync"]["deadLetters"]
    assert [(letter["attempts"], letter["error"]) for letter in letters] == [(1, report["failures"][0]["reason"])]
    # Whoever publishes something else succeeds, and is told.
    later = ann.put("later", "x")
    assert "still cannot be published: its content is missing" in later.err
    assert ann("datastore", "sync").status == 1
    raw.write_text("x")
    assert ann("datastore", "sync", "--json").json["filesPushed"] == 1
    assert ann("datastore", "status", "--json").json["sync"]["deadLetters"] == []


def test_other_namespace_is_read_as_it_is_now(swamp: Swamp, tmp_path: Path, bucket: BucketPlace) -> None:
    """`-n other` looks at that namespace's log first, each time; own commands never write there."""
    infra = make_member(swamp, tmp_path / "infra", bucket, "infra")
    app = make_member(swamp, tmp_path / "app", bucket, "app")
    for content in ("one", "two"):
        infra.put("state", content)
        assert app.content("state", "-n", "infra") == content
    app.put("state", "mine")
    assert app.content("state") == "mine"
    infra.put("new", "x")
    assert app("datastore", "sync", "--all", "--json").json["namespaces"] == {"infra": 1}
    assert app("data", "query", 'name == "new"', "--json").json["results"][0]["namespace"] == "infra"
    refused = app("data", "put", "vpc", "state", "-", "-n", "infra", "--json", stdin="no")
    assert refused.status == 1
    assert refused.error["code"] == "conflict"


def test_edited_copy_is_not_served(ann: Member, bob: Member) -> None:
    """Content in the copy that was changed behind our back is fetched again when it is read."""
    ann.put("state", "one")
    bob("datastore", "sync", "--hydrate").ok()
    (raw,) = (bob.path / ".swamp" / "remote").rglob("state/1/raw")
    raw.write_text("ONE")
    assert bob.content("state") == "one"


def test_hydrate_fetches_what_a_predicate_matches(ann: Member, bob: Member) -> None:
    """`sync --hydrate PREDICATE` fetches the content of matching versions and no other."""
    for name in ("a", "b"):
        ann.put(name, name)
    report = bob("datastore", "sync", "--hydrate", 'name == "a"', "--json").json
    assert report["filesFetched"] == 1
    assert [path.parts[-3] for path in (bob.path / ".swamp" / "remote").rglob("raw")] == ["a"]


def test_sync_on_a_directory_refreshes_and_says_so(swamp: Swamp, solo: Path) -> None:
    """Where nothing travels, sync refreshes the catalog, says so with what changed, and exits 0."""
    swamp(solo, "data", "put", "vpc", "state", "-", stdin="x").ok()
    (solo / ".swamp" / "data" / "_catalog.db").unlink()
    report = swamp(solo, "datastore", "sync", "--json").json
    assert (report["refreshed"], report["added"], report["versions"], report["dryRun"]) == (True, 1, 1, False)
    outcome = swamp(solo, "datastore", "sync", "--pull").ok()
    assert outcome.text.splitlines() == [
        "The datastore is a directory, where nothing travels. The catalog was refreshed:",
        "  (solo): 1 version; 0 added, 0 changed, 0 removed",
    ]
    for flag in ("--push", "--dry-run"):
        assert not swamp(solo, "datastore", "sync", flag, "--json").json["refreshed"]
    assert swamp(solo, "datastore", "log").status == 1


def test_sync_of_all_on_a_directory_refreshes_every_namespace(swamp: Swamp, pair: Place) -> None:
    """With --all the rows of other namespaces follow their trees too, and are counted apart."""
    swamp(pair.first, "data", "put", "vpc", "state", "-", stdin="x").ok()
    for number in range(2):
        swamp(pair.second, "data", "put", "web", f"n{number}", "-", stdin="x").ok()
    report = swamp(pair.first, "datastore", "sync", "--all", "--json").json
    assert report["versions"] == 1
    assert [one["added"] for one in report["namespaces"].values()] == [2]


def test_content_of_many_parts_arrives_whole(ann: Member, bob: Member) -> None:
    """What is too large for one request goes up in parts, comes down in ranges, and is what was put."""
    content = "".join(f"{number:07x}\n" for number in range(1_200_000))
    assert len(content) > 9_000_000
    ann.put("large", content)
    bob("datastore", "sync", "--pull").ok()
    assert bob.content("large") == content


def test_pull_alone_publishes_nothing_and_push_alone_fetches_nothing(ann: Member, bob: Member) -> None:
    """`--pull` leaves what is pending; `--push` publishes it and counts what it took in on the way; counts are told."""
    ann.put("a", "1")
    bob("datastore", "sync").ok()
    ann.put("b", "1")
    bob.put("c", "1", "--no-sync")
    pulled = bob("datastore", "sync", "--pull", "--json").json
    assert (pulled["commitsPulled"], pulled["filesPulled"], pulled["filesPushed"]) == (1, 1, 0)
    assert len(bob("datastore", "status", "--json").json["sync"]["pending"]) == 1
    pushed = bob("datastore", "sync", "--push", "--json").json
    assert (pushed["filesPushed"], pushed["filesFetched"]) == (1, 0)
    text = ann("datastore", "sync").ok().text
    assert "Pulled 1 commit: 1 file" in text


def edit_state(member: Member, content: str) -> None:
    """Change the content of `state` in the copy as an editor does."""
    (raw,) = (member.path / ".swamp" / "remote").rglob("state/1/raw")
    raw.write_text(content)


def test_sync_keeps_hand_edits_of_what_others_removed(ann: Member, bob: Member, namespace: str) -> None:
    """What a person changed in the copy is kept aside and named by sync and status, in the log's terms and in JSON."""
    ann.put("state", "one")
    bob("datastore", "sync", "--hydrate").ok()
    edit_state(bob, "bob's own")
    ann("data", "delete", "vpc", "state", "-y").ok()
    (kept,) = bob("datastore", "sync", "--json").json["keptAside"]
    assert kept["path"].endswith("/state/1/raw")
    assert kept["keptAs"] == "/".join(filter(None, (".swamp/kept-aside", namespace, kept["path"])))
    assert (bob.path / kept["keptAs"]).read_text() == "bob's own"
    assert f"Kept:      {kept['keptAs']}\n" in bob("datastore", "status").ok().text


def test_reading_keeps_hand_edits_and_says_so(ann: Member, bob: Member) -> None:
    """`data get` shows what was published; what the copy held instead is kept, and a notice says where."""
    ann.put("state", "one")
    bob("datastore", "sync", "--hydrate").ok()
    edit_state(bob, "bob's own")
    got = bob("data", "get", "vpc", "state", "--output", "-").ok()
    assert got.text == "one"
    notice = re.search(r"Kept aside (\S+): it was changed here without a command; what was here is (\S+)", got.err)
    assert notice is not None, got.err
    assert (bob.path / notice[2]).read_text() == "bob's own"
