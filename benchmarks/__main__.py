"""Measure all that two cores can without other programs: many hours, one part after another; then write the pages.

    python -m benchmarks [--since 2026-11-24T10:00Z] [--parts front,scale]

``make bench`` runs it. It appends to benchmarks/records. A round that was stopped goes on where it was when this is run
again: what is on record since the round began is not measured anew. ``--since`` lets a new round begin at an earlier
moment, so that what is on record since then counts.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime

from benchmarks.rows import DATA, ROOT

ROUND = ROOT / ".stamps" / "bench-since"
"""Holds the moment when the round began that is not over yet."""

PARTS: tuple[str, ...] = (
    "tables",
    "known_answers",
    "front",
    "ablation",
    "knob",
    "knob --tables randhie,labels --points arn,ddpm",
    "neural_ablation --seeds 0",
    "shapes --seeds 0,1",
    "expected --points ddpm --seeds 0,1,2,3,4",
    "expected --points gc,cart,arn,tvae,ctgan --tables heart,flchain --seeds 0",
    "expected --points mst,aim --tables heart --seeds 0",
    "expected --points gc,cart,tvae --tables adult-5k --seeds 0",
    "expected --points tvae,ctgan --tables adult-16k --seeds 0",
    "expected --points gc,cart,arn,tvae,mst,aim --tables adult-20k --seeds 0",
    "dp --methods mst,aim --tables adult,flchain,randhie --seeds 0,1,2,3,4",
    "dp --methods arn_dp --tables adult,flchain,randhie",
    "dp --methods mst,aim,arn_dp --tables parity --epsilons 0.5,1,5",
    "blurred",
    "overhead",
    "adjustments",
    "injected",
    "blind",
    "warm_start --seeds 5,6,7,8,9",
    "scale",
)
"""Each a module of this package and its options: all are resumable."""

MODULES = frozenset(one.split()[0] for one in PARTS)

LAST: tuple[str, ...] = ("speed", "peers --only-document", "ladder", "parameters_page")
"""A minute of measuring, and pages that show figures of several parts."""


def main() -> None:
    """Run what is asked; end with 1 where a part failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--since", default="")
    parser.add_argument("--parts", default="", help="only parts of these modules; the round is not over then")
    asked = parser.parse_args()
    if not DATA.exists():
        sys.exit("skipped: the real tables are not beside the project")
    wanted = set(asked.parts.split(",")) if asked.parts else MODULES
    if unknown := wanted - MODULES:
        parser.error(f"no such part: {', '.join(sorted(unknown))}; there are {', '.join(sorted(MODULES))}")
    since = begun(asked.since)
    parts = [[*one.split(), "--since", since] for one in PARTS if one.split()[0] in wanted]
    failed = run([*parts, *(one.split() for one in LAST)])
    if failed:
        sys.exit(f"failed: {', '.join(failed)}. What was measured is on record; run this again to go on.")
    if not asked.parts:
        ROUND.unlink()


def begun(since: str) -> str:
    """Return the moment when the round began: the one asked for, that of a round not over yet, or now."""
    if not since and ROUND.exists():
        return ROUND.read_text(encoding="utf-8").strip()
    ROUND.parent.mkdir(exist_ok=True)
    beside = ROUND.with_suffix(".new")
    beside.write_text(since or datetime.now(UTC).strftime("%Y-%m-%dT%H:%MZ"), encoding="utf-8")
    beside.replace(ROUND)
    return begun("")


def run(parts: Sequence[Sequence[str]]) -> list[str]:
    """Run the parts one after another, each a process of its own, and return those that failed."""
    failed: list[str] = []
    start = time.monotonic()
    for number, part in enumerate(parts, 1):
        print(f"[{number} of {len(parts)}, {time.monotonic() - start:,.0f} s] {' '.join(part)}", flush=True)
        module, *options = part
        ended = subprocess.run([sys.executable, "-m", f"benchmarks.{module}", *options], cwd=ROOT, check=False)
        if ended.returncode:
            failed.append(" ".join(part))
    return failed


if __name__ == "__main__":
    main()
