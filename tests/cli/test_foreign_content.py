"""Content of other namespaces of a bucket: in the user's cache, whoever of the user's repos read it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from swampsync.layout import ObjectKey
from swampsync.repo.world import World
from tests.cli.conftest import Outcome, Swamp
from tests.unit.repo.buckets import MemoryBuckets

CONFIG = 'datastore:\n  type: "@swampsync/s3"\n  config:\n    bucket: team\n'
JSON = ("--content-type", "application/json")

Run = Callable[..., Outcome]


@pytest.fixture
def buckets(monkeypatch: pytest.MonkeyPatch) -> MemoryBuckets:
    buckets = MemoryBuckets()
    monkeypatch.setattr("swampsync.repo.repo.World", lambda: World(open_bucket=buckets.open))
    return buckets


@pytest.fixture
def make(tmp_path: Path, swamp: Swamp, buckets: MemoryBuckets) -> Callable[..., Run]:
    def member(name: str, namespace: str, *, joins: bool = False, home: str = "home") -> Run:
        path = tmp_path / name
        path.mkdir()
        swamp(path, "repo", "init").ok()
        with (path / ".swamp.yaml").open("a") as file:
            file.write(CONFIG)

        def run(*words: str, stdin: str = "", **env: str) -> Outcome:
            return swamp(path, *words, stdin=stdin, env={"SWAMP_HOME": str(tmp_path / home)} | env)

        if namespace:
            run("namespace", "join" if joins else "set", namespace).ok()
        return run

    return member


@pytest.fixture
def infra(make: Callable[..., Run]) -> Run:
    run = make("infra", "infra")
    for number in (1, 2):
        run("data", "put", "vpc", "state", "-", *JSON, stdin=f'{{"n":{number}}}').ok()
    return run


@pytest.fixture
def app(make: Callable[..., Run], infra: Run) -> Run:
    return make("app", "app")


def cached(tmp_path: Path, home: str = "home") -> list[Path]:
    return [p for p in (tmp_path / home / "cache" / "content").rglob("*") if p.is_file() and p.name != "written"]


def copied(tmp_path: Path, repo: str) -> list[Path]:
    return list((tmp_path / repo / ".swamp" / "remote").rglob("raw"))


def content(run: Run, model: str, name: str, *flags: str, **env: str) -> str:
    return run("data", "get", model, name, "--output", "-", *flags, **env).ok().text


def forget_objects(buckets: MemoryBuckets) -> None:
    """Remove all content from the bucket; the logs stay."""
    stored = buckets.keys()
    for key in stored:
        if key.endswith("/raw"):
            buckets.store().delete(ObjectKey(key))


def test_content_of_others_is_fetched_once_for_all_repos(
    make: Callable[..., Run], app: Run, buckets: MemoryBuckets, tmp_path: Path
) -> None:
    """What one repo read of infra another repo of the user reads without the object; no copy of it lies in a repo."""
    assert content(app, "vpc", "state", "-n", "infra") == '{"n":2}'
    assert (len(cached(tmp_path)), copied(tmp_path, "app")) == (1, [])
    forget_objects(buckets)
    web = make("web", "web")
    assert content(web, "infra:vpc", "state") == '{"n":2}'
    document = web("data", "get", "infra:vpc", "state", "--json").json
    assert (Path(tmp_path / "web") / document["contentPath"]).read_text() == '{"n":2}'
    missing = web("data", "get", "infra:vpc", "state", "--version", "1", "--output", "-")
    assert missing.status == 1


def test_damaged_cache_is_fetched_again(app: Run, tmp_path: Path) -> None:
    """Bytes that were changed in the cache are never shown."""
    content(app, "vpc", "state", "-n", "infra")
    (file,) = cached(tmp_path)
    file.write_text('{"n":9}')
    assert content(app, "vpc", "state", "-n", "infra") == '{"n":2}'


def test_cache_that_cannot_be_written_hides_nothing(app: Run, tmp_path: Path) -> None:
    """Where the cache's directory cannot be made, content is shown all the same."""
    (tmp_path / "home").mkdir(exist_ok=True)
    (tmp_path / "home" / "cache").write_text("a file where a directory belongs")
    assert content(app, "vpc", "state", "-n", "infra") == '{"n":2}'


def test_queries_for_attributes_of_others_use_the_cache(
    make: Callable[..., Run], app: Run, buckets: MemoryBuckets, tmp_path: Path
) -> None:
    """A predicate over others' content fetches it into the cache, and the next repo finds it there."""
    app("namespace", "follow", "infra").ok()
    rows = app("data", "query", "attributes.n == 2", "--json").json["results"]
    assert [(row["namespace"], row["version"]) for row in rows] == [("infra", 2)]
    assert (len(cached(tmp_path)), copied(tmp_path, "app")) == (1, [])
    forget_objects(buckets)
    web = make("web", "web")
    web("namespace", "follow", "all").ok()
    assert len(web("data", "query", "attributes.n == 2", "--json").json["results"]) == 1


def test_old_copy_of_others_moves_into_the_cache(app: Run, buckets: MemoryBuckets, tmp_path: Path) -> None:
    """Content that lies in the local copy is moved at the next look, and read without a request for it."""
    # As its own by the environment, infra is hydrated into the copy.
    app("datastore", "sync", SWAMP_NAMESPACE="infra").ok()
    assert (len(copied(tmp_path, "app")), cached(tmp_path)) == (2, [])
    forget_objects(buckets)
    assert content(app, "vpc", "state", "-n", "infra") == '{"n":2}'
    assert content(app, "vpc", "state", "--version", "1", "-n", "infra") == '{"n":1}'
    assert (copied(tmp_path, "app"), len(cached(tmp_path))) == ([], 2)


def test_old_copy_stays_where_the_cache_cannot_be_written(app: Run, tmp_path: Path) -> None:
    """Content is not removed from the copy unless it is kept elsewhere."""
    app("datastore", "sync", SWAMP_NAMESPACE="infra").ok()
    (tmp_path / "home").mkdir(exist_ok=True)
    (tmp_path / "home" / "cache").write_text("a file where a directory belongs")
    assert content(app, "vpc", "state", "-n", "infra") == '{"n":2}'
    assert len(copied(tmp_path, "app")) == 2


def test_edited_old_copy_is_not_moved(app: Run, tmp_path: Path) -> None:
    """A file of the old copy that holds other bytes is dropped, and the content fetched."""
    app("datastore", "sync", SWAMP_NAMESPACE="infra").ok()
    for path in copied(tmp_path, "app"):
        path.write_text('{"n":7}')
    assert content(app, "vpc", "state", "-n", "infra") == '{"n":2}'


def test_member_of_two_namespaces_writes_in_both(make: Callable[..., Run], infra: Run, tmp_path: Path) -> None:
    """What a member puts, appends, renames and leaves pending with `-n` is published; its copy keeps pending only."""
    ops = make("ops", "infra", joins=True)
    ops("namespace", "set", "ops").ok()
    ops("data", "put", "vpc", "state", "-", "-n", "infra", stdin="3").ok()
    ops("data", "put", "vpc", "log", "-", "-n", "infra", "--streaming", stdin="a").ok()
    ops("data", "put", "vpc", "log", "-", "-n", "infra", "--append", stdin="b").ok()
    ops("data", "rename", "vpc", "state", "renamed", "-n", "infra").ok()
    ops("data", "put", "vpc", "later", "-", "-n", "infra", "--no-sync", stdin="later").ok()
    assert content(ops, "vpc", "later", "-n", "infra") == "later"
    assert [path.parts[-3] for path in copied(tmp_path, "ops")] == ["later"]
    ops("datastore", "sync", "-n", "infra").ok()
    infra("datastore", "sync").ok()
    assert content(infra, "vpc", "renamed") == "3"
    assert content(infra, "vpc", "log") == "b"
    assert content(infra, "vpc", "later") == "later"
    assert content(ops, "vpc", "renamed", "-n", "infra") == "3"


def test_limit_of_the_cache_is_configured(app: Run, tmp_path: Path) -> None:
    """`datastore.cacheLimit` bounds what is kept, refuses a fetch that cannot fit, and 0 keeps nothing."""
    assert app("config", "get", "datastore.cacheLimit", "--json").json["value"] == 2 * 1024**3
    app("config", "set", "datastore.cacheLimit", "0").ok()
    assert content(app, "vpc", "state", "-n", "infra") == '{"n":2}'
    assert cached(tmp_path) == []
    refused = app("datastore", "sync", "-n", "infra", "--hydrate", "--json")
    assert refused.error["code"] == "refused"
    assert "cacheLimit" in refused.error["hint"]
    assert app("config", "set", "datastore.cacheLimit", "lots").status == 2
    app("config", "set", "datastore.cacheLimit", "1MiB").ok()
    assert app("datastore", "sync", "-n", "infra", "--hydrate", "--json").json["filesFetched"] == 3
    assert app("datastore", "sync", "-n", "infra", "--hydrate", "--json").json["filesFetched"] == 0
    assert len(cached(tmp_path)) == 3  # two versions and the definition


def test_sync_of_another_namespace_fetches_nothing_by_itself(app: Run, tmp_path: Path) -> None:
    """Full hydration is for one's own namespace: `-n` looks at the log only."""
    report = app("datastore", "sync", "-n", "infra", "--json").json
    assert (report["namespace"], report["seq"], report["filesFetched"]) == ("infra", 2, 0)
    assert cached(tmp_path) == []


def test_artifact_is_found_in_whichever_namespace_has_it(app: Run, infra: Run, make: Callable[..., Run]) -> None:
    """`*:model` gets and lists what one catalogued namespace has, and names the namespaces if several do."""
    web = make("web", "web")
    app("namespace", "follow", "all").ok()
    assert content(app, "*:vpc", "state") == '{"n":2}'
    assert json.loads(app("data", "versions", "*:vpc", "state", "--json").ok().text)["total"] == 2
    web("data", "put", "vpc", "state", "-", stdin="x").ok()
    app("datastore", "sync").ok()
    ambiguous = app("data", "get", "*:vpc", "state", "--json")
    assert ambiguous.error["code"] == "conflict"
    assert "`infra:vpc`, `web:vpc`" in ambiguous.error["error"]
    for model, name in (("*:vpc", "nothing"), ("*:vpc", "../x"), ("*:nobody", "state")):
        assert app("data", "get", model, name, "--json").error["code"] == "not_found"


def test_namespace_that_nobody_has_is_an_error(app: Run) -> None:
    """A slip in `-n` is told, and leaves no namespace behind in what is known."""
    for words in (("data", "list"), ("data", "get", "vpc", "state"), ("data", "query", 'name == "x"')):
        refused = app(*words, "-n", "infar", "--json")
        assert refused.error["code"] == "not_found", words
        assert "not registered" in refused.error["error"]
    followed = app("datastore", "sync", "--all", "--json").json["namespaces"]
    assert list(followed) == ["infra"]
