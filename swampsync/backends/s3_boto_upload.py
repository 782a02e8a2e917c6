"""An upload in parts through boto3, one part after the other, whose completion tells why it failed.

obstore reads the answer to a completion for two codes only. What else a server says there, under status 200, it takes
for an answer that lacks an ETag. Imported only then; boto3 takes 300 ms.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import replace
from typing import Any, Final, TypeVar

from swampsync.backends.base import ETag, RequestKind, RequestObserver
from swampsync.backends.s3_answers import Answer, Operation, Trouble
from swampsync.backends.s3_boto import answer_of, make_client, translate_boto
from swampsync.backends.s3_errors import translate
from swampsync.backends.s3_keys import CredentialSource
from swampsync.backends.s3_settings import Checksum, S3Options
from swampsync.errors import SwampsyncError
from swampsync.layout import ObjectKey

T = TypeVar("T")

# botocore makes this status of an error that comes under 200, so as to repeat it: only the code says which it was.
_ALSO_200: Final = 500


class BotoUpload:
    """Uploads to one bucket.

    Args:
        options: How to reach the bucket, with what was found to work.
        credentials: What signs the requests.
        on_request: Told every request.
    """

    def __init__(self, options: S3Options, credentials: CredentialSource, on_request: RequestObserver) -> None:
        self._options = options
        self._credentials = credentials
        self._tell = on_request

    def put(self, key: ObjectKey, parts: Iterable[bytes]) -> ETag | None:
        """Write an object in parts; return its ETag, if the server tells it.

        Raises:
            SwampsyncError: As of every request; the parts are removed.
        """
        place = {"Bucket": self._options.bucket, "Key": self._options.root + key.text}
        is_checked = self._options.checksum is Checksum.SHA256
        begin: dict[str, Any] = {"ChecksumAlgorithm": "SHA256"} if is_checked else {}
        if self._options.sse:
            begin["ServerSideEncryption"] = self._options.sse
        if self._options.sse_kms_key:
            begin["SSEKMSKeyId"] = self._options.sse_kms_key
        with closing(make_client(self._options, self._credentials)) as client:
            begun = self._ask(key, RequestKind.MULTIPART, lambda: client.create_multipart_upload(**place, **begin))
            if not begun.get("UploadId"):
                raise translate(Answer(trouble=Trouble.GARBAGE), Operation.PARTS, key=key.text, options=self._options)
            upload = {**place, "UploadId": begun["UploadId"]}
            try:
                sent = list(self._send(client, key, upload, parts, is_checked=is_checked))
                return self._complete(client, key, upload, sent)
            except BaseException:
                with suppress(SwampsyncError):
                    self._ask(key, RequestKind.MULTIPART, lambda: client.abort_multipart_upload(**upload))
                raise

    def _send(
        self, client: Any, key: ObjectKey, upload: dict[str, Any], parts: Iterable[bytes], *, is_checked: bool
    ) -> Iterator[dict[str, Any]]:
        for number, body in enumerate(parts, start=1):
            checksum: dict[str, Any] = {}
            if is_checked:
                checksum = {"ChecksumSHA256": base64.b64encode(hashlib.sha256(body).digest()).decode()}
            part: dict[str, Any] = {**upload, "PartNumber": number, "Body": body, **checksum}
            answer = self._ask(
                key,
                RequestKind.PUT,
                lambda: client.upload_part(**part),  # noqa: B023 called at once
                size=len(body),
            )
            yield {"PartNumber": number, "ETag": answer["ETag"], **checksum}

    def _complete(self, client: Any, key: ObjectKey, upload: dict[str, Any], sent: list[dict[str, Any]]) -> ETag | None:
        parts = {"Parts": sent}
        done = self._ask(
            key, RequestKind.MULTIPART, lambda: client.complete_multipart_upload(**upload, MultipartUpload=parts)
        )
        return ETag.parse(done["ETag"]) if done.get("ETag") else None

    def _ask(
        self,
        key: ObjectKey,
        kind: RequestKind,
        call: Callable[[], T],
        *,
        size: int = 0,
    ) -> T:
        from botocore.exceptions import BotoCoreError, ClientError

        secrets = () if self._options.anonymous else self._credentials.current().secrets
        self._tell(kind, size, 0)
        failure: SwampsyncError
        try:
            return call()
        except ClientError as error:
            answer = answer_of(error)
            if answer.status == _ALSO_200 and answer.code:
                answer = replace(answer, status=None)
            failure = translate(answer, Operation.PARTS, key=key.text, options=self._options, secrets=secrets)
        except BotoCoreError as error:
            failure = translate_boto(error, Operation.PARTS, key=key.text, options=self._options, secrets=secrets)
        # Outside the handler: what botocore knows of the request stays out of the traceback.
        raise failure
