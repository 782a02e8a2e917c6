"""The command line in this process, as the unit tests run it, where a process of its own is not the point."""

from tests.cli.conftest import swamp, variables

__all__ = ["swamp", "variables"]
