from __future__ import annotations

from pathlib import Path

import pytest

from iflow_cli_proxy.core.errors import ConfigError
from iflow_cli_proxy.state.paths import find_paths
from iflow_cli_proxy.wiring.pricing import all_prices

OWN = '[[prices]]\nmodel = "my-*"\nprompt = 1.0\ncompletion = 2.0\n'


def test_the_person_s_prices_come_before_the_package_s(tmp_path: Path) -> None:
    paths = find_paths({"IFLOW2API_HOME": str(tmp_path)})
    assert all_prices(paths).price_of("up", "my-model") is None

    paths.prices_file.write_text(OWN)
    price = all_prices(paths).price_of("up", "my-model")
    assert price is not None
    assert price.completion == 2.0


def test_a_file_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    paths = find_paths({"IFLOW2API_HOME": str(tmp_path)})
    paths.prices_file.write_text('[[prices]]\nmodel = "m"\nprompt = "much"\ncompletion = 1\n')

    with pytest.raises(ConfigError, match=r"prices\.toml"):
        all_prices(paths)
