"""Hold every sentence of the report in English; a further language is a module like this one."""

from __future__ import annotations

from collections.abc import Mapping

from synth_worker.report.english_balance import BALANCE
from synth_worker.report.english_front import FRONT
from synth_worker.report.english_reached import REACHED
from synth_worker.report.english_terms import TERMS
from synth_worker.report.english_training import TRAINING

SENTENCES: Mapping[str, str] = {
    **TERMS,
    **BALANCE,
    **REACHED,
    **TRAINING,
    **FRONT,
    "quote": "{words}",
    "none": "none",
    "unit.rows": "{rows:n,row,rows}",
    "unit.seconds": "{seconds:1} s",
    "value.plain": "{value}",
    "value.table": "{rows:n,row,rows} × {columns:n,column,columns}",
    # head of the page
    "title.internal": "Synthetic table of {name}: evidence report (internal)",
    "title.public": "Synthetic table of {name}: evidence report",
    "head.kind": "Evidence report",
    "head.internal": "Internal: contains aggregates of real data. Do not pass on.",
    "head.public": "This report may leave the house: small counts and real extremes are withheld. Whether the table "
    "may, the verdict says.",
    "head.title": "Synthetic table of {name}",
    "head.skip": "Skip to the verdict",
    "head.contents": "Contents",
    "fact.synthetic": "Synthetic table",
    "fact.real": "Real table",
    "fact.method": "Method",
    "fact.profile": "Profile",
    "fact.certified": "Certified on",
    "fact.look": "Look",
    "fact.gates": "Gates",
    "fact.gates.value": "{green:n} of {total:n} green",
    "fact.look.value": "number {look:n} at these rows",
    "fact.nothing": "no table was made",
    "fact.not_certified": "not certified",
    "fact.crossfit": "all {rows:n,row,rows}, cross-fitted",
    # sections
    "section.verdict": "Verdict",
    "section.gates": "Gates",
    "section.certificate": "How it was certified",
    "section.privacy": "Privacy",
    "section.utility": "Utility",
    "section.columns": "Columns, real against synthetic",
    "section.associations": "Associations between columns",
    "section.attempts": "What was tried",
    "section.reproduce": "How to reproduce this",
    "section.unmeasured": "What was not measured, and why",
    "section.notes": "Columns that were not learnt, and notes",
    "section.glossary": "Glossary",
    "verdict.why": "Why",
    "verdict.steps": "What to do",
    "verdict.warnings": "Please note",
    # the verdict
    "verdict.green.head": "You can release this table under profile “{profile}”.",
    "verdict.green.why": "All {gates:n,gate is,gates are} green: each estimate and its upper bound lie within their "
    "limits.",
    "verdict.green.rows": "This was measured on {rows:n} real rows that neither the generator nor the search for its "
    "settings ever saw.",
    "verdict.green.crossfit": "With so few rows the whole procedure was repeated on parts of the table, so that each "
    "real row served once as a row that had not been learnt from.",
    "verdict.green.given": "This was measured against {rows:n} held-out real rows that you provided.",
    "verdict.evidence": "The figures support evidence for a low risk that this table reveals the people behind it, "
    "and for its usefulness. They do not certify that any law is met; the decision to release remains with you.",
    "verdict.amber.head": "You may release this table under profile “{profile}”, with the reservation below.",
    "verdict.amber.why": "No gate is over its limit with evidence, but for {short:n,gate,gates} of {gates:n} the "
    "evidence falls short: too few real rows to exclude a figure over the limit.",
    "verdict.amber.hold.head": "Do not release this table yet under profile “{profile}”.",
    "verdict.amber.over.why": "For {over:n,gate,gates} of {gates:n} the estimate is over its limit, though so few "
    "rows could show that by chance. A profile never allows a release on such a figure.",
    "verdict.amber.strict.why": "No gate is over its limit with evidence, but for {short:n,gate,gates} of {gates:n} "
    "the evidence falls short, and this profile allows no release on short evidence.",
    "verdict.amber.sentence": "Attach this sentence: “For {names} there are too few real rows to exclude a "
    "figure over the limit.”",
    "verdict.red.head": "Do not release this table under profile “{profile}”.",
    "verdict.red.why": "Of {gates:n} gates, {count:n,fails,fail}:",
    "verdict.red.gate": "{label}: {reason}",
    "verdict.red.amber": "{count:n,more gate is,more gates are} amber: too few rows to decide.",
    "verdict.red.nearest": "Nearest to green: attempt {number:n} ({method}), whose worst figure was {worst:2} times "
    "its limit on the validation rows.",
    "verdict.none.head": "No synthetic table was made, so there is nothing to release.",
    "verdict.none.why": "{count:n,attempt,attempts} ended without a table; the table of attempts says how each of "
    "them failed.",
    "verdict.none.tried": "No attempt was made.",
    "verdict.uncertified.head": "Do not release this table: it has no certificate.",
    "verdict.uncertified.why": "The attempts were judged on validation rows only, which also steered the search. That "
    "is no evidence for a release.",
    "verdict.rows": "{label}: about {rows:n} held-out records would decide (now {have:n}).",
    "verdict.rows.unknown": "{label}: about {rows:n} records would decide.",
    "verdict.rows.never": "{label}: no practical number of rows would decide; another method or setting is needed.",
    "verdict.rows.usual": "{what} Where nothing leaks, this gate usually decides from tables of {rows:n} rows on.",
    "step.release": "Release the synthetic file together with the public version of this report.",
    "step.keep": "Keep the internal version of this report and the real table in the house.",
    "step.more_rows": "Certify on more real rows: the number that would decide stands with each amber gate.",
    "step.retry": "Run again with more attempts or more time, so that the search can go on.",
    "step.settled": "More attempts or more time would change nothing: the search ended by itself. What can: more real "
    "rows, another schema, or another method where one was named.",
    "step.schema": "Check the schema first: a column of the wrong kind spoils every method.",
    "step.epsilon": "This profile demands a method with differential privacy; choose one, or another profile.",
    "step.mia": "Choose a method or a setting that learns less of single rows (more smoothing, fewer steps, larger "
    "groups).",
    "step.copies": "Look for rows that were copied: a sequential tree with small leaves or an over-trained network.",
    "step.marginals": "Choose a method that keeps single columns closely, or train for longer.",
    "step.dependence": "Choose a method that learns relations between columns, or train for longer.",
    "step.certify": "Certify the table on rows that were set aside.",
    "step.suspicious": "Do not trust the figure until its cause is found: the metric, the split or a filter is broken.",
    "warn.c2st": "The gates are green, but a classifier tells the synthetic rows from real ones with AUC {value:2} "
    "(0.5 is a coin toss). Column by column and pair by pair the table is right; finer patterns are not. Use it for "
    "development, teaching and rehearsal rather than for final findings.",
    "warn.c2st.fail": "A classifier tells the synthetic rows from real ones with AUC {value:2} (0.5 is a coin toss).",
    "warn.look": "This is look number {look:n} at the same certificate rows. The bounds were made stricter in step, "
    "so that repeated looking cannot find green by luck.",
    "warn.power": "The audit missed {what} that were put in on purpose, so it would miss the like in this table too.",
    "warn.power.green": "Green covers verbatim copies: the audit found 5 % of them that were put in on purpose. It "
    "missed 5 % slightly altered copies, so a method that changes real rows a little could pass unseen. With so few "
    "rows no test can promise more; bear it in mind when you decide to whom the table goes.",
    "warn.power.exact": "5 % exact copies",
    "warn.power.jittered": "5 % slightly altered copies",
    # gates
    "gates.intro": "A gate compares an estimate, and the upper bound of its uncertainty, with a limit. Green needs "
    "both within their limits; red needs the estimate over its limit with evidence against chance; amber is "
    "everything between. The upper bound is one-sided: the interval may reach beyond it, and does not decide. The "
    "floor is what fresh real rows score: no synthetic table can be expected to do better. An excess is a "
    "difference, so it may be negative: fewer hits than fresh rows would bring.",
    "gates.certified": "Measured on the certificate rows.",
    "gates.cross-fit": "Membership, copies and nearest rows are measured by cross-fitting, everything else on "
    "the delivered file itself.",
    "gates.given": "Measured against the held-out rows that you provided.",
    "gates.validation": "Measured on validation rows only: there is no certificate.",
    "gates.none": "No gate was read.",
    "gates.profile": "Profile “{name}”: {about}.",
    "gates.privacy": "Privacy gates",
    "gates.utility": "Utility gates",
    "head.gate": "Gate",
    "head.ruling": "Ruling",
    "head.value": "Estimate",
    "head.interval": "95 % interval",
    "head.upper": "Upper bound (decides)",
    "head.limit": "Limit",
    "head.upper_limit": "Bound limit",
    "head.floor": "Floor",
    "head.reason": "Reason",
    "head.picture": "Picture",
    "head.score": "Score",
    "head.better": "Better",
    "head.beside": "Real training rows",
    "legend.interval": "95 % interval",
    "legend.upper": "upper bound, which the gate reads",
    "legend.limit": "limit of the estimate",
    "legend.upper_limit": "limit of the upper bound",
    "legend.floor": "floor: fresh real rows",
    "legend.real": "real",
    "legend.synthetic": "synthetic",
    "interval.title": "{label}: estimate {value:3}, limit {limit:3}",
    "better.lower": "lower",
    "better.higher": "higher",
    "better.half": "toward 0.5",
    "better.": "–",
    "ruling.green": "green",
    "ruling.amber_pass": "amber: within, unproven",
    "ruling.amber_over": "amber: over, unproven",
    "ruling.red": "red",
    "ruling.suspicious": "suspicious",
    "ruling.unmeasured": "unmeasured",
    "ruling.not applicable": "not applicable",
    "ruling.shown": "shown only",
    "light.green": "green",
    "light.amber": "amber",
    "light.red": "red",
    "light.failed": "failed",
    "reason.green": "estimate and upper bound within their limits",
    "reason.green.exact": "within its limit",
    "reason.amber_pass": "within the limit, but the upper bound {upper:3} is above {upper_limit:3}",
    "reason.amber_pass.no_bound": "within the limit, but without an upper bound",
    "reason.amber_pass.chance": "{value:3} is over the limit {limit:3} by no more than fresh real rows often show",
    "reason.amber_over": "{value:3} is over the limit {limit:3}, but so few rows could show that by chance",
    "reason.red": "{value:3} is over the limit {limit:3}",
    "reason.suspicious": "the figure shows that the metric, the split or a filter is broken",
    "reason.unmeasured": "could not be measured, which never counts as passed",
    "reason.not_applicable": "the table has nothing of this kind to measure",
    "reason.power": "copies that were put in on purpose were not found",
    "reason.certified_rows": "{value:n} certificate rows; the profile demands {limit:n}",
    "reason.dp_epsilon": "the profile demands differential privacy with epsilon at most {limit:2}; none so strong is "
    "given",
    "reason.more": "{reason}: {more}",
    "reason.rows_needed": "about {rows:n} records would decide",
    # certificate
    "certificate.holdout": "{rows:n} real rows were set aside before anything was learnt. They were read once, for "
    "the final verdict, after the table to deliver had been chosen.",
    "certificate.cross-fit": "The real table has fewer than {below:n} rows: too few to set enough of them aside. So "
    "the procedure is certified: it was repeated on parts of the table, each time judged by the part left out, until "
    "each real row had served once as a row that was not learnt from.",
    "certificate.cross-fit.file": "Membership, copies and nearest rows thus certify the procedure; utility and "
    "duplicates are measured on the delivered file itself.",
    "certificate.given": "The table was judged against {rows:n} held-out real rows that you provided. Whether the "
    "generator ever saw them is for you to vouch.",
    "certificate.none": "There is no certificate.",
    "certificate.look": "This was look number {look:n} at the certificate rows of this data set; with each further "
    "look the bounds become stricter.",
    "certificate.power.both": "Power check: 5 % exact copies and 5 % slightly altered copies of real rows were put "
    "into the table, separately, and this very audit found both.",
    "certificate.power.exact": "Power check: 5 % exact copies of real rows, put into the table on purpose, were "
    "found; 5 % slightly altered copies were not. Expect no more of this audit than that.",
    "certificate.power.jittered": "Power check: 5 % slightly altered copies of real rows were found, 5 % exact copies "
    "were not. The audit is underpowered, and amber at best.",
    "certificate.power.missed": "Power check: 5 % copies of real rows, put into the table on purpose, were not found. "
    "The audit is underpowered, and amber at best.",
    "certificate.power.none": "The power check was not made.",
    "certificate.seconds": "Measuring and judging took {seconds:1} seconds.",
    # privacy
    "privacy.intro": "An attacker holds a record of a real person and the synthetic table, and wants to know whether "
    "that person was in the real table. Each attack scores records that were learnt from and records that were not; "
    "the AUC is how often a record that was learnt from gets the higher score: 0.5 is a coin toss, 1 is certainty. The "
    "verdict takes the strongest attack, not the average.",
    "privacy.empirical": "These are attacks that were tried and failed or succeeded, not a proof. No formal guarantee "
    "(differential privacy) is claimed.",
    "privacy.formal": "These are attacks that were tried. The method also claims a formal guarantee (differential "
    "privacy), stated with the method.",
    "privacy.attacks": "The attacks",
    "privacy.figures": "Privacy figures",
    "privacy.no_attacks": "The single attacks were not recorded.",
    "privacy.attacks.title": "AUC of each membership attack, against the coin toss at 0.5 and the limit",
    "head.attack": "Attack",
    "head.auc": "AUC",
    "head.about": "What it does",
    "attacks.not_run": "not run",
    "attacks.chance": "coin toss",
    "attacks.limit": "limit",
    # utility
    "utility.intro": "How much of the real table survives. Gated figures decide the verdict; the others rank the "
    "candidates or are shown so that nobody is surprised.",
    "utility.c2st.low": "The classifier does worse than a coin toss ({value:2}). That may be a sign of copies.",
    "utility.tstr": "A model trained on the synthetic table and tested on real held-out rows scores {value:3}; one "
    "trained on real rows scores {real:3}.",
    "utility.constraints": "{count:n} of {rows:n} synthetic rows break a constraint that the schema states.",
    "utility.constraints.kept": "None of {rows:n} synthetic rows breaks a constraint that the schema states.",
    "utility.none": "No utility figure was measured.",
    # columns
    "columns.intro": "Filled bars are real rows, the orange line or bar is the synthetic table. The distance is the "
    "Kolmogorov-Smirnov statistic for numbers and dates and the total variation distance for labels, from 0 (same) "
    "to 1; the floor is the same for held-out real rows.",
    "columns.public": "Real counts are rounded to the nearest multiple of 5, groups of fewer than 5 real rows are "
    "merged with others or withheld, the axes come from the synthetic table, and the outermost groups are open, so "
    "that no real minimum or maximum is shown.",
    "columns.limit": "Of {total:n} columns the {shown:n} with the largest distance are drawn; the others stand in the "
    "table below.",
    "columns.none": "There is no synthetic table to compare.",
    "columns.brief": "The other columns",
    "columns.table": "Figures of this picture",
    "columns.distance": "distance {value:3}, floor {floor:3}",
    "columns.distance.no_floor": "distance {value:3}",
    "columns.distance.none": "no values to compare",
    "columns.missing": "Missing: real {real}, synthetic {synthetic}",
    "columns.missing.title": "Share of missing values, real against synthetic",
    "columns.missing.head": "Missing values",
    "columns.title": "Column {name}: shares of real and synthetic rows",
    "columns.empty": "The column holds no values.",
    "columns.withheld": "Withheld: too few real rows in all groups but one.",
    "missing.share": "{share:%}",
    "missing.few": "fewer than 5 rows",
    "head.column": "Column",
    "head.kind_of": "Kind",
    "head.distance": "Distance",
    "head.group": "Group",
    "head.real": "Real",
    "head.synthetic": "Synthetic",
    "head.missing_real": "Missing, real",
    "head.missing_synthetic": "Missing, synthetic",
    "cell.below": "below {high}",
    "cell.between": "{low} to {high}",
    "cell.above": "{low} or above",
    "cell.all": "all values",
    "cell.other": "other ({count:n,label,labels})",
    "cell.other.public": "all other labels",
    "cell.up_to": "{low} or less",
    "kind.numeric": "number",
    "kind.categorical": "labels",
    "kind.datetime": "date",
    "kind.identifier": "identifier",
    "kind.text": "free text",
    "kind.constant": "constant",
    "summary.mean": "Mean",
    "summary.sd": "Standard deviation",
    "summary.min": "Minimum",
    "summary.quarter": "Lower quartile",
    "summary.median": "Median",
    "summary.three_quarters": "Upper quartile",
    "summary.max": "Maximum",
    "head.measure": "Measure",
    # associations
    "associations.intro": "How strongly each pair of columns goes together: Pearson's correlation between numbers, "
    "Cramér's V between labels, the correlation ratio between a number and labels. 0 is none, 1 (or −1) is complete.",
    "associations.limit": "Of {total:n} columns the {shown:n} in the pairs that differ most are drawn.",
    "associations.none": "Fewer than two columns can be compared.",
    "associations.real": "Real",
    "associations.synthetic": "Synthetic",
    "associations.difference": "Difference",
    "associations.title": "Association matrix: {what}",
    "associations.table": "The {count:n,pair,pairs} that differ most, largest difference first",
    "associations.scale": "Tones from −{reach:2} to {reach:2}",
    "head.pair": "Pair",
    "head.difference": "Difference",
    # attempts
    "attempts.intro": "Each attempt was measured on validation rows, which steer the search and therefore never "
    "decide a release.",
    "attempts.none": "No attempt was made.",
    "attempts.title": "The worst figure of each attempt as a multiple of its limit; at 1 and below all estimates are "
    "within their limits",
    "attempts.chart": "Worst figure as a multiple of its limit",
    "attempts.kept": "delivered",
    "attempts.kept.green": "Attempt {number:n} is delivered: all of its gates were green on the validation rows, and "
    "among such attempts it ranks first by usefulness.",
    "attempts.kept.nearest": "Attempt {number:n} is delivered: none was green on the validation rows, and its worst "
    "figure came nearest to its limit or best served the preference “{prefer}”.",
    "attempts.kept.only": "Attempt {number:n} is delivered: it is the only one that ended with a table.",
    "attempts.kept.none": "No attempt ended with a table.",
    "attempts.stopped": "The search stopped: {why}",
    "attempts.time": "The whole run took {seconds:1} s ({cpu:1} s of processor time).",
    "attempts.failure": "Failed: {why}",
    "attempts.failure.public": "This attempt ended without a table.",
    "attempts.cause": "Diagnosis",
    "attempts.suggestions": "Next",
    "attempts.details": "Settings and diagnosis of attempt {number:n} ({method})",
    "attempts.gates": "Gates by attempt",
    "head.attempt": "Attempt",
    "head.method": "Method",
    "head.seconds": "Seconds",
    "head.light": "Light",
    "head.why": "Why it was tried",
    "head.failure": "Failure",
    # reproduction
    "reproduce.intro": "The same table, the same versions and the same options give the same synthetic file.",
    "reproduce.command": "Command",
    "reproduce.schema": "The table was read by a schema file of its user: {name} stands for it.",
    "reproduce.facts": "Facts of the run",
    "reproduce.versions": "Versions",
    "reproduce.withheld": "The seed, the key of the split and the hash of the real table stand in the internal "
    "version only: whoever holds them could confirm a guess about the real rows.",
    "fact.name": "Table",
    "fact.sha256": "SHA-256 of the real table",
    "fact.size": "Size of the real table",
    "fact.seed": "Seed",
    "fact.key": "Key of the split",
    "fact.train": "Rows learnt from",
    "fact.validation": "Rows for steering",
    "fact.certificate": "Rows for the certificate",
    "fact.mode": "Mode of certification",
    "fact.unit": "Unit",
    "fact.certificate.crossfit": "all {rows:n}, each in turn, by cross-fitting",
    "fact.stratified": "Stratified by",
    "fact.seconds": "Duration",
    "fact.cpu": "Processor time",
    "mode.holdout": "rows set aside",
    "mode.cross-fit": "cross-fitting",
    "mode.given": "rows given by the user",
    # what was not measured
    "unmeasured.guarantee": "Formal guarantee",
    "unmeasured.guarantee.why": "No differential privacy is claimed; the privacy figures are empirical.",
    "unmeasured.whitebox": "Attack on the model itself",
    "unmeasured.whitebox.why": "It needs the loss of each row, which only the system's own neural generators have.",
    "unmeasured.certificate": "Certificate",
    "unmeasured.certificate.why": "The run ended without one.",
    "unmeasured.outside": "Attackers with further knowledge",
    "unmeasured.outside.why": "Somebody who knows most of the real table, or holds other tables about the same "
    "people, was not simulated.",
    "unmeasured.internal": "It could not be computed; the reason, which may quote values, stands in the internal "
    "version.",
    "head.what": "What",
    # columns that were not learnt
    "notes.none": "All columns were learnt.",
    "notes.intro": "These columns were never shown to the generator:",
    "notes.heading": "Notes",
    "head.treatment": "What was done",
    "treated.identifier": "Not learnt. Fresh values that name nobody stand in their place.",
    "treated.text.drop": "Not learnt: free text may name people. The column was dropped.",
    "treated.text": "Not learnt: free text may name people. No real text stands in the synthetic file "
    "(option “{text}”).",
    "treated.constant": "One value in the whole table; it was copied through.",
    "foot.about": "Made by Gesalp. This page loads nothing from any network.",
    "foot.claim": "It supports evidence for a decision; it does not certify that any law is met.",
}
