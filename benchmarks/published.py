"""Hold the figures of other programs that our front is drawn against: measured earlier on the same rows and attacks.

Each was run once (one seed) at its default settings on two cores. ``attack`` is the AUC of the stronger of two
membership attacks, by nearest distance and by a ratio of densities; ``c2st`` that of boosted trees that tell synthetic
from training rows; ``dcr`` the share of synthetic rows nearer to a training row (None: not kept). ``rows`` is the size
of the training table; as many rows were held out, on the two small tables the rest.
"""

from __future__ import annotations

from typing import NamedTuple


class Point(NamedTuple):
    """Hold one program on one table; ``cpu_seconds`` are those of the fit."""

    table: str
    program: str
    c2st: float
    attack: float
    dcr: float | None
    cpu_seconds: float


class Place(NamedTuple):
    """Say which rows of a real table are learnt from and held out."""

    file: str
    target: str
    train: int
    holdout: int


PLACES = {
    "adult-5k": Place("adult", "income", 5_000, 5_000),
    "adult-16k": Place("adult", "income", 16_280, 16_281),
    "flchain": Place("flchain", "death", 3_937, 3_937),
    "randhie": Place("randhie", "mdvis", 10_095, 10_095),
    "heart": Place("heart", "num", 212, 91),
    "breast cancer": Place("breast_cancer", "target", 398, 171),
}

POINTS = (
    Point("adult-5k", "CTGAN", 0.999, 0.51, 0.52, 263),
    Point("adult-5k", "TVAE", 0.997, 0.54, 0.53, 43),
    Point("adult-5k", "TabDDPM", 0.885, 0.51, 0.52, 205),
    Point("adult-5k", "TabularARGN", 0.697, 0.53, 0.52, 35),
    Point("adult-5k", "random forest (ARF)", 0.994, 0.56, 0.60, 34),
    Point("adult-5k", "copula (sdv)", 1.000, 0.50, 0.49, 1.4),
    Point("adult-5k", "MST, epsilon 1", 1.000, 0.50, 0.47, 55),
    Point("adult-16k", "TabularARGN", 0.583, 0.51, None, 79),
    Point("adult-16k", "random forest (ARF)", 0.990, 0.54, None, 177),
    Point("adult-16k", "TVAE", 0.990, 0.51, None, 132),
    Point("adult-16k", "copula (sdv)", 0.999, 0.51, None, 4),
    Point("flchain", "TabularARGN", 0.851, 0.52, None, 43),
    Point("flchain", "TabDDPM", 0.768, 0.52, None, 149),
    Point("flchain", "random forest (ARF)", 0.994, 0.54, None, 24),
    Point("flchain", "TVAE", 0.996, 0.51, None, 29),
    Point("flchain", "copula (sdv)", 0.985, 0.51, None, 1),
    Point("heart", "TabularARGN", 0.690, 0.58, None, 5),
    Point("heart", "TabDDPM", 1.000, 0.60, None, 14),
    Point("heart", "random forest (ARF)", 0.754, 0.67, None, 2),
    Point("heart", "TVAE", 0.968, 0.65, None, 5),
    Point("heart", "copula (sdv)", 0.695, 0.59, None, 1),
    Point("breast cancer", "TabularARGN", 1.000, 0.57, None, 8),
    Point("breast cancer", "TabDDPM", 0.986, 0.57, None, 13),
    Point("breast cancer", "random forest (ARF)", 0.877, 0.59, None, 6),
    Point("breast cancer", "TVAE", 0.973, 0.51, None, 9),
    Point("breast cancer", "copula (sdv)", 1.000, 0.54, None, 1),
)


class Reported(NamedTuple):
    """Hold figures that a paper reports: where from and how measured, and the cells of a table."""

    about: str
    lines: tuple[tuple[str, ...], ...]


PUBLISHED_ADULT = Reported(
    about="""From Scassola et al. 2026 (A Sobering Look at Tabular Data Generation via Probabilistic Circuits,
arXiv 2603.23016): the best joint models of their protocol, and seconds of training there. Not the same rows (they learn
all of `adult.data` and judge on `adult.test`), nor the same GPU, nor the same boosted trees: compare the size of the
figures, not their last digit.""",
    lines=(
        ("the best of each figure", "", ".58", "1.44", ".57", ".916"),
        ("CTGAN", "3798", "", "", "about 1.0", ""),
        ("TVAE", "1310", "", "", "", ""),
        ("TabSyn", "3083", "", "", "", ""),
        ("TabDiff", "11605", "", "", "", ""),
        ("TabPC", "273", "", "", "", ""),
    ),
)
