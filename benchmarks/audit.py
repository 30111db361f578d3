"""Audit the noise, the mechanisms and the accounting at length, and record each setting.

    python -m benchmarks.audit [--draws 1000000] [--pairs 200] [--times 2000] [--compositions 5000]
                              [--part accounting|mechanisms|samplers]

Samplers are held against their exact probabilities, mechanisms on neighbouring pairs against their claims (an
empirical lower bound of epsilon at 99.9 %), epsilon of composed Gaussians against dp_accounting. One row per setting
goes to records/audit.jsonl, a hundred compositions to a row (of which ten also by privacy loss distributions, which
take long); what is recorded is not measured again. A pair whose bound is above its claim is measured once more with
eight times the draws: by chance alone one in a thousand may be.
"""

from __future__ import annotations

import argparse
import itertools
import time

from benchmarks.rows import append, read
from synth_worker.privacy.noise import opendp_noise
from tests.privacy.accounted import compositions
from tests.privacy.audited import MECHANISMS, Pair, Sampler, pairs, samplers
from tests.privacy.auditing import CONFIDENCE, chi_square, lower_epsilon

SAMPLERS = 50
BLOCK = 100


def main() -> None:
    """Measure what is not on record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=1_000_000)
    parser.add_argument("--pairs", type=int, default=200)
    parser.add_argument("--times", type=int, default=2_000)
    parser.add_argument("--compositions", type=int, default=5_000)
    parser.add_argument("--part", choices=("accounting", "mechanisms", "samplers"))
    asked = parser.parse_args()
    done = {(row["part"], row["number"], row["draws"]) for row in read("audit")}
    if asked.part in (None, "accounting"):
        for first in range(0, asked.compositions, BLOCK):
            if ("accounting", first, BLOCK) not in done:
                audit_accounting(first)
    if asked.part in (None, "mechanisms"):
        for number, mechanism in itertools.product(range(asked.pairs), MECHANISMS):
            if (mechanism, number, asked.times) not in done:
                audit_pair(mechanism, number, asked.times)
    if asked.part in (None, "samplers"):
        for number, setting in enumerate(samplers(SAMPLERS)):
            if ("sampler", number, asked.draws) not in done:
                audit_sampler(setting, number, asked.draws)


def audit_sampler(setting: Sampler, number: int, draws: int) -> None:
    """Record the p-value of a sampler's draws against its exact law."""
    started = time.process_time()
    p = chi_square(setting.draw(opendp_noise(), draws), setting.law)
    row = {"part": "sampler", "number": number, "draws": draws, "sampler": setting.name, "about": setting.about}
    append("audit", row | {"p": p, "cpu_s": round(time.process_time() - started, 2)})


def audit_pair(mechanism: str, number: int, times: int) -> None:
    """Record the lower bound of one pair."""
    # Each pair is drawn from its own seed, so that a pair does not depend on how many are asked for.
    pair = list(pairs(mechanism, number % 3 + 1, seed=number + 10_000))[-1]
    started = time.process_time()
    row = {"part": mechanism, "number": number, "draws": times, "about": pair.about}
    row |= {"claim": pair.epsilon, "delta": pair.delta, "lower": bound(pair, times), "confidence": CONFIDENCE}
    if float(str(row["lower"])) > pair.epsilon:
        row["again"] = bound(pair, 8 * times)
    append("audit", row | {"cpu_s": round(time.process_time() - started, 2)})


def bound(pair: Pair, times: int) -> float:
    """Return the lower bound of epsilon from new draws."""
    noise = opendp_noise()
    return lower_epsilon(pair.draw(noise, 0, times), pair.draw(noise, 1, times), delta=pair.delta)


def audit_accounting(first: int) -> None:
    """Record how our epsilon of a hundred compositions compares with the others'."""
    started = time.process_time()
    found = compositions(BLOCK, seed=first + 50_000)
    renyi = [one.ours / one.renyi() for one in found]
    loss = [one.ours / one.loss_distribution() for one in found[::10]]
    append(
        "audit",
        {
            "part": "accounting",
            "number": first,
            "draws": BLOCK,
            "above_exact_delta": sum(one.exact_delta(one.ours) > one.delta for one in found),
            "over_renyi": [min(renyi), max(renyi)],
            "over_loss_distribution": [min(loss), max(loss)],
            "cpu_s": round(time.process_time() - started, 2),
        },
    )


if __name__ == "__main__":
    main()
