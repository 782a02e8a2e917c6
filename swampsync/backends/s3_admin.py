"""What is asked of a bucket now and then, through boto3: does it exist, what are its rules, what lies about."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from swampsync.backends.base import BucketNotFound, ETag, ObjectNotFound, ObjectStoreRefused
from swampsync.backends.bucket_rules import BucketVersions, LifecycleEffect, LifecycleRule
from swampsync.backends.s3_answers import Operation
from swampsync.backends.s3_boto import make_client, translate_boto
from swampsync.backends.s3_keys import CredentialSource
from swampsync.backends.s3_settings import ETagQuoting, S3Options
from swampsync.errors import Conflict, SwampsyncError

T = TypeVar("T")

# What lies there must be restored, for hours, before it can be read; other classes only cost differently.
_ARCHIVES: Final = {"GLACIER", "DEEP_ARCHIVE"}
_NO_LOCK: Final = {
    "ObjectLockConfigurationNotFoundError",
    "NoSuchObjectLockConfiguration",
    "NotImplemented",
    "MethodNotAllowed",
}
_NO_RULES: Final = {"NoSuchLifecycleConfiguration", "NotImplemented", "MethodNotAllowed"}


@dataclass(frozen=True, slots=True)
class ObjectVersion:
    """A version of an object in a versioned bucket; keys are relative to the options' prefix."""

    key: str
    version_id: str
    etag: ETag | None
    size: int
    modified_at: datetime
    is_latest: bool
    is_delete_marker: bool


class S3Admin:
    """Administration of one bucket; a context manager, so that its connections are closed.

    Args:
        options: How to reach the bucket.
        credentials: What signs the requests.
    """

    def __init__(self, options: S3Options, credentials: CredentialSource) -> None:
        self._options = options
        self._secrets = () if options.anonymous else credentials.current().secrets
        self._client: Any = make_client(options, credentials)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def has_bucket(self) -> bool:
        """Say whether the bucket exists and we may see it.

        Raises:
            AccessDenied: It exists, but is not ours to see.
        """
        try:
            # Lists at most one key, since the answer to HeadBucket has no body that could say why not.
            self._ask(Operation.LIST, self._client.list_objects_v2, MaxKeys=1, Prefix=self._options.root)
        except BucketNotFound:
            return False
        return True

    def create_bucket(self) -> None:
        """Create the bucket; that it is ours already is success.

        Raises:
            Conflict: The name belongs to somebody else.
        """
        options = self._options
        more: dict[str, Any] = {}
        # AWS wants the region named, but for the one that has no name there; other servers want none.
        if options.endpoint is None and options.region != "us-east-1":
            more["CreateBucketConfiguration"] = {"LocationConstraint": options.region}
        try:
            self._ask(Operation.CREATE, self._client.create_bucket, **more)
        except ObjectStoreRefused as error:
            cause = str(error.__cause__)
            if "BucketAlreadyOwnedByYou" in cause:
                return
            if "BucketAlreadyExists" in cause:
                raise Conflict(
                    f"bucket name `{options.bucket}` is taken", hint="bucket names are shared by all: choose another"
                ) from error
            raise

    def versioning(self) -> str:
        """Return `Enabled`, `Suspended` or `Off`."""
        answer = self._ask(Operation.LIST, self._client.get_bucket_versioning)
        return str(answer.get("Status", "Off"))

    def lifecycle_rules(self) -> list[LifecycleRule]:
        """Return the rules that are switched on and may touch what lies below the options' prefix.

        Raises:
            AccessDenied: We are not allowed to know them.
        """
        try:
            answer = self._ask(Operation.LIST, self._client.get_bucket_lifecycle_configuration)
        except ObjectStoreRefused as error:
            if any(code in str(error.__cause__) for code in _NO_RULES):
                return []
            raise
        rules = [parse_rule(rule, self._options.root) for rule in answer.get("Rules", [])]
        return [rule for rule in rules if rule is not None]

    def versions(self) -> BucketVersions:
        """Say whether the bucket keeps what is replaced or removed, and whether Object Lock holds it.

        Raises:
            AccessDenied: We are not allowed to know.
        """
        if self.versioning() != "Enabled":
            return BucketVersions(is_kept=False)
        try:
            answer = self._ask(Operation.LIST, self._client.get_object_lock_configuration)
        except (ObjectStoreRefused, ObjectNotFound) as error:
            if any(code in str(error.__cause__) for code in _NO_LOCK):
                return BucketVersions(is_kept=True)
            raise
        rule = answer.get("ObjectLockConfiguration", {}).get("Rule", {}).get("DefaultRetention", {})
        for unit, field in (("day", "Days"), ("year", "Years")):
            if rule.get(field):
                count = rule[field]
                return BucketVersions(True, f"{count} {unit}{'' if count == 1 else 's'} ({rule.get('Mode', 'locked')})")
        return BucketVersions(is_kept=True)

    def object_versions(self, prefix: str) -> Iterator[ObjectVersion]:
        """List all versions, and marks of deletion, of objects whose key begins with `prefix`."""
        root = self._options.root
        for page in self._pages("list_object_versions", prefix):
            for field, is_marker in (("Versions", False), ("DeleteMarkers", True)):
                for entry in page.get(field, []):
                    yield ObjectVersion(
                        entry["Key"][len(root) :],
                        entry["VersionId"],
                        ETag.parse(entry["ETag"]) if "ETag" in entry else None,
                        entry.get("Size", 0),
                        entry["LastModified"],
                        entry["IsLatest"],
                        is_marker,
                    )

    def read_version(self, key: str, version_id: str) -> bytes:
        """Read one version of an object."""
        answer = self._ask(
            Operation.GET, self._client.get_object, key=key, Key=self._options.root + key, VersionId=version_id
        )
        with answer["Body"] as body:
            content: bytes = body.read()
        return content

    def restore_version(self, key: str, version_id: str) -> None:
        """Make an old version the current one again, by copying it onto its own key."""
        full = self._options.root + key
        source = {"Bucket": self._options.bucket, "Key": full, "VersionId": version_id}
        self._ask(Operation.PUT, self._client.copy_object, key=key, Key=full, CopySource=source)

    def abort_stale_uploads(self, prefix: str, *, older_than: datetime) -> list[str]:
        """Remove the parts of uploads below `prefix` that were begun before a time and never completed.

        A process that was killed leaves them behind; they cost money and no listing shows them.

        Args:
            prefix: Of the keys; never empty by accident: pass the namespace's.
            older_than: By the server's clock, aware UTC. Uploads under way are younger.

        Returns:
            The keys whose uploads were removed.
        """
        root = self._options.root
        stale = [
            (upload["Key"], upload["UploadId"])
            for page in self._pages("list_multipart_uploads", prefix)
            for upload in page.get("Uploads", [])
            if upload["Initiated"] < older_than
        ]
        for key, upload_id in stale:
            shown = key[len(root) :]
            self._ask(Operation.DELETE, self._client.abort_multipart_upload, key=shown, Key=key, UploadId=upload_id)
        return [key[len(root) :] for key, _ in stale]

    # What `doctor backend` reports and nothing rests on: servers were seen to accept both conditions and ignore them.

    def delete_if_match(self, key: str, etag: ETag) -> None:
        """Ask for an object to be removed if it still has an ETag.

        Raises:
            PreconditionFailed: The server says that it has another, or is gone.
            NotSupported: The server has no such condition.
        """
        text = etag.text if self._options.etag_quoting is ETagQuoting.BARE else f'"{etag}"'
        self._ask(Operation.SWAP, self._client.delete_object, key=key, Key=self._options.root + key, IfMatch=text)

    def upload_if_absent(self, key: str, body: bytes) -> None:
        """Upload one part, and ask for it to become an object if there is none; else it is removed.

        Raises:
            ObjectExists: The server says that there is one.
            NotSupported: The server has no such condition.
        """
        place = {"Key": self._options.root + key}
        encryption = {"ServerSideEncryption": self._options.sse, "SSEKMSKeyId": self._options.sse_kms_key}
        wanted = {name: value for name, value in encryption.items() if value}
        begun = self._ask(Operation.PARTS, self._client.create_multipart_upload, key=key, **place, **wanted)
        place["UploadId"] = begun["UploadId"]
        try:
            part = self._ask(Operation.PARTS, self._client.upload_part, key=key, PartNumber=1, Body=body, **place)
            parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
            complete = self._client.complete_multipart_upload
            self._ask(Operation.CREATE, complete, key=key, MultipartUpload=parts, IfNoneMatch="*", **place)
        except SwampsyncError:
            with suppress(SwampsyncError):
                self._ask(Operation.DELETE, self._client.abort_multipart_upload, key=key, **place)
            raise

    def _pages(self, name: str, prefix: str) -> Iterator[dict[str, Any]]:
        pages = iter(
            self._client.get_paginator(name).paginate(Bucket=self._options.bucket, Prefix=self._options.root + prefix)
        )
        while True:
            page = self._do(Operation.LIST, prefix, lambda: next(pages, None))
            if page is None:
                return
            yield page

    def _ask(self, operation: Operation, call: Callable[..., Any], *, key: str | None = None, **parameters: Any) -> Any:
        return self._do(operation, key, lambda: call(Bucket=self._options.bucket, **parameters))

    def _do(self, operation: Operation, key: str | None, call: Callable[[], T]) -> T:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return call()
        except (BotoCoreError, ClientError) as caught:
            failure = translate_boto(caught, operation, key=key, options=self._options, secrets=self._secrets)
        raise failure


def parse_rule(rule: Mapping[str, Any], root: str) -> LifecycleRule | None:
    """Read a rule as S3 words it; `None` if it is switched off or cannot touch what lies below `root`.

    A rule that also asks for tags or sizes counts as one for every object: who knows what will match tomorrow.
    """
    chosen = rule.get("Filter") or {}
    prefix = rule.get("Prefix") or chosen.get("Prefix") or (chosen.get("And") or {}).get("Prefix") or ""
    if rule.get("Status") != "Enabled" or not (prefix.startswith(root) or root.startswith(prefix)):
        return None
    expiration = rule.get("Expiration") or {}
    classes = {t.get("StorageClass") for t in [*rule.get("Transitions", []), rule.get("Transition") or {}]}
    if "Days" in expiration or "Date" in expiration:
        effect = LifecycleEffect.EXPIRE
    elif classes & _ARCHIVES:
        effect = LifecycleEffect.ARCHIVE
    else:
        effect = LifecycleEffect.OTHER
    return LifecycleRule(rule.get("ID", ""), prefix[len(root) :], effect)
