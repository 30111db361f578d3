"""Synthesise under differential privacy from a tree of noised pairs of columns.

McKenna, Miklau & Sheldon 2021, "Winning the NIST contest" (algorithm MST): noised counts of single columns, a spanning
tree of pairs chosen privately, their noised counts, exact inference on the tree.
"""

from __future__ import annotations

from itertools import combinations
from typing import ClassVar

from synth_worker.generators.base import Knob, Watch
from synth_worker.generators.clique_tree import CliqueTree
from synth_worker.generators.dp_fit import Start, number, step
from synth_worker.generators.dp_method import STAGES, MarginalMethod
from synth_worker.generators.dp_pairs import agree, choose_tree, measure_pairs, share_to_choose_by, tree_of
from synth_worker.generators.dp_spending import Spending
from synth_worker.privacy.noise import NoiseSource
from synth_worker.privacy.source import MarginalSource, ThinSource

KNOBS = (Knob("choice_share", 0.15, low=0.01, high=0.9, about="share of what the margins leave for choosing pairs"),)


class Mst(MarginalMethod):
    """Learn a spanning tree of pairs. Departs from the paper in the codes of pairs, coarser than those of the margins.

    >>> import numpy as np
    >>> from tests.tables import adult_like
    >>> model = Mst({"epsilon": 5.0}).fit(adult_like(500).modelled(), rng=np.random.default_rng(0))
    >>> model.sample(3, rng=np.random.default_rng(1)).rows, model.model.private
    (3, True)
    """

    METHOD: ClassVar[str] = "mst"
    OWN_KNOBS: ClassVar[tuple[Knob, ...]] = KNOBS

    def _tables(self, columns: int) -> float:
        return (columns - 1) / (1 - number(self.hyperparameters, "choice_share"))

    def _tree(
        self, start: Start, source: MarginalSource, spending: Spending, *, noise: NoiseSource, watch: Watch
    ) -> CliqueTree:
        names = start.schema.names
        width = len(names)
        margins, variances = list(start.sums), list(start.variances)
        if width == 1:
            return tree_of([margins[0] / margins[0].sum()], {})
        wanted = list(combinations(range(width), 2))
        share = share_to_choose_by(margins) if isinstance(source, ThinSource) else 1.0
        some = source.thinned(share) if isinstance(source, ThinSource) and share < 1 else source
        exact = some.counts(start.coarse, [(names[one], names[two]) for one, two in wanted])
        counts = dict(zip(wanted, exact, strict=True))
        left = spending.left
        choice = spending.take("choice of pairs", left * number(self.hyperparameters, "choice_share"))
        tables = spending.take("counts of pairs", spending.left)
        deviation = source.sensitivity * ((width - 1) / (2 * tables)) ** 0.5
        chosen = choose_tree(
            counts,
            margins,
            rho=choice,
            deviation=deviation,
            sensitivity=source.sensitivity,
            noise=noise,
            share=share,
        )
        step(watch, 2, STAGES, "choice of pairs")
        if share < 1:
            exact = source.counts(start.coarse, [(names[one], names[two]) for one, two in chosen])
            counts = dict(zip(chosen, exact, strict=True))
        measured = measure_pairs(counts, chosen, rho=tables, sensitivity=source.sensitivity, noise=noise)
        shares, pairs = agree(margins, variances, measured, variance=deviation**2)
        return tree_of(shares, pairs)
