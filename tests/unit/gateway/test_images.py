"""Images by URL become data, within bounds, or the request is refused by its path."""

from __future__ import annotations

import asyncio
from base64 import b64encode

import pytest

from iflow_cli_proxy.core.errors import InvalidRequest
from iflow_cli_proxy.core.request import Image
from iflow_cli_proxy.gateway import images
from iflow_cli_proxy.gateway.images import AT_ONCE, MOST_IMAGES, check_sizes, data_bytes, each, inline_images
from iflow_cli_proxy.protocols.base import PlacedImage
from tests.support.images import CODEC, PNG, asking, content_of, data_url, image, text


class Web:
    """Fetches anything, and counts."""

    def __init__(self, data: bytes = PNG, failure: InvalidRequest | None = None) -> None:
        self.asked: list[tuple[str, str]] = []
        self.cancelled = 0
        self.under_way = self.most_under_way = 0
        self.image = Image(data=b64encode(data).decode(), media_type="image/png")
        self.failure = failure

    async def __call__(self, url: str, path: str) -> Image:
        self.asked.append((url, path))
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            await asyncio.sleep(0.001)
            if self.failure is not None and url.endswith("bad.png"):
                raise self.failure
            return self.image
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.under_way -= 1


def many(count: int) -> list[dict[str, object]]:
    return [image(f"https://images.example/{number}.png") for number in range(count)]


async def test_each_url_becomes_data_in_its_place() -> None:
    web = Web()
    result = {"role": "tool", "tool_call_id": "c", "content": [image("http://images.example/b.png", detail="low")]}
    envelope = asking(text("look"), image("HTTPS://images.example/a.png"), text("here"), more=[result])

    changed = await inline_images(CODEC, envelope, web)

    assert content_of(changed) == [text("look"), image(data_url()), text("here")]
    assert content_of(changed, 1) == [image(data_url(), detail="low")]
    assert web.asked == [
        ("HTTPS://images.example/a.png", "messages[0].content[1].image_url.url"),
        ("http://images.example/b.png", "messages[1].content[0].image_url.url"),
    ]


async def test_what_is_data_already_is_left_alone() -> None:
    web = Web()
    for envelope in (asking(text("look"), image(data_url())), asking(text("https://images.example/a.png"))):
        assert await inline_images(CODEC, envelope, web) is envelope

    assert web.asked == []


async def test_the_same_url_is_fetched_once() -> None:
    web = Web()

    changed = await inline_images(CODEC, asking(image(), text("and again"), image(detail="high")), web)

    assert web.asked == [("https://images.example/a.png", "messages[0].content[0].image_url.url")]
    assert content_of(changed) == [image(data_url()), text("and again"), image(data_url(), detail="high")]


async def test_a_few_at_a_time() -> None:
    web = Web()

    await inline_images(CODEC, asking(*many(MOST_IMAGES)), web)

    assert (len(web.asked), web.most_under_way) == (MOST_IMAGES, AT_ONCE)


async def test_too_many_are_refused_before_one_is_fetched() -> None:
    web = Web()

    with pytest.raises(InvalidRequest, match=f"{MOST_IMAGES + 1} images") as caught:
        await inline_images(CODEC, asking(*many(MOST_IMAGES + 1)), web)

    assert (caught.value.code, web.asked) == ("too_many_images", [])


async def test_together_they_have_a_limit_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "LARGEST_SUM_BYTES", 2 * len(PNG))

    await inline_images(CODEC, asking(*many(2)), Web())
    with pytest.raises(InvalidRequest, match="together") as caught:
        await inline_images(CODEC, asking(*many(3)), Web())

    assert (caught.value.code, caught.value.param) == ("image_too_large", "messages[0].content[2].image_url.url")


async def test_one_that_is_refused_refuses_the_request_and_ends_the_others() -> None:
    failure = InvalidRequest("No.", param="messages[0].content[0].image_url.url", code="image_url_not_allowed")
    web = Web(failure=failure)

    with pytest.raises(InvalidRequest) as caught:
        await inline_images(CODEC, asking(image("https://images.example/bad.png"), *many(9)), web)

    assert caught.value is failure
    assert web.under_way == 0
    assert len(web.asked) <= AT_ONCE + 1


async def test_a_client_that_leaves_ends_every_fetch() -> None:
    web = Web()
    task = asyncio.ensure_future(inline_images(CODEC, asking(*many(6)), web))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert (web.cancelled, web.under_way) == (AT_ONCE, 0)


async def test_i25_a_data_url_of_50_mb_is_refused_by_its_path() -> None:
    huge = "A" * (50 * 1024 * 1024 * 4 // 3)
    for url in (f"data:image/png;base64,{huge}", f"DATA:image/png;base64,{huge}", f"data:image/svg+xml,{huge}"):
        with pytest.raises(InvalidRequest) as caught:
            await inline_images(CODEC, asking(text("look"), image(url)), Web())
        assert (caught.value.code, caught.value.param) == ("image_too_large", "messages[0].content[1].image_url.url")


def test_sizes_are_those_of_the_picture_not_of_its_base64() -> None:
    assert data_bytes(Image(data=b64encode(bytes(300)).decode(), media_type="image/png")) == 300
    assert data_bytes(Image(url="https://images.example/data:")) == 0
    check_sizes([PlacedImage(path="p", image=Image(data="A" * (images.LARGEST_BYTES * 4 // 3)))])


async def test_each_keeps_the_order_whatever_ends_first() -> None:
    async def work(number: int) -> int:
        await asyncio.sleep((5 - number) / 1000)
        return number * 10

    assert await each(work, range(6)) == [0, 10, 20, 30, 40, 50]
    assert await each(work, ()) == []
