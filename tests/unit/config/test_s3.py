"""What may be configured of a bucket."""

from __future__ import annotations

import pytest

from swampsync.config.datastore import S3Settings
from swampsync.config.describe import describe_settings
from swampsync.config.document import ConfigDocument
from swampsync.config.s3 import S3_KEYS
from swampsync.config.settings import Flags, RepoConfig, make_config
from swampsync.errors import InvalidInput

HEAD = 'repoId: r\ndatastore:\n  type: "@swampsync/s3"\n  config:\n    bucket: team\n'


def make(lines: str = "", **environ: str) -> RepoConfig:
    text = HEAD + "".join(f"    {line}\n" for line in lines.splitlines())
    document = ConfigDocument.parse(text.encode(), path="/r/repo/.swamp.yaml")
    return make_config(document, repo_dir="/r/repo", environ=environ, flags=Flags())


def test_everything_of_a_bucket_is_read_with_its_type() -> None:
    """Encryption, certificates, anonymity, concurrency and the quoting of ETags have their keys."""
    config = make(
        "sse: aws:kms\nsseKmsKeyId: alias/team\ncaFile: $CERTS/ca.pem\nanonymous: true\nconcurrency: 32\n"
        "etagQuoting: bare\nchecksum: sha256\nrequestTimeoutMs: 5000",
        CERTS="/etc/certs",
    )
    assert config.datastore == S3Settings(
        bucket="team",
        sse="aws:kms",
        sse_kms_key_id="alias/team",
        ca_file="/etc/certs/ca.pem",
        anonymous=True,
        concurrency=32,
        etag_quoting="bare",
        checksum="sha256",
        request_timeout_ms=5000,
    )
    assert config.warnings == ()


def test_certificates_are_looked_for_beside_the_repo() -> None:
    """A relative path is relative to the repo, as every path in the file is."""
    settings = make("caFile: certs/ca.pem").datastore
    assert isinstance(settings, S3Settings)
    assert settings.ca_file == "/r/repo/certs/ca.pem"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("sse: rot13", "must be one of `AES256`, `aws:kms`"),
        ("sseKmsKeyId: k", "needs `sse: aws:kms`"),
        ("anonymous: perhaps", "`true` or `false`"),
        ("concurrency: 1000", "between 1 and 256"),
        ("checksum: md5", "must be one of `auto`, `sha256`"),
        ("etagQuoting: sometimes", "must be one of `auto`, `quoted`, `bare`"),
        ("caFile: $NOPE/x", "NOPE"),
        ("region: eu west", "no name of a region"),
    ],
)
def test_value_that_cannot_be_used_names_its_line(line: str, message: str) -> None:
    """Line 6 is the one that is wrong, and says so."""
    with pytest.raises(InvalidInput, match=message) as caught:
        make(line)
    assert "/r/repo/.swamp.yaml:6:" in caught.value.message


@pytest.mark.parametrize("key", ["secretAccessKey", "access_key_id", "sessionToken"])
def test_secrets_are_refused_and_not_repeated(key: str) -> None:
    """A credential in the file is an error that does not show it."""
    with pytest.raises(InvalidInput) as caught:
        make(f"{key}: hunter2")
    assert "hunter2" not in f"{caught.value.message}{caught.value.hint}"


def test_misspelt_key_of_a_bucket_is_a_warning() -> None:
    """`ssse` is probably `sse`."""
    (warning,) = make("ssse: AES256").warnings
    assert (warning.line, warning.hint) == (6, "write sse")


def test_config_list_shows_every_setting_of_a_bucket() -> None:
    """Each key that is known is listed under its name, with its line or as a default."""
    settings = {s.name: (s.value, s.source) for s in describe_settings(make("sse: AES256"))}
    listed = {name.rpartition(".")[2] for name in settings if name.startswith("datastore.config.")}
    assert listed == S3_KEYS - {"hydrationStrategy"}
    assert settings["datastore.config.sse"] == ("AES256", ".swamp.yaml:6")
    assert settings["datastore.config.anonymous"] == (False, "default")
