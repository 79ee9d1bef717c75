import pytest

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.protocols.base import Inbound
from iflow_cli_proxy.protocols.ollama.loading import answer_to_load
from iflow_cli_proxy.protocols.ollama.request import read_envelope


def answered(form: str, **body: Json) -> Json:
    inbound = Inbound(protocol="ollama", body=jsonx.encode({"model": "m", **body}), path={"form": form})
    found = answer_to_load(read_envelope(inbound), 1_795_132_800)
    return None if found is None else jsonx.decode(found)


@pytest.mark.parametrize(
    ("form", "body", "matter"),
    [
        ("chat", {}, {"message": {"role": "assistant", "content": ""}}),
        ("chat", {"messages": []}, {"message": {"role": "assistant", "content": ""}}),
        ("generate", {"prompt": ""}, {"response": ""}),
        ("generate", {"system": "be"}, {"response": ""}),
    ],
)
def test_nothing_to_answer_is_a_wish_to_load_the_model(form: str, body: dict[str, Json], matter: Json) -> None:
    assert answered(form, **body) == {
        "model": "m",
        "created_at": "2026-11-20T00:00:00Z",
        **matter,
        "done": True,
        "done_reason": "load",
    }


@pytest.mark.parametrize(
    ("keep_alive", "reason"), [(0, "unload"), ("0", "unload"), ("5m", "load"), (False, "load"), ({}, "load")]
)
def test_to_keep_it_for_no_time_is_to_drop_it(keep_alive: Json, reason: str) -> None:
    assert answered("generate", keep_alive=keep_alive)["done_reason"] == reason


@pytest.mark.parametrize(
    ("form", "body"),
    [
        ("chat", {"messages": [{"role": "user", "content": ""}]}),
        ("generate", {"prompt": "x"}),
        ("generate", {"images": ["AAAA"]}),
    ],
)
def test_what_has_something_to_answer_is_not_for_us(form: str, body: dict[str, Json]) -> None:
    assert answered(form, **body) is None
