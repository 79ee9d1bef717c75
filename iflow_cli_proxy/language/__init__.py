"""What people read, in their language: finished English text goes in, the text of the catalogue comes out.

The house speaks English inside; whoever hands text to a person calls `translate` at that moment and nowhere before
(docs/decisions/0010). Refuses to know what a text is about.
"""

from __future__ import annotations

from typing import Final

from iflow_cli_proxy.language.catalogue import catalogue, page_texts
from iflow_cli_proxy.language.choice import CHINESE, ENGLISH, LANGUAGES, of_accept_language, of_locale

__all__: Final = (
    "CHINESE",
    "ENGLISH",
    "LANGUAGES",
    "of_accept_language",
    "of_locale",
    "page_texts",
    "translate",
)


def translate(text: str, language: str) -> str:
    """The same in `language`; what the catalogue does not know stays as it is."""
    return text if language == ENGLISH or not text else catalogue(language).spoken(text)
