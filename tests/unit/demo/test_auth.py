from __future__ import annotations

import pytest
from multidict import CIMultiDict

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.demo.auth import HELPER_AGENT, Keys, refuse
from iflow_cli_proxy.providers.iflow.signature import sign

KEYS = Keys(good={"sk-good"}, expired={"sk-old"}, blocked={"sk-bad"})
TIME = "1760000000123"


def headers(key: str = "sk-good", **changes: str) -> CIMultiDict[str]:
    made = {
        "Authorization": f"Bearer {key}",
        "user-agent": "iFlow-Cli",
        "session-id": "session-1",
        "x-iflow-timestamp": TIME,
        "x-iflow-signature": sign(key, "iFlow-Cli", "session-1", TIME),
    }
    made.update({name.replace("_", "-"): value for name, value in changes.items()})
    return CIMultiDict({name: value for name, value in made.items() if value})


def test_a_signed_request_with_a_good_key_is_answered() -> None:
    assert refuse(headers(), KEYS, "glm-5") is None


@pytest.mark.parametrize(
    ("key", "said"),
    [("sk-old", "439"), ("sk-bad", "434"), ("sk-unknown", "434")],
)
def test_a_bad_key_is_refused_inside_a_200(key: str, said: str) -> None:
    refusal = refuse(headers(key), KEYS, "glm-5")
    assert refusal is not None
    assert (refusal.status, jsonx.decode(refusal.body)["status"]) == (200, said)


def test_the_two_meanings_of_434_differ_in_their_words() -> None:
    blocked, invalid = refuse(headers("sk-bad"), KEYS, "m"), refuse(headers("sk-unknown"), KEYS, "m")
    assert blocked is not None
    assert invalid is not None
    assert b"has been blocked" in blocked.body
    assert b"Invalid apiKey" in invalid.body


@pytest.mark.parametrize(
    "changes",
    [
        {"user_agent": "curl/8"},
        {"user_agent": "iflow-cli"},
        {"session_id": ""},
        {"session_id": "session-2"},
        {"session_id": "", "x_iflow_signature": sign("sk-good", "iFlow-Cli", "", TIME)},
        {"user_agent": "curl/8", "x_iflow_signature": sign("sk-good", "curl/8", "session-1", TIME)},
        {
            "x_iflow_timestamp": "1760000000",
            "x_iflow_signature": sign("sk-good", "iFlow-Cli", "session-1", "1760000000"),
        },
        {"x_iflow_signature": ""},
        {"x_iflow_signature": "0" * 64},
        {"x_iflow_signature": "é"},
        {"x_iflow_timestamp": "1760000000"},
        {"x_iflow_timestamp": ""},
    ],
)
def test_a_wrong_signature_or_agent_is_not_acceptable(changes: dict[str, str]) -> None:
    refusal = refuse(headers(**changes), KEYS, "glm-5")
    assert refusal is not None
    assert refusal.status == 406


def test_no_key_at_all_is_a_401() -> None:
    for value in ("", "Basic abc", "Bearer "):
        refusal = refuse(CIMultiDict({"Authorization": value}), KEYS, "glm-5")
        assert refusal is not None
        assert refusal.status == 401


def test_the_image_helper_needs_no_signature_for_vision_models_only() -> None:
    bare = CIMultiDict({"Authorization": "Bearer sk-good", "user-agent": HELPER_AGENT})
    assert refuse(bare, KEYS, "qwen3-vl-plus") is None
    refusal = refuse(bare, KEYS, "glm-5")
    assert refusal is not None
    assert refusal.status == 406


def test_the_list_of_models_needs_only_a_key() -> None:
    assert refuse(CIMultiDict({"Authorization": "Bearer sk-good"}), KEYS) is None
