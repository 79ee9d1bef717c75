from iflow_cli_proxy.cli.speech import speaking
from iflow_cli_proxy.cli.spoken_help import spoken_paragraphs, spoken_usage


def test_paragraphs_are_texts_of_their_own_however_they_are_broken() -> None:
    with speaking("zh"):
        assert spoken_paragraphs("Saved\nserver.port.\n\nxyzzy") == "已保存 server.port。\n\nxyzzy"


def test_a_usage_line_keeps_what_is_to_be_typed() -> None:
    with speaking("zh"):
        assert spoken_usage("Usage: iflow2api [OPTIONS]") == "用法\uff1aiflow2api [OPTIONS]"
        assert spoken_usage("Saved server.port.") == "已保存 server.port。"
