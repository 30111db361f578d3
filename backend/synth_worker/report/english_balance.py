"""Hold the sentences on the balanced table in English."""

from __future__ import annotations

from collections.abc import Mapping

BALANCE: Mapping[str, str] = {
    "section.balance": "Balanced table",
    "balance.what": "A second table, {file}, was drawn from the same model with the labels of {column} at the shares "
    "asked for. It has a verdict of its own; everything above and below this section is about the first table.",
    "balance.how": "Its shares are not those of the real table, on purpose. So it was compared with real rows thinned "
    "to the same shares: of each label a random part, as many as there can be ({rows:n,real row,real rows} to attack "
    "it with). Multiplying a rare label can show the few people who have it: those are a larger part of the attacked "
    "rows here than in the first table, and copies were counted label by label.",
    "unit.count": "{count:n}",
    "balance.within": "{what}, within {label}",
    "balance.use": "Use it to train and rehearse, not to count: shares, and whatever depends on them, are made.",
    "balance.green": "All gates on the balanced table are green: it may be released with this report.",
    "balance.amber": "The balanced table is amber: what falls short stands below; it may be released with a sentence "
    "that says so.",
    "balance.hold": "The balanced table is amber and should not be released yet: what falls short stands below.",
    "balance.red": "The balanced table is red: do not release it, whatever the verdict on the first table.",
    "balance.others": "all other labels",
    "head.label": "Label",
    "head.asked_share": "Share asked for",
    "head.made_rows": "Rows",
}
