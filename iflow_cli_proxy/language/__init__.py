"""What people read, in their language: finished English text goes in, the text of the catalogue comes out.

The house speaks English inside; whoever hands text to a person calls `translate` at that moment and nowhere before
(docs/decisions/0010). Refuses to know what a text is about.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from iflow_cli_proxy.language.choice import CHINESE, ENGLISH, LANGUAGES, of_accept_language, of_locale, of_tag

__all__: Final = (
    "CHINESE",
    "ENGLISH",
    "LANGUAGES",
    "of_accept_language",
    "of_locale",
    "of_tag",
    "page_texts",
    "translate",
)


def translate(text: str, language: str) -> str:
    """The same in `language`; what the catalogue does not know stays as it is."""
    if language == ENGLISH or not text:
        return text
    from iflow_cli_proxy.language.catalogue import catalogue  # lazily: who speaks English needs no reader of TOML

    return catalogue(language).spoken(text)


def page_texts(language: str) -> Mapping[str, str]:
    """What the admin page says, by its English; nothing for English itself."""
    if language == ENGLISH:
        return {}
    from iflow_cli_proxy.language.catalogue import page_texts as texts_of_page

    return texts_of_page(language)
