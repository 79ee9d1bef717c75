import pytest

from iflow_cli_proxy.language.choice import of_accept_language, of_locale


@pytest.mark.parametrize(
    ("environ", "language"),
    [
        ({}, "en"),
        ({"LANG": "zh_CN.UTF-8"}, "zh"),
        ({"LANG": "zh_TW"}, "zh"),
        ({"LANG": "zh"}, "zh"),
        ({"LANG": "ZH-hans"}, "zh"),
        ({"LANG": "de_DE.UTF-8"}, "en"),
        ({"LANG": "C.UTF-8"}, "en"),
        ({"LANG": "zhoosh"}, "en"),
        ({"LC_ALL": "C", "LANG": "zh_CN.UTF-8"}, "en"),
        ({"LC_ALL": "", "LC_MESSAGES": "zh_CN", "LANG": "en_US"}, "zh"),
        ({"LC_MESSAGES": "en_GB", "LANG": "zh_CN"}, "en"),
    ],
)
def test_the_first_variable_that_says_anything_counts(environ: dict[str, str], language: str) -> None:
    assert of_locale(environ) == language


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "en"),
        ("zh", "zh"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("en-US,en;q=0.9,zh;q=0.8", "en"),
        ("de, zh;q=0.5", "zh"),
        ("zh;q=0", "en"),
        ("zh;q=high, en;q=0.1", "en"),
        ("fr", "en"),
        (";;;,,,=", "en"),
        ("zh;q=0.5," * 100_000, "zh"),
    ],
)
def test_a_browser_gets_what_it_likes_best_of_ours(header: str, language: str) -> None:
    assert of_accept_language(header) == language
