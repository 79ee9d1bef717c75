from __future__ import annotations

import tomllib
from importlib.resources import files

import pytest

from iflow_cli_proxy.core.errors import ConfigError
from iflow_cli_proxy.providers.iflow.catalog import context_limit, load_catalog, output_limit
from iflow_cli_proxy.routing.catalog import Model

ROWS = [
    # id, context, output, vision, thinking
    ("glm-5", 170000, 32000, False, "switchable"),
    ("glm-4.7", 200000, 32000, False, "switchable"),
    ("glm-4.6", 200000, 32000, False, "switchable"),
    ("glm-4.6-exp", 200000, 32000, False, "switchable"),
    ("glm-4v", 128000, 32000, True, "no"),
    ("glm-4.5v", 128000, 32000, True, "no"),
    ("glm-4.6v", 200000, 32000, True, "no"),
    ("iFlow-ROME-30BA3B", 256000, 64000, False, "no"),
    ("deepseek-v3.2-chat", 128000, 8192, False, "switchable"),
    ("deepseek-v3.2-reasoner", 128000, 64000, False, "always"),
    ("deepseek-v3.2", 128000, 8192, False, "switchable"),
    ("deepseek-v3.1", 128000, 8192, False, "switchable"),
    ("deepseek-r1", 65000, 32000, False, "always"),
    ("deepseek-v3", 128000, 8192, False, "no"),
    ("qwen3-coder-plus", 256000, 64000, False, "no"),
    ("qwen3-max", 128000, 8192, False, "no"),
    ("qwen3-max-preview", 256000, 32000, False, "no"),
    ("qwen3-vl-plus", 128000, 8192, True, "no"),
    ("qwen-vl-max", 128000, 8192, True, "no"),
    ("qwen2.5-vl", 128000, 8192, True, "no"),
    ("qwen3-32b", 128000, 8192, False, "no"),
    ("qwen3-235b", 128000, 8192, False, "no"),
    ("qwen3-235b-a22b-instruct", 200000, 8192, False, "no"),
    ("qwen3-235b-a22b-thinking-2507", 200000, 8192, False, "always"),
    ("QWen3-4B", 128000, 8192, False, "no"),
    ("kimi-k2", 128000, 32000, False, "no"),
    ("kimi-k2-0905", 256000, 32000, False, "no"),
    ("kimi-k2-thinking", 256000, 32000, False, "always"),
    ("kimi-k2.5", 262144, 32768, True, "switchable"),
    ("minimax-m2.5", 128000, 64000, False, "switchable"),
    ("minimax-m2.1", 128000, 64000, False, "switchable"),
    ("minimax-m2", 128000, 64000, False, "switchable"),
    ("tstars2.0", 128000, 8000, True, "no"),
    ("moonshot-v1-32k-vision", 32768, 8000, True, "no"),
]


@pytest.mark.parametrize(("name", "context", "output", "vision", "thinking"), ROWS)
def test_the_catalogue_has_the_facts_of_the_reference(
    name: str, context: int, output: int, vision: bool, thinking: str
) -> None:
    model = load_catalog().find(name)
    assert model is not None
    assert (model.id, model.context_tokens, model.output_tokens) == (name, context, output)
    assert (model.has_vision, model.thinking, model.owned_by) == (vision, thinking, "iflow")
    assert model.created > 1_700_000_000


def test_no_key_of_the_package_file_is_misspelled() -> None:
    tree = tomllib.loads(files("iflow_cli_proxy.providers.iflow").joinpath("models.toml").read_text("utf-8"))
    assert set(tree) == {"models", "families"}
    assert all(set(row) <= set(Model.__struct_fields__) for row in tree["models"])
    ids = [row["id"].lower() for row in tree["models"]]
    assert len(ids) == len(set(ids))


def test_names_are_found_in_any_case_and_by_alias() -> None:
    catalog = load_catalog()
    for name, found in [
        ("GLM-5", "glm-5"),
        ("iflow-rome-30ba3b", "iFlow-ROME-30BA3B"),
        ("DeepSeek-V3.1-Terminus", "deepseek-v3.1"),
        ("deepseek-v3.2-exp", "deepseek-v3.2"),
        ("Kimi-K2-Instruct-0905", "kimi-k2-0905"),
    ]:
        model = catalog.find(name)
        assert model is not None
        assert model.id == found
    assert catalog.find("gpt-99") is None


def test_wire_names_and_doubtful_models_are_not_listed() -> None:
    catalog = load_catalog()
    listed = {model.id for model in catalog.listed()}
    assert "glm-5" in listed
    assert not listed & {"glm-4.6-exp", "QWen3-4B", "glm-4v", "moonshot-v1-8k-vision"}
    glm = catalog.find("glm-4.6")
    assert glm is not None
    assert glm.upstream_id == "glm-4.6-exp"


@pytest.mark.parametrize(
    ("model", "context", "output"),
    [
        ("glm-9", 128000, 32000),
        ("glm-5.1", 170000, 32000),
        ("glm-4.7-ide-modelscope", 200000, 32000),
        ("glm-4.6-ide-modelscope", 200000, 16384),
        ("kimi-k3", 128000, 32000),
        ("claude-opus-4", 200000, 64000),
        ("deepseek-v9", 65000, 8000),
        ("qwen-plus", 128000, 8192),
        ("qwen2.5-72b", 128000, 8000),
        ("gpt-4-32k", 32000, 4096),
        ("gpt-5", 128000, 16384),
        ("mimo-v2-flash", 256000, 64000),
        ("gemini-1.5-pro", 2097152, 8192),
        ("gemini-2.5-flash", 1048576, 65536),
        ("nobody-knows-me", 128000, 8000),
        ("", 128000, 8000),
    ],
)
def test_a_model_without_a_row_gets_its_familys_limits(model: str, context: int, output: int) -> None:
    assert (context_limit(model), output_limit(model)) == (context, output)


def test_a_persons_file_changes_rows_and_adds_new_ones() -> None:
    catalog = load_catalog(
        """
        [[models]]
        id = "GLM-5"
        context_tokens = 200000
        aliases = ["best"]

        [[models]]
        id = "glm-6"
        thinking = "switchable"
        """
    )
    glm5, glm6 = catalog.find("best"), catalog.find("glm-6")
    assert glm5 is not None
    assert glm6 is not None
    assert (glm5.id, glm5.name, glm5.context_tokens, glm5.output_tokens) == ("glm-5", "GLM-5", 200000, 32000)
    assert (glm6.output_tokens, glm6.owned_by, glm6.thinking) == (32000, "iflow", "switchable")
    untouched = load_catalog().find("glm-5")
    assert untouched is not None
    assert untouched.context_tokens == 170000


@pytest.mark.parametrize(
    ("text", "words", "hint"),
    [
        ("[[models]\n", "not TOML", ""),
        ('[[model]]\nid = "x"', "'model'", "[[models]]"),
        ("models = 3", "must be tables", ""),
        ('[[models]]\nid = "x"\ncontext_token = 5', "'context_token'", "context_tokens"),
        ('[[models]]\nid = "x"\nzzz = 5', "'zzz'", "known keys"),
        ('[[models]]\nname = "x"', "needs an id", ""),
        ("[[models]]\nid = 3", "needs an id", ""),
        ('[[models]]\nid = "x"\ncontext_tokens = "many"', "context_tokens", ""),
        ('[[models]]\nid = "x"\noutput_tokens = -5', "negative", ""),
        ('[[models]]\nid = "x"\nthinking = "sometimes"', "'sometimes'", "switchable"),
    ],
)
def test_a_mistake_in_a_persons_file_is_named(text: str, words: str, hint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_catalog(text)
    assert words in caught.value.message
    assert hint in caught.value.hint
    assert "models/iflow.toml" in caught.value.message
