from iflow_cli_proxy.protocols.listing import ModelRow
from iflow_cli_proxy.protocols.ollama.model_list import running_body, show_body, tags_body, version_body

ROW = ModelRow("glm-5", created=1_795_132_800, owned_by="zhipu", input_tokens=200_000, has_vision=True, can_think=True)


def test_tags_name_every_model_with_a_digest_of_its_own() -> None:
    first, second = tags_body([ROW, ModelRow("m")])["models"]

    assert (first["name"], first["model"], first["modified_at"]) == ("glm-5", "glm-5", "2026-11-20T00:00:00Z")
    assert len(first["digest"]) == 64
    assert first["digest"] != second["digest"]


def test_a_model_shows_its_abilities_and_its_window_under_its_family() -> None:
    body = show_body(ROW)

    assert body["capabilities"] == ["completion", "tools", "vision", "thinking"]
    assert body["model_info"]["general.architecture"] == body["details"]["family"] == "zhipu"
    assert body["model_info"]["zhipu.context_length"] == 200_000


def test_what_nobody_knows_is_not_claimed() -> None:
    body = show_body(ModelRow("m"))

    assert body["capabilities"] == ["completion", "tools"]
    assert not [name for name in body["model_info"] if name.endswith("context_length")]


def test_every_model_runs() -> None:
    (one,) = running_body([ROW])["models"]

    assert one["expires_at"].startswith("9999-")
    assert one["context_length"] == 200_000


def test_the_version_is_one_that_clients_take() -> None:
    assert [int(number) for number in version_body()["version"].split(".")] >= [0, 6, 4]
