"""Queries through a repo: lookups without a predicate, and content that is here, gone, damaged or out of reach."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from swampsync.artifacts.metadata import Metadata
from swampsync.artifacts.model import Model
from swampsync.artifacts.store import ArtifactStore
from swampsync.config.settings import Flags, load_config
from swampsync.disk import LocalDisk
from swampsync.errors import Conflict, InvalidInput, Unavailable
from swampsync.namespace import Namespace
from swampsync.repo import Repo
from swampsync.repo.parts import Parts
from swampsync.repo.world import World
from tests.unit.repo.buckets import make_repo


def open_parts(tmp_path: Path, namespace: str) -> Parts:
    """Open a repo of a namespace on one shared directory; its parts, so that tests can bend them."""
    (tmp_path / "store").mkdir(exist_ok=True)
    more = f"datastore:\n  type: filesystem\n  path: {tmp_path / 'store'}\n  namespace: {namespace}\n"
    directory = make_repo(tmp_path / namespace, f"repo-{namespace}", more)
    return Parts(load_config(LocalDisk(), str(directory), environ={}, flags=Flags()), World(), {})


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[Parts]:
    """The parts of `app`, whose notices are kept by the tests that want them."""
    made = open_parts(tmp_path, "app")
    yield made
    made.close()


@pytest.fixture
def app(parts: Parts) -> Repo:
    repo = Repo(parts)
    repo.namespaces.set("app")
    return repo


@pytest.fixture
def infra(tmp_path: Path) -> Iterator[Repo]:
    with Repo(open_parts(tmp_path, "infra")) as repo:
        repo.namespaces.set("infra")
        yield repo


def put(
    repo: Repo, model: str, name: str, content: bytes = b'{"a": 1}', *, spec: str | None = None, **tags: str
) -> None:
    repo.data.put(model, name, io.BytesIO(content), content_type="application/json", spec=spec, tags=tags)


def content_path(tmp_path: Path, name: str) -> Path:
    (path,) = (tmp_path / "store").glob(f"*/data/**/{name}/1/raw")
    return path


# --- lookups -------------------------------------------------------------------------------------------


def test_lookups_see_what_was_just_written(app: Repo) -> None:
    """Every lookup is there on `repo.query`, and follows the trees first."""
    put(app, "vpc", "state", env="prod", specName="result")
    put(app, "vpc", "state", env="prod", specName="result")
    newest = app.query.latest("vpc", "state")
    assert newest is not None
    assert (newest.namespace, newest.version) == ("app", 2)
    assert app.query.version("vpc", "state", 1) != newest
    assert [row.version for row in app.query.list_versions("vpc", "state")] == [1, 2]
    assert app.query.find_by_tag("env", "prod") == [newest]
    assert app.query.find_by_spec("vpc", "result") == [newest]
    assert app.query.latest("vpc", "nosuch") is None
    assert app.query.version("vpc", "state", 3) is None


def test_lookups_reach_other_namespaces(app: Repo, infra: Repo) -> None:
    """`ns:model` and `*:model` find what another repo wrote, and an ambiguous name names the namespaces."""
    put(infra, "dns", "zone", env="prod")
    put(infra, "vpc", "state")
    put(app, "vpc", "state")
    found = app.query.latest("infra:dns", "zone")
    assert found is not None
    assert found.namespace == "infra"
    assert app.query.latest("*:dns", "zone") == found
    assert app.query.list_versions("*:dns", "zone") == [found]
    assert app.query.latest("dns", "zone") is None
    assert app.query.find_by_tag("env", "prod") == []
    with pytest.raises(Conflict, match="the namespaces app, infra have it"):
        app.query.latest("*:vpc", "state")
    with pytest.raises(InvalidInput):
        app.query.latest("infra:", "state")


def test_lookups_of_the_catalog_as_it_is(app: Repo, infra: Repo) -> None:
    """With `is_cached`, only what the catalog knows is found."""
    app.query.find_by_tag("env", "prod")
    put(infra, "dns", "zone")
    assert app.query.latest("infra:dns", "zone", is_cached=True) is None
    assert app.query.latest("infra:dns", "zone") is not None


def test_renamed_artifact_is_looked_up_by_its_new_name(app: Repo) -> None:
    """After a rename the old name gives nothing; after a deletion neither does."""
    put(app, "vpc", "old")
    app.data.rename("vpc", "old", "new")
    assert app.query.latest("vpc", "old") is None
    assert app.query.latest("vpc", "new") is not None
    app.data.apply_delete(app.data.plan_delete("vpc", name="new"))
    assert app.query.latest("vpc", "new") is None


# --- content -------------------------------------------------------------------------------------------


def test_content_that_is_gone_is_counted_and_not_reported_one_by_one(tmp_path: Path, parts: Parts, app: Repo) -> None:
    """Damage is named for five versions; then one line says that there is more."""
    notices: list[str] = []
    parts.on_notice = notices.append
    for number in range(7):
        put(app, "vpc", f"d{number}")
        content_path(tmp_path, f"d{number}").unlink()
    with app.query("true", is_cached=True) as run:
        assert [record["content"] for record in run] == [{}] * 7
        assert run.absent == 7
    assert len([line for line in notices if line.startswith("left out the content of `d")]) == 5
    assert notices[5:] == ["left out the content of more damaged versions: swamp datastore verify --content"]


class Far(ArtifactStore):
    """A copy of a bucket that cannot be reached."""

    attempts = 0

    def open_content(self, model: Model, metadata: Metadata) -> BinaryIO:
        """Try to fetch, and fail."""
        del model, metadata
        Far.attempts += 1
        raise Unavailable("the bucket does not answer")


@pytest.fixture
def far(monkeypatch: pytest.MonkeyPatch, parts: Parts) -> Parts:
    """The parts of `app`, whose content would have to be fetched from out of reach."""

    def store_of(namespace: Namespace) -> Any:
        return Far(parts.world.disk, parts.world.clock, parts.layout.of(namespace), new_id=parts.world.new_id)

    monkeypatch.setattr(Far, "attempts", 0)
    monkeypatch.setattr(parts, "store_of", store_of)
    return parts


def test_query_of_metadata_fetches_no_content(app: Repo, far: Parts) -> None:
    """Content beside results is shown if it is here; only queries that look into content may fetch it."""
    put(app, "vpc", "state")
    with app.query('modelName == "vpc"') as run:
        assert [record["content"] for record in run] == [{"a": 1}]
    assert Far.attempts == 0
    with app.query('modelName == "vpc"', select="attributes.a") as run:
        assert list(run) == [1]
    assert Far.attempts == 1


def test_query_out_of_reach_of_a_bucket_tries_once(app: Repo, far: Parts) -> None:
    """Without a network, a query over content uses what is here, says so once, and asks no more."""
    notices: list[str] = []
    far.on_notice = notices.append
    for number in range(3):
        put(app, "vpc", f"d{number}", b'{"a": %d}' % number)
    with app.query("attributes.a > 0", select="name", is_cached=True) as run:
        assert list(run) == ["d1", "d2"]
    assert Far.attempts == 1
    assert notices == ["no content is fetched: the bucket does not answer"]
