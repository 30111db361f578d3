"""Make the settings on which samplers and mechanisms are audited: neighbouring pairs, and what is claimed of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from synth_worker.privacy.accounting import epsilon_of, rho_of
from synth_worker.privacy.mechanisms import (
    dp_quantiles,
    dp_range,
    gaussian_counts,
    laplace_counts,
    noisy_max,
    randomised_response,
    stable_histogram,
)
from synth_worker.privacy.noise import NoiseSource
from synth_worker.table import Floats, Ints
from tests.privacy.auditing import gaussian_law, laplace_law

DELTA = 1e-3
"""Of zCDP claims: an audit by some thousand draws sees nothing of rarer failures."""


@dataclass(frozen=True)
class Pair:
    """Hold two neighbouring inputs of a mechanism as draws of one number, and the claim (epsilon, delta) on them."""

    mechanism: str
    about: str
    epsilon: float
    delta: float
    draw: Callable[[NoiseSource, int, int], Floats]
    """(noise, which of the inputs: 0 or 1, how many draws) -> the statistic, shape (draws,)."""


def _tiled(noise: NoiseSource, row: Ints, times: int, answer: Callable[[Ints, NoiseSource], Ints]) -> Ints:
    # One call on many copies of a row: noise is drawn alike for each cell, which saves most of the calls.
    return answer(np.tile(row, times), noise).reshape(times, len(row))


def moved(sensitivity: int, cells: int, rng: np.random.Generator, *, kind: str) -> Ints:
    """Return how one unit of ``sensitivity`` rows changes ``cells`` counts: in one cell, spread out, or at random."""
    change = np.zeros(cells, dtype=np.int64)
    if kind == "one":
        change[0] = sensitivity
    elif kind == "spread":
        np.add.at(change, np.arange(sensitivity) % cells, 1)
    else:
        np.add.at(change, rng.integers(0, cells, sensitivity), 1)
    return change


def gaussian_pair(rho: float, sensitivity: int, change: Ints, base: Ints) -> Pair:
    """Return counts with and without a unit, told apart by their projection on the change."""

    def draw(noise: NoiseSource, which: int, times: int) -> Floats:
        found = _tiled(
            noise,
            base + which * change,
            times,
            lambda own, source: gaussian_counts(own, rho=rho, sensitivity=float(sensitivity), noise=source),
        )
        return found @ change.astype(float)

    about = f"rho {rho:g}, sensitivity {sensitivity}, change {change.tolist()}"
    return Pair("gaussian_counts", about, epsilon_of(rho, delta=DELTA), DELTA, draw)


def laplace_pair(epsilon: float, sensitivity: int, change: Ints, base: Ints) -> Pair:
    """Return counts with and without a unit, told apart by the exact log likelihood ratio."""

    def draw(noise: NoiseSource, which: int, times: int) -> Floats:
        found = _tiled(
            noise,
            base + which * change,
            times,
            lambda own, source: laplace_counts(own, epsilon=epsilon, sensitivity=float(sensitivity), noise=source),
        )
        far = np.abs(found - base).sum(axis=1) - np.abs(found - base - change).sum(axis=1)
        return far.astype(float)

    about = f"epsilon {epsilon:g}, sensitivity {sensitivity}, change {change.tolist()}"
    return Pair("laplace_counts", about, epsilon, 0.0, draw)


def choice_pair(epsilon: float, sensitivity: float, scores: Floats, signs: Floats) -> Pair:
    """Return scores that one unit moves by the whole sensitivity, up or down."""

    def draw(noise: NoiseSource, which: int, times: int) -> Floats:
        own = scores + which * sensitivity * signs
        return np.array(
            [noisy_max(own, epsilon=epsilon, sensitivity=sensitivity, noise=noise) for _ in range(times)], dtype=float
        )

    return Pair("noisy_max", f"epsilon {epsilon:g}, scores {scores.tolist()}, {signs.tolist()}", epsilon, 0.0, draw)


def answer_pair(epsilon: float, categories: int) -> Pair:
    """Return one value replaced by another."""

    def draw(noise: NoiseSource, which: int, times: int) -> Floats:
        codes = np.full(times, which, dtype=np.int64)
        return randomised_response(codes, categories=categories, epsilon=epsilon, noise=noise).astype(float)

    return Pair("randomised_response", f"epsilon {epsilon:g}, {categories} categories", epsilon, 0.0, draw)


def label_pair(rho: float, delta: float, *, most_rows: int, labels: int, known: int) -> Pair:
    """Return a histogram to which a unit brings labels that only it holds, and adds to one that others hold."""

    def draw(noise: NoiseSource, which: int, times: int) -> Floats:
        base = {f"old{at}": 40 for at in range(known)}
        if which:
            base |= {f"new{at}": most_rows // labels + (at < most_rows % labels) for at in range(labels)}
        found = np.empty(times)
        for at in range(times):
            named = stable_histogram(base, rho=rho, delta=delta, most_rows=most_rows, noise=noise)
            found[at] = sum(name.startswith("new") for name in named)
        return found

    about = f"rho {rho:g}, delta {delta:g}, {most_rows} rows in {labels} labels of its own, {known} others"
    return Pair("stable_histogram", about, epsilon_of(rho, delta=DELTA), delta + DELTA, draw)


def place_pair(mechanism: str, rho: float, sensitivity: int, base: Ints) -> Pair:
    """Return counts over an ordered grid to whose last cell a unit adds all its rows."""
    change = np.zeros(len(base), dtype=np.int64)
    change[-1] = sensitivity

    def draw(noise: NoiseSource, which: int, times: int) -> Floats:
        own, found = base + which * change, np.empty(times)
        for at in range(times):
            if mechanism == "dp_range":
                ends = dp_range(own, rho=rho, sensitivity=float(sensitivity), noise=noise, chance=0.3)
                found[at] = -1 if ends is None else ends[1] + len(base) * ends[0]
            else:
                levels = (0.5,)
                found[at] = dp_quantiles(own, levels, rho=rho, sensitivity=float(sensitivity), noise=noise)[0]
        return found

    about = f"rho {rho:g}, sensitivity {sensitivity}, counts {base.tolist()}"
    return Pair(mechanism, about, epsilon_of(rho, delta=DELTA), DELTA, draw)


def pairs(mechanism: str, count: int, *, seed: int = 0) -> Iterator[Pair]:
    """Yield ``count`` neighbouring pairs of a mechanism: worst cases in turn, figures at random."""
    rng = np.random.default_rng([seed, sorted(MECHANISMS).index(mechanism)])
    for at in range(count):
        epsilon = float(np.exp(rng.uniform(math.log(0.1), math.log(4))))
        sensitivity, cells = int(rng.integers(1, 6)), int(rng.integers(1, 5))
        kind = ("one", "spread", "random")[at % 3]
        change, base = moved(sensitivity, cells, rng, kind=kind), rng.integers(0, 50, cells)
        rho = rho_of(epsilon, delta=DELTA)
        if mechanism == "gaussian_counts":
            yield gaussian_pair(rho, sensitivity, change, base)
        elif mechanism == "laplace_counts":
            yield laplace_pair(epsilon, sensitivity, change, base)
        elif mechanism == "noisy_max":
            signs = np.where(np.arange(cells + 1) == 0, 1.0, -1.0) * (1 if at % 2 else -1)
            yield choice_pair(epsilon, float(sensitivity), rng.normal(0, 2, cells + 1).round(3), signs)
        elif mechanism == "randomised_response":
            yield answer_pair(epsilon, int(rng.integers(2, 9)))
        elif mechanism == "stable_histogram":
            rows = sensitivity
            labels = (1, rows, max(1, rows // 2))[at % 3]
            failing, known = float(10 ** rng.uniform(-3, -1)), int(rng.integers(0, 2))
            yield label_pair(rho, failing, most_rows=rows, labels=labels, known=known)
        else:
            yield place_pair(mechanism, rho, sensitivity, rng.integers(0, 6, cells + 1))


MECHANISMS = (
    "dp_quantiles",
    "dp_range",
    "gaussian_counts",
    "laplace_counts",
    "noisy_max",
    "randomised_response",
    "stable_histogram",
)


@dataclass(frozen=True)
class Sampler:
    """Hold a sampler's setting: draws shifted to 0, 1, ..., and the probabilities that they should have."""

    name: str
    about: str
    law: Floats
    draw: Callable[[NoiseSource, int], Ints]


def samplers(count: int, *, seed: int = 0) -> Iterator[Sampler]:
    """Yield ``count`` settings of the four samplers in turn."""
    rng = np.random.default_rng([seed, 99])
    for at in range(count):
        scale = float(np.exp(rng.uniform(math.log(0.2), math.log(30))))
        size = int(rng.integers(2, 9))
        yield (_gaussian(scale), _laplace(scale), _choice(scale, rng.normal(0, 2, size)), _answers(rng, size))[at % 4]


def _gaussian(scale: float) -> Sampler:
    law = gaussian_law(scale)
    middle = len(law) // 2
    return Sampler(
        "discrete_gaussian",
        f"scale {scale:.4g}",
        law,
        lambda noise, times: np.clip(noise.discrete_gaussian(times, scale=scale) + middle, 0, 2 * middle),
    )


def _laplace(scale: float) -> Sampler:
    law = laplace_law(scale)
    middle = len(law) // 2
    return Sampler(
        "discrete_laplace",
        f"scale {scale:.4g}",
        law,
        lambda noise, times: np.clip(noise.discrete_laplace(times, scale=scale) + middle, 0, 2 * middle),
    )


def _choice(scale: float, scores: Floats) -> Sampler:
    weights = np.exp((scores - scores.max()) / scale)
    return Sampler(
        "noisy_max",
        f"scale {scale:.4g}, scores {scores.round(2).tolist()}",
        weights / weights.sum(),
        lambda noise, times: np.array([noise.noisy_max(scores, scale=scale) for _ in range(times)]),
    )


def _answers(rng: np.random.Generator, size: int) -> Sampler:
    truth = float(rng.uniform(1.01 / size, 0.99))
    held = int(rng.integers(0, size))
    law = np.full(size, (1 - truth) / (size - 1))
    law[held] = truth
    return Sampler(
        "randomise",
        f"truth {truth:.4g} of {size}",
        law,
        lambda noise, times: noise.randomise(np.full(times, held), categories=size, truth=truth),
    )
