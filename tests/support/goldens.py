"""The scenarios of `tests/golden`: one conversation each, as every protocol writes it, with the events in the middle.

Knows where the files are and how to run a codec over them. What a protocol cannot carry is in `losses.py`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.events import Event, Failed
from iflow_cli_proxy.core.sse import EVENT_STREAM, Frame
from iflow_cli_proxy.core.stage import Chain, run
from iflow_cli_proxy.core.think_tags import ThinkTags
from iflow_cli_proxy.core.tool_names import NamesRestored
from iflow_cli_proxy.core.tool_use import ToolUseSaid
from iflow_cli_proxy.protocols import CODECS
from iflow_cli_proxy.protocols.base import Codec, EncodeOptions, Inbound

TRANSLATED: Final = tuple(codec for codec in CODECS.values() if not codec.is_passed_on)
"""Those with a canonical form."""
ROOT: Final = Path(__file__).parents[1] / "golden"
FAILING_WORDS: Final = frozenset({"network_error", "error_finish"})
OPTIONS: Final = EncodeOptions(id="chatcmpl-standin", created=1_795_132_800, model="stand-in")

_decode_event: Final = jsonx.typed(Event)


@dataclass(frozen=True)
class Scenario:
    folder: Path

    @property
    def name(self) -> str:
        return self.folder.name

    def protocols(self, kind: str) -> list[Codec]:
        """The codecs that have a file of this kind (`sse`, `reply.json`, `request.json`) here."""
        return [codec for codec in CODECS.values() if self.path(codec, kind).exists()]

    def path(self, codec: Codec, kind: str) -> Path:
        return self.folder / f"{codec.name}.{kind}"

    def read(self, codec: Codec, kind: str) -> bytes:
        return self.path(codec, kind).read_bytes()

    def events(self) -> list[Event]:
        lines = (self.folder / "events.jsonl").read_bytes().splitlines()
        return [_decode_event(line) for line in lines]

    @property
    def is_failure(self) -> bool:
        return isinstance(self.events()[-1], Failed)

    # --- for clients of another protocol than the upstream's ------------------------------------------------------

    def translations(self, kind: str) -> list[Codec]:
        """The codecs for which there is a file of this kind under `translated`."""
        return [codec for codec in TRANSLATED if self.translated_path(codec, kind).exists()]

    def translated_path(self, codec: Codec, kind: str) -> Path:
        return self.folder / "translated" / f"{codec.name}.{kind}"

    def restored(self, upstream: Codec) -> list[Event]:
        """What the upstream's stream says, as `gateway/opening.py` has it said to such a client."""
        decoder = upstream.stream_decoder(upstream.decode_error, FAILING_WORDS, keeps_extras=False)
        stages = Chain(upstream.framer(), decoder, ThinkTags(), ToolUseSaid(), NamesRestored(self._names))
        return run(stages, [self.read(upstream, "sse")])

    @property
    def _names(self) -> Mapping[str, str]:
        """The client's names of tools to the upstream's."""
        path = self.folder / "names.json"
        names: Mapping[str, str] = jsonx.decode(path.read_bytes()) if path.exists() else {}
        return names


SCENARIOS: Final = [Scenario(folder) for folder in sorted(ROOT.iterdir()) if (folder / "ABOUT.md").exists()]


def decode_stream(codec: Codec, chunks: Iterable[bytes], choices: int = 1) -> list[Event]:
    """What a stream means, in whatever pieces it arrives. Anything unknown is judged by the protocol's own words."""
    return run(Chain(codec.framer(), codec.stream_decoder(codec.decode_error, FAILING_WORDS, choices)), chunks)


def encode_stream(codec: Codec, events: Iterable[Event], options: EncodeOptions = OPTIONS) -> bytes:
    return b"".join(run(codec.stream_encoder(options), events))


def inbound(codec: Codec, body: bytes) -> Inbound:
    """A request for a stream, where it is not the body that says so."""
    return Inbound(protocol=codec.name, body=body, path={"method": "streamGenerateContent"}, query={"alt": "sse"})


def reframe(codec: Codec, frame: Frame) -> bytes:
    """A frame on the wire again, as it is when it is passed on."""
    if codec.stream_type != EVENT_STREAM:
        return frame.data + b"\n"
    event = b"event: %b\n" % frame.event.encode() if frame.event else b""
    return event + b"data: " + frame.data.replace(b"\n", b"\ndata: ") + b"\n\n"


def write_events(scenario: Scenario, events: Iterable[Event]) -> None:
    lines = [jsonx.encode(event) + b"\n" for event in events]
    (scenario.folder / "events.jsonl").write_bytes(b"".join(lines))


def write_json(path: Path, body: bytes) -> None:
    value: Any = json.loads(body)
    path.write_text(json.dumps(value, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
