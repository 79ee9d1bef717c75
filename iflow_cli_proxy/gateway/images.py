"""Images that a request names by URL, sent upstream as data: for upstreams that fetch nothing themselves.

Knows how many and how much. Refuses to know how one is fetched safely: that is the transport's guard, handed in.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Final, TypeAlias, TypeVar

from iflow_cli_proxy.core.errors import InvalidRequest
from iflow_cli_proxy.core.request import Image
from iflow_cli_proxy.protocols.base import Codec, Envelope, PlacedImage

K = TypeVar("K")
V = TypeVar("V")

Fetch: TypeAlias = Callable[[str, str], Awaitable[Image]]
"""A URL and its JSON path in; the image as data out. Raises InvalidRequest."""

MOST_IMAGES: Final = 20
"""New work for one request: images to fetch, or to have described."""
AT_ONCE: Final = 4
LARGEST_BYTES: Final = 20 * 1024 * 1024
LARGEST_SUM_BYTES: Final = 40 * 1024 * 1024


async def inline_images(
    codec: Codec, envelope: Envelope, fetch: Fetch, *, hold: Callable[[int], None] = lambda size: None
) -> Envelope:
    """The same request with every image as data; the very same object when there was nothing to fetch.

    `hold` is told how many bytes are kept for each.

    Raises:
        Busy: there is no room for them.
        InvalidRequest: a URL is not allowed, its image cannot be had, or there are too many or too large ones.
    """
    images = codec.find_images(envelope)
    check_sizes(images)
    first: dict[str, str] = {}
    """URLs, each with the path of its first place."""
    for one in images:
        if _is_remote(one.image):
            first.setdefault(one.image.url, one.path)
    if not first:
        return envelope
    check_count(len(first), "fetched")
    room = _Room(LARGEST_SUM_BYTES)

    async def fetched(url: str) -> Image:
        image = await fetch(url, first[url])
        room.take(data_bytes(image), first[url])
        hold(len(image.data))
        return image

    by_url = dict(zip(first, await each(fetched, tuple(first)), strict=True))
    return codec.replace_images(
        envelope, {one.path: by_url[one.image.url] for one in images if one.image.url in by_url}
    )


async def each(work: Callable[[K], Awaitable[V]], items: Sequence[K]) -> list[V]:
    """What `work` makes of every item, a few at a time; the first failure ends the others and is raised as it is."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(item: K) -> V:
        async with gate:
            return await work(item)

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(item)) for item in items]
    except BaseExceptionGroup as failures:
        failure = failures.exceptions[0]
    else:
        return [task.result() for task in tasks]
    raise failure


def data_bytes(image: Image) -> int:
    """About how large an image in the request itself is; 0 for one that is elsewhere."""
    in_url = len(image.url) if image.url[:5].lower() == "data:" else 0
    return in_url + len(image.data) * 3 // 4


def check_sizes(images: Iterable[PlacedImage]) -> None:
    """Raises InvalidRequest for an image that is in the request itself and larger than one that would be fetched."""
    for one in images:
        if data_bytes(one.image) > LARGEST_BYTES:
            raise InvalidRequest(
                f"The image is larger than {LARGEST_BYTES:,} bytes.",
                param=one.path,
                code="image_too_large",
                hint="send a smaller version of it",
            )


def check_count(count: int, verb: str) -> None:
    """Raises InvalidRequest when there is too much to do for one request."""
    if count > MOST_IMAGES:
        raise InvalidRequest(
            f"{count} images would have to be {verb} for this request; {MOST_IMAGES} at most are.",
            code="too_many_images",
            hint="send fewer images",
        )


class _Room:
    """How much more may be fetched for one request."""

    def __init__(self, size: int) -> None:
        self._left = size

    def take(self, size: int, path: str) -> None:
        self._left -= size
        if self._left < 0:
            raise InvalidRequest(
                f"The images of this request are larger than {LARGEST_SUM_BYTES:,} bytes together.",
                param=path,
                code="image_too_large",
                hint="send fewer or smaller images",
            )


def _is_remote(image: Image) -> bool:
    return image.url[:8].lower().startswith(("http://", "https://"))
