"""Promises of the optimiser's pages: they say what the records say, and the records keep what is claimed of them."""

from __future__ import annotations

import math

import pytest

from benchmarks import adjustments_page, blind_page, injected_page
from benchmarks.adjustments import CASES
from benchmarks.blind_tables import NAMED
from benchmarks.injected import FAULTS
from benchmarks.rows import read
from synth_worker.diagnosis import Cause, FailureType
from synth_worker.generators.registry import GENERATORS

PAGES = {"adjustments": adjustments_page, "blind": blind_page, "injected": injected_page}


@pytest.mark.parametrize("name", PAGES)
def test_the_page_says_what_the_records_say(name: str) -> None:
    if not read(name):
        pytest.skip(f"nothing is recorded of {name} yet")
    assert PAGES[name].DOCUMENT.read_text(encoding="utf-8") == PAGES[name].page()


def test_twelve_faults_are_injected_and_their_names_exist() -> None:
    assert len(FAULTS) == 12
    for fault in FAULTS.values():
        assert fault.failure_type in set(FailureType)
        assert fault.cause in set(Cause)
        assert fault.method in GENERATORS


def test_every_case_names_settings_that_its_methods_have() -> None:
    assert {case.failure for case in CASES.values()} == {"HIGH_KS", "HIGH_CORR_DELTA", "HIGH_MIA", "HIGH_DUP_RATE"}
    for case in CASES.values():
        for changes in ({"method": case.method, **case.settings}, *case.actions.values()):
            spec = GENERATORS[str(changes.get("method", case.method))]
            assert set(changes) <= {knob.name for knob in spec.knobs} | {"method", "oversample"}


def test_the_blind_comparison_has_thirteen_tables() -> None:
    assert len(NAMED) == 13
    assert {row["source"] for row in NAMED.values()} == {"shared", "sklearn", "statsmodels", "made"}


def test_the_optimiser_costs_less_than_a_second_an_attempt() -> None:
    rows = [row for row in read("overhead") if (row["rows"], row["columns"]) == (50_000, 100)]
    assert rows
    assert float(str(rows[-1]["cpu_seconds"])) < 1.0


def test_an_interval_of_one_value_is_infinite() -> None:
    assert adjustments_page.interval([0.5]) == (0.5, math.inf)


def _pair(table: str, own: float, other: float) -> list[dict[str, object]]:
    def row(way: str, value: float) -> dict[str, object]:
        return {
            "table": table,
            "seed": 0,
            "way": way,
            "ended": "green",
            "scores": {"c2st_auc": value, "mia_auc": 0.5},
            "c2st_interval": [value - 0.03, value + 0.03],
        }

    return [row("loop", own), row("tpe", other)]


def test_a_table_is_farther_only_beyond_the_noise_of_both_figures() -> None:
    rows = [
        *_pair("far", 0.595, 0.54),
        *_pair("near", 0.51, 0.70),
        *_pair("alike", 0.56, 0.53),
        *_pair("below", 0.5, 0.3),
    ]
    said = blind_page.compared(rows)[-1]
    assert said.endswith("| 1 (near) | 1 (far) | 1 (near) | 0 |")


def test_a_table_that_differs_as_much_from_itself_is_not_farther_and_a_red_one_is_left_out() -> None:
    rows = [*_pair("far", 0.595, 0.54), *_pair("red", 0.60, 0.50)]
    again = {**rows[0], "way": "again 1", "scores": {"c2st_auc": 0.54, "mia_auc": 0.5}}
    rows[-1]["ended"] = "red"
    said = blind_page.compared([*rows, again])
    assert said[-2].startswith("| `tpe` | 1 |")
    assert said[-2].endswith("| 0 | 0 | 0 | 0 |")


def test_what_differs_by_chance_is_shown_last_and_counts_as_no_way() -> None:
    run = {"at": "2026-12-01", "commit": "c", "rows": 9, "columns": 9, "best": "gc", "ended": "green"}
    rows = [{**run, "green_after": None, **row} for row in _pair("iris", 0.55, 0.52)]
    again = {**rows[0], "way": "again 1", "scores": {"c2st_auc": 0.54, "mia_auc": 0.53}}
    said = blind_page.compared([again, *rows])
    assert said[-2].startswith("| `tpe` | 1 | +0.030")
    assert said[-1].startswith("| `again 1` | 1 | +0.010 ± inf | -0.030")
