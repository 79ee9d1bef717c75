from iflow_cli_proxy.language import CHINESE, ENGLISH, translate


def test_english_is_the_text_itself() -> None:
    assert translate("Saved server.port.", ENGLISH) == "Saved server.port."


def test_what_the_catalogue_does_not_know_stays_as_it_is() -> None:
    assert translate("xyzzy plugh", CHINESE) == "xyzzy plugh"
    assert translate("", CHINESE) == ""
