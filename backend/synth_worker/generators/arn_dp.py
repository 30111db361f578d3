"""Train a small any-order network under differential privacy, on the noised cells of ``mst`` and ``aim``: experimental.

Every step sees all rows, each row's gradient clipped, and exact noise on their sum (``dp_steps``). What is done with
noised sums (momentum, averages) costs nothing. ``docs/decisions/0024-noisy-steps.md`` says where it stands beside the
marginals.
"""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np

from synth_worker.errors import BadInput
from synth_worker.generators.base import Knob, Watch
from synth_worker.generators.dp_fit import Start, number, step
from synth_worker.generators.dp_method import MarginalMethod
from synth_worker.generators.dp_spending import Spending
from synth_worker.generators.dp_steps import Batch, known_at_random, noisy_sum
from synth_worker.generators.order_free import OrderFree
from synth_worker.privacy.noise import NoiseSource
from synth_worker.privacy.source import MarginalSource, RowSource
from synth_worker.table import Floats

KNOBS = (
    Knob("steps", 60, low=1, high=10_000, about="noisy steps; each sees all rows, and they share the budget"),
    Knob("width", 24, low=1, high=512, about="hidden units; noise grows with the root of the weights"),
    Knob("clip", 0.5, low=0.001, high=100.0, about="the norm to which the gradient of a row is cut"),
    Knob("learning_rate", 0.05, low=1e-5, high=10.0, about="how far a step goes"),
)

FIRST, SECOND, TINY = 0.9, 0.99, 1e-8
"""Decay of the averages of the sums and of their squares (Kingma & Ba 2015, section 2)."""

LATE = 0.5
"""The weights that are kept are the mean of those after this share of the steps."""

BEGIN = 0.3
"""The standard deviation of the first inner weights."""

ROOM = 2**15
"""So many weights a network has at most, unless one hidden unit has more."""

SEEDS, SEED_SCALE = 8, 2.0**40
"""How many numbers seed what is random besides the noise, and about how large they are."""

ROUNDS, DRAWN, EASED = 4, 4096, 0.7
"""How often the outputs are moved toward the margins, after so many rows were drawn, and by how much of the way."""


class ArnDp(MarginalMethod):
    """Learn an any-order network by noisy steps, beginning at noised margins.

    >>> import numpy as np
    >>> from tests.tables import adult_like
    >>> model = ArnDp({"epsilon": 5.0, "steps": 3}).fit(adult_like(300).modelled(), rng=np.random.default_rng(0))
    >>> model.sample(3, rng=np.random.default_rng(1)).rows, model.model.private
    (3, True)
    """

    METHOD: ClassVar[str] = "arn_dp"
    OWN_KNOBS: ClassVar[tuple[Knob, ...]] = KNOBS

    def _tables(self, columns: int) -> float:
        return columns - 1

    def _tree(
        self, start: Start, source: MarginalSource, spending: Spending, *, noise: NoiseSource, watch: Watch
    ) -> OrderFree:
        if not isinstance(source, RowSource):
            raise BadInput(
                "arn_dp needs the rows themselves, and this source answers counts alone",
                hint="take mst or aim, or a table in memory",
            )
        # What is random here besides the noise is drawn without looking at data. It comes from the same source, so
        # that a scripted fit is one again.
        rng = np.random.default_rng(np.abs(noise.discrete_gaussian(SEEDS, scale=SEED_SCALE)))
        of_rows = rng.spawn(1)[0]  # how much is drawn from it follows the number of rows
        codes = source.codes(start.coarse)
        net = first_net(start.sums, width=int(number(self.hyperparameters, "width")), rng=rng)
        if len(start.sums) == 1:
            return net
        steps, clip = int(number(self.hyperparameters, "steps")), number(self.hyperparameters, "clip")
        rate = number(self.hyperparameters, "learning_rate")
        # A hair less than its part: so many parts do not add up to more than all.
        part = spending.take("noisy steps", spending.left) / steps * (1 - 1e-12)
        late: list[Floats] = []
        mean, square = np.zeros(net.weights.size), np.zeros(net.weights.size)
        for at in range(1, steps + 1):
            step(watch, at - 1, steps, "noisy steps")
            batch = Batch(codes, known_at_random(*codes.shape, rng=of_rows))
            # A sum and no mean, for the number of rows is nobody's to know; the size of a step does not depend on it.
            slope = noisy_sum(net, batch, clip=clip, most_rows=source.sensitivity, rho=part, noise=noise)
            mean, square = FIRST * mean + (1 - FIRST) * slope, SECOND * square + (1 - SECOND) * slope**2
            size = np.sqrt(square / (1 - SECOND**at)) + TINY
            net = net.moved(-rate * (mean / (1 - FIRST**at)) / size)
            if at > LATE * steps:
                late.append(net.weights)
        return with_margins(net.moved(np.mean(late, axis=0) - net.weights), start.sums, rng=rng)


def with_margins(net: OrderFree, sums: tuple[Floats, ...], *, rng: np.random.Generator) -> OrderFree:
    """Return the network with outputs moved until what it draws has the noised margins, about: no data is looked at."""
    wanted = np.concatenate([_shares(one) for one in sums])
    for _ in range(ROUNDS):
        drawn = net.sample(DRAWN, rng=rng, fixed={})
        counts = [np.bincount(drawn[at], minlength=len(one)).astype(np.float64) for at, one in enumerate(sums)]
        found = np.concatenate([_shares(one) for one in counts])
        outer = net.outer.copy()
        outer[-1] += EASED * np.log(wanted / found)
        net = replace(net, outer=outer)
    return net


def _shares(counts: Floats) -> Floats:
    """Return shares, none of them zero."""
    own = np.maximum(counts, 0.0)
    own = own / max(own.sum(), 1e-300) + 0.5 / DRAWN
    return own / own.sum()


def first_net(sums: tuple[Floats, ...], *, width: int, rng: np.random.Generator) -> OrderFree:
    """Return a network that tells the noised margins whatever it is given, with small weights at random inside.

    It is less wide than ``width`` where a table has many codes: more than ``ROOM`` weights drown in their noise.
    """
    sizes = tuple(len(one) for one in sums)
    codes, inputs = sum(sizes), sum(sizes) + len(sizes) + 1
    width = max(min(width, (ROOM - codes) // (inputs + codes)), 1)
    inner = rng.normal(scale=BEGIN, size=(inputs, width))
    margins = np.log(np.concatenate([_shares(one) for one in sums]))
    return OrderFree(sizes, inner, np.concatenate([np.zeros((width, codes)), margins[None, :]]))
