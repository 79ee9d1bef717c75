import re
import tomllib
from pathlib import Path

from iflow_cli_proxy.config.leaf import spec_of
from iflow_cli_proxy.config.load import ConfigText, load
from iflow_cli_proxy.config.schema import Settings
from iflow_cli_proxy.config.template import reference, template, toml_value

REFERENCE_PAGE = Path(__file__).parents[3] / "docs" / "configuration.md"


def test_the_template_as_written_gives_the_defaults() -> None:
    settings, origins = load(config=ConfigText("config.toml", template()))

    assert settings == Settings()
    assert len(origins) == 0


def test_every_commented_line_of_the_template_can_be_taken_into_use() -> None:
    taken_up = re.sub(r'^#(?=[\["a-z])', "", template(), flags=re.MULTILINE)

    settings, origins = load(config=ConfigText("config.toml", taken_up))

    assert settings.providers["desk"].base_url == "http://127.0.0.1:9801/v1"
    assert settings.models.aliases == {"claude-*": "glm-5"}
    assert settings.models.parameters["glm-*"].remove == ("logprobs",)
    assert settings.pools["work"].accounts == ("iflow/*", "qwen/work")
    assert settings.pools["work"].weights == {"iflow/work": 3}
    for path, _ in spec_of(Settings).leaves():
        assert origins.under(path)[0].place.startswith("config.toml:"), path


def test_the_template_and_the_reference_tell_of_every_setting() -> None:
    for path, spec in spec_of(Settings).leaves():
        assert spec.note.help in template(), path
        assert spec.note.help in reference(), path


def test_the_reference_page_is_fresh() -> None:
    message = "stale: python -m iflow_cli_proxy.config.template > docs/configuration.md"
    assert REFERENCE_PAGE.read_text(encoding="utf-8") == reference(), message


def test_values_are_written_as_toml_on_one_line() -> None:
    value = {"a-b c": [1, 2.5, True, 'q"\\\n'], "long": 10_485_760, "none": {}, "list": []}

    assert "\n" not in toml_value(value)
    assert tomllib.loads(f"value = {toml_value(value)}")["value"] == value
    assert toml_value(10_485_760) == "10_485_760"
