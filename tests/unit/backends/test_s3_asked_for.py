"""Keys that have to be asked for, all the way: they come, are kept 0600 until they end, and sign requests."""

from __future__ import annotations

import hashlib
import json
import stat
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from swampsync.backends.base import CredentialsExpired
from swampsync.backends.s3 import S3Store
from swampsync.backends.s3_boto import fetch_keys
from swampsync.backends.s3_credentials import AwsCredentials
from swampsync.backends.s3_keys import S3Keys
from swampsync.backends.s3_profiles import CredentialPlaces
from swampsync.backends.s3_settings import S3Options
from swampsync.clock import Clock
from swampsync.disk import LocalDisk
from swampsync.layout import ObjectKey
from swampsync.testing.manual_clock import ManualClock
from swampsync.testing.scripted_server import Reply, Request, ScriptedServer, answer

END = datetime(2040, 1, 1, tzinfo=UTC)
EXPECTED = S3Keys("ASIAEXAMPLE", "given-secret", "given-token", END)
DOCUMENT = {
    "AccessKeyId": "ASIAEXAMPLE",
    "SecretAccessKey": "given-secret",
    "Token": "given-token",
    "Expiration": "2040-01-01T00:00:00Z",
}
STS = """<{0}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><{0}Result><Credentials>
<AccessKeyId>ASIAEXAMPLE</AccessKeyId><SecretAccessKey>given-secret</SecretAccessKey>
<SessionToken>given-token</SessionToken><Expiration>2040-01-01T00:00:00Z</Expiration></Credentials>
<AssumedRoleUser><Arn>a</Arn><AssumedRoleId>i</AssumedRoleId></AssumedRoleUser></{0}Result></{0}Response>"""
START_URL = "https://corp.awsapps.com/start"
SESSION = f"[sso-session corp]\nsso_region = us-east-1\nsso_start_url = {START_URL}\n"
SSO_PROFILE = "[profile p]\nsso_session = corp\nsso_account_id = 123456789012\nsso_role_name = dev\n"
OLD_SSO_PROFILE = (
    f"[profile p]\nsso_start_url = {START_URL}\nsso_region = us-east-1\n"
    "sso_account_id = 123456789012\nsso_role_name = dev\n"
)
ROLE = "arn:aws:iam::123456789012:role/x"


@dataclass
class World:
    """A home directory, and a server that is everything which gives keys away."""

    home: Path
    server: ScriptedServer
    monkeypatch: pytest.MonkeyPatch
    profile: str | None = "p"
    environment: dict[str, str] = field(default_factory=dict)

    def config(self, text: str) -> None:
        (self.home / "config").write_text(text)

    def set(self, **variables: str) -> None:
        for name, value in variables.items():
            self.environment[name] = value
            self.monkeypatch.setenv(name, value)

    def keep_token(self, name: str, *, expires: str = "2040-01-01T00:00:00Z", **more: str) -> Path:
        """Write what `aws sso login` leaves behind, under the digest of the session's name or URL."""
        cache = self.home / "sso"
        cache.mkdir(exist_ok=True)
        path = cache / f"{hashlib.sha1(name.encode(), usedforsecurity=False).hexdigest()}.json"
        token = {"startUrl": START_URL, "region": "us-east-1", "accessToken": "kept-token", "expiresAt": expires}
        path.write_text(json.dumps(token | more))
        return path

    def credentials(self, clock: Clock) -> AwsCredentials:
        places = CredentialPlaces(
            self.environment, str(self.home / "credentials"), str(self.home / "config"), str(self.home / "kept")
        )
        return AwsCredentials(
            self.profile, places, disk=LocalDisk(), clock=clock, new_id=lambda: str(uuid.uuid4()), fetch=fetch_keys
        )

    def times_asked(self) -> int:
        asked = self.home / "asked"
        return len(asked.read_text().split()) if asked.exists() else len(self.server.requests)


def give(request: Request) -> Reply:
    """Answer as the portal, STS, the container's service and OIDC do."""
    if request.target.startswith("/federation/credentials"):
        assert "role_name=dev" in request.target
        keys = {"accessKeyId": "ASIAEXAMPLE", "secretAccessKey": "given-secret", "sessionToken": "given-token"}
        body: dict[str, object] = {"roleCredentials": keys | {"expiration": int(END.timestamp() * 1_000)}}
        return answer("200 OK", json.dumps(body).encode(), Content_Type="application/json")
    if request.target == "/token":
        assert json.loads(request.body)["refreshToken"] == "refresh-me"
        new = {"accessToken": "new-token", "expiresIn": 3_600, "refreshToken": "refresh-me-later"}
        return answer("200 OK", json.dumps(new).encode(), Content_Type="application/json")
    if request.target == "/keys":
        return answer("200 OK", json.dumps(DOCUMENT).encode())
    action = "AssumeRoleWithWebIdentity" if b"WebIdentity" in request.body else "AssumeRole"
    return answer("200 OK", STS.format(action).encode(), Content_Type="text/xml")


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    # botocore looks for the home directory when it is imported, which was long ago.
    for name in ("botocore.tokens.SSOTokenProvider", "botocore.credentials.SSOProvider"):
        monkeypatch.setattr(f"{name}._SSO_TOKEN_CACHE_DIR", str(tmp_path / "sso"))
    with ScriptedServer(give) as server:
        world = World(tmp_path, server, monkeypatch)
        for service in ("STS", "SSO", "SSO_OIDC"):
            monkeypatch.setenv(f"AWS_ENDPOINT_URL_{service}", server.endpoint)
        yield world


def sso(world: World) -> None:
    world.config(SSO_PROFILE + SESSION)
    world.keep_token("corp")


def old_sso(world: World) -> None:
    world.config(OLD_SSO_PROFILE)
    world.keep_token(START_URL)


def role(world: World) -> None:
    world.config(
        "[profile base]\naws_access_key_id = AKIABASE\naws_secret_access_key = s\n"
        f"[profile p]\nrole_arn = {ROLE}\nsource_profile = base\n"
    )


def role_of_sso(world: World) -> None:
    world.config(SSO_PROFILE.replace("profile p", "profile base") + SESSION)
    with (world.home / "config").open("a") as file:
        file.write(f"[profile p]\nrole_arn = {ROLE}\nsource_profile = base\n")
    world.keep_token("corp")


def web_identity(world: World) -> None:
    world.profile = None
    world.config("")
    (world.home / "token").write_text("a-jwt")
    world.set(AWS_WEB_IDENTITY_TOKEN_FILE=str(world.home / "token"), AWS_ROLE_ARN=ROLE)


def web_identity_of_a_profile(world: World) -> None:
    (world.home / "token").write_text("a-jwt")
    world.config(f"[profile p]\nrole_arn = {ROLE}\nweb_identity_token_file = {world.home / 'token'}\n")


def container(world: World) -> None:
    world.profile = None
    world.config("")
    world.set(AWS_CONTAINER_CREDENTIALS_FULL_URI=f"{world.server.endpoint}/keys")


def process(world: World) -> None:
    document = {"Version": 1, "SessionToken": "given-token", **DOCUMENT}
    (world.home / "keys.json").write_text(json.dumps(document))
    script = world.home / "keys.sh"
    script.write_text(f"echo once >> {world.home / 'asked'}; cat {world.home / 'keys.json'}\n")
    world.config(f"[profile p]\ncredential_process = sh {script}\n")


SOURCES: dict[str, Callable[[World], None]] = {
    "sso": sso,
    "sso without a session": old_sso,
    "role": role,
    "role of an sso profile": role_of_sso,
    "web identity": web_identity,
    "web identity of a profile": web_identity_of_a_profile,
    "container": container,
    "process": process,
}


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
def test_keys_that_are_asked_for_are_kept_and_used_until_they_end(
    source: Callable[[World], None], world: World
) -> None:
    """They come once, for this process and the next, in a file of the owner's; they sign; and then they are renewed."""
    source(world)
    clock = ManualClock()
    credentials = world.credentials(clock)
    assert credentials.current() == credentials.current() == EXPECTED
    asked = world.times_asked()
    assert asked >= 1
    (kept,) = (world.home / "kept").iterdir()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600

    written = answer("200 OK", b"x", ETag='"e"', Last_Modified="Sat, 21 Nov 2026 10:00:00 GMT")
    with ScriptedServer(lambda _: written) as bucket:
        options = S3Options(bucket="team-data", endpoint=bucket.endpoint)
        next_process = world.credentials(clock)
        S3Store(options, next_process, read_file=LocalDisk().read_bytes).get(ObjectKey("infra/x"))
    assert "Credential=ASIAEXAMPLE/" in bucket.requests[0].headers["authorization"]
    assert bucket.requests[0].headers["x-amz-security-token"] == "given-token"
    assert world.times_asked() == asked

    clock.advance((END - clock.now() - timedelta(minutes=1)).total_seconds())
    assert world.credentials(clock).current() == EXPECTED
    assert world.times_asked() == 2 * asked


def test_sso_portal_is_asked_with_the_token_of_the_login(world: World) -> None:
    """What `aws sso login` left behind is shown to the portal, with the account and the role of the profile."""
    sso(world)
    world.credentials(ManualClock()).current()
    (request,) = world.server.requests
    assert request.headers["x-amz-sso_bearer_token"] == "kept-token"
    assert "account_id=123456789012" in request.target


def test_sso_token_that_ends_is_renewed(world: World) -> None:
    """An old token is exchanged for a new one without a browser, as `aws` does, and the new one is shown."""
    world.config(SSO_PROFILE + SESSION)
    path = world.keep_token(
        "corp",
        expires="2020-01-01T00:00:00Z",
        refreshToken="refresh-me",
        clientId="client",
        clientSecret="client-secret",
        registrationExpiresAt="2040-01-01T00:00:00Z",
    )
    assert world.credentials(ManualClock()).current() == EXPECTED
    assert [request.target.partition("?")[0] for request in world.server.requests] == [
        "/token",
        "/federation/credentials",
    ]
    assert world.server.requests[1].headers["x-amz-sso_bearer_token"] == "new-token"
    assert json.loads(path.read_text())["accessToken"] == "new-token"


@pytest.mark.parametrize("prepare", [sso, old_sso], ids=["session", "old"])
def test_sso_token_that_has_ended_says_how_to_log_in(prepare: Callable[[World], None], world: World) -> None:
    """A token that cannot be renewed is an ended session; nobody is asked, and nothing kept."""
    prepare(world)
    world.keep_token("corp", expires="2020-01-01T00:00:00Z")
    world.keep_token(START_URL, expires="2020-01-01T00:00:00Z")
    with pytest.raises(CredentialsExpired) as caught:
        world.credentials(ManualClock()).current()
    assert caught.value.hint == "aws sso login --profile p"
    assert world.server.requests == []
    assert not (world.home / "kept").exists()


def test_sso_portal_that_no_longer_takes_the_token_says_how_to_log_in(world: World) -> None:
    """A session that was ended elsewhere is one that has ended."""
    sso(world)
    refusal = answer(
        "401 Unauthorized",
        b'{"message":"Session token not found or invalid"}',
        Content_Type="application/json",
        x_amzn_ErrorType="UnauthorizedException",
    )
    with ScriptedServer(lambda _: refusal) as server:
        world.monkeypatch.setenv("AWS_ENDPOINT_URL_SSO", server.endpoint)
        with pytest.raises(CredentialsExpired) as caught:
            world.credentials(ManualClock()).current()
    assert caught.value.hint == "aws sso login --profile p"
