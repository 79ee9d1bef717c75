"""An upstream that is added is tried once."""

from __future__ import annotations

from pathlib import Path

import pytest

from iflow_cli_proxy.cli.session import Session
from iflow_cli_proxy.cli.upstreams.adding import AddPlan, add
from iflow_cli_proxy.demo.run import KEY, start_demo


@pytest.mark.parametrize(("key", "code"), [(KEY, 0), ("sk-wrong-0123456789", 3)])
async def test_the_first_call_tells_whether_the_key_works(
    tmp_path: Path, key: str, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    opened = Session({"IFLOW2API_HOME": str(tmp_path), "HOME": str(tmp_path)})
    async with await start_demo() as demo:
        plan = AddPlan(session=opened, name="demo", base_url=demo.url, key=key, kind="iflow")

        assert await add(plan) == code

    said = capsys.readouterr().err
    assert ("models" in said) is (code == 0)
    assert key not in said
