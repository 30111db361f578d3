"""Write what the audit of differential privacy showed into docs/privacy.md, from records/audit.jsonl.

python -m benchmarks.audit_page
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import cast

from benchmarks.rows import ROOT, read
from tests.privacy.mutants import MUTANTS as MUTANTS_OF_PARTS
from tests.privacy.mutants_methods import MUTANTS as MUTANTS_OF_METHODS

DOCUMENT = ROOT / "docs" / "privacy.md"
BEGIN, END = "<!-- audit: written by python -m benchmarks.audit_page -->", "<!-- end of audit -->"

Row = Mapping[str, object]


def section(rows: Sequence[Row]) -> str:
    """Return the findings as Markdown."""
    pairs = [row for row in rows if "claim" in row]
    lines = [
        *_paragraph(
            """Each mechanism was run on pairs of neighbouring inputs, worst cases with figures drawn at random.
            The bound is an empirical lower bound of epsilon at 99.9 %, by the event that told one half of the
            draws apart best, judged on the other half. It shows a mechanism that leaks much more than it says,
            not one that leaks a little more: a bound at a tenth of the claim leaves room for a tenfold error
            (of a claim with delta, a mechanism is often far from the worst). What the audit cannot see, the
            seeded bugs below are for."""
        ),
        "",
        "| mechanism | pairs | draws each | highest bound / claim | above the claim | still above at 8 x the draws |",
        "|---|---|---|---|---|---|",
    ]
    for name in sorted({str(row["part"]) for row in pairs}):
        own = [row for row in pairs if row["part"] == name]
        ratio = max(_figure(row, "lower") / _figure(row, "claim") for row in own)
        above = [row for row in own if _figure(row, "lower") > _figure(row, "claim")]
        still = sum(_figure(row, "again") > _figure(row, "claim") for row in above)
        draws = max(int(_figure(row, "draws")) for row in own)
        lines.append(f"| `{name}` | {len(own)} | {draws:,} | {ratio:.2f} | {len(above)} | {still} |")
    lines += [*_samplers(rows), *_accounting(rows), *_interference(), *_seeded()]
    return "\n".join(lines).strip()


def _samplers(rows: Sequence[Row]) -> list[str]:
    own = [row for row in rows if row["part"] == "sampler"]
    if not own:
        return []
    draws = max(int(_figure(row, "draws")) for row in own)
    own = [row for row in own if _figure(row, "draws") == draws]
    low = min(_figure(row, "p") for row in own)
    chance = 1 - 0.99 ** (1 / len(own))
    return _paragraph(
        f"""Samplers: {len(own)} settings, {draws:,} draws each, chi-square against the exact probabilities: the
        smallest p-value is {low:.2g} (of {len(own)} right ones it is below {chance:.1g} in one case of a
        hundred)."""
    )


def _accounting(rows: Sequence[Row]) -> list[str]:
    own = [row for row in rows if row["part"] == "accounting"]
    if not own:
        return []
    renyi = [one for row in own for one in cast("list[float]", row["over_renyi"])]
    loss = [one for row in own for one in cast("list[float]", row["over_loss_distribution"])]
    below = sum(int(_figure(row, "above_exact_delta")) for row in own)
    count = sum(int(_figure(row, "draws")) for row in own)
    return _paragraph(
        f"""Accounting: {count:,} compositions of 1 to 30 Gaussians, epsilon .05 to 20. Below the exact epsilon
        (Balle and Wang 2018): {below}. Ours over that of the Renyi accountant of dp_accounting:
        {min(renyi):.4f} to {max(renyi):.4f} (below 1 where its grid of orders misses the best); over that
        of its privacy loss distributions (one in ten): {min(loss):.2f} to {max(loss):.2f}, the most where
        delta is large."""
    )


def _interference() -> list[str]:
    tried: dict[str, list[int]] = {}
    for row in read("noninterference"):
        counts = tried.setdefault(str(row["method"]), [0, 0])
        counts[0], counts[1] = counts[0] + int(_figure(row, "cases")), counts[1] + int(_figure(row, "different"))
    if not tried:
        return []
    said = ", ".join(f"`{name}` {cases:,} ({different} differ)" for name, (cases, different) in sorted(tried.items()))
    return _paragraph(
        f"""One record changed in small tables, under scripted noise (schema, order, dtypes, bins, sample, spending and
        words of refusal are compared): {said}."""
    )


def _seeded() -> list[str]:
    bugs = len(MUTANTS_OF_PARTS) + len(MUTANTS_OF_METHODS)
    return _paragraph(
        f"""Seeded bugs: {bugs} in noise, accounting, mechanisms, budget, ledger, cells, sources and methods; each is
        found by a check that is named with it (`tests/privacy/mutants.py`, `mutants_methods.py`), and the test suite
        fails where one survives."""
    )


def _paragraph(text: str) -> list[str]:
    return ["", *textwrap.wrap(" ".join(text.split()), 120)]


def document(text: str, rows: Sequence[Row]) -> str:
    """Return the page with its section of findings written anew."""
    head, rest = text.split(BEGIN)
    return f"{head}{BEGIN}\n\n{section(rows)}\n\n{END}{rest.split(END)[1]}"


def _figure(row: Row, name: str) -> float:
    return float(cast("float", row[name]))


if __name__ == "__main__":
    DOCUMENT.write_text(document(DOCUMENT.read_text(encoding="utf-8"), read("audit")), encoding="utf-8")
