"""Try to spend more than there is: many processes at once, 100,000 random spends, kills at random points.

python -m benchmarks.ledger all            everything, a record of each in records/ledger.jsonl
python -m benchmarks.ledger crowd|random|kills
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.rows import ROOT, append
from synth_worker.errors import BudgetExceeded
from synth_worker.privacy.budget import Budget, Cost
from synth_worker.privacy.entries import Request
from synth_worker.privacy.ledger_file import FileLedger

POPULATION = "ward"
BUDGET = Budget(3.0, 1e-6, 1e-7)
START_SECONDS = 120.0


@dataclass(frozen=True)
class Outcome:
    """Hold what a trial found; every figure but ``seconds``, ``spends``, ``refused`` and ``kills`` must be 0."""

    spends: int
    refused: int
    over_budget: int
    lost: int
    unexplained: int
    seconds: float
    kills: int = 0

    @property
    def sound(self) -> bool:
        """Tell whether nothing was spent beyond the budget, forgotten, or charged without being asked for."""
        return not (self.over_budget or self.lost or self.unexplained)


def spend_on(home: Path, *, name: str, seed: int, spends: int, largest: int) -> None:
    """Spend at random, and write a line before each spend and one after it has returned: the child's work."""
    rng = random.Random(f"spender {seed}")
    while not (home / "go").exists():
        time.sleep(0.005)
    with FileLedger(home) as ledger, (home / f"{name}.log").open("ab", buffering=0) as log:
        for number in range(spends):
            cost = Cost(rng.randrange(1, largest), rng.randrange(2) * 10**8)
            request = Request(POPULATION, name, f"{seed}:{number}:{rng.randrange(10**9)}", "data")
            log.write(_line("asked", cost))
            try:
                receipt = ledger.spend(request, cost)
            except BudgetExceeded:
                log.write(_line("refused", cost))
                continue
            log.write(_line("spent", cost, sequence=receipt.sequence, mark=receipt.mark))


def _line(what: str, cost: Cost, **more: object) -> bytes:  # the log's own form
    return json.dumps({"what": what, "rho": cost.rho_nano, "delta": cost.delta_atto, **more}).encode() + b"\n"


def start(home: Path, *, name: str, seed: int, spends: int, largest: int) -> subprocess.Popen[bytes]:
    """Start a spender as a process of its own; it waits for the file ``go``."""
    words = [str(home), name, str(seed), str(spends), str(largest)]
    return subprocess.Popen([sys.executable, "-m", "benchmarks.ledger", "spender", *words], cwd=ROOT)


def check(home: Path, *, seconds: float, kills: int = 0) -> Outcome:
    """Compare the ledger with what the spenders wrote down."""
    asked: list[tuple[int, int]] = []
    spent: list[dict[str, object]] = []
    refused = 0
    for path in sorted(home.glob("*.log")):
        for line in path.read_bytes().splitlines():
            row = json.loads(line)
            refused += row["what"] == "refused"
            if row["what"] == "asked":
                asked.append((row["rho"], row["delta"]))
            elif row["what"] == "spent":
                spent.append(row)
    with FileLedger(home) as ledger:
        entries = ledger.verify()
        pool = ledger.pools()[POPULATION]
        lost = sum(not ledger.knows(sequence=int(str(row["sequence"])), mark=str(row["mark"])) for row in spent)
    charged = entries - 2  # the beginning and the opening
    told = sum(int(str(row["rho"])) for row in spent)
    lost += pool.spent.rho_nano < told
    return Outcome(
        spends=charged,
        refused=refused,
        over_budget=int(not pool.spent.within(pool.limit)),
        lost=lost,
        unexplained=max(0, charged - len(spent) - kills) + int(pool.spent.rho_nano > sum(rho for rho, _ in asked)),
        seconds=round(seconds, 1),
        kills=kills,
    )


def crowd(home: Path, *, processes: int, spends: int) -> Outcome:
    """Let many processes spend at once, four times as much as there is in all."""
    with FileLedger(home, create=True) as ledger:
        limit = ledger.open(POPULATION, BUDGET).limit
    largest = max(2, 8 * limit.rho_nano // (processes * spends))
    children = [start(home, name=f"p{one}", seed=one, spends=spends, largest=largest) for one in range(processes)]
    time.sleep(min(START_SECONDS, 0.05 * processes))
    begun = time.monotonic()
    (home / "go").touch()
    codes = [child.wait() for child in children]
    if any(codes):
        raise RuntimeError(f"a spender ended with {max(codes)}")
    return check(home, seconds=time.monotonic() - begun)


def random_spends(home: Path, *, spends: int) -> Outcome:
    """Spend at random in one process, with a twin that counts in Python's whole numbers."""
    rng = random.Random(f"random {spends}")
    with FileLedger(home, create=True) as ledger:
        limit = ledger.open(POPULATION, BUDGET).limit
    largest = max(2, 4 * limit.rho_nano // spends)  # half of the spends fit
    rho = delta = charged = refused = wrong = 0
    begun = time.monotonic()
    ledger = FileLedger(home)
    for number in range(spends):
        cost = Cost(rng.randrange(1, largest), rng.randrange(3) * 10**6)
        fits = rho + cost.rho_nano <= limit.rho_nano and delta + cost.delta_atto <= limit.delta_atto
        try:
            ledger.spend(Request(POPULATION, "one", str(number), "data"), cost)
        except BudgetExceeded:
            wrong += fits
            refused += 1
        else:
            wrong += not fits
            rho, delta, charged = rho + cost.rho_nano, delta + cost.delta_atto, charged + 1
        if rng.random() < 0.0005:  # whoever opens it reads the same
            ledger.close()
            ledger = FileLedger(home)
    seconds = time.monotonic() - begun
    pool = ledger.pools()[POPULATION]
    entries = ledger.verify()
    ledger.close()
    return Outcome(
        spends=charged,
        refused=refused,
        over_budget=int(not pool.spent.within(limit)),
        lost=int(pool.spent != Cost(rho, delta)) + int(entries - 2 != charged),
        unexplained=wrong,
        seconds=round(seconds, 1),
    )


def kills(home: Path, *, times: int, seed: int = 0, together: int = 3) -> Outcome:
    """Kill spenders with ``kill -9`` at random points; each time others go on with what they left."""
    rng = random.Random(f"kills {seed}")
    with FileLedger(home, create=True) as ledger:
        limit = ledger.open(POPULATION, BUDGET).limit
    (home / "go").touch()
    largest = max(2, limit.rho_nano // (times * 60))
    begun, killed = time.monotonic(), 0
    running: list[subprocess.Popen[bytes]] = []
    while killed < times:
        while len(running) < together:
            name = f"k{killed}-{len(running)}-{rng.randrange(10**9)}"
            running.append(start(home, name=name, seed=rng.randrange(10**9), spends=10**6, largest=largest))
            _await_first(home / f"{name}.log", running[-1])
        time.sleep(rng.uniform(0.0, 0.05))
        victim = running.pop(rng.randrange(len(running)))
        victim.send_signal(signal.SIGKILL)
        victim.wait()
        killed += 1
        if killed % 10 == 0:
            with FileLedger(home) as ledger:
                ledger.verify()
    for victim in running:
        victim.kill()
        victim.wait()
    return check(home, seconds=time.monotonic() - begun, kills=killed + len(running))


def _await_first(log: Path, child: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + START_SECONDS
    while not (log.exists() and log.stat().st_size):
        if child.poll() is not None or time.monotonic() > until:
            raise RuntimeError(f"a spender did not begin ({child.returncode})")
        time.sleep(0.002)


def main(words: list[str]) -> None:
    """Run what is asked for and record it."""
    what = words[0] if words else "all"
    if what == "spender":
        home, name, seed, spends, largest = words[1:]
        spend_on(Path(home), name=name, seed=int(seed), spends=int(spends), largest=int(largest))
        return
    trials = {
        "crowd": lambda home: crowd(home, processes=64, spends=50),
        "random": lambda home: random_spends(home, spends=100_000),
        "kills": lambda home: kills(home, times=200),
    }
    for name, trial in trials.items():
        if what in ("all", name):
            with tempfile.TemporaryDirectory(prefix="gesalp-ledger-") as folder:
                found = trial(Path(folder))
            row = {"trial": name, "sound": found.sound, **vars(found)}
            append("ledger", row)
            print(json.dumps(row))
            if not found.sound:
                raise SystemExit(1)


if __name__ == "__main__":
    os.nice(10)
    main(sys.argv[1:])
