from __future__ import annotations

import ssl
from pathlib import Path

import pytest
import trustme

from iflow_cli_proxy.core.errors import ConfigError
from iflow_cli_proxy.transport.trust import reason_of, tls_context


def test_a_bundle_replaces_the_default_authorities_and_verification_stays_on(tmp_path: Path) -> None:
    bundle = tmp_path / "ca.pem"
    trustme.CA().cert_pem.write_to_path(bundle)
    context = tls_context(str(bundle))
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert len(context.get_ca_certs()) == 1
    assert tls_context(str(bundle)) is context


@pytest.mark.parametrize("content", [None, b"", b"not a certificate"])
def test_an_unusable_bundle_is_named_by_its_setting_not_its_path(tmp_path: Path, content: bytes | None) -> None:
    bundle = tmp_path / "ca.pem"
    if content is not None:
        bundle.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        tls_context(str(bundle))
    assert caught.value.param == "upstream.ca_file"
    assert str(tmp_path) not in f"{caught.value.message} {caught.value.detail}"


def test_reasons_do_not_repeat_the_host() -> None:
    error = ssl.SSLCertVerificationError(1, "hostname 'secret.example' does not match")
    error.verify_code = 62
    assert reason_of(error) == "the certificate is for another host"
    error.verify_code = 4711
    assert reason_of(error) == "the certificate does not verify"


def test_other_tls_errors_are_told_in_openssls_words() -> None:
    error = ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number")
    assert reason_of(error) == "handshake failure"
    error.reason = "WRONG_VERSION_NUMBER"
    assert reason_of(error) == "wrong version number"
