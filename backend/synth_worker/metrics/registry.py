"""List every family of metrics, every metric by name, and which families the loop computes for each attempt."""

from __future__ import annotations

from collections.abc import Mapping

from synth_worker.metrics import (
    broken_constraints,
    broken_pairs,
    closeness,
    dependence,
    detection,
    disclosure,
    duplicates,
    marginals,
    masses,
    membership,
    trend,
    usefulness,
)
from synth_worker.metrics.base import Family, Metric

FAMILIES: tuple[Family, ...] = (
    marginals.MARGINS,
    marginals.DOMAIN,
    dependence.FAMILY,
    trend.FAMILY,
    masses.FAMILY,
    broken_pairs.FAMILY,
    broken_constraints.FAMILY,
    detection.FAMILY,
    usefulness.FAMILY,
    membership.FAMILY,
    duplicates.FAMILY,
    closeness.FAMILY,
    disclosure.FAMILY,
)

QUICK: tuple[Family, ...] = (
    marginals.MARGINS,
    marginals.DOMAIN,
    dependence.FAMILY,
    detection.FAMILY,
    membership.FAMILY,
    duplicates.FAMILY,
    closeness.FAMILY,
)
"""What each attempt is judged by in the loop; the certificate computes all families."""

METRICS: Mapping[str, Metric] = {metric.name: metric for family in FAMILIES for metric in family.metrics}
