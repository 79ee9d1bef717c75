import pytest

from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.core.usage import Usage
from iflow_cli_proxy.protocols.ollama.usage import decode_usage, encode_usage


def test_counts_come_back() -> None:
    usage = Usage(prompt=3, completion=4)

    assert encode_usage(usage) == {"prompt_eval_count": 3, "eval_count": 4}
    assert decode_usage(3, 4) == usage


def test_a_prompt_that_was_cached_is_not_counted_again() -> None:
    assert decode_usage(None, 4) == Usage(completion=4)


@pytest.mark.parametrize("count", [None, 0, -1, "3", True, 1e300, []])
def test_nothing_counted_is_no_usage(count: Json) -> None:
    assert decode_usage(count, count) is None
