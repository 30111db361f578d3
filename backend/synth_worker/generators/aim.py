"""Synthesise under differential privacy from pairs that are chosen one after another, where the model errs most.

McKenna, Mullins, Sheldon & Miklau 2022, "AIM: An Adaptive and Iterative Mechanism", algorithm 4, on the workload of all
pairs: measured pairs may close circles, within a limit of memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from typing import ClassVar

import numpy as np

from synth_worker.generators.base import Knob, Watch
from synth_worker.generators.clique_tree import CliqueTree
from synth_worker.generators.dp_fit import Start, number, step
from synth_worker.generators.dp_method import MarginalMethod
from synth_worker.generators.dp_pairs import Pair
from synth_worker.generators.dp_spending import Spending
from synth_worker.generators.junction import LEAST, Estimate, Junction, Measured, Names
from synth_worker.privacy.accounting import exponential_epsilon
from synth_worker.privacy.mechanisms import gaussian_counts, noisy_max
from synth_worker.privacy.noise import NoiseSource
from synth_worker.privacy.source import MarginalSource
from synth_worker.table import Floats, Ints

CHOICE = 0.1
"""The share of a round that its choice costs."""

STEPS, LAST_STEPS = 40, 400
"""Steps of mirror descent after each round, and at the end."""

MOST_ROUNDS, MOST_TRIED = 60, 100_000
"""Rounds before noise is lowered, on the widest table; trees tried in a round to see whether they fit,
times the columns squared."""

KNOBS = (
    Knob("rounds", 3.0, low=0.1, high=16, about="rounds per column before noise is lowered; fewer: less noise in each"),
    Knob("most_cells", 100_000, low=1_000, high=10_000_000, about="cells of all cliques: memory and time"),
)  # fmt: skip


class Aim(MarginalMethod):
    """Learn pairs round by round; the noise is lowered where a round taught less than it.

    Departs from the paper in the codes of pairs (coarser than those of the margins), and has no larger tables.

    >>> import numpy as np
    >>> from tests.tables import discrete
    >>> model = Aim({"epsilon": 5.0}).fit(discrete(300, 0), rng=np.random.default_rng(0))
    >>> model.sample(3, rng=np.random.default_rng(1)).rows
    3
    """

    METHOD: ClassVar[str] = "aim"
    OWN_KNOBS: ClassVar[tuple[Knob, ...]] = KNOBS

    def _tables(self, columns: int) -> float:
        return 1.5 * columns

    def _tree(
        self, start: Start, source: MarginalSource, spending: Spending, *, noise: NoiseSource, watch: Watch
    ) -> CliqueTree:
        names = start.schema.names
        width = len(names)
        wanted = list(combinations(range(width), 2))
        exact: dict[Pair, Ints] = {}
        if wanted:
            found = source.counts(start.coarse, [(names[one], names[two]) for one, two in wanted])
            exact = dict(zip(wanted, found, strict=True))
        total = max(start.rows, 1.0)
        measured: dict[Names, Measured] = {
            (at,): Measured(own, spread)
            for at, (own, spread) in enumerate(zip(start.sums, start.variances, strict=True))
        }
        potentials = {(at,): np.log(np.maximum(own / total, LEAST)) for at, own in enumerate(start.sums)}
        sizes = tuple(len(own) for own in start.sums)
        estimate = Estimate(Junction.of([], sizes=sizes), potentials, 1.0 / total**2)
        if not wanted:
            return estimate.junction.tree(estimate.beliefs())
        whole = spending.left
        share = whole / min(max(number(self.hyperparameters, "rounds") * width, 1.0), MOST_ROUNDS)
        before = estimate.junction.pair_tables(estimate.beliefs())
        rounds = 0
        while spending.left > 1e-6 * whole:
            if spending.left < 2 * share:
                share = spending.left
            pair = self._chosen(
                exact, before, estimate, measured, source=source, noise=noise, total=total,
                rho=spending.take("choice of a pair", CHOICE * share), tables=(1 - CHOICE) * share,
                used=1 - spending.left / whole,
            )  # fmt: skip
            paid = spending.take("counts of a pair", min((1 - CHOICE) * share, spending.left))
            variance = source.sensitivity**2 / (2 * paid)
            noised = gaussian_counts(exact[pair], rho=paid, sensitivity=source.sensitivity, noise=noise)
            own = Measured(np.asarray(noised, dtype=np.float64), np.full(exact[pair].shape, variance))
            measured[pair] = measured[pair].merged(own) if pair in measured else own
            junction = Junction.of([one for one in measured if len(one) == 2], sizes=sizes)
            estimate = Estimate(junction, estimate.potentials, estimate.rate)
            estimate = estimate.fitted(measured, total=total, steps=STEPS)
            after = junction.pair_tables(estimate.beliefs())
            taught = total * float(np.abs(after[pair] - before[pair]).sum())
            if taught <= (2 * variance / np.pi) ** 0.5 * after[pair].size:
                share *= 4
            before = after
            rounds += 1
            step(watch, min(1 + int((1 - spending.left / whole) * 98), 99), 100, f"pair {rounds}")
        estimate = estimate.fitted(measured, total=total, steps=LAST_STEPS)
        return estimate.junction.tree(estimate.beliefs())

    def _chosen(
        self,
        exact: Mapping[Pair, Ints],
        model: Mapping[Names, Floats],
        estimate: Estimate,
        measured: Mapping[Names, Measured],
        *,
        source: MarginalSource,
        noise: NoiseSource,
        total: float,
        rho: float,
        tables: float,
        used: float,
    ) -> Pair:
        """Return the pair that the model gets most wrong, by the exponential mechanism.

        The score is the L1 distance of exact counts from the model's, less what the noise would bring: the model
        comes from earlier answers, so one unit moves a score by no more than ``source.sensitivity``. A pair that would
        make the tree larger than the part of ``most_cells`` that the budget used so far opens is no candidate.
        """
        limit = max(used, 0.25) * number(self.hyperparameters, "most_cells")
        held = [one for one in measured if len(one) == 2]
        open_pairs = _open(exact, estimate.junction, held, limit=limit)
        deviation = source.sensitivity / (2 * tables) ** 0.5
        scores = np.array(
            [
                float(np.abs(exact[pair] - total * model[pair]).sum())
                - (2 / np.pi) ** 0.5 * deviation * exact[pair].size
                for pair in open_pairs
            ]
        )
        at = noisy_max(scores, epsilon=exponential_epsilon(rho), sensitivity=source.sensitivity, noise=noise)
        return open_pairs[int(at)]


def _open(pairs: Iterable[Pair], junction: Junction, held: Sequence[Names], *, limit: float) -> list[Pair]:
    """Return the pairs that may be measured: within a clique, between parts, or as many others as fit and are tried."""
    within = {pair for clique in junction.cliques for pair in combinations(clique, 2)}
    part = list(range(len(junction.sizes)))
    for one, two in held:
        gone, kept = part[two], part[one]
        part = [kept if at == gone else at for at in part]
    found: list[Pair] = []
    tried = 0
    for pair in pairs:
        if pair in within or part[pair[0]] != part[pair[1]]:
            found.append(pair)
        elif tried * len(part) ** 2 < MOST_TRIED:
            tried += 1
            if Junction.of([*held, pair], sizes=junction.sizes).cells <= limit:
                found.append(pair)
    return found
