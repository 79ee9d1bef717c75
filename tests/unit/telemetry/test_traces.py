from __future__ import annotations

import pytest

from iflow_cli_proxy.config.schema import TracingSettings
from iflow_cli_proxy.core.errors import ConfigError
from iflow_cli_proxy.telemetry import traces
from iflow_cli_proxy.telemetry.traces import check_installed, is_installed, open_sender


def test_a_module_is_there_or_not() -> None:
    assert is_installed("email.mime")
    assert not is_installed("no_such_package.inside")


def test_who_wants_traces_without_the_extra_learns_what_to_type(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(traces, "NEEDED", ("no_such_package.inside",))
    check_installed(TracingSettings(enabled=False))

    for needs_it in (check_installed, open_sender):
        with pytest.raises(ConfigError) as caught:
            needs_it(TracingSettings(enabled=True))
        assert "pip install 'iflow2api[otel]'" in (caught.value.hint or "")
        assert caught.value.param == "tracing.enabled"
