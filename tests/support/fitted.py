"""The scenarios of `tests/fitted`: one request as each client protocol words it, and what an upstream is sent for it.

Knows where the files are and how a request becomes another protocol's, which is what `gateway/attempt.py` does.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.fitting import fitted, fitted_fields
from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.core.profile import Profile
from iflow_cli_proxy.protocols import CODECS
from iflow_cli_proxy.protocols.base import Codec
from tests.support.goldens import inbound, write_json

ROOT: Final = Path(__file__).parents[1] / "fitted"
UPSTREAM: Final = CODECS["openai_chat"]

_read_profile: Final = jsonx.typed(Profile)


@dataclass(frozen=True)
class Fitting:
    folder: Path

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def profile(self) -> Profile:
        return _read_profile((self.folder / "profile.json").read_bytes())

    @property
    def clients(self) -> list[Codec]:
        """The protocols that this can be asked for in."""
        return [codec for codec in CODECS.values() if self._request(codec).exists()]

    def expected_path(self, codec: Codec) -> Path:
        """The file of this protocol alone where there is one, else that of all of them."""
        own = self.folder / f"upstream.{codec.name}.json"
        return own if own.exists() else self.folder / "upstream.json"

    def sent(self, codec: Codec) -> dict[str, Json]:
        """The fields of the body, without `model` and `stream`."""
        envelope = codec.read_envelope(inbound(codec, self._request(codec).read_bytes()))
        request = fitted(codec.decode_request(envelope), self.profile).request
        fields = UPSTREAM.encode_request(request)
        mended, _ = UPSTREAM.repair(msgspec.structs.replace(envelope, fields=fields, values=fields))
        return dict(fitted_fields(mended.fields, self.profile))

    def regold(self) -> None:
        """Write what is sent; the first protocol speaks for those without a file of their own."""
        for codec in reversed(self.clients):
            write_json(self.expected_path(codec), jsonx.encode(self.sent(codec)))

    def _request(self, codec: Codec) -> Path:
        return self.folder / f"{codec.name}.request.json"


FITTINGS: Final = [Fitting(folder) for folder in sorted(ROOT.iterdir()) if (folder / "ABOUT.md").exists()]
