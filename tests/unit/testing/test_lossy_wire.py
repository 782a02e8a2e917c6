"""The lossy wire does to requests what its plan says, and nothing else."""

from __future__ import annotations

import http.client
import random
import ssl
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from swampsync.backends.base import Create, ObjectExists, Overwrite, Throttled
from swampsync.backends.s3 import S3Store
from swampsync.backends.s3_keys import S3Keys, StaticCredentials
from swampsync.backends.s3_settings import S3Options
from swampsync.disk import LocalDisk
from swampsync.errors import Unavailable
from swampsync.layout import ObjectKey
from swampsync.testing.listener import Upstream
from swampsync.testing.lossy_wire import Fault, ListedPlan, LossyWire, SeededPlan
from swampsync.testing.scripted_server import End, Reply, Request, ScriptedServer, answer, s3_error
from tests.certificates import make_authority

KEY = ObjectKey("k")
DATE = "Sat, 21 Nov 2026 10:00:00 GMT"


class TinyS3:
    """Keeps objects, with create-only."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.lock = threading.Lock()

    def __call__(self, request: Request) -> Reply:
        with self.lock:
            if request.method == "PUT":
                if request.headers.get("if-none-match") == "*" and request.target in self.objects:
                    return s3_error("412 Precondition Failed", "PreconditionFailed")
                self.objects[request.target] = request.body
                return answer("200 OK", ETag='"e"')
            if request.target not in self.objects:
                return s3_error("404 Not Found", "NoSuchKey")
            return answer("200 OK", self.objects[request.target], ETag='"e"', Last_Modified=DATE)


def store_on(wire: LossyWire) -> S3Store:
    options = S3Options(bucket="team-data", endpoint=wire.endpoint, request_timeout_seconds=5)
    return S3Store(options, StaticCredentials(S3Keys("a", "b")), read_file=LocalDisk().read_bytes)


def on_wire(faults: list[Fault], act: Callable[[S3Store], object]) -> tuple[Any, TinyS3, ScriptedServer, LossyWire]:
    """Do something over a wire with faults; return its result or error, and what both sides saw."""
    tiny = TinyS3()
    with ScriptedServer(tiny) as server, LossyWire.before(server.endpoint, ListedPlan(faults)) as wire:
        result: object
        try:
            result = act(store_on(wire))
        except Exception as error:  # noqa: BLE001 - the test judges it
            result = error
    return result, tiny, server, wire


def test_good_wire_passes_everything_on() -> None:
    """Without faults requests and answers arrive as they were sent, on one connection."""

    def act(store: S3Store) -> bytes:
        store.put(KEY, b"body" * 100_000, Overwrite())
        return store.get(KEY).body

    result, tiny, server, wire = on_wire([], act)
    assert result == b"body" * 100_000
    assert tiny.objects == {"/team-data/k": result}
    assert [(s.method, s.target, s.fault) for s in wire.sent] == [
        ("PUT", "/team-data/k", Fault.NONE),
        ("GET", "/team-data/k", Fault.NONE),
    ]
    assert server.requests[0].headers["host"] == f"127.0.0.1:{wire.port}"


@pytest.mark.parametrize(
    ("fault", "error", "server_acts"),
    [
        (Fault.DROP_REQUEST, Unavailable, 0),
        (Fault.DROP_ANSWER, Unavailable, 1),
        (Fault.CUT, Unavailable, 1),
        (Fault.BUSY, Throttled, 0),
        (Fault.BUSY_AFTER, Throttled, 1),
        (Fault.DUPLICATE, ObjectExists, 2),
        (Fault.DELAY, None, 1),
    ],
)
def test_fault_happens_to_the_request_it_is_planned_for(
    fault: Fault, error: type[Exception] | None, server_acts: int
) -> None:
    """Each fault shows the client an outcome, and the server a request, as planned; the next request goes well."""

    def act(store: S3Store) -> object:
        try:
            store.put(KEY, b"mine", Create())
        except Exception as failure:
            store.put(ObjectKey("next"), b"", Overwrite())
            raise failure from None
        return None

    result, tiny, server, wire = on_wire([fault], act)
    assert type(result) is (error or type(None))
    assert len([r for r in server.requests if r.target == "/team-data/k"]) == server_acts
    assert tiny.objects.get("/team-data/k") == (b"mine" if server_acts else None)
    assert ("/team-data/next" in tiny.objects) == (error is not None)
    assert wire.sent[0].fault is fault


def test_cut_body_is_half_a_body() -> None:
    """A cut answer has its whole head and half of its body."""
    with (
        ScriptedServer(lambda _: answer("200 OK", b"0123456789")) as server,
        LossyWire.before(server.endpoint, ListedPlan([Fault.CUT])) as wire,
    ):
        connection = http.client.HTTPConnection("127.0.0.1", wire.port, timeout=5)
        connection.request("GET", "/")
        reply = connection.getresponse()
        assert reply.getheader("content-length") == "10"
        with pytest.raises((http.client.IncompleteRead, ConnectionResetError)) as caught:
            reply.read()
        connection.close()
    if isinstance(caught.value, http.client.IncompleteRead):
        assert caught.value.partial == b"01234"


def test_chunked_bodies_and_expectations_are_passed_on() -> None:
    """A request that waits for `100 Continue` and an answer in chunks arrive whole."""
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1\r\n!\r\n0\r\nX-Sum: 1\r\n\r\n"
    with (
        ScriptedServer(lambda _: Reply(chunked)) as server,
        LossyWire.before(server.endpoint, ListedPlan([])) as wire,
    ):
        connection = http.client.HTTPConnection("127.0.0.1", wire.port, timeout=5)
        for _ in range(2):
            connection.request("PUT", "/x", body=b"abc", headers={"Expect": "100-continue"})
            assert connection.getresponse().read() == b"hello!"
        connection.close()
    assert [r.body for r in server.requests] == [b"abc", b"abc"]
    assert "expect" not in server.requests[0].headers


def test_answer_without_a_length_ends_with_the_connection() -> None:
    """An answer of HTTP/1.0, without a length, is passed on up to its end."""

    def script(_: Request) -> Reply:
        return Reply(b"HTTP/1.0 200 OK\r\n\r\nall of it", End.CLOSE)

    with ScriptedServer(script) as server, LossyWire.before(server.endpoint, ListedPlan([])) as wire:
        connection = http.client.HTTPConnection("127.0.0.1", wire.port, timeout=5)
        connection.request("GET", "/")
        assert connection.getresponse().read() == b"all of it"
        connection.close()


def test_plan_of_a_seed_is_always_the_same() -> None:
    """The same seed gives the same faults, in about the planned shares."""
    weights = {Fault.DROP_ANSWER: 0.2, Fault.BUSY: 0.1}
    plans = [SeededPlan(random.Random(7), weights) for _ in range(2)]
    first, second = ([plan("PUT", "/") for n in range(2000)] for plan in plans)
    assert first == second
    counts = Counter(first)
    assert 300 < counts[Fault.DROP_ANSWER] < 500
    assert 130 < counts[Fault.BUSY] < 270
    assert set(counts) == {Fault.NONE, *weights}


def test_plan_spares_what_it_does_not_apply_to() -> None:
    """A plan for some requests spares the others, and what it does to the first does not depend on the second."""
    plan = SeededPlan(random.Random(7), {Fault.BUSY: 0.5}, applies=lambda method, _: method == "PUT")
    whole = SeededPlan(random.Random(7), {Fault.BUSY: 0.5})
    mixed = [plan("PUT" if n % 2 else "GET", "/") for n in range(100)]
    alone = [whole("PUT", "/") for n in range(100)]
    assert set(mixed[::2]) == {Fault.NONE}
    assert mixed[1::2] == alone[1::2]


def test_plan_with_more_faults_than_requests_is_refused() -> None:
    """Shares above 1 are a mistake."""
    with pytest.raises(ValueError, match="more than every request"):
        SeededPlan(random.Random(1), {Fault.BUSY: 0.6, Fault.CUT: 0.6})


def test_server_that_is_gone_closes_the_connection() -> None:
    """If the server cannot be reached, the client's connection is closed, and the wire stays."""
    with ScriptedServer(TinyS3()) as server:
        pass
    with LossyWire.before(server.endpoint, ListedPlan([])) as wire, pytest.raises(Unavailable):
        store_on(wire).get(KEY)


def test_wire_speaks_tls_to_a_server_that_wants_it(tmp_path: Path) -> None:
    """Clients speak plain HTTP to the wire, also where it stands before an https server; faults happen all the same."""
    ca_file, context = make_authority(tmp_path)
    trust = ssl.create_default_context(cafile=ca_file)
    tiny = TinyS3()
    with (
        ScriptedServer(tiny, tls=context) as server,
        LossyWire(Upstream.of(server.endpoint, tls=trust), ListedPlan([Fault.NONE, Fault.CUT])) as wire,
    ):
        store = store_on(wire)
        store.put(KEY, b"body" * 100_000, Overwrite())
        with pytest.raises(Unavailable):
            store.get(KEY)
        assert store.get(KEY).body == b"body" * 100_000
    assert [sent.fault for sent in wire.sent] == [Fault.NONE, Fault.CUT, Fault.NONE]
    assert len(server.requests) == 3


def test_wire_does_not_speak_to_a_server_that_it_does_not_trust(tmp_path: Path) -> None:
    """A certificate that nobody vouches for ends the connection before any request."""
    with (
        ScriptedServer(TinyS3(), tls=make_authority(tmp_path)[1]) as server,
        LossyWire.before(server.endpoint, ListedPlan([])) as wire,
        pytest.raises(Unavailable),
    ):
        store_on(wire).get(KEY)
    assert server.requests == []


@pytest.mark.parametrize(
    ("endpoint", "host", "port"),
    [
        ("https://minio.example.com:9000", "minio.example.com", 9000),
        ("https://minio.example.com/", "minio.example.com", 443),
        ("http://127.0.0.1", "127.0.0.1", 80),
        ("http://[::1]:9000", "::1", 9000),
    ],
)
def test_address_is_read_from_the_endpoint(endpoint: str, host: str, port: int) -> None:
    """Host, port and whether to encrypt follow from the URL of the server."""
    found = Upstream.of(endpoint)
    assert (found.host, found.port, found.tls is not None) == (host, port, endpoint.startswith("https"))


@pytest.mark.parametrize("endpoint", ["minio.example.com:9000", "ftp://a", "https://"])
def test_endpoint_that_is_no_url_is_refused(endpoint: str) -> None:
    """What is no http or https URL is said to be none."""
    with pytest.raises(ValueError, match="no http or https URL"):
        Upstream.of(endpoint)
