from iflow_cli_proxy.protocols import CODECS


def test_every_codec_is_registered_under_its_own_name() -> None:
    assert "openai_chat" in CODECS
    assert all(codec.name == name for name, codec in CODECS.items())
