"""Kill a run with signal 9 at random points, resume it, and compare it with one that was left alone.

A run that had already ended does not count as a point.

python -m benchmarks.kill9 [--points 20] [--seed 0]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.rows import append
from tests.cli.test_kill import check_point, uninterrupted


def main() -> None:
    """Append one row per point; end with 1 where a resumed run differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    differing = 0
    with tempfile.TemporaryDirectory(prefix="gesalp-kill9-") as name:
        root = Path(name)
        (root / "whole").mkdir()
        whole, seconds = uninterrupted(root / "whole")
        shares = np.random.default_rng(asked.seed).uniform(0.02, 1.0, 4 * asked.points)
        killed = 0
        for place, share in enumerate(shares):
            if killed == asked.points:
                break
            folder = root / f"point-{place:02d}"
            folder.mkdir()
            try:
                found = check_point(float(share), whole=whole, seconds=seconds, cwd=folder)
            except AssertionError as error:
                differing += 1
                found = {"share": round(float(share), 3), "error": str(error).splitlines()[0][:200]}
            row = {"point": place, "seed": asked.seed, "same": "error" not in found, **found}
            killed += bool(found.get("killed", True))
            append("kill9", row)
            print(row)
    print(f"{killed - differing} of {killed} resumed runs equal the one that was left alone")
    sys.exit(1 if differing else 0)


if __name__ == "__main__":
    main()
