"""Open a population with the policy's budget when it is first asked about, and name who asks."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

from synth_worker.privacy.budget import halved
from synth_worker.privacy.ledger import Ledger
from synth_worker.settings import Settings


def open_by_policy(
    ledger: Ledger, population: str, *, settings: Settings, event: Callable[[Mapping[str, object]], None]
) -> bool:
    """Open a population with the policy's budget unless it is open; say so, and tell whether it was opened now.

    >>> import tempfile
    >>> from pathlib import Path
    >>> from synth_worker.privacy.ledger_file import FileLedger
    >>> with FileLedger(Path(tempfile.mkdtemp()), create=True) as ledger:
    ...     open_by_policy(ledger, "ward", settings=Settings(), event=lambda row: None), ledger.pools()["ward"].budget
    (True, Budget(epsilon=3.0, delta=1e-06, additive=5e-07))
    """
    if population in ledger.pools():
        return False
    budget = halved(settings.ledger_epsilon, settings.ledger_delta)
    ledger.open(population, budget)
    event(
        {
            "event": "read",
            "what": f"opened the population {population!r} with the policy's budget: epsilon {budget.epsilon:g} at "
            f"delta {budget.delta:g} for everything that is ever asked (gesalp ledger open sets another "
            "before first use)",
        }
    )
    return True


def principal_of_process() -> str:
    """Return who asks on the command line: the user of the operating system."""
    return f"uid {os.getuid()}"
