"""Which function answers which words on the command line.

Only the module of the command that was typed is imported; a help page or an unknown word imports them all.
"""

from __future__ import annotations

from typing import Final

# Words -> "module:function"; the modules lie in swampsync/cli.
COMMANDS: Final[dict[tuple[str, ...], str]] = {
    ("init",): "repo:init",
    ("repo", "init"): "repo:init",
    ("repo", "status"): "repo:status",
    ("repo", "upgrade"): "repo:upgrade",
    ("repo", "deinit"): "repo:deinit",
    ("config", "get"): "config:get",
    ("config", "set"): "config:set_",
    ("config", "unset"): "config:unset",
    ("config", "list"): "config:list_",
    ("data", "put"): "data_write:put",
    ("data", "import"): "data_write:import_",
    ("data", "delete"): "data_write:delete",
    ("data", "rename"): "data_write:rename",
    ("data", "gc"): "structural:gc",
    ("data", "prune"): "structural:prune",
    ("data", "get"): "data_read:get",
    ("data", "list"): "data_read:list_",
    ("data", "versions"): "data_read:versions",
    ("data", "search"): "data_search:search",
    ("data", "query"): "query:query",
    ("datastore", "sync"): "sync:sync",
    ("datastore", "log"): "history:log",
    ("datastore", "undelete"): "undelete:undelete",
    ("datastore", "vacuum"): "vacuum:vacuum",
    ("datastore", "verify"): "verify:verify",
    ("datastore", "status"): "datastore:status",
    ("datastore", "setup", "filesystem"): "datastore:setup_filesystem",
    ("datastore", "setup", "s3"): "datastore_s3:setup_s3",
    ("datastore", "reindex"): "structural:reindex",
    ("datastore", "compact"): "structural:compact",
    ("datastore", "lock", "status"): "lock:status",
    ("datastore", "lock", "release"): "lock:release",
    ("datastore", "namespace", "set"): "namespace:set_",
    ("datastore", "namespace", "unset"): "namespace:unset",
    ("datastore", "namespace", "list"): "namespace:list_",
    ("datastore", "namespace", "describe"): "namespace:describe",
    ("datastore", "namespace", "join"): "namespace:join",
    ("datastore", "namespace", "migrate"): "migrating:migrate",
    ("datastore", "namespace", "follow"): "following:follow",
    ("datastore", "namespace", "policy"): "policy:policy",
    ("datastore", "namespace", "resolve"): "namespace:resolve",
    ("datastore", "namespace", "validate"): "namespace:validate",
    ("model", "create"): "model:create",
    ("model", "list"): "model:list_",
    ("doctor", "backend"): "doctor:backend",
    ("exec",): "execute:exec_",
    ("demo",): "demo:demo",
    ("completion",): "completion:completion",
}
# `swamp namespace …` is short for `swamp datastore namespace …`.
COMMANDS.update(
    {words[1:]: target for words, target in list(COMMANDS.items()) if words[:2] == ("datastore", "namespace")}
)

GROUP_HELP: Final[dict[tuple[str, ...], str]] = {
    ("repo",): "Manage this repo.",
    ("config",): "Read and change settings.",
    ("data",): "Put, get, list and query versioned data.",
    ("datastore",): "Manage the datastore that repos share.",
    ("datastore", "setup"): "Choose where data lives.",
    ("datastore", "lock"): "Look at locks and break them.",
    ("datastore", "namespace"): "Manage namespaces.",
    ("namespace",): "Short for `datastore namespace`.",
    ("model",): "Manage the models that data belongs to.",
    ("doctor",): "Check that things are as they should be.",
}

# Top-level commands that only the original has; the error names the next `swamp` on PATH.
ORIGINAL_ONLY: Final = frozenset(
    {
        "access", "audit", "auth", "driver", "extension", "issue", "login", "logout", "open", "report", "run",
        "serve", "source", "summarise", "telemetry", "type", "update", "vault", "webhook", "workflow",
    }
)  # fmt: skip
