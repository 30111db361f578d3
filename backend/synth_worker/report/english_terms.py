"""Hold the English names of profiles, scores, attacks, methods and failures, and the glossary for lay readers."""

from __future__ import annotations

from collections.abc import Mapping

TERMS: Mapping[str, str] = {
    "profile.standard": "the four gates of the specification and tests for what they miss",
    "profile.research": "wider limits, for method development on data that may be shared anyway",
    "profile.hipaa_like": "standard, and no released aggregate counts fewer than five people",
    "profile.gdpr_like": "standard, and attribute inference at most .09 above its control",
    "profile.ema_public": "standard, and all three release risks at most .09",
    "profile.clinical_strict": "narrow limits, no release on amber, and differential privacy",
    # scores
    "metric.ks_mean": "Single numbers and dates",
    "metric.ks_mean.about": "Mean Kolmogorov-Smirnov distance between the real and the synthetic column; 0 is the "
    "same distribution.",
    "metric.corr_delta": "Relations between columns",
    "metric.corr_delta.about": "Mean absolute difference between the real and the synthetic association matrix.",
    "metric.tvd_mean": "Single label columns",
    "metric.tvd_mean.about": "Mean total variation distance: the share of rows whose label would have to change.",
    "metric.missing_delta": "Missing values",
    "metric.missing_delta.about": "Largest difference of a column's share of missing values.",
    "metric.wrong_dtype": "Format",
    "metric.wrong_dtype.about": "Columns whose type, decimals or labels the synthetic file breaks.",
    "metric.out_of_range": "Values out of range",
    "metric.out_of_range.about": "Synthetic values outside the range of the rows that were learnt from.",
    "metric.corr_loss": "Dependence lost",
    "metric.corr_loss.about": "The difference of the associations divided by that of shuffled columns: 1 means that "
    "all dependence is gone.",
    "metric.trend": "Pairwise trends",
    "metric.trend.about": "Mean error of the joint distribution of column pairs.",
    "metric.c2st_auc": "Told from real by a classifier",
    "metric.c2st_auc.about": "AUC of boosted trees that separate held-out real rows from synthetic rows; 0.5 means "
    "that they cannot.",
    "metric.tstr": "Train on synthetic, test on real",
    "metric.tstr.about": "How well a model learnt on the synthetic table predicts real held-out rows, beside one "
    "learnt on real rows.",
    "metric.spike_delta": "Repeated values",
    "metric.spike_delta.about": "Largest difference in the share of a repeated number, such as zero.",
    "metric.broken_pairs": "Impossible combinations",
    "metric.broken_pairs.about": "Share of synthetic rows that hold a pair of values which the real rows exclude.",
    "metric.broken_constraints": "Broken constraints",
    "metric.broken_constraints.about": "Share of synthetic rows that break a constraint which the schema states, such "
    "as an order of two dates or a sum; 0 by construction for tables that Gesalp made itself.",
    "metric.rare_coverage": "Rare labels kept",
    "metric.rare_coverage.about": "Share of the labels rarer than 5 % that the synthetic table still holds.",
    "metric.mia_auc": "Membership inference",
    "metric.mia_auc.about": "AUC of the strongest attack that tells rows that were learnt from apart from rows that "
    "were not.",
    "metric.mia_tpr": "Membership, most exposed records",
    "metric.mia_tpr.about": "Share of members that an attack identifies with hardly a false alarm, above chance.",
    "metric.mia_advantage": "Membership advantage",
    "metric.mia_advantage.about": "Twice the distance of the attack's AUC from a coin toss.",
    "metric.dup_rate": "Repeated real rows",
    "metric.dup_rate.about": "Share of synthetic rows equal to a real one, above what fresh real rows show by "
    "chance (below 0: fewer).",
    "metric.dup_rate_raw": "Repeated real rows, raw share",
    "metric.dup_rate_raw.about": "Share of synthetic rows equal to a real one, chance included.",
    "metric.copy_excess": "Copies of unique people",
    "metric.copy_excess.about": "Unique learnt records that stand in the synthetic table, beyond what held-out "
    "records show.",
    "metric.dcr_share": "Nearness to what was learnt",
    "metric.dcr_share.about": "Share of synthetic rows that lie nearer to a learnt row than to a held-out one; 0.5 is "
    "even.",
    "metric.outlier_auc": "Membership of unusual people",
    "metric.outlier_auc.about": "The attacks on the 5 % most isolated records.",
    "metric.attribute_risk": "Attribute inference",
    "metric.attribute_risk.about": "How much better a secret value is guessed for learnt than for held-out people.",
    "metric.linkability_risk": "Linkability",
    "metric.linkability_risk.about": "How much better two halves of a record are joined for learnt than for held-out "
    "people.",
    "metric.singling_out_risk": "Singling out",
    "metric.singling_out_risk.about": "How much better a description from the synthetic table fits exactly one learnt "
    "person.",
    "metric.power": "Power of the audit",
    "metric.power.about": "Whether this audit finds 5 % copies that are put in on purpose.",
    "metric.certified_rows": "Certificate rows",
    "metric.certified_rows.about": "How many real rows the profile demands for the certificate.",
    "metric.dp_epsilon": "Differential privacy",
    "metric.dp_epsilon.about": "The formal guarantee that the profile demands.",
    # attacks; a name the catalogue lacks is shown as it is
    "attack.distance": "Nearest distance",
    "attack.distance.about": "Takes a record for a member if a synthetic record lies near to it.",
    "attack.ratio": "Distance ratio",
    "attack.ratio.about": "Takes a record for a member if a synthetic record lies nearer to it than a real reference "
    "record does.",
    "attack.density": "Density ratio",
    "attack.density.about": "Compares how crowded the synthetic and the reference records are around a record (five "
    "nearest neighbours).",
    "attack.forest": "Random forest",
    "attack.forest.about": "Trains a random forest to tell synthetic from reference records, then asks it.",
    "attack.match": "Matching records",
    "attack.match.about": "Counts synthetic records that match the record exactly or nearly.",
    "attack.subsets": "Column subsets",
    "attack.subsets.about": "Repeats the distance ratio on eight random subsets of the columns, as an attacker would "
    "who knows only some of them.",
    "attack.loss": "Loss gap",
    "attack.loss.about": "Looks into the model and takes a record for a member if the model fits it suspiciously well.",
    # methods, why a search ended, why an attempt failed
    "attempts.ended.attempts": "The search ended because all {asked:n,attempt was,attempts were} made.",
    "attempts.ended.time": "The search ended after {made:n} of {asked:n,attempt,attempts} because its share of the "
    "time budget was spent.",
    "attempts.ended.settled": "The search ended after {made:n} of {asked:n,attempt,attempts} by itself: its rules "
    "found nothing more worth trying.",
    "failure.none": "all gates met",
    "failure.high_ks": "single columns differ",
    "failure.high_corr_delta": "relations between columns are lost",
    "failure.high_mia": "members can be told from others",
    "failure.high_dup_rate": "real rows are repeated",
    "failure.high_dcr": "rows lie too near to what was learnt",
    "failure.unmeasured": "a gate could not be measured",
    "failure.diverged": "the training diverged",
    "failure.undertrained": "not trained for long enough",
    "failure.memorised": "single rows were memorised",
    "failure.category_collapse": "labels were lost",
    "failure.schema_mismatch": "the table does not fit the schema",
    "failure.timeout": "out of time",
    "failure.out_of_memory": "out of memory",
    "failure.budget_spent": "the privacy budget is spent",
    "failure.epsilon_too_low": "epsilon is too low for this table",
    "method.gc": "Gaussian copula (gc)",
    "method.cart": "sequential trees (cart)",
    # glossary: term and explanation
    "term.amber": "Amber",
    "term.amber.about": "Neither shown to be safe nor shown to be unsafe: the rows do not suffice to decide.",
    "term.auc": "AUC",
    "term.auc.about": "Area under the curve: the chance that a method ranks a true case above a false one. 0.5 is a "
    "coin toss, 1 is perfect.",
    "term.certificate": "Certificate rows",
    "term.certificate.about": "Real rows that were locked away from the start and used once, for the final verdict.",
    "term.crossfit": "Cross-fitting",
    "term.crossfit.about": "Repeating the whole procedure on parts of a small table, so that each row is once unseen.",
    "term.dp": "Differential privacy",
    "term.dp.about": "A mathematical guarantee that one person's presence changes the outcome by little. Epsilon "
    "measures how little; smaller is stronger.",
    "term.floor": "Floor",
    "term.floor.about": "The score of fresh real rows. It is what perfection looks like at this number of rows.",
    "term.gate": "Gate",
    "term.gate.about": "A figure with a limit. All gates must be green for a release without reservation.",
    "term.interval": "95 % interval",
    "term.interval.about": "The range in which the true figure lies unless the rows were unusually lucky or unlucky, "
    "in either direction. It is shown for orientation; gates do not read it.",
    "term.upper": "Upper bound",
    "term.upper.about": "The true figure lies below it with a confidence of 95 %. It looks in one direction only, so "
    "it can lie within the interval; where several attacks were tried or the rows were looked at before, it is "
    "stricter and can lie beyond. This is what a gate reads.",
    "term.member": "Member",
    "term.member.about": "A record that the generator learnt from.",
    "term.mia": "Membership inference",
    "term.mia.about": "Finding out whether a known person was in the real table, which may itself be a secret.",
    "term.profile": "Profile",
    "term.profile.about": "A named set of limits and demands, chosen before the run.",
    "term.synthetic": "Synthetic table",
    "term.synthetic.about": "Made-up rows that follow the patterns of the real table; no row is meant to be a person.",
    "term.validation": "Validation rows",
    "term.validation.about": "Real rows that steer the search for a method and its settings, and so cannot prove it.",
}
