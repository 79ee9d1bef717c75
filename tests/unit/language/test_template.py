import pytest

from iflow_cli_proxy.language.template import Entry, Place, template


def said(source: str, target: str, text: str, *, is_loose: bool = False) -> str | None:
    return Entry(template(source), template(target)).said_again(text, str.upper, is_loose=is_loose)


def test_places_are_counted_by_themselves_or_by_hand() -> None:
    assert template("a {} b {}").parts == ("a ", Place(0), " b ", Place(1))
    assert template("{1:word} of {0}").parts == (Place(1, "word"), " of ", Place(0))
    assert template("{{}} {}").words == ["{", "}", " "]


@pytest.mark.parametrize("text", ["{name}", "{!r}", "{:>8}", "{0.x}"])
def test_other_places_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="a place is"):
        template(text)


def test_a_text_is_recognised_and_said_again_in_another_order() -> None:
    assert said("{} of {}", "{1}: {0}", "3 of 7") == "7: 3"
    assert said("{} of {}", "{1}: {0}", "3 from 7") is None


def test_a_place_of_several_words_is_spoken_and_a_single_one_only_on_request() -> None:
    assert said("Saved {}.", "({})", "Saved all of it.") == "(ALL OF IT)"
    assert said("Saved {}.", "({})", "Saved one.") == "(one)"
    assert said("Saved {}.", "({:word})", "Saved one.") == "(ONE)"


def test_a_number_is_one() -> None:
    assert said("{} s", "{:number}秒", "1,5 s") == "1,5秒"
    assert said("{} s", "{:number}秒", "what a s") is None


def test_glue_holds_only_what_is_ours() -> None:
    assert said("{}: {}", "{}|{}", "key: some words") == "key|SOME WORDS"
    assert said("{}: {}", "{}|{}", "key: VALUE") is None


def test_a_place_holds_lines_and_sentences_only_where_it_is_loose() -> None:
    assert said("See {}!", "<{}>", "See a\n.*b!") is None
    assert said("See {}!", "<{}>", "See a\n.*b!", is_loose=True) == "<a\n.*b>"
    assert said("See {}!", "<{}>", "See a. b!") is None


def test_many_words_and_leads_are_sure_and_marks_are_glue() -> None:
    assert not template("{} is {}").is_sure
    assert template("The port {} is taken.").is_sure
    assert template("Error: {}").is_sure
    assert template("{}: {}").is_glue
    assert not template("{} is {}").is_glue


def test_no_blank_stands_beside_a_full_width_mark() -> None:
    assert said("longer than {} it is", "\u6bd4 {} \u957f", "longer than x\uff09 it is") == "\u6bd4 x\uff09\u957f"


def test_a_place_that_is_left_unsaid() -> None:
    assert said("{} {} revoked.", "({})({1:none})", "a are revoked.") == "(a)()"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("desk at here", "<desk|here>"),
        ("desk, home at here", "<desk, home|here>"),
        ("7 days at here", "<7 DAYS|here>"),
        ("the server cannot answer at present", None),
    ],
)
def test_few_words_stand_around_names_and_what_is_ours_only(text: str, found: str | None) -> None:
    entry = Entry(template("{} at {}"), template("<{}|{}>"))

    assert entry.said_again(text, lambda held: held.replace("days", "DAYS")) == found


def test_a_place_may_be_declared_to_hold_what_anybody_wrote() -> None:
    entry = Entry(template("{} at {}"), template("<{:text}|{}>"))

    assert entry.said_again("the server at once", str) == "<the server|once>"


def test_a_search_that_would_never_end_is_not_begun() -> None:
    entry = Entry(template("{} of {} of {} of {} of {}."), template("{}{}{}{}{}"))
    assert entry.said_again("x of " * 700 + "!", str) is None
