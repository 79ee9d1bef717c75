from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

import pytest

from iflow_cli_proxy.config.checks import NAME
from iflow_cli_proxy.providers.presets import Preset, presets

NAMES = (
    "deepseek", "moonshot", "zhipu", "zai", "minimax", "dashscope", "openrouter", "siliconflow", "modelscope", "openai",
    "ollama", "llamacpp", "vllm", "lmstudio",
)  # fmt: skip


def test_every_promised_preset_is_there() -> None:
    assert set(presets()) == set(NAMES)


@pytest.mark.parametrize(("name", "preset"), presets().items())
def test_a_preset_is_complete(name: str, preset: Preset) -> None:
    url = urlsplit(preset.base_url)
    assert NAME.fullmatch(name)
    assert preset.title
    assert preset.key_variables
    assert not preset.base_url.endswith("/")
    assert preset.max_tokens_field in ("", "max_tokens", "max_completion_tokens")
    if preset.is_local:
        assert ipaddress.ip_address(url.hostname or "").is_loopback
    else:
        assert url.scheme == "https"
