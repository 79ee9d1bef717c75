from __future__ import annotations

import pytest

from tests.support.admin import admin_page


async def test_a_provider_without_a_page_or_a_code_says_so() -> None:
    async with admin_page() as browser:
        for path in ("url", "device"):
            reply = await browser.post(f"/admin/oauth/{path}", {"provider": "deepseek"})

            assert reply.status == 400
            assert "deepseek" in reply.json["error"]["message"]


@pytest.mark.parametrize("flow", ["nobody", "0" * 32, "%2e%2e"])
async def test_nobody_waits_for_that(flow: str) -> None:
    async with admin_page() as browser:
        assert (await browser.get(f"/admin/oauth/flows/{flow}")).status in (400, 404)
        assert (await browser.send("DELETE", f"/admin/oauth/flows/{flow}")).status in (400, 404)
        assert (await browser.get(f"/admin/oauth/callback?flow={flow}")).status == 400
