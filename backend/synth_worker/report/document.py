"""Decide what the report shows: a run and its tables become a document of frozen values, without words or shapes."""

from __future__ import annotations

from synth_worker.gates import Ruling, Verdict, profile
from synth_worker.metrics.base import Scores
from synth_worker.report import balance, columns, history, matrices, provenance, scores, statement, texts
from synth_worker.report.parts import Audience, ColumnView, Document, Figure, Said, quote
from synth_worker.run import Run
from synth_worker.schema import Schema
from synth_worker.table import Table, unify

Fact = tuple[Said, Said]


def build(run: Run, *, train: Table, holdout: Table, synthetic: Table, schema: Schema, audience: Audience) -> Document:
    """Return the document of a run for readers in the house (``internal``) or outside it (``public``).

    ``train``, ``holdout`` and ``synthetic`` are tables of the modelled columns; ``schema`` is that of the whole input.
    """
    train, holdout, synthetic = unify([train.modelled(), holdout.modelled(), synthetic.modelled()])
    kept = next((one for one in run.attempts if one.number == run.best_number), None)
    measured = run.certificate.measurement if run.certificate else kept.measurement if kept else None
    found = {} if measured is None else measured.scores
    verdict = run.verdict if measured is None else measured.verdict
    gates = scores.gate_figures(verdict.rulings, found, audience=audience)
    privacy = scores.figures(found, verdict.rulings, group="privacy", audience=audience)
    utility = scores.figures(found, verdict.rulings, group="utility", audience=audience)
    attack_gate = next((one for one in gates if one.name == "mia_auc"), None)
    views = (
        columns.views(train=train, holdout=holdout, synthetic=synthetic, audience=audience) if synthetic.rows else ()
    )
    return Document(
        audience=audience,
        name=run.data.name,
        profile=run.options.profile,
        profile_about=_profile_about(run.options.profile),
        facts=_facts(run, verdict, synthetic=synthetic),
        statement=statement.state(run, audience=audience),
        gates=gates,
        gates_note=Said(_gates_note(run, gates)),
        certificate=provenance.certificate_words(run),
        privacy=privacy,
        attacks=scores.attacks(found),
        attack_limit=None if attack_gate is None else attack_gate.limit,
        privacy_notes=(Said("privacy.formal" if provenance.formal(run) else "privacy.empirical"),),
        utility=utility,
        utility_notes=(*_utility_notes(utility), *_constraint_notes(found)),
        columns=views[: columns.DRAWN],
        columns_brief=views[columns.DRAWN :],
        columns_note=_columns_note(views, audience=audience),
        associations=matrices.associations(train, synthetic),
        history=history.tell(run, audience=audience),
        command=provenance.command(run, audience=audience),
        command_notes=provenance.command_notes(run),
        provenance=provenance.facts(run, audience=audience),
        versions=tuple(run.versions.items()),
        provenance_notes=(Said("reproduce.withheld"),) if audience == "public" else (Said("reproduce.intro"),),
        unmeasured=provenance.gaps(run, (*gates, *privacy, *utility)),
        notes=provenance.remarks(run, audience=audience),
        treated=provenance.treated(schema, run.options.text),
        balance=balance.view(run, audience=audience),
    )


def _profile_about(name: str) -> Said:
    key = f"profile.{name}"
    return Said(key) if texts.known(key) else quote(profile(name).about)


def _facts(run: Run, verdict: Verdict, *, synthetic: Table) -> tuple[Fact, ...]:
    """Return the facts that stand beside the verdict."""
    kept = next((one for one in run.attempts if one.number == run.best_number), None)
    green = sum(one.ruling is Ruling.GREEN for one in verdict.rulings)
    size = {"rows": synthetic.rows, "columns": len(synthetic.schema)}
    found: list[Fact] = [
        (Said("fact.synthetic"), Said("value.table", size) if kept else Said("fact.nothing")),
        (Said("fact.real"), Said("value.table", {"rows": run.data.rows, "columns": run.data.columns})),
        (Said("fact.profile"), quote(run.options.profile)),
    ]
    if kept is not None:
        found.append((Said("fact.method"), _method(kept.plan.method)))
    if verdict.rulings:
        found.append((Said("fact.gates"), Said("fact.gates.value", {"green": green, "total": len(verdict.rulings)})))
    found.append((Said("fact.certified"), _certified(run)))
    if run.rebalanced is not None:
        found.append((Said("section.balance"), Said(f"light.{run.rebalanced.certificate.verdict.light}")))
    if run.certificate is not None and run.certificate.mode == "holdout":
        found.append((Said("fact.look"), Said("fact.look.value", {"look": run.certificate.look})))
    return tuple(found)


def _method(name: str) -> Said:
    key = f"method.{name}"
    return Said(key) if texts.known(key) else quote(name)


def _certified(run: Run) -> Said:
    if run.certificate is None:
        return Said("fact.not_certified")
    if run.certificate.mode == "cross-fit":
        return Said("fact.crossfit", {"rows": run.certificate.rows})
    return Said("unit.rows", {"rows": run.certificate.rows})


def _gates_note(run: Run, gates: tuple[Figure, ...]) -> str:
    if not gates:
        return "gates.none"
    if run.certificate is None:
        return "gates.validation"
    return f"gates.{run.certificate.mode}" if run.certificate.mode in ("cross-fit", "given") else "gates.certified"


def _utility_notes(utility: tuple[Figure, ...]) -> tuple[Said, ...]:
    """Return the sentences that single figures need."""
    found: list[Said] = []
    for one in utility:
        if one.value is None:
            continue
        if one.name == "c2st_auc" and one.value < LOW_C2ST:
            found.append(Said("utility.c2st.low", {"value": one.value}))
        real = one.beside if one.beside is not None else one.floor
        if one.name == "tstr" and real is not None:
            found.append(Said("utility.tstr", {"value": one.value, "real": real}))
    return tuple(found)


def _constraint_notes(found: Scores) -> tuple[Said, ...]:
    """Return how many rows break a stated constraint, where some are stated."""
    score = found.get("broken_constraints")
    if score is None or score.value is None:
        return ()
    count = round(score.detail.get("rows", 0.0))
    return (Said("utility.constraints" if count else "utility.constraints.kept", {"count": count, "rows": score.rows}),)


LOW_C2ST = 0.47
"""Below this detection AUC the classifier does worse than a coin toss, which copies would explain."""


def _columns_note(views: tuple[ColumnView, ...], *, audience: Audience) -> tuple[Said, ...]:
    if not views:
        return (Said("columns.none"),)
    found = [Said("columns.intro")]
    if audience == "public":
        found.append(Said("columns.public"))
    if len(views) > columns.DRAWN:
        found.append(Said("columns.limit", {"total": len(views), "shown": columns.DRAWN}))
    return tuple(found)
