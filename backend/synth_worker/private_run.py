"""Say what a run under differential privacy is: what was asked, what was spent, where each column's cells came from.

Nothing here comes from the data but through a mechanism that was paid for: no hash, no exact count, no time, no seed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from synth_worker.errors import BadInput, UnknownName
from synth_worker.privacy.budget import NOTHING, Budget, Cost

SCHEMA_VERSION = 1
ESTIMATE, PUBLIC_ONLY = "estimate", "public-only"
BOUNDS = (ESTIMATE, PUBLIC_ONLY)
EPSILONS = (0.5, 1.0, 2.0, 5.0, 10.0)
"""The grid of epsilons that a refusal looks at to say what would still fit."""


@dataclass(frozen=True)
class PrivateAsk:
    """Hold what is asked for; all of it is public and fixed before the data is touched.

    ``epsilon`` and ``delta`` are for everything that the run does; the usual delta is a tenth of the policy's, as
    half of it is used up where categories have to be found. ``attempts`` divides them in advance.
    ``privacy_unit`` names the column of persons, of whom each contributes at most ``max_rows_per_unit`` rows; without
    it the unit is a row. ``bounds`` says whether bounds and categories that the schema does not declare public are
    estimated, and paid for. ``where_clause`` says which rows of a database's table take part. ``rows`` is how many rows
    to make (None: a noised count). Raises BadInput, UnknownName.
    """

    method: str
    epsilon: float
    delta: float = 1e-7
    attempts: int = 1
    bounds: str = ESTIMATE
    privacy_unit: str = ""
    max_rows_per_unit: int = 1
    rows: int | None = None
    population: str = "default"
    principal: str = "owner"
    where_clause: str = ""

    def __post_init__(self) -> None:
        Budget(self.epsilon, self.delta)
        if self.bounds not in BOUNDS:
            raise UnknownName.of("way to find bounds", self.bounds, BOUNDS)
        for name, value, least in (
            ("attempts", self.attempts, 1),
            ("max_rows_per_unit", self.max_rows_per_unit, 1),
            ("rows", 2 if self.rows is None else self.rows, 2),
        ):
            if value < least:
                raise BadInput(f"{name} is {value}; at least {least} is needed")
        if self.max_rows_per_unit > 1 and not self.privacy_unit:
            raise BadInput(
                f"max_rows_per_unit is {self.max_rows_per_unit}, but no column names the persons",
                hint="name it with --privacy-unit",
            )

    def normal(self, schema: str) -> dict[str, object]:
        """Return what makes two requests the same: everything asked but who asks, and the schema."""
        asked = asdict(self)
        del asked["principal"], asked["population"]
        if not self.where_clause:
            del asked["where_clause"]
        return {**asked, "schema": schema}


@dataclass(frozen=True)
class Shares:
    """Hold how a cost is divided, in advance: among the attempts and, where there are several, the choice."""

    attempts: tuple[Cost, ...]
    choice: Cost = NOTHING

    @property
    def total(self) -> Cost:
        """Return their sum."""
        return sum(self.attempts, self.choice)


@dataclass(frozen=True)
class PrivateColumn:
    """Say of one column what it is and where its bounds or categories came from: ``public`` or ``estimated``."""

    name: str
    kind: str
    domain: str


@dataclass(frozen=True)
class PrivateRun:
    """Hold what a run found, and what may be told of it to everybody.

    ``parts`` says what one attempt measured and at what rho; the shares contain it.
    """

    ask: PrivateAsk
    mechanism: str
    shares: Shares
    columns: tuple[PrivateColumn, ...]
    left_out: tuple[str, ...]
    rows: int
    file: str
    method: str
    chosen: int = 1
    parts: tuple[tuple[str, float], ...] = ()
    budget: Budget | None = None
    left: Cost = NOTHING
    versions: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def unit(self) -> str:
        """Return whose privacy is meant."""
        if not self.ask.privacy_unit:
            return "row"
        most = self.ask.max_rows_per_unit
        return f"person ({self.ask.privacy_unit}, at most {most} row{'s' if most > 1 else ''} each)"

    @property
    def statement(self) -> str:
        """Return the guarantee in one sentence."""
        return (
            f"This table is ({self.ask.epsilon:g}, {self.ask.delta:g})-differentially private: whether any one "
            f"{'person' if self.ask.privacy_unit else 'row'} was in the data or not changes the probability of any "
            f"outcome by a factor of at most e^{self.ask.epsilon:g}, but for a probability of {self.ask.delta:g}."
        )


def private_json(run: PrivateRun) -> dict[str, object]:
    """Return the run card, as ``docs/private-run.schema.json`` describes it."""
    budget = run.budget
    return {
        "schema_version": SCHEMA_VERSION,
        "kind": "private",
        "exit_code": 0,
        "method": run.method,
        "guarantee": {
            "epsilon": run.ask.epsilon,
            "delta": run.ask.delta,
            "mechanism": run.mechanism,
            "unit": run.unit,
            "neighbours": "one unit added or removed",
            "accounting": "zero-concentrated differential privacy",
        },
        "spent": _cost(run.shares.total),
        "shares": {
            "attempts": [_cost(one) for one in run.shares.attempts],
            "choice": _cost(run.shares.choice),
        },
        "chosen": run.chosen,
        "measured": [{"what": what, "rho": rho} for what, rho in run.parts],
        "budget": None
        if budget is None
        else {
            "population": run.ask.population,
            "epsilon": budget.epsilon,
            "delta": budget.delta,
            "left": _cost(run.left),
        },
        "columns": [asdict(one) for one in run.columns],
        "left_out": list(run.left_out),
        "filter": run.ask.where_clause or None,
        "table": {"file": run.file, "rows": run.rows},
        "versions": dict(run.versions),
        "statement": run.statement,
    }


def _cost(cost: Cost) -> dict[str, int]:
    return {"rho_nano": cost.rho_nano, "delta_atto": cost.delta_atto}
