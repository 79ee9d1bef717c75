from __future__ import annotations

import tomllib
from importlib.resources import files

import pytest

from iflow_cli_proxy.core.errors import ConfigError
from iflow_cli_proxy.providers.qwen.catalog import load_catalog, output_limit, wire_name
from iflow_cli_proxy.routing.catalog import Model


@pytest.mark.parametrize(
    ("name", "context", "output", "vision", "thinking"),
    [
        ("coder-model", 1000000, 65536, True, "switchable"),
        ("vision-model", 131072, 8192, True, "no"),
        ("qwen3-coder-plus", 1000000, 65536, False, "no"),
        ("qwen3-coder-flash", 1000000, 65536, False, "no"),
        ("qwen3.5-plus", 1000000, 65536, True, "switchable"),
        ("qwen3.6-plus", 1000000, 65536, True, "switchable"),
        ("qwen3-vl-plus", 262144, 32768, True, "no"),
        ("qwen-vl-max", 131072, 8192, True, "no"),
    ],
)
def test_the_catalogue_has_the_facts_of_the_reference(
    name: str, context: int, output: int, vision: bool, thinking: str
) -> None:
    model = load_catalog().find(name)
    assert model is not None
    assert (model.context_tokens, model.output_tokens) == (context, output)
    assert (model.has_vision, model.thinking, model.owned_by) == (vision, thinking, "qwen")
    assert model.created > 1_700_000_000


def test_the_list_is_that_of_the_reference() -> None:
    assert {model.id for model in load_catalog().listed()} == {
        "coder-model", "vision-model", "qwen3-coder-plus", "qwen3-coder-flash", "qwen3.5-plus", "qwen3.6-plus",
    }  # fmt: skip


def test_no_key_of_the_package_file_is_misspelled() -> None:
    tree = tomllib.loads(files("iflow_cli_proxy.providers.qwen").joinpath("models.toml").read_text("utf-8"))
    assert set(tree) == {"models", "families"}
    assert all(set(row) <= set(Model.__struct_fields__) for row in tree["models"])


@pytest.mark.parametrize(
    ("name", "signed_in", "with_key"),
    [
        ("coder-model", "coder-model", "coder-model"),
        ("qwen", "coder-model", "coder-model"),
        ("qwen3.5-plus", "coder-model", "qwen3.5-plus"),
        ("Qwen3.6-Plus", "coder-model", "qwen3.6-plus"),
        ("qwen-plus", "coder-model", "qwen-plus"),
        ("qwen3-coder-plus", "qwen3-coder-plus", "qwen3-coder-plus"),
    ],
)
def test_a_sign_in_reaches_one_model_under_many_names(name: str, signed_in: str, with_key: str) -> None:
    row = load_catalog().find(name)
    assert row is not None
    assert (wire_name(row, is_oauth=True), wire_name(row, is_oauth=False)) == (signed_in, with_key)


def test_a_persons_own_wire_name_holds_for_both() -> None:
    row = load_catalog('[[models]]\nid = "mine"\nupstream_id = "qwen-max"').find("mine")
    assert row is not None
    assert {wire_name(row, is_oauth=is_oauth) for is_oauth in (True, False)} == {"qwen-max"}


def test_a_model_without_a_row_has_a_limit_all_the_same() -> None:
    assert (output_limit("qwen9-max"), output_limit("qwen3-coder-turbo")) == (32768, 65536)


def test_a_mistake_in_a_persons_file_is_named() -> None:
    with pytest.raises(ConfigError, match=r"models/qwen\.toml"):
        load_catalog("models = 3")
