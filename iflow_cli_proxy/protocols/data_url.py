"""Data URLs that hold base64, as OpenAI's protocols write pictures and files (RFC 2397)."""

from __future__ import annotations


def split_data_url(url: str) -> tuple[str, str]:
    """`data:image/png;base64,AAAA` as its type and its data; empty type for any other URL, and the URL as it is."""
    head, mark, data = url.partition(";base64,")
    media_type = head.removeprefix("data:")
    return (media_type, data) if mark and media_type and media_type != head else ("", url)


def data_url(media_type: str, data: str) -> str:
    return f"data:{media_type};base64,{data}"
