"""`swamp datastore lock`: look at locks, and break one whose holder cannot."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from swampsync.cli.command import Cli, command
from swampsync.cli.console import Console, printable
from swampsync.errors import InvalidInput

if TYPE_CHECKING:
    from swampsync.repo import Repo

WATCH_SECONDS = 2.0


@command
def status(
    cli: Cli,
    watch: Annotated[bool, typer.Option("--watch", help="Look again every two seconds until interrupted.")] = False,
) -> None:
    """Show which locks of the namespace are held, by whom and since when."""
    with cli.repo() as repo:
        while True:
            _show(cli.console, repo)
            if not watch:
                return
            cli.console.stdout.flush()
            repo.clock.sleep(WATCH_SECONDS)


def _show(console: Console, repo: Repo) -> None:
    states = repo.locks.status()
    backend = repo.datastore_type
    if console.is_json:
        if not states:
            console.document({"held": False, "datastoreType": backend})
        else:
            held = any(state.state == "held" for state in states)
            console.document({"held": held, "datastoreType": backend, "locks": [lock_document(s) for s in states]})
        return
    if not states:
        console.line("Lock Status: no lock held")
        return
    for state in states:
        scope = f" [{state.scope}]" if state.scope else ""
        console.line(printable(f"Lock Status: {state.state}{scope}"))
        for label, value in _lines(state, backend):
            console.line(printable(f"  {label + ':':<11}{value}"))


def _lines(state: Any, backend: str) -> list[tuple[str, str]]:
    lines = [("Key", state.key)]
    if state.record is not None:
        alive = {True: " (alive)", False: " (gone)", None: ""}[state.is_alive]
        lines += [
            ("Holder", state.record.holder),
            ("PID", f"{state.record.pid}{alive}"),
            ("Hostname", state.record.hostname),
            ("Acquired", f"{state.record.acquired_at}{_age(state.heartbeat_age_seconds)}"),
            ("TTL", f"{state.record.ttl_ms}ms"),
        ]
        if state.record.command:
            lines.append(("Command", state.record.command))
        if state.record.nonce:
            lines.append(("Nonce", state.record.nonce))
    elif state.heartbeat_age_seconds is not None:
        lines.append(("Written", _age(state.heartbeat_age_seconds).strip(" ()")))
    lines.append(("Backend", backend))
    if state.scope:
        lines.append(("Scope", state.scope))
    return lines


def _age(seconds: float | None) -> str:
    return "" if seconds is None else f" ({max(0, int(seconds))}s ago)"


def lock_document(state: Any) -> dict[str, Any]:
    """Build one element of `locks` in `lock status --json`."""
    document: dict[str, Any] = {"key": state.key, "state": state.state}
    if state.scope:
        document["lockScope"] = state.scope
    if state.record is not None:
        document["info"] = record_document(state.record)
        document["pidAlive"] = state.is_alive
    if state.heartbeat_age_seconds is not None:
        document["heartbeatAgeMs"] = int(state.heartbeat_age_seconds * 1000)
    return document


def record_document(record: Any) -> dict[str, Any]:
    """Build what the documents say of a holder; swamp's keys first."""
    document: dict[str, Any] = {
        "holder": record.holder,
        "hostname": record.hostname,
        "pid": record.pid,
        "acquiredAt": record.acquired_at,
        "ttlMs": record.ttl_ms,
    }
    if record.nonce:
        document["nonce"] = record.nonce
    if record.command:
        document["command"] = record.command
    return document


@command
def release(
    cli: Cli,
    force: Annotated[bool, typer.Option("--force", help="Release whoever holds the lock now.")] = False,
    nonce: Annotated[str | None, typer.Option("--nonce", help="Release only if the lock still has this nonce.")] = None,
    model: Annotated[
        str | None, typer.Option("--model", metavar="TYPE/ID", help="Release a model's lock instead.")
    ] = None,
) -> int:
    """Release a lock whose holder cannot; refused if the holder has changed."""
    if not force and nonce is None:
        raise InvalidInput(
            "a lock is released by its nonce or by force", hint="swamp datastore lock status, then --nonce N or --force"
        )
    target: tuple[str, str] | None = None
    if model is not None:
        model_type, slash, model_id = model.rpartition("/")
        if not slash or not model_type or not model_id:
            raise InvalidInput(f"`{model}` is not of the form TYPE/ID", hint="swamp datastore lock status")
        target = (model_type, model_id)
    with cli.repo() as repo:
        outcome = repo.locks.release(target, nonce=nonce)
    if cli.console.is_json:
        document: dict[str, Any] = {"released": outcome.is_released}
        if outcome.reason:
            document["reason"] = outcome.reason
        if outcome.previous is not None:
            document["previousHolder"] = record_document(outcome.previous)
        cli.console.document(document)
    elif outcome.is_released:
        cli.console.line("Lock Released")
        if outcome.previous is not None:
            cli.console.line(printable(f"  Previous holder: {outcome.previous.holder} (pid {outcome.previous.pid})"))
    else:
        cli.console.line(f"Lock Release: {outcome.reason}")
    return 0 if outcome.is_released or outcome.reason == "no lock held" else 1
