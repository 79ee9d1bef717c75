from __future__ import annotations

from tests.support.admin import admin_page

TOML = """
[providers.desk]
base_url = "http://127.0.0.1:9/v1"
models = ["glm-5", "own-model"]
[providers.lab]
base_url = "http://127.0.0.1:8/v1"
models = ["glm-5"]
[routing.fallbacks]
"own-model" = ["lab/glm-5"]
[models.aliases]
"claude-*" = "glm-5"
"""


async def test_each_model_is_shown_once_with_all_its_ways() -> None:
    async with admin_page(TOML) as browser:
        told = (await browser.get("/admin/models")).json

    rows = {row["id"]: row for row in told["models"]}
    assert set(rows) == {"glm-5", "own-model"}
    assert rows["glm-5"]["routes"] == ["desk/glm-5", "lab/glm-5"]
    assert rows["own-model"]["routes"] == ["desk/own-model", "lab/glm-5"]
    assert rows["own-model"]["provider"] == "desk"
    assert rows["own-model"]["context_window"] is None
    assert told["aliases"] == {"claude-*": "glm-5"}


async def test_without_accounts_there_are_no_models() -> None:
    async with admin_page() as browser:
        assert (await browser.get("/admin/models")).json["models"] == []
