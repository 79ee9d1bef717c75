import pytest

from iflow_cli_proxy.core.errors import InvalidRequest
from iflow_cli_proxy.protocols.gemini.model_list import model_object, model_page
from iflow_cli_proxy.protocols.listing import ModelRow

ROWS = [ModelRow(f"m{number}") for number in range(120)]


def test_a_model_says_what_is_known_of_it() -> None:
    row = ModelRow("glm-5", name="GLM 5", input_tokens=200_000, output_tokens=32_000, can_think=True)

    assert model_object(row) == {
        "name": "models/glm-5",
        "baseModelId": "glm-5",
        "version": "001",
        "displayName": "GLM 5",
        "inputTokenLimit": 200_000,
        "outputTokenLimit": 32_000,
        "supportedGenerationMethods": ["generateContent", "streamGenerateContent", "countTokens"],
        "thinking": True,
    }
    assert "inputTokenLimit" not in model_object(ModelRow("m"))
    assert model_object(ModelRow("m"))["displayName"] == "m"


def test_pages_follow_each_other_to_the_end() -> None:
    seen: list[str] = []
    query = {"pageSize": "50"}
    while True:
        page = model_page(ROWS, query)
        seen += [model["name"] for model in page["models"]]
        if "nextPageToken" not in page:
            break
        query["pageToken"] = page["nextPageToken"]

    assert seen == [f"models/{row.id}" for row in ROWS]


@pytest.mark.parametrize(("size", "count"), [(None, 50), ("0", 50), ("7", 7), ("999999", 120)])
def test_a_page_has_the_size_that_was_asked_for(size: str | None, count: int) -> None:
    assert len(model_page(ROWS, {"pageSize": size} if size else {})["models"]) == count


@pytest.mark.parametrize(("query", "param"), [({"pageSize": "-1"}, "pageSize"), ({"pageToken": "x"}, "pageToken")])
def test_what_makes_no_page_is_refused(query: dict[str, str], param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        model_page(ROWS, query)

    assert caught.value.param == param
