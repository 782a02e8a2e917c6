"""`swamp datastore lock`: look at locks, and break one whose holder cannot."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from swampsync.cli.command import Cli, command
from swampsync.cli.console import Console
from swampsync.clock import format_timestamp
from swampsync.errors import InvalidInput, printable

if TYPE_CHECKING:
    from swampsync.repo import Repo

WATCH_SECONDS = 2.0
_OTHERS = {"definition": " [creating a definition]", "child": " [child of the structural lock's holder]"}


@command
def status(
    cli: Cli,
    watch: Annotated[bool, typer.Option("--watch", help="Look again every two seconds until interrupted.")] = False,
) -> None:
    """Show which locks of the namespace are held, by whom and since when."""
    with cli.repo() as repo:
        if not watch:
            _show(cli.console, repo)
            return
        while True:
            if cli.console.is_json:
                # One document a line, for whoever follows the stream.
                cli.console.line(json.dumps(_document(repo), ensure_ascii=False))
            else:
                cli.console.line(f"--- {format_timestamp(repo.clock.now())}")
                _show(cli.console, repo)
            cli.console.stdout.flush()
            repo.clock.sleep(WATCH_SECONDS)


def _document(repo: Repo) -> dict[str, Any]:
    states = repo.locks.status()
    document = {"held": any(state.state == "held" for state in states), "datastoreType": repo.datastore_type}
    # With nothing held, exactly swamp's document.
    return document | ({"locks": [lock_document(s) for s in states]} if states else {})


def _show(console: Console, repo: Repo) -> None:
    if console.is_json:
        console.document(_document(repo))
        return
    states = repo.locks.status()
    backend = repo.datastore_type
    if not states:
        console.line("Lock Status: no lock held")
        return
    for state in states:
        scope = f" [{state.scope}]" if state.scope else _OTHERS.get(state.guarded, "")
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
        ]
        if state.record.held_since:
            lines += [
                ("Acquired", f"{state.record.held_since}{_age(state.age_seconds)}"),
                ("Heartbeat", f"{state.record.acquired_at}{_age(state.heartbeat_age_seconds)}"),
            ]
        else:
            # swamp rewrites the one time it has with each heartbeat.
            lines.append(("Acquired", f"{state.record.acquired_at}{_age(state.heartbeat_age_seconds)}"))
        lines.append(("TTL", f"{state.record.ttl_ms}ms"))
        if state.record.command:
            lines.append(("Command", state.record.command))
        if state.record.nonce:
            lines.append(("Nonce", state.record.nonce))
    else:
        lines.append(("Holder", "unknown: the file is empty or torn; it heals after a time to live"))
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
    elif state.guarded in _OTHERS:
        document["guarded"] = str(state.guarded)
    if state.record is not None:
        document["info"] = record_document(state.record)
        document["pidAlive"] = state.is_alive
    if state.age_seconds is not None:
        document["ageMs"] = int(state.age_seconds * 1000)
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
    if record.held_since:
        document["heldSince"] = record.held_since
    return document


@command
def release(
    cli: Cli,
    force: Annotated[bool, typer.Option("--force", help="Release whoever holds the lock now.")] = False,
    nonce: Annotated[str | None, typer.Option("--nonce", help="Release only if the lock still has this nonce.")] = None,
    model: Annotated[
        str | None, typer.Option("--model", metavar="TYPE/ID", help="Release a model's lock instead.")
    ] = None,
    key: Annotated[str | None, typer.Option("--key", help="Release the lock that status or an error names so.")] = None,
) -> int:
    """Release a lock whose holder cannot; refused if the holder has changed.

    With --nonce it is found by that among all that status shows; --force alone means the structural lock.
    """
    nonce = nonce or None  # an empty variable of a script names no lock, least of all a torn one
    if not force and nonce is None:
        raise InvalidInput(
            "a lock is released by its nonce or by force", hint="swamp datastore lock status, then --nonce N or --force"
        )
    if model is not None and key is not None:
        raise InvalidInput("a lock is named by its model or by its key", hint="leave --model or --key out")
    target: tuple[str, str] | None = None
    if model is not None:
        model_type, slash, model_id = model.rpartition("/")
        if not slash or not model_type or not model_id:
            raise InvalidInput(f"`{model}` is not of the form TYPE/ID", hint="swamp datastore lock status")
        target = (model_type, model_id)
    with cli.repo() as repo:
        outcome = repo.locks.release(target, key=key or None, nonce=nonce)
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
