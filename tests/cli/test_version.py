from iflow_cli_proxy import __version__
from tests.support.cli import run_cli

NAMES = ["iflow2api", "python", "platform", "aiohttp", "curl_cffi", "msgspec", "typer", "curl"]


def test_version_lists_what_a_bug_report_needs() -> None:
    done = run_cli("version")

    assert [line.split()[0] for line in done.out.splitlines()] == ["what", *NAMES]
    assert "missing" not in done.out


def test_the_json_form_has_a_stable_shape() -> None:
    done = run_cli("version", "--json")

    assert list(done.json) == NAMES
    assert done.json["iflow2api"] == __version__
    assert "libcurl" in done.json["curl"]


def test_the_flag_prints_one_line() -> None:
    assert run_cli("--version").out == f"iflow2api {__version__}\n"
