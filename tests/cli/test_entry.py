"""The console script, in this process."""

from __future__ import annotations

import os
import sys
from collections.abc import MutableMapping

import pytest

from swampsync.backends.base import Create
from swampsync.backends.s3 import S3Store
from swampsync.backends.s3_keys import S3Keys, StaticCredentials
from swampsync.backends.s3_settings import S3Options
from swampsync.cli.entry import main
from swampsync.disk import LocalDisk
from swampsync.layout import ObjectKey
from swampsync.testing.scripted_server import ScriptedServer, answer


def test_no_command_follows_variables_of_obstores_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Encryption and checksums come from the settings: what obstore would read by itself is not there for a command."""
    monkeypatch.setenv("AWS_SERVER_SIDE_ENCRYPTION", "aws:kms")
    monkeypatch.setenv("AWS_SSE_KMS_KEY_ID", "somebody-else")
    monkeypatch.setenv("AWS_SSE_BUCKET_KEY_ENABLED", "true")
    monkeypatch.setenv("AWS_CHECKSUM_ALGORITHM", "SHA256")
    monkeypatch.setenv("AWS_PROFILE", "kept")
    monkeypatch.setattr(sys, "argv", ["swamp", "data", "list"])
    monkeypatch.setattr("gc.set_threshold", lambda *_: None)

    def put(_arguments: list[str], environ: MutableMapping[str, str]) -> int:
        assert environ is os.environ
        options = S3Options(bucket="team-data", endpoint=server.endpoint)
        store = S3Store(options, StaticCredentials(S3Keys("a", "b")), read_file=LocalDisk().read_bytes)
        store.put(ObjectKey("k"), b"x", Create())
        return 7

    monkeypatch.setattr("swampsync.cli.app.run", put)
    with ScriptedServer(lambda _: answer("200 OK", ETag='"e"')) as server, pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 7
    assert [n for n in server.requests[0].headers if "encryption" in n or "checksum" in n] == []
    assert os.environ["AWS_PROFILE"] == "kept"
