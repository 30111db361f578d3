"""Promises of option values: what is meant is read, everything else is refused by name, value and what is allowed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synth_worker import gates
from synth_worker.commands.asked import METHODS, PROFILES, UNITS, given_of, rows_of, seconds_of
from synth_worker.errors import BadInput
from synth_worker.generators.registry import GENERATORS


@given(st.integers(1, 10**6), st.sampled_from(sorted(UNITS)))
def test_durations_are_a_number_and_a_unit(number: int, unit: str) -> None:
    assert seconds_of(f"{number}{unit}") == number * UNITS[unit]


@pytest.mark.parametrize("text", ["", "10x", "-5m", "0", "0.5s", "ten", "m", "1e3", "inf", "nan", "10m30s"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="--time-budget") as refusal:
        seconds_of(text)
    assert repr(text) in refusal.value.message
    assert "90s, 10m, 2h, or none" in refusal.value.hint


@given(st.text(max_size=20))
def test_no_text_breaks_the_reader_of_durations(text: str) -> None:
    try:
        found = seconds_of(text)
    except BadInput:
        return
    assert found is None or found >= 1


@pytest.mark.parametrize("texts", [["0"], ["1"], ["-4"], ["many"], ["10", "20"], ["1.5"], [""]])
def test_rows_that_cannot_be_meant_are_refused(texts: list[str]) -> None:
    with pytest.raises(BadInput, match="--rows"):
        rows_of(texts)


def test_rows_take_a_number_and_a_word_in_any_order() -> None:
    assert rows_of(["independent", "50"]) == rows_of(["50", "independent"])
    assert rows_of([]).count is None
    assert not rows_of(["50"]).independent


@pytest.mark.parametrize("texts", [["sex"], ["=F"], ["sex=F", "sex=M"]])
def test_given_values_that_cannot_be_meant_are_refused(texts: list[str]) -> None:
    with pytest.raises(BadInput, match="--given"):
        given_of(texts)


def test_names_that_are_refused_early_are_those_of_the_registries() -> None:
    assert set(METHODS) == {"auto", *GENERATORS}
    assert tuple(gates.PROFILES) == PROFILES
