"""Hold the evaluation of files that are too long to hold to that of tables that are held."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as paparquet
import pytest

from benchmarks.large import batch
from synth_worker.errors import UnreadableTable
from synth_worker.evaluation import evaluate_tables
from synth_worker.in_turn import in_turn
from synth_worker.long_evaluation import evaluate_long, is_long
from synth_worker.longfile import one_domain, open_long, rows_at
from synth_worker.metrics.association import gram_of
from synth_worker.metrics.base import Score
from synth_worker.metrics.dependence import GROUPS
from synth_worker.metrics.long_margins import Long
from synth_worker.metrics.long_pairs import Frame, dealt, totals_of
from synth_worker.reading import read_like, read_table
from synth_worker.run import Certificate
from synth_worker.seeds import Streams
from synth_worker.table import Table, row_hashes, unify
from synth_worker.verbs import evaluate

ROWS = {"train": 3_000, "holdout": 1_000, "synthetic": 3_000}
WHOLE = (
    "ks_mean", "tvd_mean", "missing_delta", "wrong_dtype", "out_of_range", "corr_delta", "trend", "spike_delta",
    "rare_coverage", "dup_rate", "dup_rate_raw", "copy_excess",
)  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write three files; the synthetic one has copies, a label and a number that nobody else has."""
    folder = tmp_path_factory.mktemp("long")
    for seed, (name, rows) in enumerate(ROWS.items()):
        frame = batch(0, rows, seed=seed).to_pandas(date_as_object=True)
        if name == "synthetic":
            frame.iloc[:90] = paparquet.read_table(folder / "train.parquet").to_pandas().iloc[:90]
            frame["ward"] = frame["ward"].where(np.arange(rows) != 95, "space")
            frame["height"] = frame["height"].where(np.arange(rows) != 97, 999.0)
        frame.to_parquet(folder / f"{name}.parquet", row_group_size=700)
    return folder


@pytest.fixture(scope="module")
def both(folder: Path) -> tuple[Certificate, Certificate]:
    """Judge the three files either way; the long way in several parts, and with a sample that is the whole."""
    paths = {name: folder / f"{name}.parquet" for name in ROWS}
    long = evaluate_long(**paths, target="outcome", part=700, threads=1)
    train = read_table(paths["train"])
    holdout, (synthetic, broken) = (
        read_like(paths["holdout"], train.schema)[0],
        read_like(paths["synthetic"], train.schema),
    )
    held = evaluate_tables(
        train=train, holdout=holdout, synthetic=synthetic, target="outcome", threads=1, broken=broken
    )
    return long, held


@pytest.mark.parametrize("name", WHOLE)
def test_figures_of_all_rows_are_those_of_a_table_that_is_held(
    name: str, both: tuple[Certificate, Certificate]
) -> None:
    long, held = (one.scores[name] for one in both)
    assert long.value == pytest.approx(held.value, abs=1e-9)
    assert long.floor == pytest.approx(held.floor, abs=1e-9)
    assert long.rows == held.rows
    if name in ("corr_delta", "trend"):  # their jackknife deals other groups
        assert long.upper == pytest.approx(held.upper, rel=0.2)
    elif name in ("ks_mean", "tvd_mean"):  # without the rows, columns are taken to move together: never too narrow
        assert None not in (long.low, held.low, long.upper, held.upper)
        assert long.low <= held.low + 1e-9 and held.upper - 1e-9 <= long.upper < held.upper + 0.05  # type: ignore[operator]
    else:
        bounds = [(one.low, one.high, one.upper) for one in (long, held)]
        assert bounds[0] == pytest.approx(bounds[1], abs=1e-9)
    assert _columns(long) == pytest.approx(_columns(held), abs=1e-9)


def _columns(score: Score) -> dict[str, float]:
    return {name: value for name, value in score.detail.items() if name.startswith(("column:", "pair:"))}


def test_a_sample_of_all_rows_gives_the_same_attacks(both: tuple[Certificate, Certificate]) -> None:
    for name in ("mia_auc", "mia_tpr", "c2st_auc", "tstr", "dcr_share", "attribute_risk"):
        assert both[0].scores[name].value == pytest.approx(both[1].scores[name].value, abs=1e-9)
    assert both[0].power == both[1].power
    assert not both[0].notes


def test_batches_hold_the_same_rows_as_the_table(folder: Path) -> None:
    train = read_table(folder / "train.parquet")
    synthetic = read_like(folder / "synthetic.parquet", train.schema)[0]
    first = open_long(folder / "train.parquet", train.schema, first=True)
    files = one_domain([first, open_long(folder / "synthetic.parquet", first.schema, first=False)])
    for file, table in zip(files, unify([train.modelled(), synthetic.modelled()]), strict=True):
        assert file.schema == table.schema
        batches = list(file.batches(rows=999))
        assert sum(one.rows for one in batches) == table.rows
        assert (np.concatenate([row_hashes(one) for one in batches]) == row_hashes(table)).all()


def test_the_number_of_threads_changes_nothing(folder: Path, both: tuple[Certificate, Certificate]) -> None:
    paths = {name: folder / f"{name}.parquet" for name in ROWS}
    one, other = both[0], evaluate_long(**paths, target="outcome", part=700, threads=2)
    assert other.scores == one.scores
    assert (other.measurement.verdict, other.power, other.notes) == (one.measurement.verdict, one.power, one.notes)


@pytest.mark.parametrize(("rows", "sizes"), [(1, [700, 700, 700, 700, 200]), (701, [1_400, 1_400, 200])])
def test_parts_hold_the_rows_of_the_file_in_order(folder: Path, rows: int, sizes: list[int]) -> None:
    path = folder / "train.parquet"
    file = open_long(path, read_table(path).schema, first=True)
    parts = file.parts(rows=rows)
    assert [one.rows for one in parts] == sizes
    found = [np.concatenate([row_hashes(table) for table in one.batches()]) for one in parts]
    assert [len(one) for one in found] == sizes
    assert (np.concatenate(found) == np.concatenate([row_hashes(table) for table in file.batches()])).all()


@pytest.mark.parametrize("threads", [1, 2])
def test_rows_are_found_by_position_as_they_were_written(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, threads: int
) -> None:
    whole = paparquet.read_table(folder / "train.parquet")
    whole = whole.set_column(0, "kept", whole.column("ward").dictionary_encode())
    whole = whole.append_column("large", whole.column("ward").cast(pa.large_string()))
    paparquet.write_table(whole, tmp_path / "kinds.parquet", row_group_size=700)
    monkeypatch.setattr("synth_worker.longfile.PART", 1_000)
    positions = np.array([0, 3, 699, 700, 1_399, 2_999])
    asked = paparquet.ParquetFile(tmp_path / "kinds.parquet").read().take(positions)
    assert rows_at(tmp_path / "kinds.parquet", positions, threads=threads, rows=64).equals(asked)


def test_sums_by_group_are_those_of_the_rows_of_each_group(folder: Path) -> None:
    files = [open_long(folder / "train.parquet", read_table(folder / "train.parquet").schema, first=True)]
    files += [open_long(folder / f"{one}.parquet", files[0].schema, first=False) for one in ("holdout", "synthetic")]
    long = Long(*one_domain(files), Streams(0))
    frame = Frame.of(long, np.random.default_rng(0))
    groups = dealt(long, long.synthetic.rows, "synthetic")
    tables: list[Table] = []
    found = totals_of(long.synthetic, frame, groups=groups, seen=lambda _start, table: tables.append(table))
    matrix = np.concatenate([frame.layout.matrix(one) for one in tables])
    cells = [np.concatenate(one) for one in zip(*(frame.bins.codes(table) for table in tables), strict=True)]
    numbers = matrix[:, : 3 * len(frame.layout.numbers)]
    for group in range(GROUPS):
        first, second = (own == group for own in groups)
        assert found.grams[group] == pytest.approx(gram_of(matrix[first]), rel=1e-9, abs=1e-9)
        assert found.numbers[group] == pytest.approx(gram_of(numbers[second]), rel=1e-9, abs=1e-9)
        for (one, other), counts in found.joints.items():
            both = cells[one][second] * frame.bins.cells[other] + cells[other][second]
            assert (counts[group] == np.bincount(both, minlength=counts.shape[1])).all()


def test_results_come_in_the_order_of_the_pieces_and_few_are_held() -> None:
    begun: list[int] = []
    taken: list[int] = []

    def work(piece: int) -> int:
        begun.append(piece)
        time.sleep(0.002 * (piece % 3))
        assert len(begun) <= len(taken) + 4
        return piece

    for piece in in_turn(work, range(12), threads=3):
        taken += [piece]
    assert taken == list(range(12))


@pytest.mark.parametrize("threads", [1, 2])
def test_a_piece_that_fails_ends_the_work(threads: int) -> None:
    begun: list[int] = []

    def work(piece: int) -> float:
        begun.append(piece)
        return 1 / (piece - 1)

    with pytest.raises(ZeroDivisionError):
        list(in_turn(work, range(100), threads=threads))
    assert len(begun) < 10


def test_copies_are_found_among_all_rows_when_attacks_see_a_sample(folder: Path) -> None:
    paths = {name: folder / f"{name}.parquet" for name in ROWS}
    found = evaluate_long(**paths, sample=600, threads=1)
    assert found.scores["dup_rate_raw"].value == pytest.approx(90 / 3_000)
    assert found.power is not None and not found.power.jittered_detected
    assert "600 of 3,000 synthetic rows" in found.notes[0]
    assert found.scores["ks_mean"].rows == 3_000


def test_only_long_parquet_files_are_not_held(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = {name: folder / f"{name}.parquet" for name in ROWS}
    assert not is_long(list(paths.values()))
    assert is_long(list(paths.values()), above=2_999)
    assert not is_long([*paths.values(), folder / "more.csv"], above=2_999)
    monkeypatch.setattr("synth_worker.verbs.is_long", lambda _sources: True)
    assert evaluate(**paths, threads=1).scores["dup_rate_raw"].value == pytest.approx(90 / 3_000)


def test_a_training_value_that_no_sampled_row_showed_is_named(tmp_path: Path, folder: Path) -> None:
    frame = batch(0, 3_000, seed=0).to_pandas()
    schema = read_table(frame).schema
    frame["admitted"] = frame["admitted"].astype(str).where(np.arange(3_000) != 17, "unknown to all")
    frame.to_parquet(tmp_path / "train.parquet")
    with pytest.raises(UnreadableTable, match="unknown to all"):
        open_long(tmp_path / "train.parquet", schema, first=True)
