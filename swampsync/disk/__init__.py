"""Files: the `Disk` interface, and the machine's own file systems."""

from swampsync.disk.interface import Disk, DiskEntry, DiskFile, DiskStat, Kind, WriteMode, exists
from swampsync.disk.local import LocalDisk

__all__ = ["Disk", "DiskEntry", "DiskFile", "DiskStat", "Kind", "LocalDisk", "WriteMode", "exists"]
