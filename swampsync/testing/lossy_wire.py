"""A wire that loses things: a TCP proxy between an HTTP client and a server that misbehaves by plan.

What breaks between a client and S3 in practice: the answer is lost after the server has acted, a body breaks off, a
proxy answers 503 or repeats a request of its own accord. Requests are passed on byte for byte, so that their
signatures stay valid (the server sees the `Host` that the client has signed).
"""

from __future__ import annotations

import contextlib
import random
import socket
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from types import TracebackType
from typing import Final, Self

from swampsync.clock import Clock, Spawner, SystemClock, Thread, spawn_daemon
from swampsync.testing.http_messages import Message, MessageReader
from swampsync.testing.listener import Listener, Upstream
from swampsync.testing.scripted_server import reset

_BUSY_BODY: Final = b"<Error><Code>SlowDown</Code><Message>by the wire's plan</Message></Error>"
_CONNECT_SECONDS: Final = 10
_IDLE_SECONDS: Final = 60


class Fault(Enum):
    """What happens to a request on its way, or to its answer."""

    NONE = "none"
    DROP_REQUEST = "drop-request"  # the server never sees it; the connection is closed
    DROP_ANSWER = "drop-answer"  # the server acts; the connection is closed instead of the answer
    CUT = "cut"  # the answer breaks off in the middle of its body, or of its head if it has none
    BUSY = "busy"  # 503 SlowDown, and the server never sees it
    BUSY_AFTER = "busy-after"  # 503 SlowDown although the server has acted
    DUPLICATE = "duplicate"  # the server sees it twice; the client gets the second answer
    DELAY = "delay"  # the answer comes late


@dataclass(frozen=True, slots=True)
class Sent:
    """A request that came to the wire.

    Args:
        method: Of HTTP.
        target: Path and query.
        fault: What happened to it.
    """

    method: str
    target: str
    fault: Fault


# Decides, by method and target, what happens to a request; called for one after the other.
Plan = Callable[[str, str], Fault]


def _busy(*, is_last: bool) -> bytes:
    head = b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/xml\r\nContent-Length: %d\r\n" % len(
        _BUSY_BODY
    )
    return head + (b"Connection: close\r\n" if is_last else b"") + b"\r\n" + _BUSY_BODY


class SeededPlan:
    """Faults by chance, the same ones for the same seed and order of requests.

    Args:
        rng: Seeded.
        weights: How often each fault happens, as shares of 1; the rest goes well.
        applies: Whether a request, by method and target, may have a fault at all.
    """

    def __init__(
        self,
        rng: random.Random,
        weights: Mapping[Fault, float],
        *,
        applies: Callable[[str, str], bool] = lambda _method, _target: True,
    ) -> None:
        if sum(weights.values()) > 1:
            raise ValueError(f"faults add up to {sum(weights.values())}, more than every request")
        self._rng = rng
        self._weights = dict(weights)
        self._applies = applies

    def __call__(self, method: str, target: str) -> Fault:
        """Throw the dice once for every request, so that `applies` does not shift what comes later."""
        dice = self._rng.random()
        if not self._applies(method, target):
            return Fault.NONE
        for fault, weight in self._weights.items():
            dice -= weight
            if dice < 0:
                return fault
        return Fault.NONE


class ListedPlan:
    """The first requests have the listed faults, in order; all later ones go well."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self._faults = iter(faults)

    def __call__(self, _method: str, _target: str) -> Fault:
        """Take the next fault."""
        return next(self._faults, Fault.NONE)


class LossyWire:
    """The proxy; a context manager. Connections are kept alive on both sides as far as the plan lets them.

    Args:
        server: Where requests go to.
        plan: Decides what happens to each request.
        delay_seconds: How late a delayed answer comes.
        clock: Waits for delays.
        spawner: Starts a thread for each connection.

    Attributes:
        port: What the client connects to.
        endpoint: The same as a URL.
    """

    def __init__(
        self,
        server: Upstream,
        plan: Plan,
        *,
        delay_seconds: float = 0.05,
        clock: Clock | None = None,
        spawner: Spawner = spawn_daemon,
    ) -> None:
        self.sent: list[Sent] = []
        self._server = server
        self._plan = plan
        self._delay_seconds = delay_seconds
        self._clock = clock or SystemClock()
        self._spawner = spawner
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._threads: list[Thread] = []
        self._closed = threading.Event()
        self._listener = Listener()
        self.port = self._listener.port
        self.endpoint = self._listener.endpoint

    @classmethod
    def before(cls, endpoint: str, plan: Plan, *, delay_seconds: float = 0.05) -> LossyWire:
        """Make a wire to `http://host:port` or `https://host:port`; clients speak plain HTTP to it."""
        return cls(Upstream.of(endpoint), plan, delay_seconds=delay_seconds)

    def __enter__(self) -> Self:
        self._threads.append(self._spawner(self._accept, name="wire-accept"))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._closed.set()
        self._listener.stop()
        with self._lock:
            for connection in self._open:
                with contextlib.suppress(OSError):  # it may be gone already
                    # Not its own way: an encrypted one would be taken apart under the thread that reads from it.
                    socket.socket.shutdown(connection, socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)
        self._listener.close()

    def _accept(self) -> None:
        for client in self._listener.connections():
            with self._lock:
                if self._closed.is_set():
                    client.close()
                    return
                self._threads.append(self._spawner(lambda c=client: self._serve(c), name="wire"))  # type: ignore[misc]

    def _serve(self, client: socket.socket) -> None:
        try:
            with self._tracked(client), self._tracked(self._connect()) as server:
                self._relay(client, server)
        except OSError:
            pass  # one of the two went away, or the wire is closed

    def _connect(self) -> socket.socket:
        return self._server.connect(timeout_seconds=_CONNECT_SECONDS)

    @contextlib.contextmanager
    def _tracked(self, connection: socket.socket) -> Iterator[socket.socket]:
        connection.settimeout(_IDLE_SECONDS)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self._lock:
            self._open.add(connection)
        try:
            with connection:
                yield connection
        finally:
            with self._lock:
                self._open.discard(connection)

    def _relay(self, client: socket.socket, server: socket.socket) -> None:
        requests = MessageReader(client)
        while (request := requests.read_request()) is not None:
            fault = self._decide(request)
            if fault is Fault.DROP_REQUEST:
                return
            if fault is Fault.BUSY:
                client.sendall(_busy(is_last=False))
                continue
            answer = self._ask(server, request)
            if fault is Fault.DUPLICATE and answer is not None:
                # On a connection of its own: the server may have closed the first.
                with self._tracked(self._connect()) as again:
                    answer = self._ask(again, request)
            if answer is None:
                return  # the server hung up, and so do we
            if not self._deliver(client, answer, fault) or answer.is_last:
                return

    def _ask(self, server: socket.socket, request: Message) -> Message | None:
        server.sendall(request.raw)
        return MessageReader(server).read_answer(request.method)

    def _decide(self, request: Message) -> Fault:
        with self._lock:
            fault = self._plan(request.method, request.target)
            self.sent.append(Sent(request.method, request.target, fault))
        return fault

    def _deliver(self, client: socket.socket, answer: Message, fault: Fault) -> bool:
        """Pass the answer on as far as the fault lets it; return whether the connection goes on."""
        match fault:
            case Fault.DROP_ANSWER:
                return False
            case Fault.CUT:
                half = answer.head_bytes + (len(answer.raw) - answer.head_bytes) // 2
                client.sendall(answer.raw[: half if len(answer.raw) > answer.head_bytes else answer.head_bytes // 2])
                reset(client)
                return False
            case Fault.BUSY_AFTER:
                # Where the server closes, so do we; a client that was not told would lose its next request as well.
                client.sendall(_busy(is_last=answer.is_last))
                return True
            case Fault.DELAY:
                self._clock.wait(self._closed, self._delay_seconds)
            case _:
                pass
        client.sendall(answer.raw)
        return True
