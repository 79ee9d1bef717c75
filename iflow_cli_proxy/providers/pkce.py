"""Proof Key for Code Exchange (RFC 7636), method S256: a stolen code is worth nothing without the verifier.

Refuses to know who is asked: entropy comes in, text goes out.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from hashlib import sha256
from typing import Final

from iflow_cli_proxy.core.ids import Entropy

METHOD: Final = "S256"

_VERIFIER_BYTES: Final = 32


def new_verifier(entropy: Entropy) -> str:
    """43 characters that only we know."""
    return _base64url(entropy(_VERIFIER_BYTES))


def challenge(verifier: str) -> str:
    """What may be shown to anybody before the verifier is."""
    return _base64url(sha256(verifier.encode("ascii")).digest())


def _base64url(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode("ascii")
