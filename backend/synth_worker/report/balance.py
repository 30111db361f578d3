"""Decide what is said of the balanced table."""

from __future__ import annotations

from dataclasses import replace

from synth_worker.report.parts import Audience, BalanceView, Figure, Said, quote
from synth_worker.report.scores import gate_figures, term
from synth_worker.run import Rebalanced, Run


def view(run: Run, *, audience: Audience) -> BalanceView | None:
    """Return what the section on the balanced table shows; None where there is none."""
    made = run.rebalanced
    if made is None:
        return None
    certificate = made.certificate
    verdict = certificate.verdict
    light = str(verdict.light)
    found = gate_figures(verdict.rulings, certificate.scores, audience=audience)
    return BalanceView(
        light=light,
        words=(
            Said("balance.hold" if light == "amber" and not verdict.may_release else f"balance.{light}"),
            Said("balance.what", {"file": made.file, "column": made.column}),
            Said("balance.how", {"rows": certificate.rows}),
            Said("balance.use"),
        ),
        rows=_rows(made),
        gates=tuple(_named(one) for one in found),
        notes=tuple(quote(words) for words in certificate.notes) if audience == "internal" else (),
    )


def _rows(made: Rebalanced) -> tuple[tuple[Said, float, int], ...]:
    """Return label, share asked for, and rows; labels that nobody named may be rare and stand together."""
    found = [(quote(label), made.shares[label], made.rows.get(label, 0)) for label in made.named]
    rest = [label for label in made.shares if label not in made.named]
    if rest:
        shares, rows = sum(made.shares[one] for one in rest), sum(made.rows.get(one, 0) for one in rest)
        found.append((Said("balance.others"), shares, rows))
    return tuple(found)


def _named(figure: Figure) -> Figure:
    """Give a figure within one label its words: ``ks_mean [sex=f]`` is ``ks_mean`` within ``sex=f``."""
    metric, bracket, label = figure.name.partition(" [")
    if not bracket:
        return figure
    return replace(figure, label=Said("balance.within", {"what": term("metric", metric), "label": label[:-1]}))
