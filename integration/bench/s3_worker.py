"""One client of `bench_s3` as a process: puts a directory's files into a bucket, or gets them from there."""

# ruff: noqa: PLC0415, PLR0917 - a client imports what it needs and nothing of the others; all take the same arguments.

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

LARGE_BYTES = 16 << 20


def ours(
    action: str, endpoint: str, bucket: str, prefix: str, directory: str, connections: int, *, create: bool
) -> None:
    """Use the store and the pool of this package."""
    from swampsync.backends.base import Create, Overwrite
    from swampsync.backends.s3 import S3Store
    from swampsync.backends.s3_keys import S3Keys, StaticCredentials
    from swampsync.backends.s3_settings import S3Options
    from swampsync.backends.transfer import Failed, run_many
    from swampsync.disk import LocalDisk, WriteMode
    from swampsync.layout import ObjectKey

    keys = S3Keys(os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"])
    options = S3Options(bucket=bucket, prefix=prefix, endpoint=endpoint)
    disk = LocalDisk()
    store = S3Store(options, StaticCredentials(keys), read_file=disk.read_bytes)
    mode = Create() if create else Overwrite()

    def put(name: str) -> None:
        path = f"{directory}/{name}"
        if os.path.getsize(path) > LARGE_BYTES:
            with open(path, "rb") as body:
                store.put_stream(ObjectKey(name), body)
        else:
            store.put(ObjectKey(name), disk.read_bytes(path), mode)

    def get(info: Any) -> None:
        with disk.open_write(f"{directory}/{info.key}", WriteMode.CREATE) as file:
            if info.size > LARGE_BYTES:
                with store.download(info.key, file) as (_, extents):
                    for _ in extents:
                        pass
            else:
                file.write(store.get(info.key).body)

    items: Iterable[Any] = os.listdir(directory) if action == "put" else store.list("")
    act: Callable[[Any], None] = put if action == "put" else get
    with ThreadPoolExecutor(connections) as pool:
        for outcome in run_many(items, act, pool=pool, concurrency=connections):
            if isinstance(outcome, Failed):
                raise outcome.error


def bare(action: str, endpoint: str, bucket: str, prefix: str, directory: str, connections: int) -> None:
    """Use obstore as plainly as one can, in threads that share a list of names."""
    import threading

    import obstore
    from obstore.store import S3Store

    store = S3Store(
        bucket,
        prefix=prefix,
        endpoint=endpoint,
        access_key_id=os.environ["AWS_ACCESS_KEY_ID"],
        secret_access_key=os.environ["AWS_SECRET_ACCESS_KEY"],
        region="us-east-1",
        client_options={"allow_http": True},
    )

    def put(name: str) -> None:
        with open(f"{directory}/{name}", "rb") as file:
            obstore.put(store, name, file.read(), use_multipart=False)

    def get(name: str) -> None:
        parent = name.rpartition("/")[0]
        if parent:
            os.makedirs(f"{directory}/{parent}", exist_ok=True)
        with open(f"{directory}/{name}", "wb") as file:
            file.write(obstore.get(store, name).bytes())

    if action == "put":
        found = (os.path.join(root, name) for root, _, files in os.walk(directory) for name in files)
        names = iter([os.path.relpath(path, directory) for path in found])
    else:
        names = iter([entry["path"] for page in obstore.list(store, chunk_size=1000) for entry in page])
    act = put if action == "put" else get
    lock = threading.Lock()

    def work() -> None:
        while True:
            with lock:
                name = next(names, None)
            if name is None:
                return
            act(name)

    threads = [threading.Thread(target=work) for _ in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def with_boto3(action: str, endpoint: str, bucket: str, prefix: str, directory: str, connections: int) -> None:
    """Use boto3's own transfers in threads."""
    import boto3
    from botocore.config import Config

    client = boto3.client("s3", endpoint_url=endpoint, config=Config(max_pool_connections=connections))

    def put(name: str) -> None:
        client.upload_file(f"{directory}/{name}", bucket, f"{prefix}/{name}")

    def get(key: str) -> None:
        client.download_file(bucket, key, f"{directory}/{key.rpartition('/')[2]}")

    if action == "put":
        items = os.listdir(directory)
    else:
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"{prefix}/")
        items = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
    with ThreadPoolExecutor(connections) as pool:
        list(pool.map(put if action == "put" else get, items))


def main(arguments: list[str]) -> None:
    """Do what `bench_s3` asks."""
    client, action, endpoint, bucket, prefix, directory, connections = arguments
    place = (action, endpoint, bucket, prefix, directory, int(connections))
    if client.startswith("swampsync"):
        ours(*place, create=client.endswith("create-only"))
    elif client == "boto3":
        with_boto3(*place)
    else:
        bare(*place)


if __name__ == "__main__":
    main(sys.argv[1:])
