from __future__ import annotations

import pytest

from iflow_cli_proxy.core.errors import InvalidRequest
from iflow_cli_proxy.core.fitting import fitted, fitted_fields
from iflow_cli_proxy.core.profile import Profile
from iflow_cli_proxy.core.request import (
    Sampling,
)
from tests.support.conversation import USER, request


def test_a_schema_that_nobody_enforces_is_asked_for() -> None:
    schema = {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}}

    fit = fitted(request(USER, response_format=schema), Profile(json_schema=False))
    assert fit.request.response_format == {"type": "json_object"}
    assert '{"type":"object"}' in fit.request.messages[0].parts[0].text  # type: ignore[union-attr]
    bare = fitted(request(USER, response_format=schema), Profile(json_schema=False, json_object=False))
    assert bare.request.response_format is None
    assert fitted(request(USER, response_format=schema), Profile()).request.response_format == schema


def test_the_limit_bears_the_name_that_the_upstream_knows() -> None:
    renamed = Profile(max_tokens_field="max_completion_tokens")

    assert fitted_fields({"max_tokens": 5, "n": 1}, renamed) == {"n": 1, "max_completion_tokens": 5}
    assert fitted_fields({"max_tokens": 5, "max_completion_tokens": 7}, renamed) == {"max_completion_tokens": 7}
    assert fitted_fields(fields := {"max_tokens": 5}, Profile()) is fields


def test_an_object_in_place_of_a_user_is_a_short_word_for_it() -> None:
    long = '{"device_id":"' + "d" * 64 + '"}'

    short = fitted(request(USER, user=long), Profile()).request.user
    assert len(short) == 64
    assert short == fitted(request(USER, user=long), Profile()).request.user
    assert fitted(request(USER, user="me"), Profile()).request.user == "me"


def test_several_answers_where_only_one_is_given_are_refused() -> None:
    with pytest.raises(InvalidRequest) as caught:
        fitted(request(USER, sampling=Sampling(n=2)), Profile(many_choices=False))

    assert caught.value.param == "n"


def test_words_that_only_openai_knows_go_to_openai_only() -> None:
    asked = request(USER, extras={"openai_chat": {"prompt_cache_key": "k", "logit_bias": {"1": 1}}})

    fit = fitted(asked, Profile())
    assert fit.request.extras["openai_chat"] == {"logit_bias": {"1": 1}}
    assert [note.path for note in fit.notes] == ["prompt_cache_key"]
    assert fitted(asked, Profile(openai_words=True)).request == asked
