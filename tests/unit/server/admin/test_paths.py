from __future__ import annotations

import pytest

from iflow_cli_proxy.server.admin.paths import is_admin


@pytest.mark.parametrize(
    ("path", "is_ours"),
    [
        ("/admin", True),
        ("/admin/", True),
        ("/admin/ws", True),
        ("/administer", False),
        ("/v1/admin", False),
        ("/", False),
    ],
)
def test_what_begins_with_admin_is_the_page(path: str, is_ours: bool) -> None:
    assert is_admin(path) is is_ours
