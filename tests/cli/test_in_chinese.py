"""The program in Chinese, as a person sees it: help, wrong usage, errors, tables; and English stays what it was."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from rich.cells import cell_len

from tests.support.cli import CliResult, run_cli

CHINESE = re.compile(r"[\u4e00-\u9fff]")
ENGLISH_WORDS = re.compile(r"\b(?:the|is|are|and|with|not|this|of)\b")


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "config.toml").write_text('[providers.desk]\nbase_url = "http://127.0.0.1:9/v1"\napi_key = "sk-1"\n')
    return {"IFLOW2API_HOME": str(tmp_path), "HOME": str(tmp_path)}


def chinese(*args: str, env: dict[str, str]) -> CliResult:
    return run_cli("--lang", "zh", *args, env=env)


def test_help_is_chinese_to_the_last_word(home: dict[str, str]) -> None:
    done = chinese("--help", env=home)

    assert "用法" in done.out
    assert "╭─ 选项" in done.out
    assert "╭─ 命令" in done.out
    assert "显示此帮助并退出。" in done.out
    assert ENGLISH_WORDS.findall(done.out) == []


@pytest.mark.parametrize(
    "args", [["serve"], ["login"], ["token", "refresh"], ["key", "create"], ["usage"], ["config", "set"]], ids=" ".join
)
def test_help_of_a_command_keeps_its_frame_at_80_columns(args: list[str], home: dict[str, str]) -> None:
    done = chinese(*args, "--help", env={**home, "COLUMNS": "80"})

    framed = [line for line in done.out.splitlines() if line.startswith(("│", "╭", "╰"))]
    assert {cell_len(line) for line in framed} == {80}
    assert all(line.endswith(("│", "╮", "╯")) for line in framed)
    assert "…" not in done.out.replace("……", "")
    assert len(CHINESE.findall(done.out)) > 20


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["token", "lst"], "没有命令 'lst'\u3002是不是要找 'list'"),
        (["usage", "--sinc", "7d"], "没有选项\uff1a--sinc\uff08可能是\uff1a--"),
        (["config", "get"], "缺少参数 'NAME'"),
        (["serve", "--port"], "选项 '--port' 需要一个值"),
        (["serve", "--port", "x"], "'--port' 的值无效\uff1a应为整数"),
        (["usage", "--json", "--csv"], "无效的值\uff1a--json 与 --csv 只能选一个"),
        (["version", "more"], "多余的参数\uff08more\uff09"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_usage_is_told_in_chinese(args: list[str], said: str, home: dict[str, str]) -> None:
    done = chinese(*args, env=home)

    assert done.code == 2
    assert said in done.err
    assert "╭─ 错误" in done.err
    assert ENGLISH_WORDS.findall(done.err) == []


def test_an_error_says_what_and_what_next(home: dict[str, str]) -> None:
    done = chinese("config", "show", env={**home, "IFLOW2API_SERVER_PORT": "many"})

    assert done.code == 1
    assert done.err.splitlines() == [
        "错误\uff1aIFLOW2API_SERVER_PORT\uff1aserver.port 须为整数\uff0c介于 0 和 65535 之间",
        "提示\uff1a请改正\uff0c然后运行 `iflow2api config validate`",
    ]


def test_several_mistakes_are_told_line_by_line(home: dict[str, str]) -> None:
    done = chinese("config", "show", env={**home, "IFLOW2API_SERVER_PORT": "many", "IFLOW2API_SERVER_WORKERS": "x"})

    first, *others = done.err.splitlines()
    assert first == "错误\uff1a有 2 处设置错误\uff1a"
    assert all("server." in line and CHINESE.search(line) for line in others[:2])


def test_doctor_speaks_chinese_in_every_column_that_is_ours(home: dict[str, str]) -> None:
    done = chinese("doctor", env=home)

    heading, *lines = done.out.splitlines()
    assert heading.split() == ["分组", "状态", "项目", "检查结果", "修复方法"]
    assert all(CHINESE.search(line) for line in lines)
    assert ENGLISH_WORDS.findall(done.out) == []
    assert "`iflow2api doctor --online` 还会检查上游" in done.err


def test_accounts_are_listed_in_chinese_with_names_as_they_are(home: dict[str, str]) -> None:
    done = chinese("token", "list", env=home)

    heading, line = done.out.splitlines()
    assert heading.split()[:4] == ["提供商", "名称", "状态", "过期"]
    assert line.split()[0] == "desk"
    assert "正常" in line
    assert "API 密钥" in line


def test_an_empty_ledger_says_so(home: dict[str, str]) -> None:
    assert "这里还没有任何记录" in chinese("usage", env=home).err


@pytest.mark.parametrize(
    "args", [["token", "list", "--json"], ["doctor", "--json"], ["config", "show", "--json"], ["usage", "--csv"]]
)
def test_what_programs_read_is_never_translated(args: list[str], home: dict[str, str]) -> None:
    assert CHINESE.findall(chinese(*args, env=home).out) == []


def test_a_locale_is_enough(home: dict[str, str]) -> None:
    assert "用法" in run_cli("--help", env={**home, "LANG": "zh_CN.UTF-8", "LC_ALL": ""}).out
    assert "用法" in run_cli("--help", env={**home, "IFLOW2API_LANG": "zh"}).out
    assert "Usage:" in run_cli("--help", env={**home, "LANG": "zh_CN.UTF-8", "LC_ALL": "C.UTF-8"}).out


@pytest.mark.parametrize("args", [["--help"], ["doctor"], ["token", "list"], ["token", "lst"], ["config", "show"]])
def test_english_is_the_same_before_and_after_chinese(args: list[str], home: dict[str, str]) -> None:
    def told() -> tuple[str, str]:
        done = run_cli(*args, env={**home, "IFLOW2API_LANG": "en"})
        return tuple(re.sub(r"\d\d:\d\d:\d\dZ", "", text) for text in (done.out, done.err))  # type: ignore[return-value]

    before = told()
    chinese(*args, env=home)

    assert told() == before
    assert CHINESE.findall("".join(before)) == []


def test_english_reads_no_catalogue() -> None:
    script = (
        "import sys\n"
        "from iflow_cli_proxy.cli.app import main\n"
        "try: main(['token', '--help'])\n"
        "except SystemExit as leaving: assert not leaving.code\n"
        "print('iflow_cli_proxy.language.catalogue' in sys.modules, file=sys.stderr)\n"
    )

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=30, check=True)

    assert done.stderr.strip() == "False"
