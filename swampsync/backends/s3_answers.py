"""What the server, or the network in its place, answered: obstore's words read into values.

obstore raises few classes and puts the rest into text (`AlreadyExistsError` stands for 412 and 409, a missing
bucket is "not found", 429, 500, 503 and redirects are all `GenericError`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

from swampsync.backends.base import ObjectStoreRefused


class WireError(Exception):
    """The cause of our error: what was answered, without what obstore knows of the request."""


class ChecksumWanted(ObjectStoreRefused):
    """The bucket takes a put only with a checksum in a header of its own, as it does under Object Lock."""


class CompletionUntold(ObjectStoreRefused):
    """The parts of an upload were not put together, and obstore does not tell why."""


class Operation(Enum):
    """What was asked of the server; the same answer means different things after different questions."""

    GET = "read"
    HEAD = "look at"
    PUT = "write"
    CREATE = "create"
    SWAP = "replace"
    PARTS = "upload"
    DELETE = "delete"
    LIST = "list"


class Trouble(Enum):
    """What went wrong before there was an answer with a status."""

    TIMEOUT = "timeout"
    DNS = "dns"
    CONNECT = "connect"
    CERTIFICATE = "certificate"
    BROKEN = "broken"
    REDIRECT = "redirect"
    GARBAGE = "garbage"
    FOREIGN_KEY = "foreign-key"
    UNTOLD = "untold"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server, or the network in its place, answered.

    Args:
        status: The HTTP status, if there was one.
        code: The server's `<Code>`.
        message: The server's `<Message>`, one line; `redacted` cuts it to 300 characters.
        region: The region that the server says the bucket is in.
        request_id: What the server's operator can look for.
        trouble: What went wrong if there is neither status nor code.
    """

    status: int | None = None
    code: str | None = None
    message: str = ""
    region: str | None = None
    request_id: str | None = None
    trouble: Trouble | None = None

    def redacted(self, secrets: Iterable[str]) -> Answer:
        """Return the answer without any of `secrets`, should a server or proxy repeat what we sent; then cut it."""
        hidden = [secret for secret in secrets if secret]

        def hide(text: str) -> str:
            for secret in hidden:
                text = text.replace(secret, "***")
            return text[:_MAX_MESSAGE]

        return replace(
            self,
            message=hide(self.message),
            region=hide(self.region) if self.region else None,
            request_id=hide(self.request_id) if self.request_id else None,
        )


_STATUS: Final = re.compile(r"non-2xx status code: (\d{3})")
# The completion of a multipart upload begins its answer before it knows how it ends.
_ERROR_OF_200: Final = "Server returned error response: "
_ALL_DELETED: Final = re.compile(r"DeleteObjects request failed for key .*: (.*) \(code: (\w+)\)")
_XML_ESCAPES: Final = (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&apos;", "'"), ("&#34;", '"'), ("&amp;", "&"))
_DEBUG: Final = "\n\nDebug source"
# Keys, buckets and hosts have words in them that would be taken for the network's (`redirect`, `certificate`).
_URL: Final = re.compile(r"https?://\S+")
_MAX_MESSAGE: Final = 300


def parse_answer(text: str) -> Answer:
    """Read what obstore says of a failed request."""
    head, _, debug = text.partition(_DEBUG)
    found = _STATUS.search(head)
    if found or _ERROR_OF_200 in head:
        return Answer(
            status=int(found[1]) if found else 200,
            code=_element(head, "Code"),
            message=_element(head, "Message") or "",
            region=_element(head, "Region"),
            request_id=_element(head, "RequestId"),
        )
    deleted = _ALL_DELETED.search(head)
    if deleted:
        return Answer(code=deleted[2], message=_one_line(deleted[1]))
    return Answer(trouble=_find_trouble(head, debug))


def _element(text: str, name: str) -> str | None:
    _, opened, rest = text.partition(f"<{name}>")
    value, closed, _ = rest.partition(f"</{name}>")
    for escaped, plain in _XML_ESCAPES:
        value = value.replace(escaped, plain)
    return _one_line(value) or None if opened and closed else None


def _one_line(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _find_trouble(head: str, debug: str) -> Trouble:
    head, debug = _URL.sub("", head), _URL.sub("", debug)
    if "invalid path" in head:
        return Trouble.FOREIGN_KEY
    # A document without what a completion has: it has an error's code, of which obstore knows two.
    if "Got invalid multipart response: missing field `ETag`" in head:
        return Trouble.UNTOLD
    if "redirect" in head:
        return Trouble.REDIRECT
    # A connection that was not made in time is none: nothing was sent.
    if "ConnectError(" not in debug and ("TimedOut" in debug or "kind: Timeout" in debug):
        return Trouble.TIMEOUT
    if "dns error" in debug:
        return Trouble.DNS
    if "certificate" in debug.lower() or "InvalidCertificate" in debug:
        return Trouble.CERTIFICATE
    if "kind: Connect," in debug or "ConnectError(" in debug:
        return Trouble.CONNECT
    if "Parse(" in debug or "Unable to extract metadata" in head or "Got invalid" in head:
        return Trouble.GARBAGE
    if "HTTP error" in head or "kind: Interrupted" in debug:
        return Trouble.BROKEN
    return Trouble.UNKNOWN


def describe(answer: Answer) -> str:
    """Say what was answered, on one line: `403 AccessDenied: Access Denied (request 4442587FB7D0A2F9)`."""
    said = " ".join(str(part) for part in (answer.status, answer.code) if part)
    if not said:
        said = answer.trouble.value if answer.trouble else "no answer"
    if answer.message:
        said += f": {answer.message}"
    return f"{said} (request {answer.request_id})" if answer.request_id else said
