"""Promises of the time estimate: measured, never guessed, never below zero."""

from __future__ import annotations

from synth_worker.commands.pace import Pace


def test_nothing_is_said_before_something_was_measured() -> None:
    pace = Pace(attempts=3)
    pace.note({"event": "plan", "number": 1}, now=0.0)
    pace.note({"event": "fit", "number": 1, "done": 0, "total": 10}, now=0.0)
    assert pace.step_left(now=5.0) is None
    assert pace.search_left(now=5.0) is None


def test_the_search_is_judged_by_the_attempts_so_far() -> None:
    pace = Pace(attempts=3)
    pace.note({"event": "plan", "number": 1}, now=0.0)
    pace.note({"event": "attempt"}, now=4.0)
    assert pace.search_left(now=4.0) == 8.0
    pace.note({"event": "plan", "number": 2}, now=4.0)
    assert pace.search_left(now=5.0) == 7.0
    assert pace.search_left(now=50.0) == 4.0


def test_a_resumed_run_counts_attempts_from_where_it_is() -> None:
    pace = Pace(attempts=3)
    pace.note({"event": "plan", "number": 3}, now=0.0)
    pace.note({"event": "attempt"}, now=6.0)
    assert pace.search_left(now=6.0) == 0.0


def test_the_certificate_ends_the_search_and_has_a_pace_of_its_own() -> None:
    pace = Pace(attempts=3)
    pace.note({"event": "plan", "number": 1}, now=0.0)
    pace.note({"event": "attempt"}, now=4.0)
    pace.note({"event": "certify", "what": "a", "done": 0, "total": 4}, now=5.0)
    pace.note({"event": "certify", "what": "b", "done": 2, "total": 4}, now=9.0)
    assert pace.search_left(now=9.0) == 0.0
    assert pace.step_left(now=9.0) == 4.0
    assert pace.step_left(now=99.0) == 0.0


def test_a_training_that_is_taken_up_has_the_pace_of_what_is_done_now() -> None:
    pace = Pace(attempts=1)
    pace.note({"event": "fit", "number": 1, "done": 50, "total": 100}, now=0.0)
    assert pace.step_left(now=0.0) is None
    pace.note({"event": "fit", "number": 1, "done": 60, "total": 100}, now=5.0)
    assert pace.step_left(now=5.0) == 20.0


def test_a_new_step_of_the_same_size_starts_afresh() -> None:
    pace = Pace(attempts=1)
    pace.note({"event": "certify", "what": "folds", "done": 0, "total": 5}, now=0.0)
    pace.note({"event": "certify", "what": "folds", "done": 5, "total": 5}, now=10.0)
    pace.note({"event": "certify", "what": "marginals", "done": 0, "total": 5}, now=10.0)
    pace.note({"event": "certify", "what": "privacy", "done": 1, "total": 5}, now=11.0)
    assert pace.step_left(now=11.0) == 4.0


def test_what_has_no_steps_has_no_estimate() -> None:
    pace = Pace(attempts=1)
    pace.note({"event": "certify", "what": "a", "done": 0, "total": 2}, now=0.0)
    pace.note({"event": "certify", "what": "b", "done": 1, "total": 2}, now=3.0)
    pace.note({"event": "report"}, now=6.0)
    assert pace.step_left(now=6.0) is None
