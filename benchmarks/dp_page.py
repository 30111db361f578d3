"""Write docs/dp.md from records/dp.jsonl and records/dp_audit.jsonl."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import mean

from benchmarks.dp_domains import BOUNDS
from benchmarks.dp_made import ABOUT
from benchmarks.rows import ROOT, read
from synth_worker.privacy.accounting import rho_of

COLUMNS = {
    "ks_mean": "KS", "tvd_mean": "TVD", "corr_delta": "correlation", "trend": "trend", "c2st_auc": "C2ST",
    "tstr": "TSTR", "attack": "attack", "fit_seconds": "CPU s, fit", "draw_seconds": "draw",
}  # fmt: skip
HEAD = """# What the methods with a guarantee reach

`mst`, `aim` and the experimental `arn_dp` at delta 1e-6, bounds and labels declared, half of each table learnt from and half held out. Written from
`benchmarks/records/` by `python -m benchmarks.dp --only-document`; figures are means over the divisions of the rows that
are on record (column n), noise drawn anew in each. KS, TVD, correlation, trend: 0 is exact. C2ST: AUC of trees that tell
synthetic from held-out rows, .5 is real. TSTR: as the gate states it. Attack: AUC of the stronger of two membership
attacks, .5 is nothing. Seconds are CPU.

`smartnoise-mst` and `smartnoise-aim` are the methods of that name of smartnoise-synth (with mbi), in an environment of their own: the
same rows, epsilon and delta, the same bounds declared, numbers in 32 bins (fewer where there are fewer whole numbers),
none of the budget spent on finding bounds, on one thread; what was drawn is rounded to the decimals of the column.
Its labels are taken as public, as ours are here.
"""  # noqa: E501


def _table(name: str, rows: Sequence[dict[str, object]]) -> list[str]:
    lines = [
        f"## {name}, {rows[0]['rows']} rows",
        "",
        "| method | epsilon | n | " + " | ".join(COLUMNS.values()) + " |",
    ]
    lines.append("|---" * (3 + len(COLUMNS)) + "|")
    for method in dict.fromkeys(str(row["method"]) for row in rows):
        for epsilon in sorted({float(str(row["epsilon"])) for row in rows if row["method"] == method}):
            own = [row for row in rows if row["method"] == method and row["epsilon"] == epsilon]
            cells: list[str] = []
            for key in COLUMNS:
                values = [float(str(row[key])) for row in own if row.get(key) is not None]
                cells.append(f"{mean(values):.3f}" if values else "-")
            lines.append(f"| {method} | {epsilon:g} | {len(own)} | " + " | ".join(cells) + " |")
    return [*lines, ""]


def _allowed(row: dict[str, object]) -> float:
    """Return by how many deviations the budget lets the best statistic differ: the root of 2 rho."""
    return (2 * rho_of(float(str(row["epsilon"])), delta=float(str(row["delta"])))) ** 0.5


def write_page() -> None:
    """Write the page."""
    rows = read("dp")
    lines = [HEAD, ""]
    for name in dict.fromkeys(str(row["table"]) for row in rows):
        lines += _table(name, [row for row in rows if row["table"] == name])
        bounds = ", ".join(f"{column} {low:g} to {high:g}" for column, (low, high) in BOUNDS.get(name, {}).items())
        lines += [f"Declared: {bounds}." if bounds else ABOUT, ""]
    audits = read("dp_audit")
    if audits:
        lines += [
            "## Audit",
            "",
            AUDIT,
            "",
            "| method | epsilon claimed | runs | epsilon shown | gap | allowed |",
            "|---|---|---|---|---|---|",
        ]
        lines += [
            f"| {row['method']} | {float(str(row['epsilon'])):g} | {row['runs']} | {row['lower']} | {row['gap']} | {_allowed(row):.3f} |"  # noqa: E501
            for row in audits
        ]
    (ROOT / "docs" / "dp.md").write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")


AUDIT = """Two neighbouring tables of 150 and 151 rows and 3 columns, the added row alone with its values; many fits on
each; a distinguisher that sees every noised answer, its threshold chosen on one half of the fits and judged on the other.
*Shown* is the lower bound (Clopper-Pearson, 99.9 %) of what epsilon must at least be. It must not exceed the claim. With so
few runs it shows gross mistakes (noise a few times too small, answers that are not noised), not small ones.
*Gap*: by how many standard deviations the statistic's means differ, and how far the budget lets them."""  # noqa: E501


if __name__ == "__main__":
    write_page()
