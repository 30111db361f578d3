"""Run attempts under a privacy budget: divided in advance, charged before, chosen by a mechanism that is paid for.

By default there is one attempt with all of the budget. Several divide it before anything is seen, and one share pays
for choosing among them. No figure of the real data steers, stops or selects anything; an attempt that fails is neither
repeated nor made up for by a larger epsilon, and no other method takes its place.
"""

from __future__ import annotations

import importlib.util
import math
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations
from typing import Protocol, cast

import numpy as np

from synth_worker.errors import BadInput, Cancelled, TrainingFailed, UnknownName
from synth_worker.generators.base import Generator, GeneratorSpec, Hyperparameters, Progress, Signal, Watch
from synth_worker.generators.dp_domain import is_public
from synth_worker.generators.registry import GENERATORS
from synth_worker.privacy.accounting import epsilon_of, exponential_epsilon, rho_of
from synth_worker.privacy.budget import RHO_UNITS, Cost, halved
from synth_worker.privacy.cells import Cells, slices
from synth_worker.privacy.mechanisms import noisy_max
from synth_worker.privacy.noise import NoiseSource, opendp_noise
from synth_worker.privacy.source import MarginalSource, TableSource
from synth_worker.private_run import PUBLIC_ONLY, PrivateAsk, Shares
from synth_worker.schema import Schema
from synth_worker.table import Table

CHOICE_SHARE = Fraction(1, 10)
"""The share of rho that pays for choosing among several attempts."""

CHOICE_SLICES, MOST_PAIR_CELLS, MOST_PAIRS = 16, 4096, 500
"""What the choice looks at: slices of a number, cells of a pair, pairs."""

Build = Callable[[str, Hyperparameters], Generator]


class Learnt(Protocol):
    """Say what a private method tells of its model: all of it noised or public.

    ``rows`` is a noised count. ``spent`` lists what was measured and its rho; ``delta`` is what thresholds cost.
    ``private`` is False where the noise was scripted.
    """

    @property
    def rows(self) -> int: ...
    @property
    def spent(self) -> tuple[tuple[str, float], ...]: ...
    @property
    def delta(self) -> float: ...
    @property
    def private(self) -> bool: ...


@dataclass(frozen=True, eq=False)
class Counted:
    """Be data of which only counts come out: a source, and the columns that a method may learn from it."""

    source: MarginalSource
    schema: Schema


class LearnsFromCounts(Protocol):
    """Say what a method can do that needs nothing but counts."""

    def fit_source(self, source: MarginalSource, schema: Schema, *, watch: Watch = ...) -> Generator: ...


@dataclass(frozen=True, eq=False)
class Candidate:
    """Hold one attempt: its method, the fitted generator, what it tells of itself, the table that it would release."""

    method: str
    generator: Generator
    learnt: Learnt
    table: Table


@dataclass(frozen=True, eq=False)
class Finished:
    """Hold what the loop ends with: the attempt to release, its number from 1."""

    candidate: Candidate
    number: int


def check_private(
    ask: PrivateAsk, schema: Schema, *, specs: Mapping[str, GeneratorSpec] = GENERATORS, counts_only: bool = False
) -> None:
    """Refuse, before anything is charged, what cannot be given a guarantee. Nothing falls back to something else.

    ``counts_only`` says that the data answer counts alone, as a database does. Raises UnknownName; BadInput for a
    method without guarantee, or one that needs rows where there are none, for absent exact noise, and for columns
    without public bounds or categories where only public ones are allowed.
    """
    if ask.method not in specs:
        raise UnknownName.of("method", ask.method, specs)
    if not specs[ask.method].guarantee:
        private = [name for name, spec in specs.items() if spec.guarantee]
        raise BadInput(
            f"method {ask.method!r} gives no guarantee, so it cannot be run with an epsilon",
            hint=f"methods that do: {', '.join(private) or 'none is installed'}; or leave --epsilon out",
        )
    if counts_only and specs[ask.method].needs_rows:
        able = [name for name, spec in specs.items() if spec.guarantee and not spec.needs_rows]
        raise BadInput(
            f"method {ask.method!r} needs the rows themselves, and this source answers counts alone",
            hint=f"methods that learn from counts: {', '.join(able)}; or run it on a file",
        )
    if importlib.util.find_spec("opendp") is None:
        raise BadInput(
            "exact noise needs the package opendp, which is not installed",
            hint="pip install 'gesalp[dp]'; nothing else will do",
        )
    if ask.bounds == PUBLIC_ONLY:
        unknown = [column.name for column in schema if column.modelled and not is_public(column)]
        if unknown:
            raise BadInput(
                f"column {unknown[0]!r} has no public bounds or categories ({len(unknown)} such columns)",
                hint='state "low" and "high", or "categories", and "public": true in the schema, or allow '
                "--bounds estimate, which is paid for",
            )


def needs_labels(schema: Schema) -> bool:
    """Tell whether categories have to be found, by a threshold that fails with a small probability."""
    return any(column.modelled and not column.continuous and not is_public(column) for column in schema)


def cost_of(ask: PrivateAsk, schema: Schema) -> Cost:
    """Return what a request costs: the most rho that its epsilon allows at half of its delta, and the other half
    where categories have to be found.
    """
    limit = halved(ask.epsilon, ask.delta).limit
    return limit if needs_labels(schema) else Cost(limit.rho_nano)


def divide(total: Cost, *, attempts: int) -> Shares:
    """Divide a cost in advance: all of it for one attempt, else a tenth of rho for the choice, the rest evenly.

    Raises BadInput where nothing would be left for an attempt.

    >>> divide(Cost(1000), attempts=3)
    Shares(attempts=(Cost(rho_nano=300, delta_atto=0), ...), choice=Cost(rho_nano=100, delta_atto=0))
    """
    if attempts == 1:
        return Shares((total,))
    choice = math.floor(total.rho_nano * CHOICE_SHARE)
    each = Cost((total.rho_nano - choice) // attempts, total.delta_atto // attempts)
    if not (each.rho_nano and choice):
        raise BadInput(f"{total} cannot be divided among {attempts} attempts", hint="make fewer, or allow more epsilon")
    return Shares((each,) * attempts, Cost(choice))


def run_attempts(
    data: Table | Counted,
    ask: PrivateAsk,
    shares: Shares,
    *,
    specs: Mapping[str, GeneratorSpec] = GENERATORS,
    noise: NoiseSource | None = None,
    threads: int = 1,
    tell: Callable[[Mapping[str, object]], None] = lambda _event: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Finished:
    """Make the attempts and choose one; ``shares`` have been charged already.

    ``data`` is a table in memory, or counts of one that is not.
    ``noise`` is what the choice is made with, exact unless a test says otherwise. The seed of the draws is nobody's:
    it comes from the system and is not kept. Raises TrainingFailed where an attempt spent more than its share or used
    scripted noise: then nothing may be released.
    """
    rng = np.random.default_rng(secrets.randbits(128))
    methods = methods_of(ask, specs=specs)
    found: list[Candidate] = []
    for number, share in enumerate(shares.attempts, start=1):
        method = methods[(number - 1) % len(methods)]
        tell({"event": "plan", "number": number, "of": len(shares.attempts), "method": method, "why": f"costs {share}"})
        spec = specs[method]
        generator = spec.build({**spec.defaults(), **knobs_of(spec, ask, share)})
        watch = _watch(tell, cancelled)
        if isinstance(data, Counted):
            generator = cast("LearnsFromCounts", generator).fit_source(data.source, data.schema, watch=watch)
        else:
            generator = generator.fit(data, rng=rng, watch=watch, threads=threads)
        learnt = cast("Learnt", getattr(generator, "model"))  # noqa: B009 - the protocol of generators has no model
        check_learnt(learnt, share)
        rows = ask.rows or max(learnt.rows, 2)
        found.append(Candidate(method, generator, learnt, generator.sample(rows, rng=rng)))
    if len(found) == 1:
        return Finished(found[0], 1)
    counted = isinstance(data, Counted)
    source = data.source if counted else TableSource(data, max_rows_per_unit=ask.max_rows_per_unit)
    exact = opendp_noise() if noise is None else noise
    if not exact.private:
        raise TrainingFailed("the noise of the choice was scripted: nothing is released")
    place = choose(source, [one.table for one in found], rows=found[0].learnt.rows, share=shares.choice, noise=exact)
    return Finished(found[place], place + 1)


def methods_of(ask: PrivateAsk, *, specs: Mapping[str, GeneratorSpec] = GENERATORS) -> tuple[str, ...]:
    """Return the methods of several attempts in turn: the one asked for, then the others that give a guarantee.

    An experimental one is only made where it was asked for.
    """
    others = (name for name, spec in specs.items() if spec.guarantee and not spec.experimental)
    return (ask.method, *(name for name in others if name != ask.method))


def knobs_of(spec: GeneratorSpec, ask: PrivateAsk, share: Cost) -> Hyperparameters:
    """Return the hyper-parameters with which a method spends no more than its share.

    The method sets half of its delta aside where it has to find categories, and converts at the rest. So its own
    epsilon only stands for the share's rho; the guarantee follows from the sum of the shares.
    """
    aside = share.delta * (1 - 1e-12)
    delta = 2 * aside or ask.delta / ask.attempts
    known = {knob.name for knob in spec.knobs}
    asked: dict[str, str | int | float | bool] = {
        "epsilon": epsilon_within(share, delta=delta - aside),
        "delta": delta,
        "max_rows_per_unit": ask.max_rows_per_unit,
        "domain": ask.bounds,
    }
    return {name: value for name, value in asked.items() if name in known}


def epsilon_within(share: Cost, *, delta: float) -> float:
    """Return the largest epsilon, nearly, whose rho at this delta is not above a share.

    >>> Cost.of_rho(rho_of(epsilon_within(Cost(10**8), delta=1e-6), delta=1e-6)).within(Cost(10**8))
    True
    """
    epsilon = epsilon_of(share.rho, delta=delta)
    for power in range(40):
        if Fraction(rho_of(epsilon, delta=delta)) * RHO_UNITS <= share.rho_nano:
            return epsilon
        epsilon *= 1 - 2.0**power * 1e-12
    raise BadInput(f"no epsilon was found for {share} at delta {delta:g}", hint="allow more epsilon")


def check_learnt(learnt: Learnt, share: Cost) -> None:
    """Refuse a model that cannot be released. Raises TrainingFailed."""
    if not learnt.private:
        raise TrainingFailed("the noise was scripted: such a model gives no guarantee and is not released")
    spent = Cost.of_rho(math.fsum(rho for _, rho in learnt.spent), delta=learnt.delta)
    if not spent.within(share):
        raise TrainingFailed(f"the method spent {spent} of a share of {share}; nothing is released")


def choose(source: MarginalSource, candidates: Sequence[Table], *, rows: float, share: Cost, noise: NoiseSource) -> int:
    """Return the place of the candidate that is nearest to the real counts, by report-noisy-max.

    The score of a candidate is minus the mean, over a workload of pairs of columns fixed in advance, of the L1 distance
    between the real counts and its own, scaled to ``rows`` (a noised count). Candidates, cells and rows are public or
    noised already, so they are constants here. Adding or removing one unit changes the real counts of a pair by at most
    ``source.sensitivity`` in L1, hence each distance, and so their mean, by at most that (triangle inequality): the
    sensitivity is argued, not computed. At epsilon the choice costs epsilon^2 / 8 in rho, which is the share.
    """
    scores = [-far for far in distances(source, candidates, rows=rows)]
    epsilon = exponential_epsilon(share.rho)
    return noisy_max(np.array(scores), epsilon=epsilon, sensitivity=float(source.sensitivity), noise=noise)


def distances(source: MarginalSource, candidates: Sequence[Table], *, rows: float) -> list[float]:
    """Return each candidate's mean L1 distance from the real counts over the workload of pairs, scaled to ``rows``.

    Exact, so nothing of it may go out but through a mechanism; its sensitivity is ``source.sensitivity`` (``choose``).
    """
    cells = choice_cells(candidates)
    names = list(cells)
    pairs = [(one, two) for one, two in combinations(names, 2) if cells[one].size * cells[two].size <= MOST_PAIR_CELLS][
        :MOST_PAIRS
    ]
    workload = pairs or [(name,) for name in names]
    exact = source.counts(cells, workload)
    found: list[float] = []
    for table in candidates:
        made = TableSource(without_units(table)).counts(cells, workload)
        scale = rows / table.rows
        gaps = [float(np.abs(real - drawn * scale).sum()) for real, drawn in zip(exact, made, strict=True)]
        found.append(math.fsum(gaps) / len(gaps))
    return found


def without_units(table: Table) -> Table:
    """Return a drawn table as rows of nobody: it has no persons."""
    return Table(table.schema, table.frame)


def choice_cells(candidates: Sequence[Table]) -> dict[str, Cells]:
    """Return the cells that the choice counts in, from what the candidates learnt (which is noised or public)."""
    found: dict[str, Cells] = {}
    for column in candidates[0].schema:
        others = [table.schema[column.name] for table in candidates]
        if column.continuous:
            low = min(one.low or 0.0 for one in others)
            high = max(one.high or 0.0 for one in others)
            step = 1.0 if column.dtype == "int64" else 0.0
            found[column.name] = slices(
                column.name, low=low, high=high if high > low else low + 1, step=step, most=CHOICE_SLICES
            )
        else:
            labels = dict.fromkeys(label for one in others for label in one.categories)
            found[column.name] = Cells(column.name, labels=tuple(labels))
    return found


def _watch(
    tell: Callable[[Mapping[str, object]], None], cancelled: Callable[[], bool]
) -> Callable[[Progress, Callable[[int], Table] | None], Signal]:
    def watch(progress: Progress, _sample: Callable[[int], Table] | None) -> Signal:
        """Pass progress on; nothing that was measured goes out of here, nothing comes in but a wish to end."""
        if cancelled():
            raise Cancelled("cancelled; what was charged is lost")
        tell({"event": "fit", "done": progress.done, "total": progress.total, "what": progress.what})
        return Signal.GO_ON

    return watch
