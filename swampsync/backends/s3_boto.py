"""boto3's part: keys that somebody has to be asked for, clients for administration, and its errors as ours.

Imported only when needed; boto3 takes 300 ms.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC
from typing import TYPE_CHECKING, Any, Final

from swampsync.backends.base import CredentialsExpired
from swampsync.backends.s3_answers import Answer, Operation, Trouble
from swampsync.backends.s3_errors import translate
from swampsync.backends.s3_keys import CredentialSource, S3Keys
from swampsync.backends.s3_profiles import CredentialPlaces
from swampsync.backends.s3_settings import S3Options
from swampsync.errors import AccessDenied, InvalidInput, SwampsyncError, Unavailable

if TYPE_CHECKING:
    import botocore.session

_EXPIRED: Final = {"ExpiredToken", "ExpiredTokenException", "UnauthorizedException", "InvalidGrantException"}
_WITHHELD: Final = {
    "custom-process": "its `credential_process` gave no keys",
    "container-role": "the container's service gave no keys",
}


def fetch_keys(profile: str | None, places: CredentialPlaces) -> S3Keys:
    """Ask whoever has keys for us: an SSO portal, STS, the container's or the instance's service, a process.

    botocore reads the environment of the process for this; `places.environment` is a copy of it.

    Raises:
        AccessDenied: There are none, or they are refused.
        CredentialsExpired: The SSO session or what the keys come from has ended.
        InvalidInput: The profile cannot be used.
        Unavailable: Who has them does not answer.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    name = places.profile_name(profile)
    try:
        session = _session(profile, places)
        credentials = session.get_credentials()
        if credentials is None:
            raise AccessDenied(
                "no credentials were found: not in the environment, not in a profile, not from this machine",
                hint="aws configure, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
            )
        frozen = credentials.get_frozen_credentials()
    except ClientError as error:
        raise _translate_client(error, name) from None
    except BotoCoreError as error:
        raise _translate_core(error, name) from None
    except (OSError, ValueError, AttributeError, TypeError) as error:
        # A file or program is missing, or a process printed something else than botocore takes for granted. What it
        # printed may be a secret.
        what = type(error).__name__
        if isinstance(error, OSError) and error.strerror:
            what = f"`{error.filename}`: {error.strerror.lower()}" if error.filename else error.strerror.lower()
        raise AccessDenied(
            f"credentials of profile `{name}` cannot be had: {what}",
            hint=f"aws sts get-caller-identity --profile {name}",
        ) from None
    # botocore has no public name for when its keys end.
    expires_at = getattr(credentials, "_expiry_time", None)
    if expires_at is not None:
        # dateutil's UTC is another object than Python's, and obstore takes no other than that.
        expires_at = expires_at.astimezone(UTC)
    return S3Keys(frozen.access_key or "", frozen.secret_key or "", frozen.token or None, expires_at)


def _session(profile: str | None, places: CredentialPlaces) -> botocore.session.Session:
    import botocore.session

    session = botocore.session.Session(profile=profile)
    session.set_config_variable("config_file", places.config_file)
    session.set_config_variable("credentials_file", places.credentials_file)
    if session.get_config_variable("region") is None:
        # For STS; botocore does not know the variable that all other tools read.
        session.set_config_variable("region", places.environment.get("AWS_REGION") or "us-east-1")
    # Off the cloud nobody answers at the instance's address: one short try.
    session.set_config_variable("metadata_service_timeout", 1)
    session.set_config_variable("metadata_service_num_attempts", 1)
    return session


def make_client(options: S3Options, credentials: CredentialSource) -> Any:
    """Make a boto3 client for administration, without retries of its own; the caller closes it."""
    import boto3
    from botocore import UNSIGNED
    from botocore.config import Config

    keys = None if options.anonymous else credentials.current()
    config = Config(
        # Ceph 16 refuses the newer default over https.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        s3={"addressing_style": "path" if options.uses_path_style else "virtual"},
        retries={"total_max_attempts": 1},
        connect_timeout=min(10.0, options.request_timeout_seconds),
        read_timeout=options.request_timeout_seconds,
        signature_version=UNSIGNED if options.anonymous else "s3v4",
        # Where the bucket is stands in the options, for both clients.
        ignore_configured_endpoint_urls=True,
    )
    return boto3.client(
        "s3",
        endpoint_url=options.endpoint,
        region_name=options.region,
        # Instead of the system's, not besides them: botocore has one file of certificates.
        verify=options.ca_file,
        aws_access_key_id=keys.access_key_id if keys else None,
        aws_secret_access_key=keys.secret_access_key if keys else None,
        aws_session_token=keys.session_token if keys else None,
        config=config,
    )


def translate_boto(
    error: Exception, operation: Operation, *, key: str | None, options: S3Options, secrets: Iterable[str] = ()
) -> SwampsyncError:
    """Make our error of one that an S3 client of boto3 raised; parameters as in `translate`."""
    from botocore.exceptions import ClientError, SSLError

    if isinstance(error, ClientError):
        return translate(answer_of(error), operation, key=key, options=options, secrets=secrets)
    if isinstance(error, SSLError) and "CERTIFICATE_VERIFY_FAILED" in str(error):
        return translate(Answer(trouble=Trouble.CERTIFICATE), operation, key=key, options=options)
    return _translate_core(error, options.profile or "default")


def answer_of(error: Any) -> Answer:
    """Read what the server answered out of a `ClientError`."""
    said: dict[str, Any] = dict(error.response.get("Error", {}))
    about = error.response.get("ResponseMetadata", {})
    code = said.get("Code")
    return Answer(
        status=about.get("HTTPStatusCode"),
        # Without a body, as after HEAD, botocore puts the status here.
        code=None if code is None or code.isdigit() else code,
        message=said.get("Message") or "",
        region=said.get("Region") or about.get("HTTPHeaders", {}).get("x-amz-bucket-region"),
        request_id=about.get("RequestId"),
    )


def _translate_client(error: Any, profile: str) -> SwampsyncError:
    said = error.response.get("Error", {})
    code, message = said.get("Code", ""), said.get("Message", "")
    if code in _EXPIRED:
        return _expired(profile, code)
    text = f"credentials of profile `{profile}` are refused: {code}: {message[:300]}"
    if error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) >= 500:
        return Unavailable(text, hint="run the command again later")
    return AccessDenied(text, hint=f"aws sts get-caller-identity --profile {profile}")


def _translate_core(error: Exception, profile: str) -> SwampsyncError:
    from botocore import exceptions as boto

    if isinstance(error, boto.SSOError | boto.TokenRetrievalError | boto.RefreshWithMFAUnsupportedError):
        return _expired(profile, type(error).__name__)
    if isinstance(error, boto.ProfileNotFound | boto.ConfigParseError | boto.InvalidConfigError):
        return InvalidInput(f"profile `{profile}` cannot be used: {_said(error)}", hint="aws configure list-profiles")
    if isinstance(error, boto.HTTPClientError | boto.ConnectionError):
        # Connection and TLS errors, time-outs.
        return Unavailable(f"{_said(error)}", hint="check the network, then run the command again")
    if isinstance(error, boto.ParamValidationError):
        return InvalidInput(_said(error))
    said = _said(error)
    if isinstance(error, boto.CredentialRetrievalError):
        # botocore quotes what these two said, and that may be a secret; the hint shows it to the person who is asked.
        said = _WITHHELD.get(str(error.kwargs.get("provider")), said)
    return AccessDenied(
        f"credentials of profile `{profile}` cannot be had: {said}",
        hint=f"aws sts get-caller-identity --profile {profile}",
    )


def _expired(profile: str, reason: str) -> CredentialsExpired:
    return CredentialsExpired(
        f"the session of profile `{profile}` has ended ({reason})", hint=f"aws sso login --profile {profile}"
    )


def _said(error: Exception) -> str:
    """Take a message as one line, lower-case start, no final full stop."""
    text = " ".join(str(error).split())[:300].rstrip(".")
    return text[:1].lower() + text[1:] if text else type(error).__name__
