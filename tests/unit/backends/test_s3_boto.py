"""Keys that somebody has to be asked for, asked of servers and processes that answer as AWS's do."""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from swampsync.backends.base import CredentialsExpired
from swampsync.backends.s3_boto import fetch_keys
from swampsync.backends.s3_keys import S3Keys
from swampsync.backends.s3_profiles import CredentialPlaces
from swampsync.errors import AccessDenied, InvalidInput, SwampsyncError, Unavailable
from swampsync.testing.scripted_server import Reply, Request, ScriptedServer, answer

END = "2040-01-01T00:00:00Z"
EXPECTED = S3Keys("ASIAEXAMPLE", "given-secret", "given-token", datetime(2040, 1, 1, tzinfo=UTC))
JSON_KEYS = {
    "AccessKeyId": "ASIAEXAMPLE",
    "SecretAccessKey": "given-secret",
    "Token": "given-token",
    "Expiration": END,
}
STS = """<{0}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><{0}Result><Credentials>
<AccessKeyId>ASIAEXAMPLE</AccessKeyId><SecretAccessKey>given-secret</SecretAccessKey>
<SessionToken>given-token</SessionToken><Expiration>2040-01-01T00:00:00Z</Expiration></Credentials>
<AssumedRoleUser><Arn>a</Arn><AssumedRoleId>i</AssumedRoleId></AssumedRoleUser></{0}Result></{0}Response>"""


def sts(request: Request) -> Reply:
    action = "AssumeRoleWithWebIdentity" if b"WebIdentity" in request.body else "AssumeRole"
    return answer("200 OK", STS.format(action).encode(), Content_Type="text/xml")


def sts_error(code: str) -> Callable[[Request], Reply]:
    body = f"<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>no</Message></Error></ErrorResponse>"
    return lambda _: answer("403 Forbidden", body.encode(), Content_Type="text/xml")


@pytest.fixture
def config(tmp_path: Path) -> Callable[[str], CredentialPlaces]:
    """Write the configuration file."""

    def write(text: str) -> CredentialPlaces:
        (tmp_path / "config").write_text(text)
        return CredentialPlaces({}, str(tmp_path / "credentials"), str(tmp_path / "config"))

    return write


@pytest.fixture(autouse=True)
def no_instance(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep botocore from asking the cloud that the tests may run on."""
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


def test_process_is_run(config: Callable[[str], CredentialPlaces], tmp_path: Path) -> None:
    """A profile's `credential_process` gives keys and their end, in the one UTC that obstore takes."""
    document = {"Version": 1, "SessionToken": "given-token", **JSON_KEYS}
    (tmp_path / "keys.json").write_text(json.dumps(document))
    places = config(f"[profile p]\ncredential_process = cat {tmp_path / 'keys.json'}\n")
    keys = fetch_keys("p", places)
    assert keys == EXPECTED
    assert keys.expires_at is not None
    assert keys.expires_at.tzinfo is UTC


@pytest.mark.parametrize("stream", ["stderr", "stdout"])
def test_process_that_fails_denies_access_and_is_not_quoted(
    stream: str, config: Callable[[str], CredentialPlaces], tmp_path: Path
) -> None:
    """A process that fails is an error that names the profile, and shows nothing of what it wrote."""
    script = tmp_path / "keys.py"
    script.write_text(f"import sys\nprint('token=hunter2secret', file=sys.{stream})\nsys.exit(1)\n")
    places = config(f"[profile p]\ncredential_process = {sys.executable} {script}\n")
    with pytest.raises(AccessDenied) as caught:
        fetch_keys("p", places)
    assert caught.value.message == "credentials of profile `p` cannot be had: its `credential_process` gave no keys"
    assert caught.value.hint == "aws sts get-caller-identity --profile p"
    assert "hunter2secret" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("/nowhere/keys --for ops", "`/nowhere/keys`: no such file or directory"),
        (f"{sys.executable} -c 'print(\"hunter2secret\")'", "JSONDecodeError"),
        (f"{sys.executable} -c 'print(1)'", ""),
    ],
    ids=["missing program", "no JSON", "no document"],
)
def test_process_that_gives_no_keys_denies_access(
    command: str, said: str, config: Callable[[str], CredentialPlaces]
) -> None:
    """A process that is not there, or prints something else, is an error with a hint that shows nothing of it."""
    with pytest.raises(AccessDenied, match="profile `p`") as caught:
        fetch_keys("p", config(f"[profile p]\ncredential_process = {command}\n"))
    assert said in caught.value.message
    assert caught.value.hint == "aws sts get-caller-identity --profile p"
    assert "hunter2secret" not in "".join(traceback.format_exception(caught.value))


def test_role_is_assumed(config: Callable[[str], CredentialPlaces], monkeypatch: pytest.MonkeyPatch) -> None:
    """A profile's role is assumed with the keys of its source profile."""
    with ScriptedServer(sts) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", server.endpoint)
        places = config(
            "[profile base]\naws_access_key_id = AKIABASE\naws_secret_access_key = s\n"
            "[profile r]\nrole_arn = arn:aws:iam::123456789012:role/x\nsource_profile = base\n"
        )
        assert fetch_keys("r", places) == EXPECTED
    assert "AKIABASE" in server.requests[0].headers["authorization"]


@pytest.mark.parametrize(("code", "error"), [("ExpiredToken", CredentialsExpired), ("AccessDenied", AccessDenied)])
def test_role_that_is_refused_is_an_error(
    code: str, error: type[SwampsyncError], config: Callable[[str], CredentialPlaces], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A refusal of the role is told apart from keys that have ended; neither shows a key."""
    with ScriptedServer(sts_error(code)) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", server.endpoint)
        places = config(
            "[profile base]\naws_access_key_id = AKIABASE\naws_secret_access_key = base-secret\n"
            "[profile r]\nrole_arn = arn:aws:iam::123456789012:role/x\nsource_profile = base\n"
        )
        with pytest.raises(SwampsyncError) as caught:
            fetch_keys("r", places)
    assert type(caught.value) is error
    assert "`r`" in caught.value.message
    assert "base-secret" not in repr(caught.value)


def test_web_identity_is_exchanged(
    config: Callable[[str], CredentialPlaces], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A token file in the environment (GitHub, Kubernetes) is exchanged for keys."""
    (tmp_path / "token").write_text("a-jwt")
    with ScriptedServer(sts) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", server.endpoint)
        monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(tmp_path / "token"))
        monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/x")
        assert fetch_keys(None, config("")) == EXPECTED
    assert b"WebIdentityToken=a-jwt" in server.requests[0].body


def test_container_is_asked(config: Callable[[str], CredentialPlaces], monkeypatch: pytest.MonkeyPatch) -> None:
    """In a container its own service gives keys."""
    reply = answer("200 OK", json.dumps(JSON_KEYS).encode())
    with ScriptedServer(lambda _: reply) as server:
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{server.endpoint}/keys")
        monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "let-me-in")
        assert fetch_keys(None, config("")) == EXPECTED
    assert server.requests[0].headers["authorization"] == "let-me-in"


def test_container_that_gives_no_keys_is_not_quoted(
    config: Callable[[str], CredentialPlaces], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a container's service answers instead of keys is not shown: it may be half of them."""
    monkeypatch.setattr("botocore.utils.ContainerMetadataFetcher.RETRY_ATTEMPTS", 1)
    monkeypatch.setattr("botocore.utils.ContainerMetadataFetcher.SLEEP_TIME", 0)
    with ScriptedServer(lambda _: answer("200 OK", b'{"SecretAccessKey": "hunter2secret"')) as server:
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{server.endpoint}/keys")
        with pytest.raises(AccessDenied, match="the container's service gave no keys") as caught:
            fetch_keys(None, config(""))
    assert "hunter2secret" not in "".join(traceback.format_exception(caught.value))


def test_instance_is_asked(config: Callable[[str], CredentialPlaces], monkeypatch: pytest.MonkeyPatch) -> None:
    """On an instance its metadata service gives the keys of its role."""

    def metadata(request: Request) -> Reply:
        if request.method == "PUT":
            return answer("200 OK", b"session")
        role = request.target.rpartition("/")[2]
        return answer("200 OK", json.dumps({**JSON_KEYS, "Code": "Success"}).encode() if role else b"the-role")

    with ScriptedServer(metadata) as server:
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "false")
        monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", server.endpoint)
        assert fetch_keys(None, config("")) == EXPECTED


def test_sso_without_a_session_says_how_to_log_in(config: Callable[[str], CredentialPlaces]) -> None:
    """An SSO profile without a valid session gives the command that opens one."""
    places = config(
        "[profile s]\nsso_session = corp\nsso_account_id = 123456789012\nsso_role_name = dev\n"
        "[sso-session corp]\nsso_region = us-east-1\nsso_start_url = https://corp.awsapps.com/start\n"
    )
    with pytest.raises(CredentialsExpired) as caught:
        fetch_keys("s", places)
    assert caught.value.hint == "aws sso login --profile s"


def test_nothing_anywhere_says_what_to_do(config: Callable[[str], CredentialPlaces]) -> None:
    """Without any credentials the error says where one would put them."""
    with pytest.raises(AccessDenied, match="no credentials were found") as caught:
        fetch_keys(None, config(""))
    assert "AWS_ACCESS_KEY_ID" in (caught.value.hint or "")


def test_profile_that_does_not_exist_is_a_wrong_setting(config: Callable[[str], CredentialPlaces]) -> None:
    """A profile that botocore does not find is a wrong setting."""
    with pytest.raises(InvalidInput):
        fetch_keys("absent", config(""))


def test_service_that_does_not_answer_is_unavailable(
    config: Callable[[str], CredentialPlaces], monkeypatch: pytest.MonkeyPatch
) -> None:
    """If STS cannot be reached, trying again can help."""
    with ScriptedServer(sts) as server:
        pass  # its port is closed again
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", server.endpoint)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    places = config(
        "[profile base]\naws_access_key_id = AKIABASE\naws_secret_access_key = s\n"
        "[profile r]\nrole_arn = arn:aws:iam::123456789012:role/x\nsource_profile = base\n"
    )
    with pytest.raises(Unavailable):
        fetch_keys("r", places)
