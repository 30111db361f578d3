"""Say what a document is made of: frozen values without prose, which a renderer turns into words and pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from synth_worker.gates import Ruling

Audience = Literal["internal", "public"]


@dataclass(frozen=True)
class Said:
    """Name a sentence of the catalogue and the values that fill it; a value may be a sentence, or a list of them."""

    key: str
    values: Mapping[str, Filler] = field(default_factory=dict[str, "Filler"])


Filler = str | int | float | Said | tuple[Said, ...]


def quote(words: str) -> Said:
    """Return words that another part of the system (or the user's table) wrote: shown as they are, never translated.

    >>> quote("age").values["words"]
    'age'
    """
    return Said("quote", {"words": words})


@dataclass(frozen=True)
class Figure:
    """Hold one score as it is shown: estimate, 95 % interval, upper bound, limits, floor, ruling and why.

    ``better`` is ``lower``, ``higher``, ``half`` or empty. ``beside`` is the same figure for real training rows, where
    there is one. ``ruling`` is None where no gate reads the score.
    """

    name: str
    label: Said
    group: str = "utility"
    about: Said | None = None
    value: float | None = None
    low: float | None = None
    high: float | None = None
    upper: float | None = None
    limit: float | None = None
    upper_limit: float | None = None
    floor: float | None = None
    beside: float | None = None
    better: str = ""
    ruling: Ruling | None = None
    reason: Said | None = None
    rows_needed: int | None = None

    @property
    def decimals(self) -> int:
        """Return how many decimals tell the figure from its limit."""
        return 4 if self.limit is not None and 0 < self.limit < 0.01 else 3


@dataclass(frozen=True)
class Attack:
    """Hold one membership attack and how well it did; ``auc`` is None where it was not run."""

    name: str
    label: Said
    about: Said | None
    auc: float | None


@dataclass(frozen=True)
class Statement:
    """Hold the verdict in words: the light, a headline, why, gate by gate, what to do, what to bear in mind."""

    light: str
    headline: Said
    body: tuple[Said, ...]
    findings: tuple[Said, ...] = ()
    steps: tuple[Said, ...] = ()
    warnings: tuple[Said, ...] = ()


@dataclass(frozen=True)
class Curve:
    """Hold the losses of a training at its steps: of rows held out, and of rows learnt from.

    ``held`` is None throughout where the method has no loss of a single row; ``member`` is the training's loss then.
    """

    steps: tuple[int, ...]
    held: tuple[float | None, ...]
    member: tuple[float | None, ...]

    @property
    def with_held(self) -> bool:
        """Tell whether there is a loss of held-out rows."""
        return any(one is not None for one in self.held)


@dataclass(frozen=True)
class Trial:
    """Hold one attempt: ``worst`` is its largest gated estimate as a multiple of the limit (None: no scores)."""

    number: int
    method: str
    why: Said | None
    knobs: tuple[tuple[str, str], ...]
    seconds: float
    figures: tuple[float | None, ...]
    light: str
    rulings: tuple[Ruling | None, ...]
    worst: float | None
    cause: Said | None
    suggestions: tuple[Said, ...]
    failure: Said | None
    kept: bool
    curve: Curve | None = None
    notes: tuple[Said, ...] = ()


@dataclass(frozen=True)
class FrontPoint:
    """Hold one attempt by AUC of detection and the upper bound of the worst attack's; ``on``: nothing beats it."""

    number: int
    detection: float
    attack: float
    on: bool
    kept: bool


@dataclass(frozen=True)
class History:
    """Hold all attempts, the names of the scores and gates that head their table, and why one was kept."""

    scores: tuple[Said, ...]
    gates: tuple[Said, ...]
    trials: tuple[Trial, ...]
    outcome: tuple[Said, ...]
    front: tuple[FrontPoint, ...] = ()


@dataclass(frozen=True)
class Shares:
    """Hold how two tables spread over the same cells, as shares of the present values.

    ``edges`` are the inner borders of the bins of a number or a date (one fewer than the cells; the outer cells are
    open) with a ``tick`` text each, which stands ``shift`` to the right of its border; empty for labels.
    """

    cells: tuple[Said, ...]
    real: tuple[float, ...]
    synthetic: tuple[float, ...]
    edges: tuple[float, ...] = ()
    ticks: tuple[str, ...] = ()
    shift: float = 0.0


@dataclass(frozen=True)
class ColumnView:
    """Hold one column: its distance between real and synthetic, the same for fresh real rows, and its picture.

    ``summary`` holds rows of (name, real, synthetic), internal only.
    """

    name: str
    kind: str
    distance: float | None
    floor: float | None
    missing_real: Said
    missing_synthetic: Said
    missing: tuple[float, float] | None
    shares: Shares | None
    why_not: Said | None = None
    summary: tuple[tuple[Said, str, str], ...] = ()


@dataclass(frozen=True)
class Associations:
    """Hold the association matrices of the columns shown: row-major, real and synthetic, values in -1 to 1."""

    names: tuple[str, ...]
    real: tuple[tuple[float, ...], ...]
    synthetic: tuple[tuple[float, ...], ...]
    total: int

    @property
    def difference(self) -> tuple[tuple[float, ...], ...]:
        """Return synthetic minus real."""
        pairs = zip(self.real, self.synthetic, strict=True)
        return tuple(tuple(s - r for r, s in zip(left, right, strict=True)) for left, right in pairs)


@dataclass(frozen=True)
class BalanceView:
    """Hold what is said of the balanced table: its light, label by label share and rows, and its own gates."""

    light: str
    words: tuple[Said, ...]
    rows: tuple[tuple[Said, float, int], ...]
    gates: tuple[Figure, ...]
    notes: tuple[Said, ...] = ()


@dataclass(frozen=True)
class Document:
    """Hold everything a report shows, decided; rendering adds words and shapes only."""

    audience: Audience
    name: str
    profile: str
    profile_about: Said
    facts: tuple[tuple[Said, Said], ...]
    statement: Statement
    gates: tuple[Figure, ...]
    gates_note: Said
    certificate: tuple[Said, ...]
    privacy: tuple[Figure, ...]
    attacks: tuple[Attack, ...]
    attack_limit: float | None
    privacy_notes: tuple[Said, ...]
    utility: tuple[Figure, ...]
    utility_notes: tuple[Said, ...]
    columns: tuple[ColumnView, ...]
    columns_brief: tuple[ColumnView, ...]
    columns_note: tuple[Said, ...]
    associations: Associations | None
    history: History
    command: tuple[str, ...]
    command_notes: tuple[Said, ...]
    provenance: tuple[tuple[Said, Said], ...]
    versions: tuple[tuple[str, str], ...]
    provenance_notes: tuple[Said, ...]
    unmeasured: tuple[tuple[Said, Said], ...]
    notes: tuple[Said, ...]
    treated: tuple[tuple[str, Said, Said], ...]
    balance: BalanceView | None = None
