"""Promises of the tables of parameters: the specification's ranges at every border, one row for every method."""

from __future__ import annotations

import json

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import parameters_page
from synth_worker.commands.tables import show_tables
from synth_worker.errors import BadInput, UnknownName
from synth_worker.generators.registry import GENERATORS, build
from synth_worker.optimizer import get_optimizer
from synth_worker.optimizing.tables import TABLES, TIER_NAMES, row_of, suggested
from synth_worker.search.choosing import next_plan
from synth_worker.search.portfolio import Ask

SPECIFIED = {
    999: ((200, 300), (32, 64)), 1_000: ((300, 400), (128, 128)), 4_999: ((300, 400), (128, 128)),
    5_000: ((400, 500), (128, 256)), 20_000: ((400, 500), (128, 256)), 20_001: ((500, 600), (256, 256)),
}  # fmt: skip


@pytest.mark.parametrize("rows", SPECIFIED)
def test_the_diffusion_keeps_the_specified_ranges(rows: int) -> None:
    (least, most), (smallest, largest) = SPECIFIED[rows]
    found = suggested("ddpm", rows, 20)
    assert least <= int(found["n_iter"]) <= most
    assert smallest <= int(found["batch_size"]) <= largest
    assert row_of("ddpm", rows).ranges["n_iter"] == (least, most)


def test_every_method_has_a_row_for_every_tier() -> None:
    assert set(TABLES) == set(GENERATORS)
    assert all(len(rows) == len(TIER_NAMES) for rows in TABLES.values())


@pytest.mark.parametrize("method", [name for name, spec in GENERATORS.items() if not spec.guarantee])
@given(rows=st.integers(1, 10**7), more=st.integers(0, 10**7), columns=st.integers(1, 5_000))
def test_more_rows_never_mean_fewer_iterations(method: str, rows: int, more: int, columns: int) -> None:
    fewer, many = suggested(method, rows, columns), suggested(method, rows + more, columns)
    assert float(fewer.get("n_iter", 0)) <= float(many.get("n_iter", 0))


@pytest.mark.parametrize("method", GENERATORS)
@pytest.mark.parametrize("rows", [1, 999, 5_000, 10**7])
def test_what_is_suggested_can_be_built_and_lies_in_its_range(method: str, rows: int) -> None:
    found = suggested(method, rows, 2)
    build(method, found)
    for name, (low, high) in row_of(method, rows).ranges.items():
        assert low <= float(found[name]) <= high


@pytest.mark.parametrize("method", [name for name, spec in GENERATORS.items() if not spec.guarantee])
@pytest.mark.parametrize("rows", [300, 1_000, 5_000, 20_001])
def test_the_call_and_every_search_begin_with_what_the_table_suggests(method: str, rows: int) -> None:
    called = get_optimizer().suggest_hyperparameters(method=method, dataset_size=(rows, 9))
    assert called.items() <= suggested(method, rows, 9).items()
    own = suggested(method, rows)
    for search in ("auto", "bayesian"):
        plan = next_plan([], Ask(method, 0, 3, 2 * rows, search=search, learnt=rows))
        assert plan is not None
        assert plan.method == method
        assert own.items() <= plan.hyperparameters.items()


def test_a_size_that_is_none_and_an_unknown_method_are_refused() -> None:
    with pytest.raises(BadInput):
        suggested("ddpm", 0, 5)
    with pytest.raises(BadInput):
        suggested("ddpm", 5, 0)
    with pytest.raises(UnknownName):
        suggested("dpm", 5, 5)


def test_the_page_says_what_the_code_and_the_records_say() -> None:
    assert parameters_page.DOCUMENT.read_text(encoding="utf-8") == parameters_page.page()


def test_every_figure_on_the_page_is_measured_and_most_cells_are_filled() -> None:
    rows = [line for line in parameters_page.page().split("## Failure")[0].splitlines() if line.startswith("| ")]
    cells = [cell.strip() for line in rows for cell in line.strip("| ").split(" | ")]
    assert not any(cell == "prior" for cell in cells)


def test_the_command_prints_the_table_of_one_method_and_refuses_another(capsys: pytest.CaptureFixture[str]) -> None:
    assert show_tables(method="ddpm", as_json=True) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["ddpm"][1] == {
        "rows": "1,000-4,999",
        "settings": {"n_iter": 300, "batch_size": 128},
        "ranges": {"n_iter": [300, 400], "batch_size": [128, 128]},
    }
    with pytest.raises(typer.Exit):
        show_tables(method="dpm")
