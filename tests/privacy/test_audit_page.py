"""The page on differential privacy says what is on record."""

from __future__ import annotations

from benchmarks import audit_page
from benchmarks.rows import read


def test_the_page_says_what_the_records_say() -> None:
    page = audit_page.DOCUMENT.read_text(encoding="utf-8")
    assert page == audit_page.document(page, read("audit"))


def test_no_recorded_audit_contradicts_a_claim() -> None:
    rows = read("audit")
    assert {str(row["part"]) for row in rows} >= {"sampler", "accounting", "noisy_max", "stable_histogram"}
    for row in rows:
        if "claim" in row:
            assert float(str(row.get("again", row["lower"]))) <= float(str(row["claim"])), row
        if row["part"] == "sampler":
            assert float(str(row["p"])) > 1e-5, row
        assert not row.get("above_exact_delta"), row
