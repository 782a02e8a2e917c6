"""The command line in this process, as the unit tests run it: many commands, one start."""

from tests.cli.conftest import swamp, variables

__all__ = ["swamp", "variables"]
