from dataclasses import replace

from iflow_cli_proxy.config.listing import differences, entries, kept_until_restart, needs_restart, tree_of
from iflow_cli_proxy.config.load import ConfigText, load
from iflow_cli_proxy.config.schema import Settings
from iflow_cli_proxy.core.secret import Secret

TEXT = """
[upstream]
idle_timeout_s = 7
[models.aliases]
"claude-*" = "glm-5"
[providers.desk]
api_key = "sk-0123456789abcdef"
idle_timeout_s = 9
"""


def settings() -> Settings:
    return load(config=ConfigText("config.toml", TEXT))[0]


def test_a_tree_masks_secrets_unless_asked() -> None:
    assert tree_of(settings())["providers"]["desk"]["api_key"] == "sk-…cdef"
    assert tree_of(settings(), reveal=True)["providers"]["desk"]["api_key"] == "sk-0123456789abcdef"


def test_a_tree_leaves_out_what_a_provider_inherits_unless_complete() -> None:
    short = tree_of(settings())["providers"]["desk"]
    whole = tree_of(settings(), is_complete=True)["providers"]["desk"]

    assert short["idle_timeout_s"] == 9
    assert "connect_timeout_s" not in short
    assert whole["connect_timeout_s"] == 5


def test_entries_name_every_leaf_and_every_entry_of_a_table() -> None:
    listed = {entry.path: entry.value for entry in entries(settings())}

    assert listed["models", "aliases", "claude-*"] == "glm-5"
    assert listed["routing", "fallbacks"] == {}
    assert listed["server", "port"] == 28000


def test_differences_are_named_without_values() -> None:
    before = settings()
    after = replace(
        before,
        server=replace(before.server, port=1),
        providers={"desk": replace(before.providers["desk"], api_key=Secret("sk-new"))},
        models=replace(before.models, aliases={}),
    )

    changed = differences(before, after)

    assert ("server", "port") in changed
    assert ("providers", "desk", "api_key") in changed
    assert ("models", "aliases", "claude-*") in changed
    assert differences(before, before) == []


def test_only_the_address_the_workers_the_log_the_ledger_and_the_encryption_need_a_restart() -> None:
    listed = [".".join(entry.path) for entry in entries(settings()) if needs_restart(entry.path)]

    assert listed == [
        "server.host", "server.port", "server.workers",
        "logging.format", "logging.file", "logging.max_bytes", "logging.files", "ledger.enabled",
            "metrics.by_key", "tracing.enabled", "tracing.endpoint", "tracing.headers", "tracing.service_name",
            "tracing.sample_ratio", "tracing.propagate",        "security.encrypt",
    ]  # fmt: skip
    assert not needs_restart(("server",))
    assert not needs_restart(("providers", "desk", "base_url"))


def test_what_waits_for_a_restart_keeps_its_old_value_and_nothing_else_does() -> None:
    before = settings()
    after = replace(
        before,
        server=replace(before.server, host="0.0.0.0", port=1, keepalive_s=7),
        logging=replace(before.logging, file="x", level="debug"),
        providers={},
    )

    kept = kept_until_restart(before, after)

    assert {".".join(path) for path in differences(before, kept) if path[0] != "providers"} == {
        "server.keepalive_s",
        "logging.level",
    }
    assert kept.providers == {}
