"""The vision bridge: texts in the place of images, each paid for once, and never a silent gap."""

from __future__ import annotations

import asyncio

import pytest

from iflow_cli_proxy.core.errors import (
    Busy,
    CapacityError,
    ConfigError,
    ContentFiltered,
    GatewayError,
    InvalidRequest,
    Overloaded,
    RateLimited,
    Rejected,
    Retry,
    TimedOut,
    UnknownModel,
    UpstreamError,
)
from iflow_cli_proxy.core.request import Image
from iflow_cli_proxy.core.usage import Usage
from iflow_cli_proxy.gateway.deadline import Deadline, Limits
from iflow_cli_proxy.gateway.images import AT_ONCE, MOST_IMAGES
from iflow_cli_proxy.gateway.record import Exchange
from iflow_cli_proxy.gateway.vision import SETTING, Description, VisionBridge, sees_nothing
from iflow_cli_proxy.routing.catalog import Catalog, Model
from tests.support.images import CODEC, GIF, JPEG, asking, content_of, data_url, image, text

SEER = "qwen3-vl-plus"
NOBODY = Exchange(request_id="r", protocol="", started_at=0.0)
COST = Usage(prompt=100, completion=10)


class Eyes:
    """Describes an image by its number among those it was asked about."""

    def __init__(self, *failures: GatewayError | None, says: str = "") -> None:
        self.asked: list[tuple[Image, str]] = []
        self.askers: list[Exchange] = []
        self._failures = list(failures)
        self._says = says
        self.under_way = self.most_under_way = 0

    async def __call__(self, image: Image, hint: str, asker: Exchange) -> Description:
        self.askers.append(asker)
        self.asked.append((image, hint))
        number = len(self.asked)
        failure = self._failures.pop(0) if self._failures else None
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        await asyncio.sleep(0)
        self.under_way -= 1
        if failure is not None:
            raise failure
        return Description(text=self._says or f"number {number}", usage=COST)


def numbered(count: int) -> list[dict[str, object]]:
    return [image(data_url(b"%d" % number)) for number in range(count)]


async def test_each_image_becomes_a_text_in_its_place() -> None:
    eyes = Eyes()
    result = {"role": "tool", "tool_call_id": "c", "content": [text("Read b.gif"), image(data_url(GIF, "image/gif"))]}
    envelope = asking(text("what"), image(data_url()), text("is this?"), more=[result])

    bridged = await VisionBridge(SEER, eyes).bridged(CODEC, envelope)

    assert content_of(bridged.envelope) == [text("what"), text("[Image: number 1]"), text("is this?")]
    assert content_of(bridged.envelope, 1) == [text("Read b.gif"), text("[Image: number 2]")]
    assert (bridged.images, bridged.asked, bridged.usage) == (2, 2, COST + COST)
    assert bridged.note(SEER) == "2 described by qwen3-vl-plus"
    assert [hint for _, hint in eyes.asked] == ["what\nis this?", "Read b.gif"]


async def test_a_request_without_images_stays_the_very_same() -> None:
    eyes = Eyes()
    envelope = asking(text("hello"))

    bridged = await VisionBridge(SEER, eyes).bridged(CODEC, envelope)

    assert bridged.envelope is envelope
    assert (bridged.note(SEER), eyes.asked) == ("", [])


async def test_the_vision_model_itself_is_never_bridged() -> None:
    eyes = Eyes()
    envelope = asking(image(data_url()), model=SEER)

    assert (await VisionBridge(SEER, eyes).bridged(CODEC, envelope)).envelope is envelope
    assert eyes.asked == []


async def test_an_image_that_comes_again_is_not_asked_about_again() -> None:
    eyes = Eyes()
    bridge = VisionBridge(SEER, eyes)
    first = asking(text("look"), image(data_url()), image(data_url()))
    later = asking(text("look"), image(data_url()), more=[{"role": "user", "content": "and now?"}])

    one = await bridge.bridged(CODEC, first)
    two = await bridge.bridged(CODEC, later)

    assert len(eyes.asked) == 1
    assert (one.images, one.asked, two.images, two.asked, two.usage) == (2, 1, 1, 0, Usage())
    assert content_of(two.envelope)[1] == text("[Image: number 1]")


async def test_another_image_url_or_question_is_asked_about() -> None:
    eyes = Eyes()
    bridge = VisionBridge(SEER, eyes)

    for parts in (
        [text("look"), image(data_url())],
        [text("look"), image(data_url(JPEG, "image/jpeg"))],
        [text("look"), image()],
        [text("count the dots"), image(data_url())],
    ):
        await bridge.bridged(CODEC, asking(*parts))

    assert len(eyes.asked) == 4


async def test_what_was_used_longest_ago_is_forgotten() -> None:
    eyes = Eyes()
    bridge = VisionBridge(SEER, eyes, remembers=2)
    a, b, c = (asking(part) for part in numbered(3))

    for envelope in (a, b, a, c, a, b):
        await bridge.bridged(CODEC, envelope)

    assert [one.data for one, _ in eyes.asked] == ["MA==", "MQ==", "Mg==", "MQ=="]


async def test_more_images_than_are_remembered_still_get_their_texts() -> None:
    bridged = await VisionBridge(SEER, Eyes(), remembers=1).bridged(CODEC, asking(*numbered(5)))

    assert sorted(part["text"] for part in content_of(bridged.envelope)) == [
        f"[Image: number {n}]" for n in range(1, 6)
    ]


async def test_a_few_at_a_time_and_of_too_many_the_latest() -> None:
    eyes = Eyes()
    bridge = VisionBridge(SEER, eyes)

    bridged = await bridge.bridged(CODEC, asking(*numbered(MOST_IMAGES + 2)))

    texts = [part["text"] for part in content_of(bridged.envelope)]
    assert ["left out" in one for one in texts] == [True] * 2 + [False] * MOST_IMAGES
    assert texts[-1] == f"[Image: number {MOST_IMAGES}]"
    assert bridged.note(SEER) == f"{MOST_IMAGES} described by {SEER}, 2 left out"
    assert (len(eyes.asked), eyes.most_under_way) == (MOST_IMAGES, AT_ONCE)

    again = await bridge.bridged(CODEC, asking(*numbered(MOST_IMAGES + 2)))
    assert (again.left_out, again.asked) == (0, 2), "what is remembered leaves room for those before it"


async def test_a_request_crosses_on_its_own_behalf_and_in_its_own_time() -> None:
    eyes = Eyes()
    bridge = VisionBridge(SEER, eyes)
    asker = Exchange(request_id="r", protocol=CODEC.name, started_at=0.0)
    deadline = Deadline(Limits())
    try:
        await bridge.on_behalf_of(asker, deadline).bridged(CODEC, asking(image(data_url())))
    finally:
        deadline.close()

    assert eyes.askers == [asker]
    assert asker.described == f"1 described by {SEER}"
    assert (await bridge.bridged(CODEC, asking(image(data_url())))).asked == 0, "all remember the same"


async def test_r6_describing_counts_against_the_request() -> None:
    async def never(image: Image, hint: str, asker: Exchange) -> Description:
        await asyncio.Event().wait()
        raise AssertionError

    deadline = Deadline(Limits(total_s=0.02, total_name="x-request-timeout"))
    try:
        bridge = VisionBridge(SEER, never).on_behalf_of(NOBODY, deadline)
        with pytest.raises(TimedOut, match="x-request-timeout"):
            await bridge.bridged(CODEC, asking(image(data_url())))
    finally:
        deadline.close()


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (RateLimited("Slow down.", retry_after_s=7), CapacityError),
        (Busy("Full.", retry_after_s=7), CapacityError),
        (Overloaded("Too much."), UpstreamError),
        (TimedOut("total", 60), UpstreamError),
        (Rejected("Bad image.", status=400), InvalidRequest),
        (ContentFiltered("No."), InvalidRequest),
        (UnknownModel("The model does not exist."), ConfigError),
        (ConfigError("Bad."), ConfigError),
    ],
)
async def test_a_failing_description_is_an_error_of_this_request(
    failure: GatewayError, kind: type[GatewayError]
) -> None:
    bridge = VisionBridge(SEER, Eyes(failure))

    with pytest.raises(GatewayError) as caught:
        await bridge.bridged(CODEC, asking(text("x"), image(data_url())))

    error = caught.value
    assert type(error) is kind
    assert (error.retry, error.code) == (Retry.NEVER, "image_not_described")
    assert error.param == (SETTING if kind is ConfigError else "messages[0].content[1].image_url.url")
    assert error.message == f"The vision model `{SEER}` could not describe an image: {failure.message}"
    assert error.retry_after_s == failure.retry_after_s
    assert error.__cause__ is failure


async def test_nothing_said_is_a_failure_too() -> None:
    with pytest.raises(UpstreamError, match="without a word"):
        await VisionBridge(SEER, Eyes(says=" \n")).bridged(CODEC, asking(image(data_url())))


async def test_what_was_described_is_remembered_although_another_failed() -> None:
    eyes = Eyes(None, RateLimited("Slow down."))
    bridge = VisionBridge(SEER, eyes)
    envelope = asking(*numbered(2))

    with pytest.raises(CapacityError):
        await bridge.bridged(CODEC, envelope)
    bridged = await bridge.bridged(CODEC, envelope)

    assert (len(eyes.asked), bridged.asked) == (3, 1)


async def test_a_description_has_an_end() -> None:
    bridged = await VisionBridge(SEER, Eyes(says="x" * 100_000)).bridged(CODEC, asking(image(data_url())))

    assert len(content_of(bridged.envelope)[0]["text"]) < 20_000


async def test_i25_a_huge_image_is_not_even_asked_about() -> None:
    eyes = Eyes()

    with pytest.raises(InvalidRequest) as caught:
        await VisionBridge(SEER, eyes).bridged(CODEC, asking(image("data:image/png;base64," + "A" * (28 << 20))))

    assert (caught.value.code, eyes.asked) == ("image_too_large", [])


def test_a_model_sees_nothing_when_that_is_known_of_it() -> None:
    catalog = Catalog(
        [
            Model(id="blind", context_tokens=128_000, has_vision=False),
            Model(id="thinks", thinking="switchable", aliases=("t",), has_vision=False),
            Model(id="sees", context_tokens=128_000, has_vision=True),
            Model(id="says-nothing-of-it", context_tokens=32_768),
            Model(id="named-only"),
        ]
    )

    assert [sees_nothing(catalog, name) for name in ("blind", "BLIND", "thinks(high)", "t")] == [True] * 4
    assert [sees_nothing(catalog, name) for name in ("sees", "says-nothing-of-it", "named-only", "unheard-of")] == [
        False
    ] * 4
