"""The calibration that is published is the one on record, and its sizes are those that the reports name."""

from __future__ import annotations

import pytest

from benchmarks.ladder import DOCUMENT, Counted, counted, decided_from, document
from benchmarks.rows import read
from synth_worker.gates import Ruling, profile, rule
from synth_worker.ladder import DECIDED_FROM, rows_to_pass, rows_to_prove
from synth_worker.metrics.base import Score


def test_the_document_says_what_the_records_say() -> None:
    assert DOCUMENT.read_text(encoding="utf-8") == document()


def test_the_sizes_that_reports_name_are_those_of_the_records() -> None:
    assert dict(DECIDED_FROM) == decided_from(counted(read("calibration")))


def batch(table: str, rows: int, green: int, *, code: str = "b") -> dict[str, object]:
    rulings = {gate.metric: {"green": green, "amber_pass": 20 - green} for gate in profile("standard").gates}
    rulings["ks_mean"] = {"green": 20}
    return {
        "table": table, "rows": rows, "case": "fresh", "trials": 20, "code": code, "commit": "c", "released": 20,
        "all": {"green": green, "amber": 20 - green}, "rulings": rulings,
    }  # fmt: skip


def test_a_gate_decides_from_the_size_that_no_larger_one_contradicts() -> None:
    found = counted(
        [
            *(batch(table, rows, 20) for table in ("adult", "made") for rows in (300, 5_000)),
            *(batch(table, 2_000, 17) for table in ("adult", "made")),
        ]
    )
    assert decided_from(found)["mia_tpr"] == 5_000  # 300 was luck: 2,000 is not green in nine of ten
    assert decided_from(found)["ks_mean"] == 300


def test_one_table_that_stays_amber_decides_and_old_code_does_not_count() -> None:
    found = counted([batch("adult", 300, 0, code="a"), batch("adult", 300, 20), batch("made", 300, 10)])
    assert isinstance(found["adult", 300, "fresh"], Counted)
    assert found["adult", 300, "fresh"].trials == 20
    assert "mia_tpr" not in decided_from(found)


def test_the_rows_that_would_decide_follow_the_square_root() -> None:
    assert rows_to_pass(Score(0.55, upper=0.70, rows=100), upper_limit=0.65) == 230
    assert rows_to_pass(Score(0.66, upper=0.70, rows=100), upper_limit=0.65) is None
    assert rows_to_prove(Score(0.60, upper=0.60 + 1.645 * 0.1, floor=0.5, rows=100), alpha=0.002) == pytest.approx(
        100 * 2.878**2, rel=0.02
    )
    assert rows_to_prove(Score(0.45, upper=0.6, floor=0.5, rows=100), alpha=0.002) is None


def test_an_amber_ruling_names_them() -> None:
    judged = rule(profile("standard").gates[5], Score(0.55, upper=0.70, p_value=0.2, rows=100))
    assert (judged.ruling, judged.rows_needed) == (Ruling.AMBER_PASS, 230)
