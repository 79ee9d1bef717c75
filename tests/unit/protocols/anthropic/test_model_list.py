from typing import Any

import pytest

from iflow_cli_proxy.core.errors import InvalidRequest
from iflow_cli_proxy.protocols.anthropic.model_list import model_object, model_page
from iflow_cli_proxy.protocols.listing import ModelRow

ROWS = [ModelRow(id=f"m{number}", name=f"Model {number}", created=1_795_132_800) for number in range(30)]


def ids(page: dict[str, Any]) -> list[str]:
    return [model["id"] for model in page["data"]]


def test_a_model_is_shown_with_its_date_and_its_limits() -> None:
    assert model_object(ModelRow("glm-5", "GLM 5", 1_795_132_800, input_tokens=200_000, output_tokens=32_000)) == {
        "type": "model",
        "id": "glm-5",
        "display_name": "GLM 5",
        "created_at": "2026-11-20T00:00:00Z",
        "lifecycle": "active",
        "max_input_tokens": 200_000,
        "max_tokens": 32_000,
    }
    assert model_object(ModelRow("x", "", 0))["display_name"] == "x"
    assert model_object(ModelRow("x", "", 0))["created_at"] == "1970-01-01T00:00:00Z"


def test_a_page_has_twenty_models_unless_asked_otherwise() -> None:
    page = model_page(ROWS, {})

    assert (len(page["data"]), page["has_more"], page["first_id"], page["last_id"]) == (20, True, "m0", "m19")
    assert len(model_page(ROWS, {"limit": "1000"})["data"]) == 30


def test_reading_forwards_reaches_every_model_once() -> None:
    seen: list[str] = []
    query = {"limit": "7"}
    while True:
        page = model_page(ROWS, query)
        seen += ids(page)
        if not page["has_more"]:
            break
        query["after_id"] = page["last_id"]

    assert seen == [row.id for row in ROWS]


def test_reading_backwards_looks_for_more_before_the_page() -> None:
    page = model_page(ROWS, {"before_id": "m10", "limit": "4"})
    assert (ids(page), page["has_more"]) == (["m6", "m7", "m8", "m9"], True)

    page = model_page(ROWS, {"before_id": "m3", "limit": "4"})
    assert (ids(page), page["has_more"]) == (["m0", "m1", "m2"], False)


def test_an_empty_page_has_no_ends() -> None:
    for page in (model_page([], {}), model_page(ROWS, {"after_id": "m29"})):
        assert page == {"data": [], "has_more": False, "first_id": None, "last_id": None}


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ({"limit": "0"}, "limit"),
        ({"limit": "1001"}, "limit"),
        ({"limit": "many"}, "limit"),
        ({"limit": "٣"}, "limit"),
        ({"after_id": "gone"}, "after_id"),
        ({"before_id": "gone"}, "before_id"),
        ({"after_id": "m1", "before_id": "m2"}, "before_id"),
    ],
)
def test_a_query_that_means_nothing_is_refused(query: dict[str, str], param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        model_page(ROWS, query)

    assert caught.value.param == param
