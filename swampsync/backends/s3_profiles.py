"""Keys in the environment and in AWS's configuration files, read without boto3 (which takes 300 ms to import)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from swampsync.backends.s3_keys import S3Keys
from swampsync.clock import parse_timestamp
from swampsync.disk import Disk
from swampsync.errors import AccessDenied, InvalidInput

# Any of these in a profile means that its keys have to be asked for somewhere.
_ASKED_FOR: Final = frozenset({
    "credential_process", "credential_source", "login_session", "role_arn", "source_profile", "sso_account_id",
    "sso_session", "sso_start_url", "web_identity_token_file",
})  # fmt: skip
_ASKED_FOR_VARIABLES: Final = (
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
)


@dataclass(frozen=True, slots=True)
class CredentialPlaces:
    """Where credentials may be found.

    Args:
        environment: Environment variables, a copy.
        credentials_file: Usually `~/.aws/credentials`.
        config_file: Usually `~/.aws/config`.
        cache_dir: Where temporary keys are kept until they end; `None` to keep none.
    """

    environment: Mapping[str, str]
    credentials_file: str
    config_file: str
    cache_dir: str | None = None

    @classmethod
    def of(cls, environment: Mapping[str, str], *, home: str, cache_dir: str | None = None) -> CredentialPlaces:
        """Find the usual places, as the environment moves them."""
        return cls(
            dict(environment),
            _expand(environment.get("AWS_SHARED_CREDENTIALS_FILE") or "~/.aws/credentials", home),
            _expand(environment.get("AWS_CONFIG_FILE") or "~/.aws/config", home),
            cache_dir,
        )

    def profile_name(self, chosen: str | None) -> str:
        """Name the profile in use: chosen, of the environment, or `default`."""
        return chosen or self.environment.get("AWS_PROFILE") or self.environment.get("AWS_DEFAULT_PROFILE") or "default"


def find_static_keys(chosen: str | None, places: CredentialPlaces, disk: Disk) -> S3Keys | None:
    """Find keys that need nobody's answer, in AWS's own order: environment, then profile; a chosen profile first.

    Args:
        chosen: The profile that the configuration names, which then comes before the environment.
        places: Where to look.
        disk: Reads the files.

    Returns:
        `None` if there are none, or the profile says how to ask for them.

    Raises:
        InvalidInput: The chosen profile does not exist, or a file cannot be parsed.
        AccessDenied: Half of a pair of keys is missing.
    """
    if chosen is None:
        keys = _keys_of_environment(places.environment)
        if keys is not None:
            return keys
        if any(places.environment.get(name) for name in _ASKED_FOR_VARIABLES):
            return None
    name = places.profile_name(chosen)
    in_credentials = _read_sections(places.credentials_file, disk).get(name)
    config = _read_sections(places.config_file, disk)
    in_config = config.get("default" if name == "default" else f"profile {name}")
    if in_credentials is None and in_config is None:
        if name == "default":
            return None
        raise InvalidInput(
            f"profile `{name}` stands in neither `{places.config_file}` nor `{places.credentials_file}`",
            hint="aws configure list-profiles",
        )
    if _ASKED_FOR & ((in_credentials or {}).keys() | (in_config or {}).keys()):
        return None
    for section in (in_credentials, in_config):
        keys = _keys_of_profile(name, section or {})
        if keys is not None:
            return keys
    return None


def find_region(chosen: str | None, places: CredentialPlaces, disk: Disk) -> str | None:
    """Find the region that a profile names; `None` if it names none, or does not exist."""
    name = places.profile_name(chosen)
    section = _read_sections(places.config_file, disk).get("default" if name == "default" else f"profile {name}")
    return (section or {}).get("region") or None


def _keys_of_environment(environment: Mapping[str, str]) -> S3Keys | None:
    name, secret = environment.get("AWS_ACCESS_KEY_ID"), environment.get("AWS_SECRET_ACCESS_KEY")
    if not name and not secret:
        return None
    if not name or not secret:
        present, missing = "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"
        if not name:
            present, missing = missing, present
        raise AccessDenied(
            f"only half of a pair of keys is in the environment: `{missing}` is not set",
            hint=f"set it too, or take the keys of a profile: unset {present}",
        )
    return S3Keys(
        name,
        secret,
        environment.get("AWS_SESSION_TOKEN") or environment.get("AWS_SECURITY_TOKEN") or None,
        parse_expiry(environment.get("AWS_CREDENTIAL_EXPIRATION")),
    )


def _keys_of_profile(profile: str, section: Mapping[str, str]) -> S3Keys | None:
    name, secret = section.get("aws_access_key_id"), section.get("aws_secret_access_key")
    if not name and not secret:
        return None
    if not name or not secret:
        missing = "aws_secret_access_key" if name else "aws_access_key_id"
        raise AccessDenied(
            f"profile `{profile}` holds half of a pair of keys: `{missing}` is missing",
            hint=f"aws configure --profile {profile}",
        )
    return S3Keys(name, secret, section.get("aws_session_token") or section.get("aws_security_token") or None)


def parse_expiry(text: str | None) -> datetime | None:
    """Parse when keys end, as AWS's tools write it; a text without a zone is UTC, no text or nonsense is never."""
    if not text:
        return None
    try:
        return parse_timestamp(text)
    except ValueError:
        pass
    try:
        return datetime.fromisoformat(text).replace(tzinfo=UTC)
    except ValueError:
        return None


def _read_sections(path: str, disk: Disk) -> dict[str, dict[str, str]]:
    try:
        text = disk.read_bytes(path).decode("utf-8-sig", errors="replace")
    except (FileNotFoundError, NotADirectoryError):
        return {}
    from configparser import Error, RawConfigParser  # noqa: PLC0415 - only where there is such a file

    # No header can be this default section, so that `[default]` is a section like any other.
    parser = RawConfigParser(default_section="\0", strict=False, comment_prefixes=("#", ";"))
    try:
        parser.read_string(text, source=path)
    except Error as error:
        # The parser's message quotes the line, which may hold a secret.
        raise InvalidInput(f"`{path}` is no AWS configuration file: {type(error).__name__}", key=path) from None
    return {_section_name(name): dict(parser[name]) for name in parser.sections()}


def _section_name(header: str) -> str:
    """Make `profile "my team"` and `profile  my team` one."""
    kind, _, name = header.strip().partition(" ")
    return f"{kind} {name.strip().strip(chr(34)).strip(chr(39))}" if name else kind


def _expand(path: str, home: str) -> str:
    return f"{home}{path[1:]}" if path == "~" or path.startswith("~/") else path
