"""`swamp datastore verify`: is everything there, and does it hold what it should?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from swampsync.cli.command import Cli, command
from swampsync.cli.console import Console, count, format_size
from swampsync.cli.data_write import Yes
from swampsync.cli.structural import DryRun
from swampsync.errors import InvalidInput, printable

if TYPE_CHECKING:
    from swampsync.repo.verify_report import Repair, VerifyReport

_SHOWN = 50


@command
def verify(
    cli: Cli,
    content: Annotated[
        bool, typer.Option("--content", help="Read every object of a bucket too; on a directory that is always done.")
    ] = False,
    repair: Annotated[bool, typer.Option("--repair", help="Mend what can be mended, after showing it.")] = False,
    dry_run: DryRun = False,
    yes: Yes = False,
) -> int:
    """Check the log, checkpoints and objects of a bucket, or the contents of a directory, and this repo's catalog."""
    if dry_run and not repair:
        raise InvalidInput("--dry-run shows what a repair would do", hint="swamp datastore verify --repair --dry-run")
    if repair:
        return _repair(cli, reads_content=content, is_dry_run=dry_run, is_confirmed=yes)
    console = cli.console
    with cli.repo() as repo, console.progress("Verifying") as bar:
        report = repo.verifier.verify(reads_content=content, progress=bar)
    if console.is_json:
        console.document(report.to_json())
    else:
        _show(console, report)
        if report.problems:
            console.note(_advice(report))
    return 0 if report.is_sound else 1


def _repair(cli: Cli, *, reads_content: bool, is_dry_run: bool, is_confirmed: bool) -> int:
    console = cli.console
    with cli.repo() as repo:
        with console.progress("Verifying") as bar:
            # A repair reads contents when it is done; what they hold is nothing that it could mend.
            plan, before = repo.verifier.plan_repair(reads_content=reads_content and is_dry_run, progress=bar)
        if is_dry_run:
            if console.is_json:
                console.document(before.to_json() | {"dryRun": True, "repair": plan.to_json()})
                return 0
            _show(console, before)
            console.line(_describe(plan, "A repair would"))
            if plan.is_empty and before.problems:
                console.note(_advice_afterwards(before))
            return 0
        if not plan.is_empty and not console.is_json and not is_confirmed:
            console.note(_describe(plan, "A repair would"))
        if not plan.is_empty and not console.confirm("Repair it?", is_confirmed=is_confirmed):
            console.note("Repair cancelled.")
            return 0
        with console.progress("Verifying") as bar:
            done, report = repo.verifier.repair(reads_content=reads_content, progress=bar)
    if console.is_json:
        console.document(report.to_json() | {"dryRun": False, "repair": done.to_json()})
    else:
        console.line(_describe(done, "Done:"))
        _show(console, report)
        if report.problems:
            console.note(_advice_afterwards(report))
    return 0 if report.is_sound else 1


def _describe(plan: Repair, verb: str) -> str:
    lines = plan.lines()
    if plan.is_empty:
        return "\n".join(["There is nothing that a repair could do.", *(printable(f"  {line}") for line in lines)])
    shown = [printable(f"  {line}") for line in lines[:_SHOWN]]
    more = [f"  and {len(lines) - _SHOWN:,} more"] if len(lines) > _SHOWN else []
    return "\n".join([verb if verb.endswith(":") else f"{verb}:", *shown, *more])


def _show(console: Console, report: VerifyReport) -> None:
    name = f"namespace {report.namespace}" if report.namespace else "the un-namespaced data"
    console.line(printable(f"Verified {name}"))
    for label, value in _facts(report):
        console.line(f"  {label + ':':<13}{value}")
    for note in report.notes:
        console.warn(printable(note))
    if report.is_sound:
        console.line("No problems.")
        return
    console.line(f"{count(len(report.problems), 'problem')}:")
    for problem in report.problems[:_SHOWN]:
        console.line(printable(f"  {problem.kind.value}: {problem.detail}"))
    if len(report.problems) > _SHOWN:
        console.line(f"  and {len(report.problems) - _SHOWN:,} more (all of them: --json)")


def _facts(report: VerifyReport) -> list[tuple[str, str]]:
    size = format_size(report.size)
    if not report.is_remote:
        return [("Versions", f"{report.versions:,} read ({size})")]
    how = "every byte read" if report.is_content_read else "looked for; to read them all: --content"
    facts = [("Log", f"{count(report.commits, 'commit')}, {count(report.checkpoints, 'checkpoint')}")]
    if report.is_state_known:
        facts.append(("Objects", f"{report.objects:,} ({size}), {how}"))
    if report.unreferenced:
        facts.append(("Not needed", f"{count(report.unreferenced, 'object')} (swamp datastore vacuum)"))
    if report.here is not None:
        facts.append(("Local copy", f"{report.here:,} looked at"))
    return facts


def _advice(report: VerifyReport) -> str:
    from swampsync.log.verify import ProblemKind
    from swampsync.repo.verify_report import MENDABLE

    if any(p.kind in MENDABLE or p.kind is ProblemKind.OBJECT_MISSING for p in report.problems):
        return "What can be done about it: swamp datastore verify --repair --dry-run"
    return _advice_afterwards(report)


def _advice_afterwards(report: VerifyReport) -> str:
    from swampsync.log.verify import ProblemKind

    if all(problem.kind is ProblemKind.COPY_CHANGED for problem in report.problems):
        return "To take in what was changed in the local copy: swamp datastore sync --scan"
    if report.has(ProblemKind.LOG_REPLACED):
        return (
            "Its newest commits were removed, or it is another log: swamp datastore sync takes it as it is,"
            " and keeps aside what it does not know"
        )
    lines = []
    if report.has(ProblemKind.OBJECT_MISSING):
        lines.append("A clone that has fetched what is missing can put it back: swamp datastore verify --repair, there")
    if report.has(ProblemKind.OBJECT_DIGEST) or report.has(ProblemKind.OBJECT_SIZE):
        lines.append(
            "Objects of other bytes stay as they are: put the right content again as the next version, from a backup or"
            " from a clone that had fetched it (swamp data get MODEL NAME --output FILE)"
        )
    elsewhere = "This cannot be mended from here: restore it from a backup, or delete the versions that it belongs to."
    return "\n".join(lines or [elsewhere])
