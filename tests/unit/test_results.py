"""The published figures are those on record."""

from __future__ import annotations

from benchmarks.results import DOCUMENT, document


def test_the_document_says_what_the_records_say() -> None:
    assert DOCUMENT.read_text(encoding="utf-8") == document()
