"""What leaves a private fit depends on data through answered counts alone: not one name, bin, dtype or message beside.

The first fit's answers are kept and given again to the fit of a neighbour, a table with one row more or one changed
for the worse: whatever still differed would have come by another way than a count that is noised and paid for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pytest

from synth_worker.errors import GesalpError
from synth_worker.generators.aim import Aim
from synth_worker.generators.arn_dp import ArnDp
from synth_worker.generators.dp_method import MarginalMethod
from synth_worker.generators.mst import Mst
from synth_worker.privacy.cells import Cells
from synth_worker.privacy.noise import ScriptedNoise
from synth_worker.privacy.source import Clique, TableSource
from synth_worker.schema import Column, Kind, Schema
from synth_worker.table import Ints, Table

CASES = 200
METHODS = {"mst": Mst, "aim": Aim, "arn_dp": ArnDp}
EXTREMES = (0.0, -1e300, 1e300, 1e-300, 17.5, float("nan"))


@dataclass
class Replay:
    """Answer as the first table did, once it has been asked; the second table is read but not heard."""

    source: TableSource
    heard: list[list[Ints]] = field(default_factory=list)
    names: list[Mapping[str, int]] = field(default_factory=list)
    rows: list[Ints] = field(default_factory=list)
    given: bool = False

    @property
    def sensitivity(self) -> int:
        return self.source.sensitivity

    def counts(self, cells: Mapping[str, Cells], cliques: Sequence[Clique]) -> list[Ints]:
        own = self.source.counts(cells, cliques)
        if not self.given:
            self.heard.append(own)
            return own
        kept = self.heard.pop(0)
        assert [one.shape for one in own] == [one.shape for one in kept]
        return kept

    def codes(self, cells: Mapping[str, Cells]) -> Ints:
        """Stand for what is summed over clipped rows and noised: the only other way from the rows to a method."""
        own = self.source.codes(cells)
        if not self.given:
            self.rows.append(own)
            return own
        return self.rows.pop(0)

    def label_counts(self, name: str) -> Mapping[str, int]:
        own = self.source.label_counts(name)
        if not self.given:
            self.names.append(own)
            return own
        return self.names.pop(0)


def table(rng: np.random.Generator, *, public: bool) -> Table:
    """Return a small table; as a reader infers it, bounds, labels, decimals and notes follow its rows."""
    rows = int(rng.integers(1, 40))
    numbers = np.round(rng.gamma(2.0, 10.0, rows), 1)
    codes = rng.integers(0, 3, rows)
    return _table(numbers, [f"l{one}" for one in codes], public=public)


def _table(numbers: np.ndarray, labels: Sequence[str | None], *, public: bool) -> Table:
    seen = numbers[~np.isnan(numbers)]
    bounds = (float(seen.min()), float(seen.max())) if len(seen) else (None, None)
    names = ("l0", "l1", "l2") if public else tuple(sorted({one for one in labels if one is not None}))
    x = Column(
        "x", Kind.NUMERIC, dtype="float64", low=bounds[0], high=bounds[1], decimals=len(seen) % 3, note=f"{seen}"
    )
    y = Column(
        "y", Kind.CATEGORICAL, categories=names, nullable=None in labels, missing_token="?" if public else str(names)
    )
    if public:
        numbers = np.clip(numbers, 0.0, 60.0)
        x = Column("x", Kind.NUMERIC, dtype="float64", low=0.0, high=60.0, decimals=1, nullable=True, public=True)
        y = Column("y", Kind.CATEGORICAL, categories=names, nullable=True, public=True)
    kept = [one if one in names else None for one in labels]
    frame = pd.DataFrame({"x": numbers, "y": pd.Categorical(kept, categories=list(names))})
    return Table(Schema((x, y)), frame)


def neighbour(own: Table, rng: np.random.Generator, *, public: bool) -> Table:
    """Return the table with a row more, less, or with an extreme value, a new label or nothing in its place."""
    numbers, labels = (
        own.numbers("x").copy(),
        own.frame["y"].astype(object).where(own.frame["y"].notna(), None).tolist(),
    )
    extreme, label = float(rng.choice(EXTREMES)), str(rng.choice(["l0", "new", ""])) or None
    if rng.random() < 0.5:
        numbers, labels = np.append(numbers, extreme), [*labels, label]
    elif rng.random() < 0.3:
        numbers, labels = numbers[1:], labels[1:]
    else:
        numbers[0], labels[0] = extreme, label
    return _table(numbers, labels, public=public)


def told(method: MarginalMethod, source: Replay, schema: Schema) -> object:
    """Return all that a fit lets out: the sample, the state, or the words of its refusal."""
    try:
        fitted = method.fit_source(source, schema)
    except GesalpError as error:
        return str(error)
    made = fitted.sample(30, rng=np.random.default_rng(0))
    model = fitted.model
    return (
        made.schema.to_json(),
        [str(one) for one in made.frame.dtypes],
        made.frame.to_csv(),
        [margin.cells.to_json() for margin in model.margins],
        model.rows,
        model.spent,
    )


def differs(kind: type[MarginalMethod], seed: int) -> bool:
    """Tell whether anything but answered counts shows which of two neighbours was learnt."""
    rng = np.random.default_rng(seed)
    public = bool(rng.random() < 0.5)
    one = table(rng, public=public)
    two = neighbour(one, rng, public=public)
    replay = Replay(TableSource(one))
    knobs = {"epsilon": float(rng.choice([0.5, 5.0])), "delta": 1e-3}
    first = told(kind(knobs, noise=ScriptedNoise(seed)), replay, one.schema)
    replay.source, replay.given = TableSource(two), True
    return told(kind(knobs, noise=ScriptedNoise(seed)), replay, two.schema) != first


@pytest.mark.parametrize("method", sorted(METHODS))
def test_one_record_shows_in_nothing_but_noised_counts(method: str) -> None:
    cases = CASES if method == "mst" else CASES // 5
    assert [seed for seed in range(cases) if differs(METHODS[method], seed)] == []


def test_scripted_noise_is_told() -> None:
    own = table(np.random.default_rng(0), public=True)
    fitted = Mst({}, noise=ScriptedNoise(0)).fit(own, rng=np.random.default_rng(0))
    assert not fitted.model.private


def test_what_was_paid_is_what_was_asked_for() -> None:
    from synth_worker.privacy.accounting import epsilon_of

    for public in (True, False):
        own = table(np.random.default_rng(1), public=public)
        for kind in METHODS.values():
            model = (
                kind({"epsilon": 2.0, "delta": 1e-5}, noise=ScriptedNoise(0))
                .fit(own, rng=np.random.default_rng(0))
                .model
            )
            rho = sum(paid for _, paid in model.spent)
            assert 0 < epsilon_of(rho, delta=1e-5 - model.delta) <= 2.0 * (1 + 1e-6)
            assert model.delta == (0.0 if public else 5e-6)


def test_bounds_and_labels_that_are_not_public_are_refused_where_only_public_ones_may_be() -> None:
    own = table(np.random.default_rng(1), public=False)
    with pytest.raises(GesalpError, match="public"):
        Mst({"domain": "public-only"}, noise=ScriptedNoise(0)).fit(own, rng=np.random.default_rng(0))


def test_an_extreme_record_moves_no_bound() -> None:
    numbers = np.append(np.random.default_rng(0).normal(50, 5, 3_000), 1e12)
    own = _table(numbers, ["l0"] * len(numbers), public=False)
    made = (
        Mst({"epsilon": 2.0}, noise=ScriptedNoise(0))
        .fit(own, rng=np.random.default_rng(0))
        .sample(500, rng=np.random.default_rng(1))
    )
    assert made.schema["x"].high in (64.0, 128.0)
    assert np.nanmax(made.numbers("x")) <= 128
