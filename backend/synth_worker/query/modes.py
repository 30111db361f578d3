"""Decide what a request gets: which of the modes, or a refusal that names the choices."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from synth_worker.errors import BadInput, QueryRefused, UnknownName
from synth_worker.privacy.budget import Budget
from synth_worker.query.config import QueryConfig
from synth_worker.settings import Settings


class Mode(StrEnum):
    """Name what is done with the rows."""

    SYNTHESIS = "synthesis"  # rows never leave the database: noised counts do, and a table is drawn from them
    LOCAL = "local"  # every value of every row is randomised
    ATTRIBUTE = "attribute"  # only the sensitive columns are randomised, the others are exact
    RAW = "raw"  # real rows


CHOICES = (
    'give dp_epsilon for a private table in which every column is protected, or dp_epsilon with mode="local" or '
    'mode="attribute" for randomised rows'
)


MOST_ROWS = 10**12
MOST_OF_A_UNIT = 100_000


@dataclass(frozen=True)
class Policy:
    """Hold what the owner of the data allows."""

    allow_raw: bool = False
    max_epsilon: float = 10.0
    public_columns: frozenset[str] = frozenset()
    privacy_units: Mapping[str, str] = field(default_factory=dict[str, str])

    @classmethod
    def of(cls, settings: Settings) -> Policy:
        """Return the policy that the settings state.

        >>> Policy.of(Settings()).allow_raw
        False
        """
        public, units = frozenset(settings.query_public_columns), settings.query_privacy_units
        return cls(settings.query_allow_raw, settings.query_max_epsilon, public, units)

    def hidden(self, table: str, names: Iterable[str]) -> list[str]:
        """Return which of these columns of a table the owner has not called public.

        >>> Policy(public_columns=frozenset({"stays.ward"})).hidden("stays", ["ward", "age"])
        ['age']
        """
        return [name for name in names if f"{table}.{name}" not in self.public_columns]


def mode_of(config: QueryConfig, policy: Policy) -> Mode:
    """Return what a request gets. Raises QueryRefused, UnknownName.

    >>> mode_of(QueryConfig("t", ["age"], dp_epsilon=1.0), Policy()).value
    'synthesis'
    >>> mode_of(QueryConfig("t", ["age"]), Policy())
    Traceback (most recent call last):
    synth_worker.errors.QueryRefused: the request names no guarantee, so it would hand out real rows (...)
    """
    if config.mode and config.mode not in tuple(Mode):
        raise UnknownName.of("mode", config.mode, list(Mode))
    if config.dp_epsilon is None:
        return _without_epsilon(config, policy)
    _check_epsilon(config.dp_epsilon, policy)
    mode = Mode(config.mode) if config.mode else Mode.SYNTHESIS
    if mode is Mode.RAW:
        raise QueryRefused(
            'mode="raw" hands out real rows, and no epsilon protects these', hint="leave dp_epsilon out, or the mode"
        )
    if mode is Mode.ATTRIBUTE and not config.sensitive:
        raise QueryRefused(
            'mode="attribute" randomises the sensitive_columns, and none is named',
            hint='name them, or choose mode="local", which randomises every column',
        )
    return mode


def _without_epsilon(config: QueryConfig, policy: Policy) -> Mode:
    if config.mode and config.mode != Mode.RAW:
        raise QueryRefused(f"mode={config.mode!r} needs dp_epsilon", hint="a usual value is 1")
    if config.sensitive:
        raise QueryRefused(
            f"the columns {', '.join(config.sensitive)} are called sensitive, and no dp_epsilon protects them",
            hint=CHOICES,
        )
    if config.mode != Mode.RAW:
        raise QueryRefused("the request names no guarantee, so it would hand out real rows", hint=CHOICES)
    if not policy.allow_raw:
        raise QueryRefused("the policy does not allow real rows to leave", hint=f"{CHOICES}; GESALP_QUERY_ALLOW_RAW")
    if not config.purpose.strip():
        raise QueryRefused('mode="raw" needs a purpose, which is kept', hint='purpose="..."')
    return Mode.RAW


def _check_epsilon(epsilon: float, policy: Policy) -> None:
    if not _number(epsilon) or not epsilon > 0:
        raise QueryRefused(f"dp_epsilon is {epsilon!r}; it is a number above 0", hint="a usual value is 1")
    if epsilon > policy.max_epsilon:
        raise QueryRefused(
            f"dp_epsilon is {epsilon:g}; the policy allows at most {policy.max_epsilon:g}",
            hint="ask for less; GESALP_QUERY_MAX_EPSILON is the owner's to set",
        )


def check(config: QueryConfig, mode: Mode) -> None:
    """Refuse figures and names that contradict each other. Raises BadInput, QueryRefused."""
    if not config.columns:
        raise BadInput("no column is asked for", hint="name at least one in columns")
    if config.limit is not None and (not _whole(config.limit) or not 1 <= config.limit <= MOST_ROWS):
        raise BadInput(
            f"limit is {config.limit!r}; it is a whole number from 1 to {MOST_ROWS}", hint="or None for no limit"
        )
    fraction = config.sample_fraction
    if not _number(fraction) or not 0 < fraction <= 1:
        raise BadInput(f"sample_fraction is {fraction!r}; it lies above 0 and up to 1", hint="1 takes every row")
    if not _whole(config.max_rows_per_unit) or not 1 <= config.max_rows_per_unit <= MOST_OF_A_UNIT:
        raise BadInput(
            f"max_rows_per_unit is {config.max_rows_per_unit!r}; it is a whole number from 1 to {MOST_OF_A_UNIT}"
        )
    if config.max_rows_per_unit > 1 and not config.unit:
        raise BadInput(
            f"max_rows_per_unit is {config.max_rows_per_unit}, but no column names the persons",
            hint="name it with privacy_unit",
        )
    if not _number(config.delta):
        raise BadInput(f"delta is {config.delta!r}; it is a number", hint="a usual value is 1e-7")
    if mode is Mode.SYNTHESIS and config.dp_epsilon is not None:
        Budget(float(config.dp_epsilon), config.delta)
    for what, names in (
        ("sensitive column", config.sensitive),
        ("column with bounds", config.bounds),
        ("column with categories", config.categories),
    ):
        for name in names:
            if name not in config.columns:
                raise UnknownName.of(what, name, config.columns, whole="the request")
    if mode is not Mode.RAW and config.unit in config.columns:
        raise QueryRefused(
            f"{config.unit!r} tells persons apart and cannot be released",
            hint="take it out of columns; privacy_unit alone is enough",
        )
    both = sorted(set(config.bounds) & set(config.categories))
    if both:
        raise BadInput(f"column {both[0]!r} has bounds and categories", hint="give one of them")


def check_disclosed(config: QueryConfig, mode: Mode, policy: Policy) -> None:
    """Refuse exact values, or counts by exact values, that are not the owner's to be given. Raises QueryRefused.

    Who asks cannot say what is public: the number of rows of ``local`` answers would then tell anything.
    """
    claimed = policy.hidden(config.table_name, config.public_columns)
    if mode in (Mode.LOCAL, Mode.ATTRIBUTE) and claimed:
        raise QueryRefused(
            f"the owner has not called {', '.join(claimed)} of {config.table_name!r} public",
            hint="GESALP_QUERY_PUBLIC_COLUMNS is the owner's to set; mode='synthesis' takes any filter",
        )
    exact = [name for name in config.columns if name not in config.sensitive]
    shown = policy.hidden(config.table_name, exact)
    if mode is Mode.ATTRIBUTE and shown and not policy.allow_raw:
        raise QueryRefused(
            f"mode='attribute' would hand out the real values of {', '.join(shown)}, which the policy does not allow",
            hint="randomise them too, or leave dp_epsilon alone to protect everything; the owner may set "
            "GESALP_QUERY_PUBLIC_COLUMNS, or GESALP_QUERY_ALLOW_RAW",
        )


def check_filter(config: QueryConfig, mode: Mode, used: frozenset[str]) -> None:
    """Refuse a filter that would tell who is in a randomised answer by what is not public. Raises QueryRefused.

    ``used`` are the columns of the filter. Those that an ``attribute`` answer shows exactly may be filtered by: whoever
    has the answer can do it too.
    """
    if mode not in (Mode.LOCAL, Mode.ATTRIBUTE):
        return
    exact = set(config.columns) - set(config.sensitive) if mode is Mode.ATTRIBUTE else set[str]()
    private = sorted(used - set(config.public_columns) - exact)
    if private:
        raise QueryRefused(
            f"the filter uses {', '.join(private)}: which rows come back would tell their exact values",
            hint=f"with mode={str(mode)!r} only columns in public_columns may be filtered by; mode='synthesis' takes "
            "any filter",
        )
    randomised = set(config.columns) - exact
    both = sorted(set(config.public_columns) & randomised)
    if both:
        raise QueryRefused(f"{', '.join(both)} cannot be public and randomised", hint="take it out of public_columns")


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _number(value: object) -> bool:
    # A whole number may be too large for any float.
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max
