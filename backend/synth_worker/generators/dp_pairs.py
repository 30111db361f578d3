"""Choose the pairs of columns that are worth measuring, and make their noisy tables agree: the heart of ``mst``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np

from synth_worker.generators.clique_tree import CliqueTree
from synth_worker.generators.dp_smoothing import onto_simplex
from synth_worker.privacy.accounting import exponential_epsilon
from synth_worker.privacy.mechanisms import gaussian_counts, noisy_max
from synth_worker.privacy.noise import NoiseSource
from synth_worker.table import Floats, Ints

Pair = tuple[int, int]
FITS, SPRINKLED = 60, 1e-9
"""Rounds of proportional fitting; the share that keeps every cell possible."""

LONG, ENOUGH, DIFFERENT = 2e6, 5e5, 1e5
"""From how many rows on a tree is chosen by a sample; of how many; how many different rows there must be, about."""


def choose_tree(
    counts: Mapping[Pair, Ints],
    margins: Sequence[Floats],
    *,
    rho: float,
    deviation: float,
    sensitivity: int,
    noise: NoiseSource,
    share: float = 1.0,
) -> list[Pair]:
    """Return the pairs of a spanning tree, chosen one by one by the exponential mechanism, for ``rho`` in all.

    A pair's score is the L1 distance of its exact counts from the product of the noised margins, less what noise of
    ``deviation`` would bring into its cells (McKenna et al. 2021, section 4; the penalty: McKenna et al. 2022). The
    margins are fixed before, so one unit moves a score by no more than it moves the counts in L1: ``sensitivity``. In
    each round the candidates are the pairs that join two parts: they depend on earlier answers only.

    ``share`` says of which share of the rows the counts are; margins and ``deviation`` are then scaled to it, and what
    drawing them would bring into the cells is subtracted too.
    """
    width = len(margins)
    margins = [one * share for one in margins]
    total = max(float(margins[0].sum()), 1.0)
    scores: dict[Pair, float] = {}
    for (one, two), table in counts.items():
        expected = np.outer(margins[one], margins[two]) / total
        drawn = (expected * (1 - share)) ** 0.5
        noised = np.hypot(deviation * share, drawn) * (2 / np.pi) ** 0.5
        scores[one, two] = float((np.abs(table - expected) - noised).sum())
    part = list(range(width))
    chosen: list[Pair] = []
    for _ in range(width - 1):
        open_pairs = [pair for pair in combinations(range(width), 2) if part[pair[0]] != part[pair[1]]]
        at = noisy_max(
            np.array([scores[pair] for pair in open_pairs]),
            epsilon=exponential_epsilon(rho / (width - 1)),
            sensitivity=sensitivity,
            noise=noise,
        )
        pair = open_pairs[int(at)]
        chosen.append(pair)
        gone, kept = part[pair[1]], part[pair[0]]
        part = [kept if one == gone else one for one in part]
    return chosen


def share_to_choose_by(margins: Sequence[Floats]) -> float:
    """Return of which share of the rows the pairs need to be counted to choose among them: 1 but for long tables.

    Rows of equal content are drawn together, so that a table of few different ones is never thinned. What is looked
    at are noised margins.
    """
    rows = float(margins[0].sum())
    if rows < LONG:
        return 1.0
    different = float(np.prod([one.sum() ** 2 / (one @ one) for one in margins]))
    return ENOUGH / rows if different >= DIFFERENT else 1.0


def measure_pairs(
    counts: Mapping[Pair, Ints], chosen: Sequence[Pair], *, rho: float, sensitivity: int, noise: NoiseSource
) -> dict[Pair, Floats]:
    """Return the noised tables of the chosen pairs, for ``rho`` in all."""
    return {
        pair: np.asarray(
            gaussian_counts(counts[pair], rho=rho / len(chosen), sensitivity=sensitivity, noise=noise), dtype=np.float64
        )
        for pair in chosen
    }


def agree(
    margins: Sequence[Floats], variances: Sequence[Floats], pairs: Mapping[Pair, Floats], *, variance: float
) -> tuple[list[Floats], dict[Pair, Floats]]:
    """Return margins and pair tables, as shares, that agree: each margin from all that was measured of it.

    A margin is the mean of its own measurement and of the sums of the pairs' tables, weighted by precision, and
    projected on the shares. A pair's table is projected likewise and fitted to its margins (Deming & Stephan 1940).
    """
    total = max(float(margins[0].sum()), 1.0)
    sums: list[Floats] = []
    for at, (own, spread) in enumerate(zip(margins, variances, strict=True)):
        weight = 1 / spread
        top, bottom = own * weight, weight.copy()
        for pair, table in pairs.items():
            if at in pair:
                axis = pair.index(at)
                precision = 1 / (variance * table.shape[1 - axis])
                top, bottom = top + table.sum(axis=1 - axis) * precision, bottom + precision
        possible = own > 0
        merged = np.zeros(len(own))
        merged[possible] = onto_simplex((top / bottom)[possible], total)
        sums.append(np.where(possible, np.maximum(merged / total, SPRINKLED), 0.0))
    shares = [one / one.sum() for one in sums]
    return shares, {
        pair: fitted(_shares(table, shares[pair[0]], shares[pair[1]], total=total), shares[pair[0]], shares[pair[1]])
        for pair, table in pairs.items()
    }


def _shares(table: Floats, rows: Floats, columns: Floats, *, total: float) -> Floats:
    """Return a noised table projected on the shares of the cells that are possible."""
    possible = np.outer(rows > 0, columns > 0)
    found = np.zeros(table.shape)
    found[possible] = onto_simplex(table[possible], total) / total
    return found


def fitted(table: Floats, rows: Floats, columns: Floats) -> Floats:
    """Return the table fitted to its margins; cells that were projected to zero stay possible."""
    made = table + SPRINKLED * 1e3 * np.outer(rows, columns)
    made[rows == 0] = 0.0
    made[:, columns == 0] = 0.0
    for _ in range(FITS):
        made *= np.divide(rows, made.sum(axis=1), out=np.zeros_like(rows), where=rows > 0)[:, None]
        made *= np.divide(columns, made.sum(axis=0), out=np.zeros_like(columns), where=columns > 0)[None, :]
    return made


def tree_of(margins: Sequence[Floats], pairs: Mapping[Pair, Floats]) -> CliqueTree:
    """Return the tree of cliques, from column 0 on; without any pair, of single columns."""
    if not pairs:
        return CliqueTree(tuple((at,) for at in range(len(margins))), (-1,) * len(margins), tuple(margins))
    cliques: list[tuple[int, ...]] = []
    parents: list[int] = []
    tables: list[Floats] = []
    left = dict(pairs)
    seen: dict[int, int] = {}
    while left:
        pair = next((one for one in left if one[0] in seen or one[1] in seen), None)
        if pair is None:
            pair = next(iter(left))
        owner = next((seen[one] for one in pair if one in seen), -1)
        cliques.append(pair)
        parents.append(owner)
        tables.append(left.pop(pair))
        for one in pair:
            seen.setdefault(one, len(cliques) - 1)
    return CliqueTree(tuple(cliques), tuple(parents), tuple(tables))
