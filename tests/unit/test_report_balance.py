"""The report's section on the balanced table: its own light and gates, and no label that nobody named."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from synth_worker.metrics.base import Score
from synth_worker.run import Rebalanced
from tests.cli.made import AMBER, GREEN, RED, certificate_of
from tests.report_samples import Sample, sample

RARE = "Zyklopenkrankheit"


def balanced(scores: dict[str, Score]) -> Sample:
    found = {**scores, "ks_mean [ward=b <1>]": Score(0.02, upper=0.03, rows=90)}
    certificate = replace(certificate_of(found), notes=("a note of the house",))
    made = Rebalanced(
        "ward",
        {"a": 0.5, "b <1>": 0.25, "c": 0.2, RARE: 0.05},
        ("a", "b <1>"),
        {"a": 500, "b <1>": 250, "c": 200, RARE: 50},
        "synthetic.balanced.csv",
        certificate,
    )
    whole = sample()
    return replace(whole, run=replace(whole.run, rebalanced=made))


@pytest.mark.parametrize(
    ("scores", "words"),
    [
        (GREEN, "may be released with this report"),
        (AMBER, "is amber"),
        (RED, "do not release it, whatever the verdict"),
    ],
)
def test_the_section_says_what_the_second_verdict_is(scores: dict[str, Score], words: str, tmp_path: Path) -> None:
    balanced(scores).write(tmp_path)
    for name in ("report.html", "report.internal.html"):
        page = re.sub(r"\s+", " ", (tmp_path / name).read_text(encoding="utf-8"))
        section = page.split('<section id="balance">')[1].split("</section>")[0]
        assert words in section
        assert "synthetic.balanced.csv" in section
        assert "b &lt;1&gt;" in section
        assert "all other labels" in section
        assert RARE not in section
        assert ("a note of the house" in section) == (name == "report.internal.html")


def test_without_a_balanced_table_there_is_no_section(tmp_path: Path) -> None:
    sample().write(tmp_path)
    assert "section.balance" not in (tmp_path / "report.html").read_text(encoding="utf-8")
    assert 'id="balance"' not in (tmp_path / "report.html").read_text(encoding="utf-8")
