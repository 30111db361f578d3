"""Wrap a generator so that it keeps the constraints of its table: it learns a rebuilt table.

What is drawn is turned back; the few rows in which rules meet that cannot all be built in are drawn again. A saved
model holds the inner model in ``within/`` and the plan in ``structure.json``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd

from synth_worker.constraints import Rule
from synth_worker.errors import BadInput, BadModel, BadSchema, NotFitted, UnknownName
from synth_worker.generators.base import Generator, Hyperparameters, Progress, Signal, Value, Watch, unwatched
from synth_worker.generators.conditions import resolve
from synth_worker.generators.persistence import sealed, unsealed
from synth_worker.generators.registry import GENERATORS
from synth_worker.generators.registry import build as build_bare
from synth_worker.generators.registry import load as load_bare
from synth_worker.structure.combined import Combined
from synth_worker.structure.order import Order
from synth_worker.structure.plan import Plan, learn, restore
from synth_worker.structure.total import Total
from synth_worker.table import Floats, Table
from synth_worker.violations import floats
from synth_worker.whole import write_text_whole

STRUCTURE = "structure.json"
WITHIN = "within"
FORMAT = "gesalp structure"
VERSION = 1

ROUNDS = 40
MOST_DRAWN = 100
"""Give up when so many times the rows (and at least ``LEAST_DRAWN``) have been drawn in vain."""

LEAST_DRAWN = 20_000


def build(name: str, hyperparameters: Hyperparameters, *, train: Table) -> Generator:
    """Make an unfitted generator for a table, which keeps its constraints. Raises as the registry does.

    Raises BadInput too for constraints with a method that has a guarantee: how a table is rebuilt so as to keep them is
    learnt from its rows, which nobody pays for.
    """
    bare = build_bare(name, hyperparameters)
    if train.schema.constraints and GENERATORS[name].guarantee:
        raise BadInput(
            f"method {name!r} keeps no constraints; the schema has {len(train.schema.constraints)}",
            hint="leave them out of the schema: to build them in, rows are looked at without paying for it",
        )
    return Keeping(bare) if train.schema.constraints else bare


def load(folder: Path) -> Generator:
    """Read a saved model back, with constraints or without. Raises BadModel."""
    path = folder / STRUCTURE
    return Keeping.load(folder) if path.exists() else load_bare(folder)


def most_rows(generator: Generator) -> float:
    """Return how many rows a fitted generator can draw at most: infinity unless a unique column bounds them."""
    return generator.room if isinstance(generator, Keeping) else float("inf")


class Keeping:
    """Fit a generator on a rebuilt table, and turn back what it draws."""

    def __init__(self, inner: Generator) -> None:
        self.inner = inner
        self._plan: Plan | None = None

    def fit(
        self,
        train: Table,
        *,
        rng: np.random.Generator,
        watch: Watch = unwatched,
        threads: int = 1,
        keep: Path | None = None,
    ) -> Self:
        """Learn how the constraints are kept, then the rebuilt table."""
        plan = learn(train)

        def told(progress: Progress, sample: Callable[[int], Table] | None) -> Signal:
            if sample is None:
                return watch(progress, None)
            # What is drawn half-way is a rebuilt table; the same step is always turned back in the same way.
            rng = np.random.default_rng(progress.done)

            def drawn(rows: int) -> Table:
                made, sound = plan.back(sample(rows), rng=rng, pinned=frozenset())
                return made.take(np.flatnonzero(sound))

            return watch(progress, drawn)

        self.inner.fit(plan.forward(train), rng=rng, watch=told, threads=threads, keep=keep)
        self._plan = plan
        return self

    def sample(self, rows: int, *, rng: np.random.Generator, given: Mapping[str, Value] | None = None) -> Table:
        """Draw rows that keep every constraint.

        Raises BadInput for a ``given`` column that follows from others, and where nearly no drawn row can be kept.
        """
        plan = self._fitted()
        passed, wanted = divided(plan, given, rows=rows)
        pinned = frozenset(given or ())
        for step in plan.apart:
            step.check_room(rows)
        streams = rng.spawn(2 * ROUNDS + 1)
        kept: Table | None = None
        found = drawn = 0
        for number in range(ROUNDS):
            short = rows - found
            if number and (short <= 0 or drawn >= max(MOST_DRAWN * rows, LEAST_DRAWN)):
                break
            # As many again as the share of rows that could be kept so far makes probable.
            count = rows if not number else min(round(1.2 * short * drawn / max(found, 1)) + 20, 10 * rows + 1_000)
            bare = self.inner.sample(count, rng=streams[2 * number], given=passed or None)
            made, sound = plan.back(bare, rng=streams[2 * number + 1], pinned=pinned)
            for name, value in wanted.items():
                sound &= floats(made, name) == value
            drawn += count
            more = made.take(np.flatnonzero(sound))
            kept = more if kept is None else Table(plan.schema, pd.concat([kept.frame, more.frame], ignore_index=True))
            kept, single = plan.moved(kept, rng=streams[-1])
            kept = kept.take(np.flatnonzero(single))
            found = kept.rows
        if kept is None or found < rows:
            raise BadInput(
                f"only {found:,} of {drawn:,} drawn rows keep all constraints"
                + (" and have the given values" if wanted else "")
                + f"; {rows:,} are wanted",
                hint="ask for fewer rows" + (", give other values" if given else ", or state fewer constraints"),
            )
        return kept.take(np.arange(rows)) if found > rows else kept

    @property
    def room(self) -> float:
        """Return how many rows there can be without a unique value standing twice."""
        return min((one.room for one in self._fitted().apart), default=float("inf"))

    def save(self, folder: Path) -> None:
        """Write the inner model and the plan into an existing folder."""
        body = self._fitted().state()
        (folder / WITHIN).mkdir()
        self.inner.save(folder / WITHIN)
        document = sealed(body, form=FORMAT, version=VERSION)
        write_text_whole(folder / STRUCTURE, json.dumps(document, indent=1, ensure_ascii=False))

    @classmethod
    def load(cls, folder: Path) -> Keeping:
        """Read a model back. Raises BadModel on damage."""
        path = folder / STRUCTURE
        body = unsealed(path, form=FORMAT, version=VERSION)
        try:
            plan = restore(body)
        except (KeyError, TypeError, ValueError, IndexError, BadSchema, UnknownName) as error:
            raise BadModel(f"{path} does not say how the constraints are kept", hint="fit it again") from error
        made = cls(load_bare(folder / WITHIN))
        made._plan = plan
        return made

    def row_loss(self, table: Table, *, rng: np.random.Generator) -> Floats | None:
        """Return the inner model's loss per row of the rebuilt table, shape (rows,), or None where it has none."""
        return self.inner.row_loss(self._known(self._fitted().forward(table), rng), rng=rng)

    def _known(self, rebuilt: Table, rng: np.random.Generator) -> Table:
        """Replace combinations that were not learnt: that they are strange says nothing of how well the model fits."""
        frame = rebuilt.frame.copy(deep=False)
        for step in self._fitted().steps:
            if isinstance(step, Combined) and step.joint:
                codes = rebuilt.codes(step.joint).copy()
                gone = codes < 0
                codes[gone] = rng.choice(len(step.counts), size=int(gone.sum()), p=step.counts / step.counts.sum())
                labels = list(rebuilt.schema[step.joint].categories)
                frame[step.joint] = pd.Categorical.from_codes(codes, dtype=pd.CategoricalDtype(labels))
        return Table(rebuilt.schema, frame, rebuilt.units)

    def _fitted(self) -> Plan:
        if self._plan is None:
            raise NotFitted("the generator has learnt no table yet", hint="call fit or load first")
        return self._plan


def divided(plan: Plan, given: Mapping[str, Value] | None, *, rows: int) -> tuple[dict[str, Value], dict[str, float]]:
    """Return the values that the inner generator is given, and those that rows are chosen by after they are drawn.

    Raises BadInput for a column that follows from others, or that is unique while several rows are wanted.
    """
    fixed = resolve(given, plan.schema)
    for constraint in plan.schema.constraints:
        if constraint.rule is Rule.UNIQUE and rows > 1 and set(constraint.columns) <= set(fixed):
            raise BadInput(
                f"{', '.join(constraint.columns)}: the constraint '{constraint.words}' holds, so that no {rows:,} rows "
                "can have the same given value",
                hint="ask for one row, or give another column",
            )
    passed: dict[str, Value] = {}
    wanted: dict[str, float] = {}
    for name, value in (given or {}).items():
        step = plan.step_of(name)
        if isinstance(step, Total):
            raise BadInput(f"column {name!r} is computed as {' + '.join(step.parts)}", hint="give its parts instead")
        if isinstance(step, Order) and step.difference:
            raise BadInput(
                f"column {name!r} is drawn as a distance from {', '.join(step.others)}, to keep a constraint",
                hint=f"give {step.others[0]!r} instead",
            )
        if not isinstance(step, Combined):
            passed[name] = value
    for step in plan.steps:
        own = {name: value for name, value in fixed.items() if isinstance(step, Combined) and name in step.columns}
        if isinstance(step, Combined) and own:
            _divide_combined(step, own, plan, passed=passed, wanted=wanted)
    return passed, wanted


def _divide_combined(
    step: Combined, own: dict[str, float], plan: Plan, *, passed: dict[str, Value], wanted: dict[str, float]
) -> None:
    """Give the inner generator what decides the combination, or leave it to the choice among drawn rows."""
    matching = np.flatnonzero(step.matching(own))

    def value(name: str, at: int) -> Value:
        number = float(step.combinations[at, step.columns.index(name)])
        column = plan.schema[name]
        return number if column.continuous else column.categories[int(number)]

    if not len(matching):
        raise BadInput(
            f"no real row has these values of {', '.join(own)} together, and only real combinations of "
            f"{', '.join(step.columns)} are kept",
            hint="give fewer of these columns, or other values",
        )
    if not step.joint and not step.key:
        passed.update({name: value(name, int(matching[0])) for name in own})
    elif len(matching) == 1 and step.joint:
        passed[step.joint] = str(matching[0])
    elif len(matching) == 1 and not np.isnan(step.combinations[matching[0], step.columns.index(step.key)]):
        passed[step.key] = value(step.key, int(matching[0]))
    else:
        wanted.update(own)
