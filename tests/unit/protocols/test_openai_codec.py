from __future__ import annotations

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import UnknownModel
from iflow_cli_proxy.protocols import CODECS
from iflow_cli_proxy.protocols.openai_codec import OpenAiCodec


def test_all_of_openai_word_a_failure_alike() -> None:
    family = [codec for codec in CODECS.values() if isinstance(codec, OpenAiCodec)]
    error = UnknownModel("No such model.")

    assert {codec.name for codec in family} == {
        "openai_chat",
        "openai_completions",
        "openai_embeddings",
        "openai_responses",
    }
    [body] = {codec.encode_error(error, "r").body for codec in family}
    assert jsonx.decode(body)["error"]["message"] == "No such model."
