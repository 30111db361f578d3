"""The report says what the run found, in words of one catalogue, without claims that it may not make."""

from __future__ import annotations

import ast
import re
from dataclasses import replace
from functools import cache
from html.parser import HTMLParser
from pathlib import Path

import pytest

from synth_worker import report
from synth_worker.errors import UnknownName
from synth_worker.gates import GateSet, Ruling, judge, profile
from synth_worker.metrics.base import Score
from synth_worker.report import document, html, svg, texts
from synth_worker.report.english import SENTENCES
from synth_worker.report.parts import Document, Said
from synth_worker.run import CurvePoint, PowerCheck
from tests import report_samples
from tests.report_samples import Sample, scores
from tests.unit.test_pareto import tried

SOURCES = sorted(Path(report.__file__).parent.glob("*.py"))
TEMPLATE = Path(report.__file__).parent / "templates" / "report.html.j2"
COLOURS = ("green", "warned", "amber", "hold", "red", "failed")


class _Words(HTMLParser):
    """Collect what a reader sees, and the nesting that a browser would have to mend."""

    VOID = frozenset({"meta", "br", "hr"})

    def __init__(self, page: str) -> None:
        super().__init__()
        self.seen: list[str] = []
        self.open: list[str] = []
        self.ids: list[str] = []
        self.feed(page)
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.ids += [value or "" for name, value in attrs if name == "id"]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, (tag, self.getpos())

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_data(self, data: str) -> None:
        if "style" not in self.open and "title" not in self.open:
            self.seen.append(data)

    @property
    def words(self) -> str:
        return " ".join(" ".join(self.seen).split())


@cache
def sample(colour: str = "green", *, mode: str = "holdout", rows: int = 1_500) -> Sample:
    return report_samples.sample(colour, mode=mode, rows=rows)


def built(one: Sample, audience: document.Audience = "internal") -> Document:
    return document.build(
        one.run,
        train=one.train,
        holdout=one.holdout,
        synthetic=one.synthetic,
        schema=one.schema,
        audience=audience,
    )


def words(one: Sample, audience: document.Audience = "internal") -> str:
    return _Words(html.render(built(one, audience))).words


@pytest.mark.parametrize("colour", COLOURS)
def test_both_reports_are_written_whole_well_formed_and_small(colour: str, tmp_path: Path) -> None:
    sample(colour).write(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report.html", "report.internal.html"]
    for path in tmp_path.iterdir():
        page = path.read_text(encoding="utf-8")
        seen = _Words(page)
        assert len(seen.ids) == len(set(seen.ids))
        assert len(page.encode()) < 300_000
        assert '<html lang="en">' in page
        assert not re.search(r"<script|<link|<img|<iframe|@import|url\(|\son\w+=|https?://", page)


@pytest.mark.parametrize(
    ("colour", "expected"),
    [
        ("green", "You can release this table under profile “standard”."),
        ("amber", "You may release this table under profile “standard”, with the reservation below."),
        ("hold", "Do not release this table yet under profile “standard”."),
        ("red", "Do not release this table under profile “standard”."),
        ("failed", "No synthetic table was made, so there is nothing to release."),
    ],
)
def test_the_verdict_comes_first_in_plain_words(colour: str, expected: str) -> None:
    for audience in ("internal", "public"):
        seen = words(sample(colour), audience)
        assert expected in seen
        assert seen.index(expected) < seen.index("A gate compares an estimate")


def test_a_profile_without_release_on_amber_never_invites_one() -> None:
    one = sample("green")
    assert one.run.certificate is not None
    gates = replace(profile("standard"), release_on_amber=False)
    found = scores(mia_tpr=Score(0.01, -0.05, 0.07, 0.09, p_value=0.3, rows=200))
    held = replace(one.run.certificate.measurement, scores=found, verdict=judge(found, gates))
    run = replace(one.run, certificate=replace(one.run.certificate, measurement=held))
    seen = words(replace(one, run=run))
    assert "Do not release this table yet" in seen
    assert "You may release" not in seen
    assert "held-out records would decide (now 200)" in seen


def test_amber_names_the_rows_that_would_decide() -> None:
    assert re.search(
        r"Membership inference: about [\d,]+ held-out records would decide \(now 120\)", words(sample("amber"))
    )


def test_amber_names_the_size_from_which_a_gate_usually_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("synth_worker.report.statement.DECIDED_FROM", {"mia_auc": 2_345})
    seen = words(sample("amber"))
    assert re.search(r"decide \(now 120\)\. Where nothing leaks, this gate usually decides from tables of 2,345", seen)
    monkeypatch.setattr("synth_worker.report.statement.DECIDED_FROM", {})
    assert "usually decides" not in words(sample("amber"))


def test_what_fresh_rows_often_show_is_said_to_be_over_its_limit_all_the_same() -> None:
    one = sample("green")
    assert one.run.certificate is not None
    found = scores(mia_auc=Score(0.62, 0.5, 0.7, 0.69, p_value=0.3, floor=0.5, rows=60))
    held = replace(one.run.certificate.measurement, scores=found, verdict=judge(found, profile("standard")))
    seen = words(replace(one, run=replace(one.run, certificate=replace(one.run.certificate, measurement=held))))
    assert "You may release this table" in seen
    assert "0.620 is over the limit 0.600 by no more than fresh real rows often show" in seen
    assert "there are too few real rows to exclude a figure over the limit" in seen


def test_red_says_why_what_is_nearest_and_what_to_do() -> None:
    seen = words(sample("red"))
    assert "Membership inference: 0.710 is over the limit 0.600" in seen
    assert "Nearest to green: attempt 2 (cart)" in seen
    assert "raise min_leaf from 5 to 20" in seen


def test_a_table_told_apart_easily_is_said_so_although_all_gates_are_green() -> None:
    assert "The gates are green, but a classifier tells" in words(sample("warned"))
    assert "The gates are green, but" not in words(sample("green"))


def test_a_small_table_is_certified_by_cross_fitting_and_says_so() -> None:
    seen = words(sample("green", mode="cross-fit", rows=300))
    assert "the procedure is certified" in seen
    assert "on the delivered file itself" in seen


@pytest.mark.parametrize("audience", ["internal", "public"])
@pytest.mark.parametrize("colour", COLOURS)
def test_no_report_claims_compliance(colour: str, audience: document.Audience) -> None:
    seen = words(sample(colour), audience).lower()
    assert "supports evidence" in seen
    assert not re.search(r"complian|gdpr-conform|certified safe|anonymous|guarantees", seen)


def test_the_attempts_are_told_with_their_failures_and_the_one_that_was_kept() -> None:
    seen = words(sample("green"))
    assert "Failed: the training diverged at step 310" in seen
    assert "Attempt 2 is delivered" in seen
    assert "min_leaf" in seen


def test_the_curve_of_a_training_is_drawn_and_only_there() -> None:
    plain = sample("green")
    assert "Training of attempt" not in words(plain)

    def point(step: int, held: float | None) -> CurvePoint:
        note = "a sample piled up" if step == 50 else ""
        losses = (None, None) if held is None else (held - step / 300, held - step / 250)
        return CurvePoint(step, 100, 1.0 - step / 200, *losses, note=note)

    for held, line in ((0.9, "loss of rows held out"), (None, "loss while training")):
        curve = tuple(point(step, held) for step in (25, 50, 75, 100))
        attempts = [replace(plain.run.attempts[1], curve=curve), *plain.run.attempts[2:]]
        one = replace(plain, run=replace(plain.run, attempts=attempts))
        for audience in ("internal", "public"):
            page = html.render(built(one, audience))
            seen = _Words(page).words
            assert seen.count("Training of attempt") == 1
            assert line in seen
            assert 'class="real-line" d="M' in page
            assert ("a sample piled up" in seen) == (audience == "internal")


def test_the_search_says_why_it_ended_and_is_not_told_to_go_on_in_vain() -> None:
    one = sample("hold")
    assert "The search ended because all 3 attempts were made" in words(one)
    assert "Run again with more attempts" in words(one)
    second = one.run.attempts[1]
    assert second.measurement is not None
    good = replace(second.measurement, scores=scores(c2st_auc=Score(0.52)))
    alone = replace(second, number=2, plan=replace(second.plan, method="gc"), measurement=good)
    seen = words(replace(one, run=replace(one.run, attempts=[alone])))
    assert "by itself: its rules found nothing more worth trying" in seen
    assert "More attempts or more time would change nothing" in seen
    assert "Run again with more attempts" not in seen


def test_the_report_may_leave_and_the_table_only_by_the_verdict() -> None:
    assert "This report may leave the house" in words(sample("hold"), "public")
    assert "Whether the table may, the verdict says." in words(sample("hold"), "public")


def test_green_says_what_an_audit_that_missed_altered_copies_covers() -> None:
    one = sample("green")
    assert one.run.certificate is not None
    missed = replace(one.run.certificate, power=PowerCheck(exact_detected=True, jittered_detected=False))
    seen = words(replace(one, run=replace(one.run, certificate=missed)))
    assert "Green covers verbatim copies" in seen


def test_the_command_names_the_schema_where_one_was_given() -> None:
    one = sample("green")
    assert "--schema" not in words(one)
    given = replace(one, run=replace(one.run, data=replace(one.run.data, schema="given")))
    assert "--schema schema.json" in words(given)


def test_what_does_not_apply_is_said_so_in_public_too() -> None:
    one = sample("green")
    assert one.run.certificate is not None
    found = scores(rare_coverage=Score.not_applicable("the table has no rare label"))
    held = replace(one.run.certificate.measurement, scores=found)
    seen = words(
        replace(one, run=replace(one.run, certificate=replace(one.run.certificate, measurement=held))), "public"
    )
    assert "Rare labels kept the table has nothing of this kind to measure" in seen


def test_cross_fitting_counts_all_rows_for_the_certificate() -> None:
    seen = words(sample("green", mode="cross-fit", rows=300))
    assert re.search(r"Rows for the certificate all \d+, each in turn, by cross-fitting", seen)


def test_the_bound_that_decides_is_drawn_and_the_interval_may_reach_beyond() -> None:
    figure = next(one for one in built(sample("green")).gates if one.name == "copy_excess")
    drawn = svg.interval(replace(figure, high=0.0066, upper=0.0047), title="t")
    assert 'class="upper"' in drawn
    assert 'class="span"' in drawn


def test_every_attack_is_explained_beside_its_figure() -> None:
    seen = words(sample("red"))
    assert "Nearest distance 0.710 Takes a record for a member" in seen
    assert "Loss gap 0.640" in seen


def test_a_score_and_an_attack_that_the_catalogue_does_not_know_are_shown_by_name() -> None:
    one = sample("green")
    assert one.run.certificate is not None
    found = {**scores(), "brand_new": Score(0.25)}
    found["mia_auc"] = replace(found["mia_auc"], detail={"attack:shadow_models": 0.61})
    held = replace(one.run.certificate.measurement, scores=found)
    seen = words(replace(one, run=replace(one.run, certificate=replace(one.run.certificate, measurement=held))))
    assert "brand new" in seen
    assert "shadow models 0.610" in seen


def test_lights_differ_in_shape_and_word_not_in_colour_alone() -> None:
    shapes = {str(svg.light(str(ruling))).split("#")[1] for ruling in Ruling}
    assert len(shapes) == len(Ruling)
    spoken = {SENTENCES[f"ruling.{ruling}"] for ruling in Ruling}
    assert len(spoken) == len(Ruling)
    assert all(shape.split('"')[0] in svg.symbols() for shape in shapes)


def test_an_unknown_language_is_refused_by_name() -> None:
    with pytest.raises(UnknownName, match="known: en"):
        html.render(built(sample("failed")), language="xx")


def test_a_language_may_lack_a_sentence_but_never_shows_its_key() -> None:
    other = texts.Language("de", {"fact.unit": "Einheit"}, decimal=",", thousands=".")
    assert texts.speak(Said("fact.unit"), other) == "Einheit"
    assert texts.speak(Said("none"), other) == "none"
    assert texts.speak(Said("unit.rows", {"rows": 12345}), other) == "12.345 rows"
    assert texts.figure(-1234.5, other, decimals=1) == "−1.234,5"


def test_no_sentence_stands_outside_the_catalogue() -> None:
    prose = re.compile(r"[A-Za-z]{2,} [a-z]{2,} [a-z]{2,}")
    for path in SOURCES:
        if path.stem.startswith("english"):
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        skipped = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        skipped |= {
            id(part)
            for node in ast.walk(tree)
            if isinstance(node, ast.Raise) and node.exc is not None
            for part in ast.walk(node.exc)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in skipped:
                assert not prose.search(re.sub(r"<[^>]*>", "", node.value)), f"{path.name}:{node.lineno}: {node.value}"
    bare = re.sub(
        r"<style>.*?</style>|\{%.*?%\}|\{\{.*?\}\}", "", TEMPLATE.read_text(encoding="utf-8"), flags=re.DOTALL
    )
    assert not re.search(r"[A-Za-z]{2,}", re.sub(r"<[^>]*>|&[#\w]+;", "", bare))


def test_every_sentence_named_in_the_code_exists_and_every_sentence_is_used() -> None:
    source = "\n".join(path.read_text(encoding="utf-8") for path in SOURCES if not path.stem.startswith("english"))
    source += TEMPLATE.read_text(encoding="utf-8")
    named = set(re.findall(r'(?:Said|word|\bw)\(\s*"([\w.-]*\w)"[,)]', source))
    assert named - set(SENTENCES) == set()
    assert len(named) > 100
    # Keys put together at run time: "section." ~ name in the template, f"kind.{column.kind}" in the code.
    families = {*re.findall(r'"([\w.-]+\.)"\s*~', source), *re.findall(r'f"([\w.-]+\.)\{', source)} - {"head."}
    families |= {"metric.", "attack."}
    heads = {key for key in SENTENCES if key.startswith("head.") and f'"{key.removeprefix("head.")}"' in source}
    loose = {key for key in SENTENCES if f'"{key}"' not in source and key not in heads}
    assert {key for key in loose if not any(key.startswith(one) for one in families)} == set()


def test_every_gate_of_every_profile_and_every_ruling_has_its_words() -> None:
    gates: list[GateSet] = [profile(name) for name in ("standard", "ema_public", "clinical_strict")]
    assert all(texts.known(f"metric.{gate.metric}.about") for one in gates for gate in one.gates)
    assert all(texts.known(f"ruling.{ruling}") for ruling in Ruling)


def test_text_of_every_pair_of_colours_reaches_a_contrast_of_four_and_a_half() -> None:
    sheet = (TEMPLATE.parent / "report.css").read_text(encoding="utf-8")
    blocks = re.findall(r":root \{(.*?)\}", sheet, flags=re.DOTALL)
    assert len(blocks) == 3
    for block in blocks:
        tones = dict(re.findall(r"--(\w[\w-]*): (#[0-9a-f]{3,6})", block))
        for ground in ("paper", "plate"):
            for ink in ("ink", "muted", "link", "green", "amber", "red"):
                assert contrast(tones[ink], tones[ground]) >= 4.5, (ink, ground, tones[ink])
            for mark in ("real", "made", "pos", "neg"):
                assert contrast(tones[mark], tones[ground]) >= 3, (mark, ground)


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of two colours by WCAG 2.2."""
    lights = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lights[0] + 0.05) / (lights[1] + 0.05)


def _luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(2 * one for one in colour[1:])
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_the_front_is_drawn_where_attempts_can_be_compared() -> None:
    own = report_samples.sample()
    made = [tried(1, attack=0.52, c2st=0.80), tried(2, attack=0.56, c2st=0.60), tried(3, attack=0.57, c2st=0.90)]
    pages = [
        words(replace(own, run=replace(own.run, attempts=attempts, best_number=1))) for attempts in (made, made[:1])
    ]
    assert [page.count(SENTENCES["front.chart"]) for page in pages] == [1, 0]
