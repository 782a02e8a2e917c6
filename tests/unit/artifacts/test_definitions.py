from __future__ import annotations

import os
import threading
import uuid
from typing import Any

import pytest

from swampsync.artifacts.definitions import (
    Definition,
    automatic_id,
    create_definition,
    create_model,
    definition_sources,
    find_definition,
    foreign_definition_sources,
    format_definition,
    list_definitions,
)
from swampsync.artifacts.model import Model
from swampsync.artifacts.scan import Problem
from swampsync.artifacts.tree import Tree
from swampsync.disk import LocalDisk
from swampsync.errors import Conflict, DataError, InvalidInput
from swampsync.layout import Layout
from swampsync.namespace import Namespace

REPO = "e73f6ca3-ebda-474c-9e0b-04822ef2e71b"
FIXTURES = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", "..", "fixtures"))


def tree_of(kit: Any) -> Tree:
    """Make what creating definitions takes."""
    return Tree(kit.disk, kit.clock, kit.layout, kit.new_id)


def find(kit: Any, text: str, problems: list[Problem] | None = None) -> Definition | None:
    """Find one of the kit's own models."""
    report = None if problems is None else problems.append
    return find_definition(kit.disk, definition_sources(kit.layout), text, on_problem=report)


def define(kit: Any, path: str, model_type: str, identifier: str, name: str) -> Definition:
    """Write a definition file below the repo's `models`, or at an absolute path."""
    full = path if path.startswith("/") else f"/repo/models/{path}"
    model = Model(model_type, identifier, name)
    kit.write(full, format_definition(model))
    return Definition(model, full)


def test_models_of_the_fixtures_are_found() -> None:
    """By name and by id in the repo's own `models`; for a foreign namespace in its evaluated definitions."""
    layout = Layout(f"{FIXTURES}/swamp-shared/infra", f"{FIXTURES}/swamp-shared/datastore", Namespace("infra"))
    own = find_definition(LocalDisk(), definition_sources(layout), "vpc")
    assert own is not None
    assert own.model == Model("command/shell", "47ffdace-47be-4871-a6bd-4aec5c7044cf", "vpc")
    assert find_definition(LocalDisk(), definition_sources(layout), own.model.id) == own
    assert find_definition(LocalDisk(), definition_sources(layout), "only-app") is None
    foreign = find_definition(LocalDisk(), foreign_definition_sources(layout.of(Namespace("app"))), "only-app")
    assert foreign is not None
    assert foreign.model.id == "c507b016-5a2b-4bd7-bc41-7ed5cae865d2"


def test_name_is_looked_up_before_id_and_models_before_automatic_ones(kit: Any) -> None:
    """A name in `models` wins over one in `auto-definitions`, any name over any id."""
    auto = define(kit, "/base/infra/auto-definitions/t/m.yaml", "t", "1", "m")
    assert find(kit, "m") == auto
    own = define(kit, "x/y/m.yaml", "x/y", "2", "m")
    assert find(kit, "m") == own
    named_like_an_id = define(kit, "t/1.yaml", "t", "3", "1")
    assert find(kit, "1") == named_like_an_id
    assert find(kit, "2") == own
    assert find(kit, "nothing") is None


def test_links_and_scoped_types_are_found(kit: Any) -> None:
    """Core fact 10.1.11: a linked file counts, and the type is the file's own word, not its directory's."""
    kit.write("/elsewhere/real.yaml", format_definition(Model("@acme/widget", "7", "linked")))
    kit.disk.makedirs("/repo/models/other/dir")
    kit.disk.symlink("/elsewhere/real.yaml", "/repo/models/other/dir/linked.yaml")
    kit.disk.symlink("/nowhere", "/repo/models/other/dir/dangling.yaml")
    found = find(kit, "linked")
    assert found is not None
    assert found.model == Model("@acme/widget", "7", "linked")
    assert find(kit, "7") == found
    scoped = define(kit, "@acme/tool/@acme/tool.yaml", "@Acme/Tool", "8", "@acme/tool")
    assert find(kit, "@acme/tool") == Definition(Model("@acme/tool", "8", "@acme/tool"), scoped.path)


def test_file_of_another_name_is_found(kit: Any) -> None:
    """The name in the file counts, whatever the file is called and however it is quoted."""
    renamed = define(kit, "t/old-name.yaml", "t", "1", "new-name")
    assert find(kit, "new-name") == renamed
    assert find(kit, "old-name") is None
    kit.write("/repo/models/t/odd.yaml", b'---\nname: "esc\\u0061ped"\nid: "2"\ntype: t # flow\nmethods: {a: [b]}\n')
    found = find(kit, "escaped")
    assert found is not None
    assert found.model == Model("t", "2", "escaped")


def test_type_comes_from_the_path_where_the_file_has_none(kit: Any) -> None:
    """An automatic definition without a type gets it from its directories."""
    kit.write("/base/infra/auto-definitions/a/b/m.yaml", b"id: x1\nname: m\n")
    found = find(kit, "m")
    assert found is not None
    assert found.model == Model("a/b", "x1", "m")


def test_doubled_name_is_a_conflict_that_names_both(kit: Any) -> None:
    """Two models of one name are never chosen between; the same one twice is no harm."""
    first = define(kit, "a/m.yaml", "a", "1", "m")
    second = define(kit, "b/m.yaml", "b", "2", "m")
    with pytest.raises(Conflict) as caught:
        find(kit, "m")
    assert f"`{first.path}` and `{second.path}`" in caught.value.message
    define(kit, "b/m.yaml", "a", "1", "m")
    assert find(kit, "m") == first
    define(kit, "c/n.yaml", "c", "1", "n")
    with pytest.raises(Conflict):
        find(kit, "1")


def test_malformed_definitions_hide_no_other(kit: Any) -> None:
    """Broken files are reported with their path, and the model beside them is found."""
    good = define(kit, "t/zz.yaml", "t", "1", "zz")
    kit.write("/repo/models/t/m.yaml", b"name: [m\n")
    kit.write("/repo/models/a.yaml", b"\xff m zz")
    kit.write("/repo/models/b.yaml", b"name: 5\nid: m\n")
    kit.write("/repo/models/c.yaml", b"name: m\nid: ../m\n")
    kit.write("/repo/models/d.yaml", b"name: m\nid: m\ntype: ::\n")
    kit.write("/repo/models/.hidden.yaml", b"rubbish")
    kit.write("/repo/models/notes.txt", b"rubbish")
    problems: list[Problem] = []
    assert find(kit, "zz") == good
    assert find(kit, "m", problems) is None
    assert {problem.path.rpartition("/")[2] for problem in problems} == {
        "m.yaml",
        "a.yaml",
        "b.yaml",
        "c.yaml",
        "d.yaml",
    }
    problems.clear()
    assert list_definitions(kit.disk, definition_sources(kit.layout), on_problem=problems.append) == [good]
    assert len(problems) == 5


def test_lookup_by_name_reads_one_file_of_thousands(kit: Any) -> None:
    """The file called after the name is read, the others are only listed."""
    for number in range(200):
        define(kit, f"t/m{number}.yaml", "t", str(number), f"m{number}")
    before = kit.disk.operations
    assert find(kit, "m7") is not None
    assert kit.disk.operations - before <= 5


def test_automatic_definition_is_created_in_swamps_shape(kit: Any) -> None:
    """The id is the UUID of repo, type and name, so that clones agree; the file says what swamp expects."""
    found = create_definition(tree_of(kit), "infra-vpc", repo_id=REPO)
    expected_id = str(uuid.uuid5(uuid.NAMESPACE_URL, f"swampsync:{REPO}:swampsync/artifact:infra-vpc"))
    assert found.model == Model("swampsync/artifact", expected_id, "infra-vpc")
    assert found.path == "/base/infra/auto-definitions/swampsync/artifact/infra-vpc.yaml"
    assert kit.disk.read_bytes(found.path).decode() == (
        f"type: swampsync/artifact\ntypeVersion: 2026.11.21.1\nid: {expected_id}\nname: infra-vpc\nversion: 1\n"
        "tags: {}\nglobalArguments: {}\nmethods: {}\n"
    )
    assert create_definition(tree_of(kit), "infra-vpc", repo_id="another clone") == found
    kit.disk.crash()
    assert find(kit, "infra-vpc") == found
    assert set(kit.tree()) == {"infra/auto-definitions/swampsync/artifact/infra-vpc.yaml"}


@pytest.mark.parametrize(("model_type", "name"), [("a", "b"), ("swampsync/artifact", "x_1"), ("ä/ö", "n")])
def test_automatic_id_is_a_version_5_uuid(model_type: str, name: str) -> None:
    """It equals what the standard library makes."""
    expected = uuid.uuid5(uuid.NAMESPACE_URL, f"swampsync:{REPO}:{model_type}:{name}")
    assert automatic_id(REPO, model_type, name) == str(expected)


def test_concurrent_creation_makes_one_definition(local_kit: Any) -> None:
    """Core fact 10.1.12: however many try at once, there is exactly one, and all get it."""
    found: list[Definition] = []
    barrier = threading.Barrier(8)

    def work() -> None:
        barrier.wait()
        found.append(create_definition(tree_of(local_kit), "m", repo_id=REPO))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1
    assert list(local_kit.tree()) == ["infra/auto-definitions/swampsync/artifact/m.yaml"]


def test_creation_of_what_exists_otherwise_is_refused(kit: Any) -> None:
    """Another type, a broken file in the place, and names that swamp would not take."""
    define(kit, "a/m.yaml", "a", "1", "m")
    assert create_definition(tree_of(kit), "m", repo_id=REPO, model_type="A").model.id == "1"
    with pytest.raises(Conflict, match="has type `a` already"):
        create_definition(tree_of(kit), "m", repo_id=REPO, model_type="b")
    kit.write("/base/infra/auto-definitions/swampsync/artifact/broken.yaml", b"name:\n")
    with pytest.raises(DataError, match=r"broken\.yaml"):
        create_definition(tree_of(kit), "broken", repo_id=REPO)
    for name in ("", "Upper", "-a", "a b", "a" * 65, "../x", "@acme", "@acme/../x", "a/b", "ä"):
        with pytest.raises(InvalidInput, match="model name"):
            create_definition(tree_of(kit), name, repo_id=REPO)
    assert create_definition(tree_of(kit), "@acme/tool", repo_id=REPO).path.endswith("/artifact/@acme/tool.yaml")


def test_model_is_created_in_the_repo(kit: Any) -> None:
    """`models/{type}/{name}.yaml` with a fresh id; a name that is taken is a conflict."""
    found = create_model(tree_of(kit), "web", model_type="Command::Shell")
    assert found.path == "/repo/models/command/shell/web.yaml"
    assert find(kit, "web") == found
    with pytest.raises(Conflict, match="defined already in"):
        create_model(tree_of(kit), "web", model_type="other")
