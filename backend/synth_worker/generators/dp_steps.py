"""Take a step of a training under differential privacy: clip each row's gradient, add them up, add exact noise.

Abadi et al. 2016, "Deep learning with differential privacy" (algorithm 1), with all rows in every step. A step is then
a Gaussian mechanism, so that steps add up in zCDP as all else in the ledger does; that rows are left out at random
would buy less noise a step and as much less signal, and its guarantee is not one in zCDP.

Noise is discrete and exact, on an integer grid (Kairouz, Liu & Steinke 2021, "The distributed discrete Gaussian
mechanism"). Floating-point sums differ by roundings between neighbouring tables (Casacuberta et al. 2022): the
sensitivity is raised by ``ROUNDING``, which covers them. Per coordinate and chunk of ``CHUNK`` rows, a rounding to the
grid and the roundings of the sum change the sum by at most ``clip * (2^-30 + 2^-28)``, where a unit has k rows by k
times that, as its clips are k; of 2^26 rows there are 2^14 chunks; over 2^17 coordinates that is below .028 of a unit's
clips in L2. A row's own gradient may depend on its place in the chunk by a relative 1e-10, so below .007 over all rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from synth_worker.errors import BadInput
from synth_worker.generators.order_free import OrderFree, softmax
from synth_worker.privacy.accounting import gaussian_scale
from synth_worker.privacy.noise import NoiseSource
from synth_worker.table import Floats, Ints

CHUNK = 4096
MOST_ROWS, MOST_WEIGHTS = 2**26, 2**17
ROUNDING = 1.05
"""The sensitivity is so many times the clip: see above."""

FINE = 2.0**-30
"""The grid's step, in the most that a unit may move the sum: its clips."""

LONGER = 1 + 1e-9
"""By so much a row's norm is taken for longer than it was computed."""


@dataclass(frozen=True)
class Batch:
    """Hold rows to learn from: codes and which of them are known, both of the shape (rows, columns)."""

    codes: Ints
    known: np.ndarray


def clipped_sum(net: OrderFree, batch: Batch, *, clip: float, most_rows: int = 1) -> Ints:
    """Return the sum over rows of the gradient of the mean cross-entropy of a row's unknown codes, each row clipped.

    A row's gradient is cut to the L2 norm ``clip``. In each layer it is an outer product, whose norm is the product of
    two norms, so that it is never written out (Goodfellow 2015, "Efficient per-example gradient computations").
    Returned is a whole number of grid steps (``FINE * clip * most_rows``) in each weight, in the order of ``weights``.
    """
    if len(batch.codes) > MOST_ROWS or net.weights.size > MOST_WEIGHTS:
        raise BadInput(
            f"noisy steps take at most {MOST_ROWS:,} rows and {MOST_WEIGHTS:,} weights", hint="take mst or aim"
        )
    total = np.zeros(net.weights.size, dtype=np.int64)
    for at in range(0, len(batch.codes), CHUNK):
        part = Batch(batch.codes[at : at + CHUNK], batch.known[at : at + CHUNK])
        total += np.rint(_clipped(net, part, clip=clip) / (FINE * clip * most_rows)).astype(np.int64)
    return total


def _clipped(net: OrderFree, batch: Batch, *, clip: float) -> Floats:
    inputs = net.inputs(batch.codes, batch.known)
    hidden = np.tanh(inputs @ net.inner)
    wide = np.concatenate([hidden, np.ones((len(hidden), 1))], axis=1)
    errors = _errors(net, wide, batch)
    back = (errors @ net.outer[:-1].T) * (1 - hidden**2)
    squares = (errors**2).sum(axis=1) * (wide**2).sum(axis=1) + (back**2).sum(axis=1) * (inputs**2).sum(axis=1)
    norms = np.sqrt(squares) * LONGER
    weights = np.minimum(1.0, clip / np.maximum(norms, 1e-300))[:, None]
    return np.concatenate([(inputs.T @ (back * weights)).ravel(), (wide.T @ (errors * weights)).ravel()])


def _errors(net: OrderFree, wide: Floats, batch: Batch) -> Floats:
    """Return shares minus what was, for the unknown columns, over their number; zero for the known ones."""
    logits = wide @ net.outer
    unknown = ~batch.known
    each = 1.0 / np.maximum(unknown.sum(axis=1), 1)
    found = np.zeros_like(logits)
    for column, (first, last) in enumerate(zip(net.starts[:-1], net.starts[1:], strict=True)):
        own = softmax(logits[:, first:last])
        own[np.arange(len(own)), batch.codes[:, column]] -= 1.0
        found[:, first:last] = own * (unknown[:, column] * each)[:, None]
    return found


def noisy_sum(net: OrderFree, batch: Batch, *, clip: float, most_rows: int, rho: float, noise: NoiseSource) -> Floats:
    """Return the clipped sum with discrete Gaussian noise, for ``rho`` of zCDP; a unit has ``most_rows`` rows at most.

    Shape (weights,).
    """
    exact = clipped_sum(net, batch, clip=clip, most_rows=most_rows)
    scale = gaussian_scale(sensitivity=ROUNDING / FINE, rho=rho)
    noised = exact + noise.discrete_gaussian(exact.size, scale=scale)
    return noised.astype(np.float64) * (FINE * clip * most_rows)


def known_at_random(rows: int, columns: int, *, rng: np.random.Generator) -> np.ndarray:
    """Return which columns are known in each row, shape (rows, columns): as many as not, in all orders alike."""
    rank = np.argsort(np.argsort(rng.random((rows, columns)), axis=1), axis=1)
    return rank < rng.integers(columns, size=rows)[:, None]
