"""The console script: answers the cheapest questions before anything heavy is imported."""

from __future__ import annotations

import gc
import os
import sys

from swampsync._version import __version__

# obstore reads these by itself, and nothing given to it says "none of that" (the settings `sse…` and `checksum` do).
_OBSTORES_OWN = (
    "AWS_CHECKSUM_ALGORITHM",
    "AWS_SERVER_SIDE_ENCRYPTION",
    "AWS_SSE_BUCKET_KEY_ENABLED",
    "AWS_SSE_CUSTOMER_KEY_BASE64",
    "AWS_SSE_KMS_KEY_ID",
)


def main() -> None:
    """Run the command line of the process."""
    if sys.platform == "win32":
        sys.exit("Error: swampsync runs on Linux and macOS; on Windows, use it inside WSL (https://aka.ms/wsl)")
    arguments = sys.argv[1:]
    if arguments in (["--version"], ["-V"], ["version"]):
        sys.stdout.write(f"swampsync {__version__}\n")
        return
    # Imports make many objects that all stay; looking for cycles among them is a tenth of the start.
    gc.set_threshold(50_000, 20, 20)
    for name in _OBSTORES_OWN:
        # Here, where there are no threads yet: another one could be reading the environment.
        os.environ.pop(name, None)
    from swampsync.cli.app import run

    status = run(arguments, os.environ)
    # Standard output may be a pipe whose reader left; the interpreter's own flush at exit would complain.
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = status or 141
    sys.exit(status)
