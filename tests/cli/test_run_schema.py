"""Promises of the run card: docs/run.schema.json describes exactly what is written."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, ValidationError

from synth_worker.gates import PROFILES, Facts, Ruling, judge, profile
from synth_worker.metrics.base import Score
from synth_worker.record import SCHEMA_VERSION, certificate_json, run_json
from synth_worker.run import Measurement, Options, Run
from tests.cli.made import AMBER, GREEN, RED, SUSPICIOUS, UNMEASURED, certificate_of, run_of
from tests.unit.test_pareto import tried

SCHEMA: dict[str, Any] = json.loads((Path(__file__).parents[2] / "docs" / "run.schema.json").read_text())
LIGHTS = (GREEN, AMBER, RED, SUSPICIOUS, UNMEASURED)


def check(document: object, part: str = "") -> None:
    """Validate a document (as JSON reads it back) against the schema or one of its parts."""
    schema = SCHEMA
    if part:
        schema = {"$schema": SCHEMA["$schema"], "$defs": SCHEMA["$defs"], "$ref": f"#/$defs/{part}"}
    Draft202012Validator(schema).validate(json.loads(json.dumps(document, allow_nan=False)))


def test_the_schema_is_a_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["properties"]["schema_version"]["const"] == SCHEMA_VERSION


@pytest.mark.parametrize("scores", LIGHTS)
def test_every_run_card_and_certificate_is_described(scores: dict[str, Score]) -> None:
    check(run_json(run_of(scores)))
    check(certificate_json(certificate_of(scores, mode="given")), "certificate")


@pytest.mark.parametrize("stopped", ["cancelled", "every fit failed"])
def test_a_run_without_certificate_is_described(stopped: str) -> None:
    card = run_json(run_of(None, stopped=stopped, kept=stopped == "cancelled"))
    check(card)
    assert (card["verdict"], card["exit_code"]) == ((None, 130) if stopped == "cancelled" else ("red", 3))
    assert not card["may_release"]


def test_no_attempt_says_that_it_may_be_released() -> None:
    card = run_json(run_of(GREEN))
    assert card["may_release"]
    assert "may_release" not in card["attempts"][0]  # type: ignore[index]


@pytest.mark.parametrize("name", sorted(PROFILES))
def test_the_demands_of_every_profile_are_described(name: str) -> None:
    facts = Facts(certified_rows=100, underpowered="too few rows")
    measured = Measurement(GREEN, judge(GREEN, profile(name), facts=facts))
    made = certificate_of(GREEN)
    check(certificate_json(type(made)(measured, None, "holdout", 3, 100, 1.0, ("a note",))), "certificate")


def test_the_schema_names_what_the_code_knows() -> None:
    defs = SCHEMA["$defs"]
    assert set(defs["ruling"]["properties"]["ruling"]["enum"]) == {str(one) for one in Ruling}
    assert set(defs["options"]["required"]) == {field.name for field in fields(Options)}
    assert set(defs["score"]["required"]) == {field.name for field in fields(Score)}


def test_a_wrong_document_is_refused() -> None:
    run: Run = run_of(GREEN)
    with pytest.raises(ValidationError):
        check({**run_json(run), "verdict": "blue"})
    with pytest.raises(ValidationError):
        check({**run_json(run), "extra": 1})


def test_a_run_with_a_front_is_described_and_no_name_is_defined_twice() -> None:
    made = [tried(1, attack=0.52, c2st=0.80), tried(2, attack=0.56, c2st=0.60)]
    card = run_json(replace(run_of(GREEN), attempts=made))
    assert len(card["front"]) == 2  # type: ignore[arg-type]
    check(card)

    def once(pairs: list[tuple[str, object]]) -> dict[str, object]:
        assert len(dict(pairs)) == len(pairs)
        return dict(pairs)

    json.loads((Path(__file__).parents[2] / "docs" / "run.schema.json").read_text(), object_pairs_hook=once)
