"""Be many clients at once, each a process: ``python -m tests.database.clients`` reads what to ask from its input.

The processes are forked once everything is imported: sixteen interpreters would take longer to begin than to ask.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from synth_worker.errors import BudgetExceeded
from synth_worker.query.config import QueryConfig
from synth_worker.secure_query import create_hospital_sampler
from synth_worker.settings import Settings

ANSWERED, REFUSED, BROKEN = 0, 3, 1


def ask(job: dict[str, object], number: int) -> int:
    """Make one request that nobody else makes, and say how it ended."""
    settings = Settings(home=Path(str(job["home"])), ledger_url=str(job["ledger_url"]))
    config = QueryConfig(
        "patient_records", ["gender"], limit=1_000 + number, dp_epsilon=0.3, categories={"gender": ["F", "M"]}
    )
    credentials = job["credentials"]
    assert isinstance(credentials, dict)
    with create_hospital_sampler(db_type="postgresql", credentials=credentials, settings=settings) as sampler:
        try:
            return ANSWERED if len(sampler.sample(config)) else BROKEN
        except BudgetExceeded:
            return REFUSED


def main() -> None:
    """Fork the clients, wait for all, and print how many were answered and refused."""
    job = json.load(sys.stdin)
    begin, go = os.pipe()
    children: list[int] = []
    for number in range(job["clients"]):
        child = os.fork()
        if child == 0:
            os.close(go)
            os.read(begin, 1)  # ends when the last end that writes is closed: all begin together
            os._exit(ask(job, number))
        children.append(child)
    os.close(go)
    ended = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    sys.stdout.write(json.dumps({"answered": ended.count(ANSWERED), "refused": ended.count(REFUSED), "all": ended}))


if __name__ == "__main__":
    main()
