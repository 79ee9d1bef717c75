import time
import tomllib

from iflow_cli_proxy.config.lines import line_numbers

TEXT = '''\
# a comment with [brackets] and x = 1

top = 1
[server]
port = 28000  # why
hosts = [
  "a", # ] not the end
  "b",
]
text = """
[not.a.table]
key = 1
"""
inline = { a = 1, "b c" = { d = 2 } }
dotted.name = 3
[models.aliases]
"claude-*" = "glm-5"
[[array]]
ignored = 1
[last]
'''


def test_every_key_is_found_on_the_line_where_it_begins() -> None:
    assert tomllib.loads(TEXT)
    lines = line_numbers(TEXT)

    assert lines[("top",)] == 3
    assert lines[("server",)] == 4
    assert lines[("server", "port")] == 5
    assert lines[("server", "hosts")] == 6
    assert lines[("server", "text")] == 10
    assert lines[("server", "inline", "b c", "d")] == 14
    assert lines[("server", "dotted", "name")] == 15
    assert lines[("models", "aliases", "claude-*")] == 17
    assert lines[("last",)] == 20
    assert ("not", "a", "table") not in lines


def test_line_ends_of_windows_and_odd_separators_inside_text_do_not_shift_the_lines() -> None:
    assert line_numbers('[a]\r\nb = "x\u2028y"\r\nc = [\r\n1]\r\nd = 1\r\n')["a", "d"] == 5


def test_an_empty_text_has_no_lines() -> None:
    assert line_numbers("") == {}


def test_long_values_are_skipped_over() -> None:
    text = "[t]\nlong = [\n" + '"x",\n' * 20_000 + "]\nafter = 1\n"

    assert line_numbers(text)["t", "after"] == 20_004


def test_a_text_made_to_be_slow_is_given_up_soon() -> None:
    text = "[t]\nbefore = 1\nlong = [\n" + '["]"],\n' * 20_000 + "]\nafter = 1\n"

    started = time.perf_counter()
    lines = line_numbers(text)

    assert lines["t", "before"] == 2
    assert time.perf_counter() - started < 3
