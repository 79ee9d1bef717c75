from __future__ import annotations

from iflow_cli_proxy.protocols.listing import ModelRow
from iflow_cli_proxy.protocols.openai_models import model_object, model_page

ROW = ModelRow(id="glm-5", created=7, provider="up", thinking="switchable", input_tokens=200_000)


def test_a_model_says_what_is_known_of_it_and_nothing_else() -> None:
    assert model_object(ROW) == {
        "id": "glm-5",
        "object": "model",
        "created": 7,
        "owned_by": "up",
        "provider": "up",
        "vision": False,
        "thinking": "switchable",
        "context_window": 200_000,
    }
    assert model_object(ROW._replace(owned_by="z.ai"))["owned_by"] == "z.ai"


def test_the_list_is_whole() -> None:
    page = model_page([ROW, ROW._replace(id="b")], {"limit": "1"})

    assert page["object"] == "list"
    assert [row["id"] for row in page["data"]] == ["glm-5", "b"]
