"""Estimate latent normal correlations of mixed columns, and draw from a normal distribution within a box."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from synth_worker.table import Floats

Box = dict[int, tuple[float, float]]
"""For each conditioned latent score its interval."""

SWEEPS = 30
LEAST_EIGENVALUE = 1e-4
EDGE = 1e-12


def normal_cdf(scores: Floats) -> Floats:
    """Return the standard normal distribution function."""
    from scipy.special import ndtr  # noqa: PLC0415 - keeps the package's import light

    return np.asarray(ndtr(scores), dtype=np.float64)


def normal_quantile(levels: Floats) -> Floats:
    """Return standard normal quantiles; 0 and 1 give minus and plus infinity."""
    from scipy.special import ndtri  # noqa: PLC0415 - keeps the package's import light

    return np.asarray(ndtri(np.clip(levels, 0.0, 1.0)), dtype=np.float64)


def interval_means(low: Floats, high: Floats) -> Floats:
    """Return the mean of a standard normal score known to lie between two levels of its distribution function.

    This is what the average over many randomised scores tends to, without their noise.

    >>> interval_means(np.array([0.0, 0.5]), np.array([0.5, 1.0])).round(3)
    array([-0.798,  0.798])
    """
    density_low = np.exp(-np.square(normal_quantile(low)) / 2)
    density_high = np.exp(-np.square(normal_quantile(high)) / 2)
    width = high - low
    inside = (density_low - density_high) / np.sqrt(2 * np.pi) / np.maximum(width, EDGE)
    middle = normal_quantile((low + high) / 2)
    return np.where(width > 1e-9, inside, np.clip(middle, -8, 8))


def correlation_of(scores: Floats) -> Floats:
    """Estimate the latent correlation matrix from interval means, shape (rows, scores), missing as NaN.

    Under the model the covariance of interval means is about the latent correlation times both variances (exact to
    first order), which undoes the attenuation that grouping causes. Pairs are taken over rows where both are present,
    shrunk by what noise alone would give, and the matrix is brought back to be positive definite.
    """
    seen = ~np.isnan(scores)
    filled = np.where(seen, scores, 0.0)
    count = np.maximum(seen.astype(np.float64).sum(axis=0), 1.0)
    filled = np.where(seen, filled - filled.sum(axis=0) / count, 0.0)
    variance = np.square(filled).sum(axis=0) / count
    both = np.maximum(seen.astype(np.float64).T @ seen.astype(np.float64), 1.0)
    found = (filled.T @ filled) / both / np.maximum(np.outer(variance, variance), 1e-6)
    found *= np.outer(variance > 1e-6, variance > 1e-6)
    # A correlation estimated from few rows is mostly noise: about n r^2 / (n r^2 + 1) of it is signal.
    strength = both * np.square(np.clip(found, -1, 1)) * np.outer(variance, variance)
    found *= strength / (strength + 1.0)
    np.fill_diagonal(found, 1.0)
    return _repaired(np.clip(found, -0.999, 0.999) + 0.001 * np.eye(len(found)))


def draw_in_box(
    correlation: Floats, box: Mapping[int, tuple[float, float]], rows: int, rng: np.random.Generator
) -> Floats:
    """Draw normal scores of this correlation, those in ``box`` within their intervals, shape (rows, scores).

    One boxed score is drawn exactly; several are drawn one after the other (Geweke 1989, Keane 1994), which is near,
    and brought to the truncated normal by Gibbs steps (Geweke 1991). The others are drawn given them.
    """
    width = len(correlation)
    fixed = sorted(box)
    free = [at for at in range(width) if at not in box]
    out = np.zeros((rows, width))
    noise = rng.standard_normal((rows, len(free)))
    if not fixed:
        return noise @ np.linalg.cholesky(correlation).T
    inner = correlation[np.ix_(fixed, fixed)]
    out[:, fixed] = _truncated(inner, [box[at] for at in fixed], rows, rng)
    if free:
        weights = np.linalg.solve(inner, correlation[np.ix_(fixed, free)])
        rest = correlation[np.ix_(free, free)] - correlation[np.ix_(free, fixed)] @ weights
        root = np.linalg.cholesky(rest + 1e-9 * np.eye(len(free)))
        out[:, free] = out[:, fixed] @ weights + noise @ root.T
    return out


def _truncated(correlation: Floats, bounds: list[tuple[float, float]], rows: int, rng: np.random.Generator) -> Floats:
    low = np.array([one[0] for one in bounds])
    high = np.array([one[1] for one in bounds])
    scores = np.zeros((rows, len(bounds)))
    for at in range(len(bounds)):
        # From the middle of the box instead, thirty sweeps do not arrive where two scores correlate by .99.
        weights = np.linalg.solve(correlation[:at, :at], correlation[:at, at])
        spread = np.sqrt(max(1 - float(weights @ correlation[:at, at]), EDGE))
        scores[:, at] = _between(scores[:, :at] @ weights, spread, (low[at], high[at]), rng)
    if len(bounds) == 1:
        return scores
    precision = np.linalg.inv(correlation)
    for _ in range(SWEEPS):
        for at in range(len(bounds)):
            others = scores @ precision[at] - scores[:, at] * precision[at, at]
            spread = 1 / np.sqrt(precision[at, at])
            scores[:, at] = _between(-others / precision[at, at], spread, (low[at], high[at]), rng)
    return scores


def _between(mean: Floats, spread: float, bounds: tuple[float, float], rng: np.random.Generator) -> Floats:
    """Draw from normal distributions of these means cut to the bounds, shape (rows,)."""
    below = normal_cdf((bounds[0] - mean) / spread)
    above = normal_cdf((bounds[1] - mean) / spread)
    level = np.clip(below + rng.random(len(mean)) * (above - below), EDGE, 1 - EDGE)
    return np.clip(mean + spread * normal_quantile(level), bounds[0], bounds[1])


def _repaired(matrix: Floats) -> Floats:
    """Return the nearest correlation matrix by clipping eigenvalues and rescaling the diagonal."""
    values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
    kept = (vectors * np.maximum(values, LEAST_EIGENVALUE)) @ vectors.T
    scale = np.sqrt(np.diag(kept))
    return kept / np.outer(scale, scale)
