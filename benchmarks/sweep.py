"""Put thousands of made tables through the whole main job and record how each ended.

    python -m benchmarks.sweep [--cases 1000] [--seed 0] [--whole 100] [--dry]

Hypothesis draws the tables, in blocks of 25 with a seed each. A block appends one row to records/sweep.jsonl, so a
sweep that was ended goes on where it was. A case must end with a verdict or a refusal that says what to do; what else
went wrong is named, counted, and made smaller by dropping columns and rows for as long as the same thing goes wrong. Of
every ``--whole`` cases one, a file, runs the command line with its child processes; the others run in this process.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter

from hypothesis import HealthCheck, Phase, given, seed, settings

from benchmarks.rows import append, read
from benchmarks.sweep_run import Outcome, run_case
from benchmarks.sweep_tables import Plan, plans, smaller

BLOCK = 25
MOST_TRIES = 12


def shrink(plan: Plan, fault: str) -> Plan:
    """Return the simplest plan found that still goes wrong in the same way."""
    tries = 0
    again = True
    while again and tries < MOST_TRIES:
        again = False
        for one in smaller(plan):
            tries += 1
            if tries > MOST_TRIES:
                break
            if fault in run_case(one).wrong:
                plan, again = one, True
                break
    return plan


def draw(number: int, *, seed_: int, count: int = BLOCK) -> list[Plan]:
    """Return the cases of a block: the same for the same seed and number."""
    found: dict[Plan, None] = {}

    @seed(seed_ * 1_000_003 + number)
    @settings(
        max_examples=count + 2,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(plans())
    def collect(plan: Plan) -> None:
        found.setdefault(plan)

    collect()
    # The first that Hypothesis draws is the same simplest one in every block.
    return list(found)[1 : count + 1] if number else list(found)[:count]


def run_block(number: int, *, seed_: int, every: int, known: set[str]) -> dict[str, object]:
    """Run one block and return its row; a fault that is ``known`` is counted but not made smaller again."""
    cases = draw(number, seed_=seed_)
    lights: Counter[str] = Counter()
    refusals: Counter[str] = Counter()
    faults: Counter[str] = Counter()
    examples: dict[str, str] = {}
    sources: Counter[str] = Counter()
    slowest = 0.0
    files = [place for place, plan in enumerate(cases) if plan.source != "frame"]
    command = files[0] if files and number * BLOCK % every < BLOCK else None
    start = time.process_time()
    for place, plan in enumerate(cases):
        whole = place == command
        ended: Outcome = run_case(plan, whole=whole)
        lights[ended.light] += 1
        sources["command line" if whole else plan.source] += 1
        slowest = max(slowest, ended.cpu_seconds)
        if ended.light == "refused":
            refusals[ended.said[:60]] += 1
        for fault, detail in ended.wrong.items():
            faults[fault] += 1
            if fault not in known:
                known.add(fault)
                small = plan if whole or "hung" in ended.wrong else shrink(plan, fault)
                examples[fault] = f"{detail} | {small.describe()}"
                print(f"  {fault}: {examples[fault]}", flush=True)
                print(f"    {small!r}"[:1500], flush=True)
    return {
        "seed": seed_,
        "block": number,
        "cases": len(cases),
        "outcomes": dict(lights),
        "sources": dict(sources),
        "faults": dict(faults),
        "examples": examples,
        "refusals": dict(refusals.most_common(5)),
        "slowest_cpu_seconds": round(slowest, 1),
        "cpu_seconds": round(time.process_time() - start, 1),
    }


def main() -> None:
    """Run the blocks that are not recorded yet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--whole", type=int, default=100)
    parser.add_argument("--dry", action="store_true", help="record nothing")
    asked = parser.parse_args()
    done = set() if asked.dry else {row["block"] for row in read("sweep") if row["seed"] == asked.seed}
    known: set[str] = set()
    for number in range(-(-asked.cases // BLOCK)):
        if number in done:
            continue
        row = run_block(number, seed_=asked.seed, every=asked.whole, known=known)
        print(number, row["outcomes"], row["faults"], row["slowest_cpu_seconds"], row["cpu_seconds"], flush=True)
        if not asked.dry:
            append("sweep", row)


if __name__ == "__main__":
    main()
