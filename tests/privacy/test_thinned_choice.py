"""Promises of choosing a tree by some of the rows of a long table: it is chosen well, and then all rows are counted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from synth_worker.generators.dp_pairs import choose_tree, share_to_choose_by
from synth_worker.generators.mst import Mst
from synth_worker.privacy.cells import Cells
from synth_worker.privacy.noise import ScriptedNoise
from synth_worker.privacy.source import Clique, TableSource
from synth_worker.schema import Column, Kind, Schema
from synth_worker.table import Ints, Table

LABELS = tuple("abcdefghijklmnopqrst")


def long_table(rows: int) -> Table:
    """Return four columns of 20 labels: the first two depend on one another, the others on nobody."""
    rng = np.random.default_rng(4)
    codes = [rng.integers(0, 20, rows) for _ in range(4)]
    codes[1] = np.where(rng.random(rows) < 0.2, codes[0], codes[1])
    columns = tuple(
        Column(f"x{at}", Kind.CATEGORICAL, categories=LABELS, public=True, nullable=True) for at in range(4)
    )
    frame = {f"x{at}": pd.Categorical.from_codes(own, categories=list(LABELS)) for at, own in enumerate(codes)}
    return Table(Schema(columns), pd.DataFrame(frame))


@dataclass
class Long:
    """Be a source that can be thinned, and remember what was counted of how many rows."""

    table: Table
    asked: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])

    sensitivity = 1

    def thinned(self, share: float) -> Long:
        """Return some of the rows."""
        kept = np.flatnonzero(np.random.default_rng(1).random(self.table.rows) < share)
        return Long(self.table.take(kept), self.asked)

    def counts(self, cells: Mapping[str, Cells], cliques: Sequence[Clique]) -> list[Ints]:
        """Count, and remember."""
        self.asked.append((self.table.rows, len(cliques)))
        return TableSource(self.table).counts(cells, cliques)

    def label_counts(self, name: str) -> Mapping[str, int]:
        """Return nothing: all labels are public."""
        return {}


def test_a_long_table_is_thinned_to_choose_and_counted_whole_to_measure() -> None:
    table = long_table(2_100_000)
    source = Long(table)
    model = Mst({"epsilon": 1.0}, noise=ScriptedNoise(3)).fit_source(source, table.schema)
    whole, some = [one for one in source.asked if one[0] == table.rows], [one for one in source.asked if one[0] < 1e6]
    assert [pairs for _, pairs in whole] == [4, 3]  # the margins, and the pairs of the tree
    assert [pairs for _, pairs in some] == [6]
    drawn = model.sample(20_000, rng=np.random.default_rng(0))
    assert abs((drawn.codes("x0") == drawn.codes("x1")).mean() - 0.24) < 0.05


def test_a_choice_by_a_sample_finds_what_all_rows_show() -> None:
    table = long_table(1_000_000)
    cells = {name: Cells(name, labels=LABELS) for name in table.schema.names}
    pairs = [(one, two) for one in range(4) for two in range(one + 1, 4)]
    named = [(f"x{one}", f"x{two}") for one, two in pairs]
    margins = [one.astype(float) for one in TableSource(table).counts(cells, [(name,) for name in cells])]
    thin = Long(table).thinned(0.1)
    counts = dict(zip(pairs, thin.counts(cells, named), strict=True))
    for seed in range(20):
        chosen = choose_tree(
            counts, margins, rho=0.01, deviation=30.0, sensitivity=1, noise=ScriptedNoise(seed), share=0.1
        )
        assert (0, 1) in chosen


def test_short_tables_and_tables_of_few_different_rows_are_not_thinned() -> None:
    even = [np.full(30, 1e5)] * 5
    assert share_to_choose_by([one / 10 for one in even]) == 1.0
    assert share_to_choose_by(even) == 5e5 / 3e6
    assert share_to_choose_by([np.array([1.5e6, 1.5e6])] * 5) == 1.0
