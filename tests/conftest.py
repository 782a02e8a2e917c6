"""What all tests share: no setting of the person running them reaches a test."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest

from tests.surroundings import clean_environment, lay_files_into_memory, let_children_be_signalled

__all__ = ["clean_environment"]

HERE = Path(__file__).parent

# What `make integration` runs besides `integration/`, so that `make test` stays under a minute on two cores.
EXTENDED = frozenset(
    {
        "cli/test_clone_busy.py",
        "cli/test_dry_run.py",
        "cli/test_errors.py",
        "cli/test_exec_lock.py",
        "cli/test_following.py",
        "cli/test_foreign_content.py",
        "cli/test_history.py",
        "cli/test_bucket_structural.py",
        "cli/test_damaged_content.py",
        "cli/test_hostile_bucket.py",
        "cli/test_known_bugs.py",
        "cli/test_lock.py",
        "cli/test_log_kinds.py",
        "cli/test_lost_while_moving.py",
        "cli/test_lost_while_removing.py",
        "cli/test_lock_bucket.py",
        "cli/test_lock_hints.py",
        "cli/test_lock_of_repairs.py",
        "cli/test_lock_table.py",
        "cli/test_lock_table_bucket.py",
        "cli/test_migrate.py",
        "cli/test_odd_situations.py",
        "cli/test_prompts_bucket.py",
        "cli/test_status.py",
        "cli/test_swapless_bucket.py",
        "cli/test_place_changed.py",
        "cli/test_s3_setup.py",
        "cli/test_swamp_fixtures.py",
        "cli/test_sync.py",
        "cli/test_sync_plan.py",
        "cli/test_sync_scan.py",
        "cli/test_unreachable.py",
        "cli/test_undelete.py",
        "cli/test_vacuum.py",
        "cli/test_vacuumed_past.py",
        "cli/test_verify.py",
        "cli/test_watch_bucket.py",
        "cli/test_written_keys.py",
        "docs/test_readme_team.py",
        "faults/test_kill_matrix.py",
        "faults/test_migration_kill.py",
        "faults/test_setup_kills.py",
        "stateful/test_sync_machine.py",
        "unit/backends/test_s3_admin.py",
        "unit/backends/test_s3_boto.py",
        "unit/backends/test_s3_asked_for.py",
        "unit/backends/test_s3_completions.py",
        "unit/backends/test_s3_errors_wire.py",
        "unit/backends/test_s3_store.py",
        "unit/locks/test_healing.py",
        "unit/log/test_maintenance_crashes.py",
        "unit/maintenance/test_doctor_backend.py",
        "unit/query/test_fuzz.py",
        "unit/repo/test_setup_moves.py",
        "unit/repo/test_lazy_content.py",
        "unit/repo/test_setup_s3.py",
        "unit/repo/test_staging.py",
        "unit/sync/test_crashes.py",
        "unit/sync/test_kept_aside.py",
        "unit/sync/test_merging.py",
        "unit/sync/test_scan_crashes.py",
        "unit/sync/test_restoring.py",
        "unit/sync/test_lost_and_restored.py",
    }
)

# What `make soak` runs besides long versions of others: the full suite over the same server is in `integration/`.
SOAK = frozenset({"conformance/test_object_store_s3.py"})


def pytest_configure() -> None:
    let_children_be_signalled()
    lay_files_into_memory()


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave files unread of which `make test` or `make integration` would run nothing."""
    if collection_path.suffix != ".py" or not collection_path.is_relative_to(HERE):
        return None
    path = collection_path.relative_to(HERE).as_posix()
    wanted: str = config.option.markexpr
    if ("not soak" in wanted and path in SOAK) or ("not extended" in wanted and path in EXTENDED):
        return True
    if wanted.startswith("extended") and path not in EXTENDED and not path.endswith("conftest.py"):
        return True
    return None


def pytest_collection_finish() -> None:
    """Let the collector of cycles pass over what was imported and collected: it all stays, and it is much."""
    gc.collect()
    gc.freeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of the files named above."""
    for item in items:
        if not item.path.is_relative_to(HERE):
            continue
        path = item.path.relative_to(HERE).as_posix()
        if path in EXTENDED:
            item.add_marker(pytest.mark.extended)
        elif path in SOAK:
            item.add_marker(pytest.mark.soak)
