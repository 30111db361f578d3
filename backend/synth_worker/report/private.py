"""Show a run under differential privacy on one page: the guarantee, the account, the columns, their noisy margins.

Everything shown is public, or follows from the released table: no real figure stands here.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from synth_worker.privacy.budget import NOTHING
from synth_worker.private_run import PrivateRun
from synth_worker.report.svg import WIDTH, path, picture, rect, short, text
from synth_worker.schema import Kind
from synth_worker.table import Table
from synth_worker.whole import write_text_whole

FILE = "report.html"
DRAWN, BINS, BARS = 60, 24, 12
LEFT, RIGHT = 116.0, WIDTH - 46.0


@dataclass(frozen=True)
class Margin:
    """Hold the margin of one column of the released table: a text and a share for each bar."""

    name: str
    kind: str
    domain: str
    labels: tuple[str, ...]
    shares: tuple[float, ...]


def write_private_report(run: PrivateRun, *, synthetic: Table, folder: Path) -> None:
    """Write ``report.html`` into ``folder``, whole or not at all; ``synthetic`` is the released table."""
    write_text_whole(folder / FILE, render_private(run, margins=margins(run, synthetic)))


def margins(run: PrivateRun, synthetic: Table) -> tuple[Margin, ...]:
    """Return what is drawn of each column of the released table."""
    found: list[Margin] = []
    for column in run.columns[:DRAWN]:
        labels, counts = _counted(synthetic, column.name)
        total = max(sum(counts), 1)
        found.append(Margin(column.name, column.kind, column.domain, labels, tuple(one / total for one in counts)))
    return tuple(found)


def _counted(table: Table, name: str) -> tuple[tuple[str, ...], tuple[int, ...]]:
    column = table.schema[name]
    if column.kind is Kind.CATEGORICAL:
        codes = table.codes(name)
        counts = np.bincount(codes[codes >= 0], minlength=len(column.categories))
        order = np.argsort(-counts, kind="stable")
        kept = order[:BARS]
        rest, absent = int(counts[order[BARS:]].sum()), int((codes < 0).sum())
        labels = [column.categories[place] for place in kept]
        figures = [int(counts[place]) for place in kept]
        for word, count in (("others", rest), ("missing", absent)):
            if count:
                labels.append(word)
                figures.append(count)
        return tuple(labels), tuple(figures)
    values = table.numbers(name)
    seen = values[~np.isnan(values)]
    if not len(seen):
        return ("missing",), (len(values),)
    counts, edges = np.histogram(seen, bins=min(BINS, max(1, len(np.unique(seen)))))
    labels = [_mark(edge, dated=column.kind is Kind.DATETIME) for edge in edges[:-1]]
    figures = [int(one) for one in counts]
    if len(seen) < len(values):
        labels.append("missing")
        figures.append(len(values) - len(seen))
    return tuple(labels), tuple(figures)


def _mark(value: float, *, dated: bool) -> str:
    if dated:
        return str(np.datetime64(int(value), "s"))[:10]
    return f"{value:.4g}"


def bars(margin: Margin) -> Markup:
    """Draw a margin: one bar for each label or slice, its share at the end."""
    most = max(margin.shares, default=0.0) or 1.0
    body: list[Markup] = []
    for place, (label, share) in enumerate(zip(margin.labels, margin.shares, strict=True)):
        y, width = 6 + place * 16, (RIGHT - LEFT) * share / most
        body.append(text(LEFT - 6, y + 9, short(label, 18), anchor="end", role="small"))
        body.append(rect(LEFT, y, width, 11, role="made"))
        body.append(text(LEFT + width + 4, y + 9, f"{share:.1%}", role="small"))
    end = 8 + len(margin.labels) * 16
    body.append(path(f"M{LEFT:g} 4V{end:g}", role="axis"))
    return picture(end + 4, Markup("").join(body), title=margin.name)


def render_private(run: PrivateRun, *, margins: tuple[Margin, ...]) -> str:
    """Return the page."""
    place = Environment(
        loader=PackageLoader("synth_worker.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = place.get_template("private.html.j2").render(
        run=run,
        spent=spent_rows(run),
        margins=[(one, bars(one)) for one in margins],
        epsilon_total=None if run.budget is None else run.budget.epsilon,
    )
    return page.strip() + "\n"


def spent_rows(run: PrivateRun) -> list[tuple[str, str]]:
    """Return what was spent on what, and what is left, each as text."""
    shares = run.shares
    rows = [(f"attempt {number}", cost) for number, cost in enumerate(shares.attempts, start=1)]
    if shares.choice != NOTHING:
        rows.append(("the choice", shares.choice))
    rows.append(("in all", shares.total))
    if run.budget is not None:
        rows.append((f"left of {run.ask.population!r}", run.left))
    return [(what, str(cost)) for what, cost in rows]
