"""What sync costs does not grow with what a namespace holds: requests and bytes at 1,000 and at 100,000 versions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from swampsync.backends.counting import RequestCounts
from swampsync.catalog.files import FileState
from swampsync.namespace import Namespace
from tests.unit.sync.conftest import Desk, Team
from tests.unit.sync.test_scale import fill

PUTS = 70  # one checkpoint falls due


@dataclass
class Scene:
    """A namespace of so many versions, and a clone of it."""

    versions: int
    team: Team
    ann: Desk
    cloning: RequestCounts

    def spend(self, work: object) -> tuple[int, int]:
        """Do something and return the requests that it took, and their bytes."""
        before = self.team.counter.snapshot()
        work()  # type: ignore[operator]
        spent = self.team.counter.snapshot() - before
        return spent.requests, spent.bytes_up + spent.bytes_down


@pytest.fixture(scope="module", params=[1_000, 100_000])
def scene(request: pytest.FixtureRequest) -> Iterator[Scene]:
    """A new clone of a namespace; the tests below use it one after the other."""
    team = Team(Namespace("infra"))
    fill(team.desk("filler"), request.param)
    ann = team.desk("ann")
    before = team.counter.snapshot()
    ann.pull()
    yield Scene(request.param, team, ann, team.counter.snapshot() - before)
    team.close()


def test_lazy_clone_is_few_requests_and_complete(scene: Scene) -> None:
    """A new clone takes at most twelve requests, knows every version, and has no content."""
    assert scene.cloning.requests <= 12
    assert scene.ann.catalog.count("infra") == scene.versions
    assert scene.ann.state.files.count("infra").keys() == {FileState.REMOTE}
    assert not scene.ann.disk_has("item-000001")


def test_nothing_new_is_one_request(scene: Scene) -> None:
    """A pull and a push of nothing are one request together, and carry no object."""
    assert scene.spend(scene.ann.push) == (1, 0)


def test_one_change_is_four_requests(scene: Scene) -> None:
    """One changed artifact is a listing, two objects and the commit, and a few KiB."""
    scene.ann.put("item-000007", "changed")
    requests, size = scene.spend(scene.ann.push)
    assert requests == 4
    assert size < 4 * 1024


def test_checkpoints_are_paid_by_many(scene: Scene) -> None:
    """Commit after commit, all checkpoints included, stays below six requests and 64 KiB each."""

    def put_many() -> None:
        for number in range(PUTS):
            scene.ann.put(f"new-{number:04d}", "x")
            scene.ann.push()

    requests, size = scene.spend(put_many)
    checkpoints = len(scene.team.objects("infra/_checkpoints/"))
    assert checkpoints >= 2
    assert requests / PUTS <= 6
    assert size / PUTS < 64 * 1024
