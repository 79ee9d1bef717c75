from __future__ import annotations

from pathlib import Path

from iflow_cli_proxy.wiring.offers import offers
from tests.support.wiring import accounts

TOML = """
[providers.desk]
base_url = "http://127.0.0.1:9/v1"
[providers.mine]
kind = "deepseek"
[providers.off]
base_url = "http://127.0.0.1:9/v1"
enabled = false
"""


def test_what_is_built_in_what_is_a_preset_and_what_is_written(tmp_path: Path) -> None:
    made = accounts(TOML, tmp_path)
    found = {one.name: one for one in offers(made, ("desk", "mine", "off"))}

    assert (found["iflow"].title, found["iflow"].is_written) == ("iFlow", False)
    assert found["mine"].title == "mine (DeepSeek)"
    assert found["mine"].base_url == "https://api.deepseek.com/v1"
    assert (found["desk"].title, found["desk"].methods) == ("desk", ("api_key",))
    assert (found["off"].is_enabled, found["off"].is_written) == (False, True)
    assert "ollama" not in found
