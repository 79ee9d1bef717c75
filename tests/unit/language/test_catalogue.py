import pytest

from iflow_cli_proxy.language.catalogue import Catalogue, catalogue, page_texts

TEXTS = {
    "The port {} is taken.": "端口 {} 已被占用。",
    "The port {} is taken by {}.": "端口 {} 已被 {} 占用。",
    "Saved.": "已保存。",
    "ok": "正常",
    "{} is {}": "{} {:word}",
    "{} is {}.": "{} {:word}。",
    "{}: {}": "{}:{}",
    "a {{brace}}": "花括号 {{}}",
    "Nothing came: {}": "没有收到:{}",
}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Saved.", "已保存。"),
        ("The port 80 is taken.", "端口 80 已被占用。"),
        ("The port 80 is taken by x.", "端口 80 已被 x 占用。"),
        ("a is ok", "a 正常"),
        ("a {brace}", "花括号 {}"),
        ("  Saved.\n", "  已保存。\n"),
        ("Saved.\n- unknown\nThe port 1 is taken.", "已保存。\n- unknown\n端口 1 已被占用。"),
        ("Saved. The port 1 is taken.", "已保存。端口 1 已被占用。"),
        ("Nobody knows this. Saved.", "Nobody knows this. 已保存。"),
        ("Nothing came: The port 80 is taken.", "没有收到:端口 80 已被占用。"),
        ("server.port: The port 80 is taken.", "server.port:端口 80 已被占用。"),
        ("left: as it is", "left: as it is"),
        ("Nothing came: Saved. The port 1 is taken.", "没有收到:已保存。端口 1 已被占用。"),
        ("Nothing came: what we do not know. Saved.", "没有收到:what we do not know. 已保存。"),
        ("x is ok. Whatever is taken", "x 正常。Whatever is taken"),
        ("unknown", "unknown"),
        ("", ""),
        (" ", " "),
    ],
)
def test_a_text_is_said_as_the_catalogue_has_it(text: str, said: str) -> None:
    assert Catalogue(TEXTS).spoken(text) == said


def test_the_catalogue_of_a_language_is_read_once_and_another_is_refused() -> None:
    assert catalogue("zh") is catalogue("zh")
    assert isinstance(page_texts("zh"), dict)
    with pytest.raises(ValueError, match="no catalogue"):
        catalogue("../zh")


def test_what_is_far_too_long_to_be_ours_is_left_alone_at_once() -> None:
    text = "The port " * 100_000

    assert Catalogue(TEXTS).spoken(text) == text


def test_a_list_without_end_is_said_as_far_as_a_stack_goes() -> None:
    names = ", ".join(f"p{number}" for number in range(600))
    known = Catalogue({"{}, {}": "{}\uff0c{}", "choose one of {}": "\u9009 {}", "off": "\u5173"})

    assert known.spoken(f"choose one of {names}") == f"\u9009 {names}"
    assert known.spoken(", ".join(["x"] * 200 + ["off"])).startswith("x")
    assert known.spoken("off") == "\u5173"


@pytest.mark.parametrize(
    "text", ["Nothing came: " * 280 + "ok", "The port " * 400, ": " * 1900 + "x", "a is b. " * 490]
)
def test_what_somebody_made_up_of_our_words_costs_neither_the_call_nor_the_time(text: str) -> None:
    assert Catalogue(TEXTS).spoken(text)
