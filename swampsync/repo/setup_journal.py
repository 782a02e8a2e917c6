"""What a set-up is about to do, kept on the disk until it is done: a killed one is finished by the next.

It stands in `.swamp/setup/`, beside the clone that is made ready there if the data goes to a bucket.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Final

from swampsync.config.config_file import replace_file
from swampsync.config.datastore import FilesystemSettings
from swampsync.config.exclude import ExcludeRules
from swampsync.config.settings import RepoConfig
from swampsync.disk import Disk
from swampsync.errors import DataError
from swampsync.layout import Layout
from swampsync.namespace import SOLO, Namespace

DIRECTORY: Final = "setup"
_NAME: Final = "journal.json"
_FORMAT: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Journal:
    """One set-up.

    Args:
        target: Where the data goes, as `name_place` says it.
        base: The directory, or the local copy of the bucket, that is left.
        namespace: That was used there; empty in solo mode.
        subdirs: The subdirectories that lay there.
        exclude: Patterns of what did not.
        is_remote: Whether a bucket is left.
        commit: The newest commit of that bucket's log; empty for none.
        keeps_source: Whether nothing moves, and the old place is left alone.
    """

    target: str
    base: str
    namespace: str
    subdirs: tuple[str, ...]
    exclude: tuple[str, ...]
    is_remote: bool
    commit: str = ""
    keeps_source: bool = False

    def layout(self, repo_dir: str, *, base: str | None = None) -> Layout:
        """Make the layout of the place that is left, or of where its files were put out of the way."""
        namespace = Namespace.parse(self.namespace) if self.namespace else SOLO
        layout = Layout(repo_dir, self.base if base is None else base, namespace, self.subdirs)
        rules = ExcludeRules(self.exclude)
        return layout if rules.is_empty else Layout(repo_dir, layout.base, namespace, layout.subdirs, rules)


def name_place(config: RepoConfig) -> str:
    """Name where a configuration keeps data: two that are the same place have the same name."""
    datastore = config.datastore
    place = [datastore.path] if isinstance(datastore, FilesystemSettings) else list(datastore.place)
    return json.dumps([datastore.type, *place, config.namespace.name, sorted(config.directories)])


class Journals:
    """Keeps the journal of one repo.

    Args:
        disk: Where the repo lies.
        layout: Of the repo.
    """

    def __init__(self, disk: Disk, layout: Layout) -> None:
        self._disk = disk
        self.directory = layout.local_path(DIRECTORY)
        self._path = layout.local_path(DIRECTORY, _NAME)

    def read(self) -> Journal | None:
        """Read the journal of a set-up that was not finished, `None` if there is none.

        Raises:
            DataError: It cannot be read.
        """
        try:
            fields = json.loads(self._disk.read_bytes(self._path))
            if fields.pop("format") != _FORMAT:
                raise ValueError("another format")  # noqa: TRY301 - all that is wrong with it is said in one place
            return Journal(**fields | {key: tuple(fields[key]) for key in ("subdirs", "exclude")})
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (ValueError, TypeError, KeyError) as error:
            raise DataError(
                f"`{self._path}` cannot be read ({error}): it says what an interrupted set-up had begun",
                hint="run the version of swampsync that wrote it, or remove it if both places are as you want them",
                key=self._path,
            ) from error

    def write(self, journal: Journal) -> None:
        """Write the journal, durable when this returns."""
        self._disk.makedirs(self.directory)
        body = json.dumps({"format": _FORMAT, **asdict(journal)}, indent=2) + "\n"
        replace_file(self._disk, self._path, body.encode())

    def remove(self) -> None:
        """Forget the set-up: it is done, or given up."""
        try:
            self._disk.unlink(self._path)
        except (FileNotFoundError, NotADirectoryError):
            return
