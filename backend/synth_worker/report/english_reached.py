"""Hold the sentences that say what a run reached, what stands in the way of green, and what to do, in English."""

from __future__ import annotations

from collections.abc import Mapping

REACHED: Mapping[str, str] = {
    "reached.green": "The table of attempt {number:n} ({method}) passes all {gates:n,gate,gates}.",
    "reached.not": "Green was not attainable in {tries:n,attempt,attempts}, because {cause}; the nearest is attempt "
    "{number:n} ({method}), with {green:n} of {gates:n,gate,gates} green. {remedy}",
    "reached.none": "Green was not attainable, because none of {tries:n,attempt,attempts} ended with a table; the "
    "table of attempts says how each failed. {remedy}",
    "reached.uncertified": "Green was not attainable, because the run ended before its certificate; the nearest so far "
    "is attempt {number:n} ({method}). {remedy}",
    "reached.and": "{first}; and {second}",
    "reached.name": "“{label}”",
    "reached.gate": "“{label}” {value:3}, limit {limit:3}",
    "reached.floor_gate": "“{label}”: they score {floor:3}, limit {limit:3}",
    "reached.cause.suspicious": "a figure looks too good to be true, which points at a fault ({gates})",
    "reached.cause.leak": "the synthetic table gives away too much about rows that were learnt ({gates})",
    "reached.cause.utility": "the synthetic table is not enough like the real one ({gates})",
    "reached.cause.floor": "there are too few rows: even fresh real rows would be over the limit ({gates})",
    "reached.cause.few": "there are too few rows to measure a gate at all ({gates})",
    "reached.cause.rows": "there are too few rows to exclude a figure over the limit ({gates})",
    "reached.cause.unmeasured": "a gate could not be measured ({gates})",
    "reached.cause.demand": "the profile demands differential privacy, which no method tried here has",
    "reached.cause.nothing": "no gate applies to this table",
    "reached.remedy.suspicious": "Look for the cause before anything is released.",
    "reached.remedy.leak": "Run again with more attempts, which turn the method more private, or give away less: "
    "fewer columns, coarser values, rare labels merged.",
    "reached.remedy.unseen_leak": "The search did not see this on its own rows, so more attempts would end alike: "
    "choose another method, or give away less: fewer columns, coarser values, rare labels merged.",
    "reached.remedy.utility": "Run again with more attempts or another method, or leave out the columns that the "
    "report shows as most different.",
    "reached.remedy.floor": "Add rows, or leave out columns with many rare values.",
    "reached.remedy.few": "Add rows: some hundreds are needed before an attack can be measured.",
    "reached.remedy.rows": "About {rows:n} held-out records would decide: add rows.",
    "reached.remedy.no_rows": "No practical number of rows would decide it: run again with another method or more "
    "attempts.",
    "reached.remedy.more_rows": "Add rows; how many would decide cannot be told from so few.",
    "reached.remedy.unmeasured": "See in the report what could not be measured and why; correct or leave out the "
    "column that is named there.",
    "reached.remedy.demand": "Choose a profile that does not demand it.",
    "reached.remedy.nothing": "Check the schema: which columns are learnt, and as what.",
    "reached.remedy.none": "Check the schema, or name another method.",
    "reached.remedy.uncertified": "Repeat the same command with --resume.",
}
