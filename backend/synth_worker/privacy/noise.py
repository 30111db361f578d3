"""Draw the noise behind a guarantee: exactly, by OpenDP's samplers, or by a script in tests, which guarantees nothing.

Floating-point samplers leak through their low bits (Mironov 2012); OpenDP's discrete Gaussian and Laplace sample
integers from exact rational probabilities (Canonne, Kamath and Steinke 2020) and its noisy maximum compares exactly.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Protocol, cast

import numpy as np

from synth_worker.errors import BadInput
from synth_worker.table import Floats, Ints

LARGEST_SCALE = 2.0**52
"""Beyond it noise could meet the ends of 64 bits. Noise that is cut off there gives away the count it is added to."""


class NoiseSource(Protocol):
    """Draw integers of noise and make noisy choices. Scales are those of the distributions, above 0."""

    @property
    def private(self) -> bool:
        """Tell whether a guarantee may rest on this noise: true of OpenDP's alone."""
        ...

    def discrete_gaussian(self, size: int, *, scale: float) -> Ints:
        """Return integers with probabilities in proportion to exp(-x^2 / (2 scale^2)), shape (size,)."""
        ...

    def discrete_laplace(self, size: int, *, scale: float) -> Ints:
        """Return integers with probabilities in proportion to exp(-abs(x) / scale), shape (size,)."""
        ...

    def noisy_max(self, scores: Floats, *, scale: float) -> int:
        """Return the place of the largest score after Gumbel noise of this scale was added to each."""
        ...

    def randomise(self, codes: Ints, *, categories: int, truth: float) -> Ints:
        """Return each code with probability ``truth``, else one of the others, all alike, shape (codes,)."""
        ...


class OpenDpNoise:
    """Draw by OpenDP 0.16. Raises BadInput where that is not installed: there is no other source that would do."""

    private = True

    def __init__(self) -> None:
        try:
            import opendp.prelude as dp  # noqa: PLC0415 - heavy, and an optional part
            from opendp.mod import enable_features  # noqa: PLC0415
        except ImportError as error:
            raise BadInput(
                "differential privacy needs OpenDP, which is not installed", hint="pip install 'gesalp[dp]'"
            ) from error
        enable_features("contrib")
        self._dp: Any = dp

    def discrete_gaussian(self, size: int, *, scale: float) -> Ints:
        """Return integers of discrete Gaussian noise."""
        check_scale(scale)
        return np.asarray(self._gaussian(scale)([0] * size), dtype=np.int64).reshape(size)

    def discrete_laplace(self, size: int, *, scale: float) -> Ints:
        """Return integers of discrete Laplace noise."""
        check_scale(scale)
        return np.asarray(self._laplace(scale)([0] * size), dtype=np.int64).reshape(size)

    def noisy_max(self, scores: Floats, *, scale: float) -> int:
        """Return the place of the largest noisy score."""
        check_scale(scale)
        check_scores(scores)
        return self._choice(scale)([float(one) for one in scores])

    def randomise(self, codes: Ints, *, categories: int, truth: float) -> Ints:
        """Return randomised codes."""
        check_codes(codes, categories)
        answer = self._dp.m.make_randomized_response(list(range(categories)), float(truth), T=int)
        return np.array([answer(int(code)) for code in codes], dtype=np.int64).reshape(len(codes))

    @lru_cache(maxsize=64)  # noqa: B019 - a source lives as long as its run
    def _gaussian(self, scale: float) -> Callable[[list[int]], list[int]]:
        dp = self._dp
        space = dp.vector_domain(dp.atom_domain(T="i64")), dp.l2_distance(T=float)
        return cast("Callable[[list[int]], list[int]]", dp.m.make_gaussian(*space, scale=float(scale)))

    @lru_cache(maxsize=64)  # noqa: B019
    def _choice(self, scale: float) -> Callable[[list[float]], int]:
        dp = self._dp
        space = dp.vector_domain(dp.atom_domain(T=float, nan=False)), dp.linf_distance(T=float)
        measure = dp.zero_concentrated_divergence()  # by it, and not by another, OpenDP draws Gumbel noise
        return cast("Callable[[list[float]], int]", dp.m.make_noisy_max(*space, measure, scale=float(scale)))

    @lru_cache(maxsize=64)  # noqa: B019
    def _laplace(self, scale: float) -> Callable[[list[int]], list[int]]:
        dp = self._dp
        space = dp.vector_domain(dp.atom_domain(T="i64")), dp.l1_distance(T="i64")
        return cast("Callable[[list[int]], list[int]]", dp.m.make_laplace(*space, scale=float(scale)))


def opendp_noise() -> NoiseSource:
    """Return the one source that a guarantee accepts. Raises BadInput where OpenDP is not installed."""
    return OpenDpNoise()


class ScriptedNoise:
    """Draw the same noise again from a seed, or none at all with ``still``: for tests; what it makes is not private.

    >>> ScriptedNoise(1, still=True).discrete_gaussian(3, scale=9.0).tolist()
    [0, 0, 0]
    """

    private = False

    def __init__(self, seed: int = 0, *, still: bool = False) -> None:
        self.rng = np.random.default_rng(seed)
        self.still = still

    def discrete_gaussian(self, size: int, *, scale: float) -> Ints:
        """Return rounded Gaussian noise."""
        check_scale(scale)
        drawn = np.rint(self.rng.normal(scale=scale, size=size)).astype(np.int64)
        return np.zeros_like(drawn) if self.still else drawn

    def discrete_laplace(self, size: int, *, scale: float) -> Ints:
        """Return the difference of two geometric variables."""
        check_scale(scale)
        stop = -math.expm1(-1.0 / scale)
        drawn = self.rng.geometric(stop, size=size) - self.rng.geometric(stop, size=size)
        return np.zeros(size, dtype=np.int64) if self.still else drawn.astype(np.int64)

    def noisy_max(self, scores: Floats, *, scale: float) -> int:
        """Return the place of the largest score after Gumbel noise."""
        check_scale(scale)
        check_scores(scores)
        drawn = self.rng.gumbel(scale=scale, size=len(scores))
        return int(np.argmax(scores if self.still else scores + drawn))

    def randomise(self, codes: Ints, *, categories: int, truth: float) -> Ints:
        """Return randomised codes."""
        check_codes(codes, categories)
        lie = self.rng.random(len(codes)) >= truth
        other = (codes + self.rng.integers(1, categories, len(codes))) % categories
        return codes.copy() if self.still else np.where(lie, other, codes)


def check_scale(scale: float) -> None:
    """Refuse a scale of no noise, or of more than 64 bits hold. Raises BadInput.

    OpenDP cuts integers off at the ends of their type. Only the noise is drawn there, and the count added here: so the
    type is one of 64 bits, and no scale is so large that its ends are met (probability below exp(-2000)).
    """
    if not 0 < scale <= LARGEST_SCALE:
        raise BadInput(
            f"the scale of the noise is {scale:g}; it lies above 0 and up to {LARGEST_SCALE:g}",
            hint="spend more on this answer, or ask for less that one unit can change",
        )


def check_scores(scores: Floats) -> None:
    """Refuse scores among which there is no choice. Raises BadInput."""
    if len(scores) == 0 or not np.isfinite(scores).all():
        raise BadInput("a noisy choice needs at least one score, and finite ones")


def check_codes(codes: Ints, categories: int) -> None:
    """Refuse codes outside their categories. Raises BadInput."""
    if categories < 2:
        raise BadInput(f"{categories} category leaves nothing to randomise; at least 2 are needed")
    if len(codes) and (int(codes.min()) < 0 or int(codes.max()) >= categories):
        raise BadInput(f"a code lies outside 0 to {categories - 1}")
