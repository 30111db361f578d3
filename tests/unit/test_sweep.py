"""No made table breaks the main job: a small, fixed sample of the sweep that ``make audit`` runs."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings

from benchmarks.sweep import shrink
from benchmarks.sweep_columns import MAKERS, Pool
from benchmarks.sweep_run import run_case
from benchmarks.sweep_tables import ColumnPlan, Plan, make_frame, plans, smaller

POOL = Pool(("a", "b"), (0.0, 1.0))
BASE = Plan(40, (ColumnPlan("c0", "float64", 1, 0.0, POOL),), "frame", "gc", "standard", None, 0, "drop", None)


@pytest.mark.slow
@settings(derandomize=True, max_examples=6, database=None, deadline=None, suppress_health_check=list(HealthCheck))
@given(plans(widest=5, most_rows=70))
def test_a_made_table_ends_with_a_verdict_or_a_refusal(plan: Plan) -> None:
    ended = run_case(plan)
    assert ended.light in {"green", "amber", "red", "refused"}
    assert not ended.wrong


def test_every_kind_of_column_can_be_made_and_made_again() -> None:
    for name in MAKERS:
        plan = replace(BASE, columns=(ColumnPlan("c0", name, 7, 0.1, POOL),))
        assert make_frame(plan).equals(make_frame(plan)), name


def test_a_fault_is_found_and_made_smaller() -> None:
    columns = tuple(ColumnPlan(f"c{one}", maker, one, 0.0, POOL) for one, maker in enumerate(("lists", "labels")))
    plan = replace(BASE, rows=80, columns=columns)
    assert run_case(plan).light == "refused"
    assert all(len(one.columns) <= 2 and one.rows <= 80 for one in smaller(plan))
    assert shrink(plan, "nothing of the kind") == plan
