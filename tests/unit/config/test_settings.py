from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from swampsync.config.datastore import FilesystemSettings, Hydration, S3Settings
from swampsync.config.describe import describe_settings
from swampsync.config.document import ConfigDocument, NewValue
from swampsync.config.settings import Flags, RepoConfig, build_layout, load_config, make_config
from swampsync.disk import LocalDisk
from swampsync.errors import InvalidInput, NotFound
from swampsync.namespace import SOLO, Namespace

MARKER = 'swampVersion: 20260206.200442.0\ninitializedAt: "2026-11-21T09:39:02.035Z"\nrepoId: r-1\ntools: []\n'
SHARED = MARKER + "datastore:\n  type: filesystem\n  path: ../datastore\n  namespace: app\n"
S3 = MARKER + 'datastore:\n  type: "@swampsync/s3"\n  namespace: app\n  config:\n    bucket: team\n    prefix: /a/b/\n'


def make(text: str, *, flags: Flags | None = None, **environ: str) -> RepoConfig:
    return make_with(text, environ, flags)


def make_with(text: str, environ: dict[str, str], flags: Flags | None = None) -> RepoConfig:
    document = ConfigDocument.parse(text.encode(), path="/r/repo/.swamp.yaml")
    return make_config(document, repo_dir="/r/repo", environ=environ, flags=flags or Flags())


def settings_of(config: RepoConfig) -> dict[str, tuple[object, str]]:
    return {setting.name: (setting.value, setting.source) for setting in describe_settings(config)}


def test_defaults_are_swamps() -> None:
    """A fresh repo is solo, on its own `.swamp`, with swamp's time limits."""
    config = make(MARKER)
    assert config.datastore == FilesystemSettings("/r/repo/.swamp", "/r/repo/.swamp")
    assert config.base == "/r/repo/.swamp"
    assert config.namespace is SOLO
    assert not config.is_remote
    assert config.repo_id == "r-1"
    assert config.auto_gc is False
    assert config.auto_sync is True
    assert config.hydration is Hydration.FULL
    assert (config.lock_timeout_ms, config.sync_timeout_ms) == (60_000, 300_000)
    assert config.warnings == ()
    assert len(config.directories) == 10


def test_shared_directory_is_resolved_against_the_repo() -> None:
    """A relative path is relative to the repo, wherever the command runs."""
    config = make(SHARED)
    assert config.base == "/r/datastore"
    assert config.namespace == Namespace("app")
    assert build_layout(config).root == "/r/datastore/app"
    assert build_layout(config, SOLO).root == "/r/datastore"


def test_bucket_is_read_into_its_settings() -> None:
    """The prefix loses its slashes; the local copy lies in the repo."""
    config = make(
        S3 + "    forcePathStyle: true\n    endpoint: http://host:9000\n  hydrationStrategy: lazy\n  autoSync: false\n"
    )
    assert config.datastore == S3Settings(
        bucket="team", prefix="a/b", endpoint="http://host:9000", force_path_style=True
    )
    assert config.is_remote
    assert config.datastore.url == "s3://team/a/b"
    assert config.base == "/r/repo/.swamp/remote"
    assert config.hydration is Hydration.LAZY
    assert config.auto_sync is False


def test_variable_names_the_place_and_keeps_the_rest() -> None:
    """`SWAMP_DATASTORE` says where; whose data it is and what lies there stay as configured (swamp drops both)."""
    text = SHARED + "  directories: [data]\n  exclude: [data/tmp]\n"
    config = make(text, SWAMP_DATASTORE="filesystem:$BASE/other", BASE="/b:c")
    assert config.base == "/b:c/other"
    assert config.namespace.name == "app"
    assert (config.directories, config.exclude) == (("data",), ("data/tmp",))
    assert settings_of(config)["datastore.path"] == ("/b:c/other", "SWAMP_DATASTORE")
    assert make(SHARED, SWAMP_DATASTORE="").base == "/r/datastore"


def test_variable_takes_a_bucket_as_json() -> None:
    """What follows the first colon is the `config:` map; hydration is read out of it, as in swamp."""
    config = make(
        MARKER, SWAMP_DATASTORE='@swampsync/s3:{"bucket": "b:1-x", "hydrationStrategy": "lazy"}'.replace(":1", "1")
    )
    assert isinstance(config.datastore, S3Settings)
    assert config.datastore.bucket == "b1-x"
    assert config.hydration is Hydration.LAZY


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("filesystem", "type:value"), ("filesystem:", "empty"), ("filesystem:$NOPE", "NOPE"),
        ("s3:bucket/prefix", "swamp's own S3 datastore"), ("@swamp/s3-datastore:{}", "swamp's own S3 datastore"),
        ("@x/y:{}", "no datastore type"), ("@swampsync/s3:{", "not JSON"), ("@swampsync/s3:[]", "JSON object"),
        ("@swampsync/s3:{}", "needs a `bucket`"), ('@swampsync/s3:{"bucket": "b/c"}', "no name"),
    ],
)  # fmt: skip
def test_variable_that_cannot_be_used_is_refused(value: str, message: str) -> None:
    """The file's place is never used instead."""
    with pytest.raises(InvalidInput, match=message):
        make(SHARED, SWAMP_DATASTORE=value)


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("datastore:\n  type: s3\n", 2, "swamp's own S3 datastore"),
        ('datastore:\n  type: "@swamp/s3-datastore"\n', 2, "swamp's own S3 datastore"),
        ("datastore:\n  type: ftp\n", 2, "no datastore type"),
        ("datastore:\n  path: x\n", 1, "no `type`"),
        ("datastore:\n  type: filesystem\n", 1, "needs a `path`"),
        ("a: 1\ndatastore: text\n", 2, "must be a map"),
        ("datastore:\n  type: filesystem\n  path: [x]\n", 3, "must be a text"),
        ("datastore:\n  type: filesystem\n  path: $NOPE\n", 3, "NOPE"),
        ("datastore:\n  namespace: data\n", 2, "reserved"),
        ("datastore:\n  namespace: ../x\n", 2, "may hold"),
        ("datastore:\n  namespace: [a]\n", 2, "must be a text"),
        ("datastore:\n  directories: data\n", 2, "must be a list"),
        ("datastore:\n  directories: [data, [x]]\n", 2, "must be a list"),
        ("datastore:\n  directories: [dta]\n", 2, "only these exist"),
        ("datastore:\n  exclude: ['[z-a]']\n", 2, "malformed"),
        ("datastore:\n  autoSync: yes\n", 2, "`true` or `false`"),
        ("datastore:\n  hydrationStrategy: some\n", 2, "must be one of `full`, `lazy`"),
        ("datastore:\n  syncTimeoutMs: 0\n", 2, "above 0"),
        ("autoGc: maybe\n", 1, "`true` or `false`"),
        ("logLevel: loud\n", 1, "must be one of"),
        ("swampVersion: one\n", 1, "three numbers"),
        ("repoId: [x]\n", 1, "must be a text"),
        ('datastore:\n  type: "@swampsync/s3"\n', 1, "needs a `bucket`"),
        ('datastore:\n  type: "@swampsync/s3"\n  config:\n    bucket: x!\n', 4, "no name"),
        ('datastore:\n  type: "@swampsync/s3"\n  config:\n    bucket: abc\n    prefix: a/../b\n', 5, "segment"),
        ('datastore:\n  type: "@swampsync/s3"\n  config:\n    bucket: abc\n    endpoint: u:p@x\n', 5, "URL"),
        ('datastore:\n  type: "@swampsync/s3"\n  config:\n    bucket: abc\n    pullConcurrency: 5000\n', 5, "between"),
    ],
)
def test_value_that_cannot_be_used_is_refused_with_its_line(text: str, line: int, message: str) -> None:
    """Nothing is ignored or guessed: the error names the line, and exits as wrong configuration."""
    with pytest.raises(InvalidInput, match=message) as caught:
        make(text)
    assert f"/r/repo/.swamp.yaml:{line}:" in caught.value.message
    assert caught.value.exit_status == 2


@pytest.mark.holds("I10")
@pytest.mark.parametrize("key", ["accessKeyId", "secret_access_key", "sessionToken"])
def test_secrets_in_the_configuration_are_refused(key: str) -> None:
    """Credentials never stand in a file that goes into version control."""
    with pytest.raises(InvalidInput, match="does not belong"):
        make(S3 + f"    {key}: x\n")


def test_reserved_namespace_of_an_existing_repo_has_a_way_out() -> None:
    """swamp accepts `data`; here it is an error that names a command, and `-n` gets past it."""
    text = "datastore:\n  type: filesystem\n  path: /ds\n  namespace: data\n"
    with pytest.raises(InvalidInput, match="reserved") as caught:
        make(text)
    assert caught.value.hint == "swamp -n data-repo datastore namespace set data-repo"
    assert make(text, flags=Flags(namespace="data-repo")).namespace.name == "data-repo"
    with pytest.raises(InvalidInput) as caught:
        make("datastore:\n  namespace: ..\n")
    assert caught.value.hint == "swamp -n NAME datastore namespace set NAME"


def test_time_limits_have_their_order() -> None:
    """Flag, file, environment, default; a variable that is no number is ignored, as in swamp."""
    env = {"SWAMP_DATASTORE_SYNC_TIMEOUT_MS": "7000ms", "SWAMP_LOCK_TIMEOUT_MS": "0x10"}
    text = MARKER + "datastore:\n  syncTimeoutMs: 8000\n"
    assert make_with(MARKER, env).sync_timeout_ms == 7_000
    assert make_with(MARKER, env).lock_timeout_ms == 16
    assert make_with(text, env).sync_timeout_ms == 8_000
    assert make_with(text, env, Flags(sync_timeout_ms=9_000)).sync_timeout_ms == 9_000
    assert make(MARKER, SWAMP_LOCK_TIMEOUT_MS="soon", SWAMP_DATASTORE_SYNC_TIMEOUT_MS="-1").lock_timeout_ms == 60_000


def test_log_level_has_its_order() -> None:
    """Flag, environment, file, default."""
    assert make(MARKER).log_level == "warning"
    assert make("logLevel: debug\n").log_level == "debug"
    assert make("logLevel: debug\n", SWAMP_LOG_LEVEL="ERROR").log_level == "error"
    assert make("logLevel: debug\n", SWAMP_LOG_LEVEL="x", flags=Flags(log_level="info")).log_level == "info"
    with pytest.raises(InvalidInput, match="SWAMP_LOG_LEVEL"):
        make(MARKER, SWAMP_LOG_LEVEL="loud")


def test_every_setting_knows_its_source() -> None:
    """`config list` shows line, variable, flag or default for each."""
    config = make(SHARED + "autoGc: true\n", flags=Flags(namespace="infra"), SWAMP_LOCK_TIMEOUT_MS="5")
    described = settings_of(config)
    assert described["repoId"] == ("r-1", ".swamp.yaml:3")
    assert described["datastore.type"] == ("filesystem", ".swamp.yaml:6")
    assert described["datastore.path"] == ("/r/datastore", ".swamp.yaml:7")
    assert described["datastore.namespace"] == ("infra", "flag")
    assert described["autoGc"] == (True, ".swamp.yaml:9")
    assert described["lockTimeoutMs"] == (5, "SWAMP_LOCK_TIMEOUT_MS")
    assert described["logLevel"] == ("warning", "default")
    assert settings_of(make(S3))["datastore.config.bucket"] == ("team", ".swamp.yaml:9")
    assert settings_of(make(S3))["datastore.config.region"] == (None, "default")


def test_misspelt_keys_are_warned_of() -> None:
    """A key that resembles a known one is reported with its line; other people's keys are left alone."""
    text = (
        MARKER
        + "autoGC: true\nmine: 1\nnamespace: x\ndatastore:\n  direktories: [data]\n  autoGc: true\n  whatever: 1\n"
    )
    warnings = make(text).warnings
    assert [(w.line, w.message.split("`")[1], w.hint) for w in warnings] == [
        (5, "autoGC", "write autoGc"),
        (7, "namespace", "move it: it belongs under `datastore:`"),
        (9, "datastore.direktories", "write directories"),
        (10, "autoGc", "move it: it belongs at the top level"),
    ]
    assert str(warnings[0]) == "`.swamp.yaml` line 5: `autoGC` is no known setting and has no effect; write autoGc"
    (warning,) = make(S3 + "    pathStyle: true\n").warnings
    assert warning.hint == "write forcePathStyle"


def test_directories_and_exclude_reach_the_layout() -> None:
    """What is not listed, always local, or excluded lies in the repo."""
    config = make(SHARED + "  directories: [data, secrets, data]\n  exclude: ['data/**/tmp-*']\n")
    layout = build_layout(config)
    assert layout.subdirs == ("data",)
    assert layout.resolve("data", "t", "i", "x", "1") == "/r/datastore/app/data/t/i/x/1"
    assert layout.resolve("data", "t", "i", "tmp-x", "1") == "/r/repo/.swamp/data/t/i/tmp-x/1"
    assert layout.resolve("secrets", "k") == "/r/repo/.swamp/secrets/k"
    assert layout.resolve("outputs", "k") == "/r/repo/.swamp/outputs/k"
    assert layout.has_exclusions
    assert not build_layout(make(SHARED + "  exclude: ['# none']\n")).has_exclusions


def test_swamp_home_moves_the_cache() -> None:
    """`SWAMP_HOME` replaces `~/.swamp`; without it the platform decides about the cache."""
    assert make(MARKER, HOME="/h").swamp_home == "/h/.swamp"
    assert make(MARKER, HOME="/h").cache_dir is None
    assert make(MARKER, SWAMP_HOME="/s").cache_dir == "/s/cache"


def test_loading_creates_nothing(tmp_path: Path) -> None:
    """Reading a configuration, also one that is refused, leaves the disk as it is."""
    marker = tmp_path / ".swamp.yaml"
    marker.write_text("datastore:\n  type: filesystem\n  path: ds\n  namespace: ../x\n")
    with pytest.raises(InvalidInput):
        load_config(LocalDisk(), str(tmp_path), environ={})
    assert load_config(LocalDisk(), str(tmp_path), environ={}, flags=Flags(namespace="ok")).repo_id is None
    assert [p.name for p in tmp_path.iterdir()] == [".swamp.yaml"]


def test_reading_a_plain_configuration_imports_no_yaml(tmp_path: Path) -> None:
    """A file as swamp and we write it is read, and turned into a layout, without PyYAML and without the editor."""
    (tmp_path / ".swamp.yaml").write_text(SHARED + "  directories:\n    - data\n  exclude:\n    - data/x\n")
    program = (
        "import sys\nfrom swampsync.disk import LocalDisk\n"
        "from swampsync.config.settings import build_layout, load_config\n"
        f"build_layout(load_config(LocalDisk(), {str(tmp_path)!r}, environ={{}}))\n"
        "print([m for m in sys.modules if m.split('.')[0] == 'yaml' or m.startswith('swampsync.config.yaml')])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize(
    ("repo", "namespace"), [("swamp-shared/app", "app"), ("swamp-shared/infra", "infra"), ("swamp-solo", "")]
)
def test_configurations_that_swamp_wrote_are_read(repo: str, namespace: str) -> None:
    """The fifteen directories that swamp lists, secrets among them, come down to the ten that are shared."""
    fixtures = Path(__file__).parents[2] / "fixtures"
    config = load_config(LocalDisk(), str(fixtures / repo), environ={})
    assert config.namespace.name == namespace
    assert config.base == str(fixtures / ("swamp-shared/datastore" if namespace else "swamp-solo/.swamp"))
    assert len(config.directories) == 10
    assert config.warnings == ()


def test_missing_file_is_not_found(tmp_path: Path) -> None:
    """A directory without a marker is no repo."""
    with pytest.raises(NotFound) as caught:
        load_config(LocalDisk(), str(tmp_path), environ={})
    assert caught.value.hint == "swamp repo init"


def test_config_written_by_us_reads_back() -> None:
    """Whatever block is written by commands makes a configuration again."""
    document = ConfigDocument.parse(MARKER.encode(), path="/r/repo/.swamp.yaml")
    document = document.set(("datastore", "namespace"), "infra")
    config = make(document.to_bytes().decode())
    assert (config.namespace.name, config.base) == ("infra", "/r/repo/.swamp")
    block: NewValue = {"type": "@swampsync/s3", "config": {"bucket": "b-1", "prefix": "1:30", "forcePathStyle": True}}
    again = make(document.set(("datastore",), block).to_bytes().decode())
    assert again.datastore == S3Settings(bucket="b-1", prefix="1:30", force_path_style=True)
