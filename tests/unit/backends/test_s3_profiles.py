"""Keys in the environment and in AWS's configuration files."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from swampsync.backends.s3_keys import S3Keys
from swampsync.backends.s3_profiles import CredentialPlaces, find_static_keys, parse_expiry
from swampsync.disk import LocalDisk
from swampsync.errors import AccessDenied, InvalidInput

ENVIRONMENT = {"AWS_ACCESS_KEY_ID": "AKIAENV", "AWS_SECRET_ACCESS_KEY": "env-secret"}
CREDENTIALS = """
[default]
aws_access_key_id = AKIADEFAULT
aws_secret_access_key = default/secret+=%x

# the team's
[team]
aws_access_key_id=AKIATEAM
aws_secret_access_key=team-secret
aws_session_token=team-token

[half]
aws_access_key_id = AKIAHALF

[role]
aws_access_key_id = AKIAROLE
aws_secret_access_key = s
"""
CONFIG = """
[default]
region = eu-north-1
[profile in config]
aws_access_key_id = AKIACONFIG
aws_secret_access_key = config-secret
s3 =
    addressing_style = path
[profile "quoted"]
aws_access_key_id = AKIAQUOTED
aws_secret_access_key = q
[profile role]
role_arn = arn:aws:iam::1:role/x
source_profile = default
[profile sso]
sso_session = corp
[profile process]
credential_process = /bin/keys
[profile empty]
region = us-east-1
[sso-session corp]
sso_region = us-east-1
"""


@pytest.fixture
def places(tmp_path: Path) -> CredentialPlaces:
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "credentials").write_text(CREDENTIALS)
    (tmp_path / ".aws" / "config").write_text(CONFIG)
    return CredentialPlaces.of({}, home=str(tmp_path))


def with_environment(places: CredentialPlaces, **environment: str) -> CredentialPlaces:
    return CredentialPlaces(environment, places.credentials_file, places.config_file)


@pytest.mark.parametrize(
    ("profile", "expected"),
    [
        (None, S3Keys("AKIADEFAULT", "default/secret+=%x")),
        ("team", S3Keys("AKIATEAM", "team-secret", "team-token")),
        ("in config", S3Keys("AKIACONFIG", "config-secret")),
        ("quoted", S3Keys("AKIAQUOTED", "q")),
        ("role", None),
        ("sso", None),
        ("process", None),
        ("empty", None),
    ],
)
def test_profile_gives_its_keys(places: CredentialPlaces, profile: str | None, expected: S3Keys | None) -> None:
    """A static profile's keys are read as they stand; one that says whom to ask gives none."""
    assert find_static_keys(profile, places, LocalDisk()) == expected


def test_environment_comes_before_the_default_profile(places: CredentialPlaces) -> None:
    """Keys in the environment win over a profile that nobody chose, also over AWS_PROFILE."""
    found = find_static_keys(None, with_environment(places, **ENVIRONMENT, AWS_PROFILE="team"), LocalDisk())
    assert found == S3Keys("AKIAENV", "env-secret")


def test_chosen_profile_comes_before_the_environment(places: CredentialPlaces) -> None:
    """A profile that the configuration names wins over keys in the environment."""
    found = find_static_keys("team", with_environment(places, **ENVIRONMENT), LocalDisk())
    assert found is not None
    assert found.access_key_id == "AKIATEAM"


def test_variable_chooses_the_profile(places: CredentialPlaces) -> None:
    """AWS_PROFILE names the profile where the configuration names none."""
    found = find_static_keys(None, with_environment(places, AWS_PROFILE="team"), LocalDisk())
    assert found is not None
    assert found.access_key_id == "AKIATEAM"


def test_environment_may_be_temporary(places: CredentialPlaces) -> None:
    """Session token and end of the keys are taken from the environment."""
    environment = {**ENVIRONMENT, "AWS_SESSION_TOKEN": "t", "AWS_CREDENTIAL_EXPIRATION": "2026-11-21T12:00:00Z"}
    found = find_static_keys(None, with_environment(places, **environment), LocalDisk())
    assert found == S3Keys("AKIAENV", "env-secret", "t", datetime(2026, 11, 21, 12, tzinfo=UTC))


@pytest.mark.parametrize(
    "variable",
    ["AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"],
)
def test_environment_may_say_whom_to_ask(places: CredentialPlaces, variable: str) -> None:
    """Where the environment says that a service has the keys, the default profile's are not taken."""
    assert find_static_keys(None, with_environment(places, **{variable: "x"}), LocalDisk()) is None


def test_half_a_pair_is_an_error_that_shows_no_key(places: CredentialPlaces) -> None:
    """Half a pair of keys is an error that names the missing half and shows the other to nobody."""
    with pytest.raises(AccessDenied, match="AWS_SECRET_ACCESS_KEY") as caught:
        find_static_keys(None, with_environment(places, AWS_ACCESS_KEY_ID="AKIAENV"), LocalDisk())
    assert "AKIAENV" not in str(caught.value)
    with pytest.raises(AccessDenied, match="AWS_ACCESS_KEY_ID"):
        find_static_keys(None, with_environment(places, AWS_SECRET_ACCESS_KEY="x"), LocalDisk())
    with pytest.raises(AccessDenied, match=r"profile `half`.*aws_secret_access_key"):
        find_static_keys("half", places, LocalDisk())


@pytest.mark.parametrize("name", ["absent", "corp", "sso-session corp"])
def test_profile_that_does_not_exist_is_named(places: CredentialPlaces, name: str) -> None:
    """A profile that stands in no file is an error that names the files."""
    with pytest.raises(InvalidInput, match=f"profile `{name}`") as caught:
        find_static_keys(name, places, LocalDisk())
    assert places.config_file in str(caught.value)
    assert caught.value.hint == "aws configure list-profiles"


def test_absent_files_give_nothing(tmp_path: Path) -> None:
    """Without files and variables there are no static keys."""
    assert find_static_keys(None, CredentialPlaces.of({}, home=str(tmp_path)), LocalDisk()) is None


def test_file_that_cannot_be_parsed_is_named_and_not_quoted(tmp_path: Path) -> None:
    """A broken file is an error that does not repeat its lines."""
    path = tmp_path / "credentials"
    path.write_text("aws_secret_access_key = hunter2\n")
    places = CredentialPlaces.of({"AWS_SHARED_CREDENTIALS_FILE": str(path)}, home=str(tmp_path))
    with pytest.raises(InvalidInput, match="no AWS configuration file") as caught:
        find_static_keys(None, places, LocalDisk())
    assert "hunter2" not in repr(caught.value)
    assert caught.value.key == str(path)


def test_places_follow_the_environment() -> None:
    """The files lie in the home directory unless the environment moves them."""
    assert CredentialPlaces.of({}, home="/h").config_file == "/h/.aws/config"
    moved = CredentialPlaces.of({"AWS_CONFIG_FILE": "~/x", "AWS_SHARED_CREDENTIALS_FILE": "/y"}, home="/h")
    assert (moved.config_file, moved.credentials_file) == ("/h/x", "/y")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-21T12:00:00Z", datetime(2026, 11, 21, 12, tzinfo=UTC)),
        ("2026-11-21T13:00:00+01:00", datetime(2026, 11, 21, 12, tzinfo=UTC)),
        ("2026-11-21T12:00:00", datetime(2026, 11, 21, 12, tzinfo=UTC)),
        ("soon", None),
        ("", None),
        (None, None),
    ],
)
def test_expiry_is_read_in_every_form_that_is_written(text: str | None, expected: datetime | None) -> None:
    """Times with any zone, and without one, are read; nonsense is no end."""
    assert parse_expiry(text) == expected
