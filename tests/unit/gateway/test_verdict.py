from __future__ import annotations

from typing import Any

import pytest

from iflow_cli_proxy.core.errors import (
    ConnectTimedOut,
    Failing,
    GatewayError,
    Overloaded,
    RateLimited,
    TlsFailed,
    UnknownModel,
    Unreachable,
)
from iflow_cli_proxy.core.events import failed
from iflow_cli_proxy.core.secret import Secret
from iflow_cli_proxy.gateway.verdict import Memory, advise, find_error, hide_key
from iflow_cli_proxy.providers.openai_compatible import OpenAICompatible
from tests.support.exchanges import provider

KEY = "open.sesame"
JSON = {"content-type": "application/json"}


class Gone(OpenAICompatible):
    hint_when_gone = "use another upstream: iflow2api serve --upstream URL"  # type: ignore[misc]  # final elsewhere


def found(body: Any, status: int = 400, key: str = KEY) -> GatewayError:
    error = find_error(provider(), status, JSON, body, Secret(key))
    assert error is not None
    return error


def everything(error: GatewayError) -> str:
    return f"{error} {error!r} {error.message} {error.detail} {error.hint} {error.param} {error.code}"


@pytest.mark.parametrize("status", [200, 400, 401, 403, 404, 422, 429, 500, 503])
@pytest.mark.parametrize(
    "words",
    [
        f"Invalid key {KEY}",
        f"<{KEY}>",
        f"x{KEY}y",
        "open.\u200bsesame is wrong",
        "open&#46;sesame is wrong",
        "n o " * 73 + f" {KEY}",
        "no " * 660 + KEY,
    ],
    ids=["bare", "tag", "in a word", "invisible", "entity", "cut when shortened", "cut when read"],
)
def test_i45_no_part_of_an_error_repeats_the_key_in_whatever_shape_it_comes(status: int, words: str) -> None:
    said = found({"error": {"message": words, "param": words, "code": words, "type": words, "detail": [words]}}, status)

    assert "sesame" not in everything(said)
    assert "open." not in everything(said)


def test_i45_a_key_is_hidden_as_it_is_sent() -> None:
    assert found({"error": {"message": f"Wrong: {KEY}"}}, key=f" {KEY}\n").message == "Wrong: [secret]"


@pytest.mark.parametrize("key", ["", "a", "abc"])
def test_a_key_too_short_to_be_one_takes_no_letters_away(key: str) -> None:
    assert found({"error": {"message": "abc is a word"}}, key=key).message == "abc is a word"


def test_words_without_the_key_are_read_as_ever() -> None:
    error = found({"error": {"message": "The model `m` does not exist", "code": 404, "more": [1, None, {"a": [2.5]}]}})

    assert isinstance(error, UnknownModel)
    assert find_error(provider(), 200, JSON, {"choices": [{"message": {}}]}, Secret(KEY)) is None


def test_an_error_hides_the_key_in_each_of_its_texts() -> None:
    error = Failing(KEY, detail=KEY, hint=KEY, param=KEY, code=KEY)

    assert hide_key(error, KEY) is error
    assert KEY not in everything(error)


@pytest.mark.parametrize("error", [Unreachable("x", hint="h"), ConnectTimedOut("x"), TlsFailed("x", hint="h")])
def test_what_looks_gone_gets_the_providers_hint(error: GatewayError) -> None:
    advise(error, Gone("up", "http://up.test/v1", provider().catalog, clock=provider()._clock))

    assert "iflow2api serve --upstream URL" in error.hint


def test_other_errors_and_other_providers_keep_their_hints() -> None:
    overloaded, unreachable = Overloaded("x", hint="h"), Unreachable("x", hint="h")
    advise(overloaded, Gone("up", "http://up.test/v1", provider().catalog, clock=provider()._clock))
    advise(unreachable, provider())

    assert (overloaded.hint, unreachable.hint) == ("h", "h")


def test_the_error_that_ended_a_stream_is_known_again_with_all_that_follows_from_it() -> None:
    said = RateLimited("Slower.", retry_after_s=120.0)
    memory = Memory(lambda body: said if body else None)
    assert memory.judge({"error": {}}) is said

    assert memory.error_of(failed(said)) is said
    assert memory.judge(None) is None
    assert type(memory.error_of(failed(said))) is RateLimited
    assert memory.error_of(failed(said)).retry_after_s is None, "somebody else's words"
