"""Read option values that have a grammar of their own: durations, ``--rows``, ``--given``."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from synth_worker.errors import BadInput, UnknownName

UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*([smh]?)")

INDEPENDENT = "independent"

PRIVATE = ("mst", "aim", "arn_dp")
"""The methods with a formal guarantee: they need an epsilon, and no other takes one."""

METHODS = ("auto", "gc", "cart", "tvae", "ctgan", "arn", "ddpm", *PRIVATE)

PROFILES = ("standard", "research", "hipaa_like", "gdpr_like", "ema_public", "clinical_strict")
"""Known here too, so that a slip of the pen is refused before anything heavy loads; a test compares the registries."""


def check_names(*, profile: str, method: str = "auto") -> None:
    """Refuse a method or a profile that there is none of. Raises UnknownName."""
    for what, name, known in (("method", method, METHODS), ("profile", profile, PROFILES)):
        if name not in known:
            raise UnknownName.of(what, name, known)


def check_epsilon(method: str, epsilon: float | None) -> None:
    """Refuse a private method without an epsilon, and an epsilon for any other. Raises BadInput."""
    if method in PRIVATE and epsilon is None:
        raise BadInput(
            f"--method {method} gives a guarantee of privacy, and --epsilon does not say how much",
            hint="add --epsilon 1 (smaller is more private); it is charged to a budget, see gesalp ledger show",
        )
    if method not in PRIVATE and epsilon is not None:
        raise BadInput(
            f"--epsilon is {epsilon:g}, and --method {method} gives no guarantee that it could bound",
            hint=f"name a method that does: {', '.join(PRIVATE)}; or leave --epsilon out",
        )


def seconds_of(text: str) -> float | None:
    """Read a duration in seconds; ``none`` is None, no limit.

    >>> seconds_of("90s"), seconds_of("10m"), seconds_of("1.5h"), seconds_of("none")
    (90.0, 600.0, 5400.0, None)
    """
    plain = text.strip().lower()
    if plain == "none":
        return None
    found = _DURATION.fullmatch(plain)
    if found is None or not 1 <= float(found[1]) * UNITS[found[2]] < math.inf:
        raise BadInput(
            f"--time-budget is {text!r}",
            hint="allowed: a time of at least one second like 90s, 10m, 2h, or none; a bare number is seconds",
        )
    return float(found[1]) * UNITS[found[2]]


@dataclass(frozen=True)
class RowsAsked:
    """Hold what ``--rows`` said: how many, and whether rows are the unit although a key repeats."""

    count: int | None = None
    independent: bool = False


def rows_of(texts: Sequence[str]) -> RowsAsked:
    """Read ``--rows``, which may be given twice: once as a number, once as the word ``independent``.

    >>> rows_of(["1000", "independent"])
    RowsAsked(count=1000, independent=True)
    """
    counts = [text for text in texts if text != INDEPENDENT]
    for text in counts:
        if not text.isdecimal() or int(text) < 2:
            raise BadInput(f"--rows is {text!r}", hint=f"allowed: a whole number of at least 2, or {INDEPENDENT}")
    if len(counts) > 1:
        raise BadInput(f"--rows is given as {counts[0]} and as {counts[1]}", hint="give one number")
    return RowsAsked(int(counts[0]) if counts else None, INDEPENDENT in texts)


def given_of(texts: Sequence[str]) -> dict[str, str]:
    """Read ``--given col=value``, repeated; a column may hold ``=`` in its value, not in its name.

    >>> given_of(["sex=F", "note=a=b"])
    {'sex': 'F', 'note': 'a=b'}
    """
    found: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise BadInput(f"--given is {text!r}", hint="allowed: column=value, as in --given sex=F")
        if name in found:
            raise BadInput(f"--given names column {name!r} twice", hint="give each column one value")
        found[name] = value
    return found
