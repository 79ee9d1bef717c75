"""Whom we trust: certificate bundles of the user, and plain words for what a bad certificate lacks.

Verification itself is never switched off, here or anywhere.
"""

from __future__ import annotations

import functools
import ssl
from typing import Final

from iflow_cli_proxy.core.errors import ConfigError

# OpenSSL's own messages name the host, so its codes (x509_vfy.h) are put into words here.
_REASONS: Final = {
    9: "the certificate is not valid yet",
    10: "the certificate has expired",
    18: "the certificate is self-signed",
    19: "the certificate's authority is not trusted",
    20: "the certificate's authority is not trusted",
    21: "the certificate's authority is not trusted",
    23: "the certificate was revoked",
    62: "the certificate is for another host",
    64: "the certificate is for another address",
}


def reason_of(error: ssl.SSLError) -> str:
    """What to tell a person, without host names."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _REASONS.get(error.verify_code, "the certificate does not verify")
    return (getattr(error, "reason", None) or "handshake failure").replace("_", " ").lower()


@functools.lru_cache(maxsize=8)
def tls_context(ca_file: str) -> ssl.SSLContext:
    """Verification as always, against the authorities in `ca_file` only.

    Raises:
        ConfigError: the file is missing or holds no certificate.
    """
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        raise unusable_bundle() from error
    context.set_alpn_protocols(["http/1.1"])
    return context


def unusable_bundle() -> ConfigError:
    return ConfigError(
        "The certificate bundle in upstream.ca_file cannot be used.",
        param="upstream.ca_file",
        hint="give the path of a readable PEM file",
    )
