"""One process that appends commits to a log as fast as it can and tells what was acknowledged.

    python integration/log/log_worker.py '{"number": 1, "commits": 25, "endpoint": …}'

Prints one line of JSON: the acknowledged ids by number, the races it lost, and the requests it took.
"""

from __future__ import annotations

import json
import random
import sys
import uuid
from collections.abc import Sequence

from swampsync.backends.counting import RequestCounter
from swampsync.backends.s3 import S3Store
from swampsync.backends.s3_keys import S3Keys, StaticCredentials
from swampsync.backends.s3_settings import S3Options
from swampsync.clock import SystemClock
from swampsync.layout import Layout
from swampsync.log.append import Appender
from swampsync.log.commit import CommitDraft, PublishedCommit
from swampsync.log.log import Log
from swampsync.log.rows import FilePut
from swampsync.log.tail import BEGINNING, Position
from swampsync.namespace import Namespace


def main() -> None:
    asked = json.loads(sys.argv[1])
    counter = RequestCounter()
    options = S3Options(
        bucket=asked["bucket"], prefix=asked["prefix"], endpoint=asked["endpoint"], region=asked["region"]
    )
    keys = S3Keys(asked["key"], asked["secret"])
    store = S3Store(options, StaticCredentials(keys), on_request=counter, read_file=lambda _path: b"")
    clock = SystemClock()
    rng = random.Random(asked["number"])
    log = Log(store, Layout("/repo", "/repo/.swamp/remote", Namespace.parse("infra")))
    appender = Appender(log, clock, rng, lambda: str(uuid.uuid4()), lambda *, seq, commit_id: None)
    position = BEGINNING
    acknowledged: dict[int, str] = {}
    lost = 0

    def take_in(_newer: Sequence[PublishedCommit], draft: CommitDraft) -> CommitDraft:
        return draft

    for number in range(asked["commits"]):
        path = f"files/{asked['number']}/{number}"
        draft = CommitDraft("push", "repo", "me@host", "test", put=(FilePut(path, 1, "0" * 64),))
        appended = appender.append(draft, take_in, position=position, tailed_at=clock.uptime())
        assert appended.published is not None
        position = Position.of(appended.published)
        acknowledged[position.seq] = position.id
        lost += len(appended.between)
    print(json.dumps({"acknowledged": acknowledged, "between": lost, "requests": counter.snapshot().requests}))


if __name__ == "__main__":
    main()
