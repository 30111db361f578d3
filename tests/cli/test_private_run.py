"""Promises of ``gesalp run --epsilon``: charged once, released whole, nothing told that was not paid for."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest
from typer.testing import CliRunner

from synth_worker.cli import app
from synth_worker.commands.exits import BAD_INPUT, BUDGET_EXCEEDED, LEDGER_UNUSABLE
from synth_worker.errors import BadInput
from synth_worker.privacy.budget import halved
from synth_worker.privacy.ledger_file import ANCHOR, FOLDER, FileLedger
from synth_worker.private_run import PrivateAsk
from synth_worker.private_storage import PrivateFolder
from synth_worker.private_synthesis import synthesize_private
from synth_worker.settings import Settings
from synth_worker.synthesis import synthesize
from tests.cli.made import patients, write_patients
from tests.private_tables import public_schema

ROOT = Path(__file__).parents[2]
CARD = json.loads((ROOT / "docs" / "private-run.schema.json").read_text(encoding="utf-8"))
ROWS = 613
"""A number of rows that stands nowhere by chance."""


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with a table and a schema whose columns are all public, and work in it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GESALP_HOME", str(tmp_path / "home"))
    write_patients(tmp_path, ROWS)
    (tmp_path / "schema.json").write_text(public_schema(ROWS).to_json(), encoding="utf-8")
    return tmp_path


def gesalp(*words: object) -> tuple[int, str, str]:
    """Run the command line in this process."""
    done = CliRunner().invoke(app, ["run", "patients.csv", *(str(one) for one in words)])
    return done.exit_code, done.stdout, done.stderr


def private(*words: object, out: str = "out", epsilon: float = 1) -> tuple[int, str, str]:
    return gesalp("--method", "mst", "--epsilon", epsilon, "--schema", "schema.json", "--out", out, *words)


def spent(house: Path) -> int:
    with FileLedger(house / "home") as ledger:
        return ledger.pools()["default"].spent.rho_nano


def test_a_private_run_is_charged_released_whole_and_replayed(house: Path) -> None:
    code, shown, told = private()
    assert code == 0, told
    assert "opened the population 'default'" in told
    assert "(1, 1e-07)-differentially private" in shown
    out = house / "out"
    assert {path.name for path in out.iterdir()} == {"synthetic.csv", "model", "report.html", "run.json", "internal"}
    assert (out / "internal").stat().st_mode & 0o777 == 0o700
    assert not (house / ".out.part").exists()
    charged = spent(house)
    assert charged == halved(1.0, 1e-7).limit.rho_nano

    code, shown, told = private(out="again")
    assert code == 0, told
    assert "nothing was charged" in told
    assert spent(house) == charged
    assert (house / "again" / "synthetic.csv").read_bytes() == (out / "synthetic.csv").read_bytes()
    assert not (house / "again" / "internal").exists()

    with (house / "patients.csv").open("a", encoding="utf-8") as file:
        file.write("50,F,stroke,120,5.0,2021-05-05,no\n")
    assert private(out="changed")[0] == 0
    assert spent(house) == 2 * charged
    assert private(out="dear", epsilon=4)[0] == BUDGET_EXCEEDED
    assert not (house / "dear").exists()
    assert spent(house) == 2 * charged


def test_what_goes_out_holds_nothing_that_was_not_paid_for(house: Path) -> None:
    assert private()[0] == 0
    out = house / "out"
    card = json.loads((out / "run.json").read_text(encoding="utf-8"))
    jsonschema.validate(card, CARD)
    figures = json.loads((out / "internal" / "figures.json").read_text(encoding="utf-8"))
    assert figures["rows"] == ROWS
    if card["table"]["rows"] != ROWS:  # the noise may have been nothing
        for name in ("run.json", "report.html"):
            words = re.sub("<svg.*?</svg>", "", (out / name).read_text(encoding="utf-8"), flags=re.DOTALL)
            assert not re.search(rf"\b{ROWS}\b", words), name
    key = (house / "home" / FOLDER / "key").read_bytes()
    for path in (out / "run.json", out / "report.html", *(out / "model").rglob("*")):
        text = path.read_bytes()
        assert figures["data"].encode() not in text
        assert key not in text
        for word in (b"seed", b"seconds", b"sha256"):
            assert word not in text or path.parent.name == "model", (path, word)


def test_refusals_say_the_way_out_and_charge_nothing(house: Path) -> None:
    def refused(*words: object) -> str:
        code, _shown, told = gesalp("--out", "out", *words)
        assert code == BAD_INPUT, told
        return told

    assert "--epsilon 1" in refused("--method", "mst")
    assert "gives no guarantee" in refused("--method", "gc", "--epsilon", 1)
    assert "gives no guarantee" in refused("--epsilon", 1)
    assert "--schema" in refused("--method", "mst", "--epsilon", 1)
    asked = ("--method", "mst", "--epsilon", 1, "--schema", "schema.json")
    for words in (("--seed", 1), ("--target", "sex"), ("--balance", "sex"), ("--group-key", "sex"), ("--resume",)):
        assert f"{words[0]} cannot be given with --epsilon" in refused(*asked, *words)
    schema = public_schema(ROWS)
    unknown = schema.having(replace(one, public=one.name != "age") for one in schema)
    (house / "schema.json").write_text(unknown.to_json(), encoding="utf-8")
    assert "'age' has no public bounds" in refused(*asked, "--bounds", "public-only")
    assert "at least 0" not in refused(*asked[:3], -1, *asked[4:])
    assert not (house / "home" / FOLDER).exists()
    assert not (house / "out").exists()


def test_the_loop_that_real_rows_steer_takes_no_private_method() -> None:
    with pytest.raises(BadInput, match="would void it"):
        synthesize(patients(), method="mst")
    with pytest.raises(BadInput, match="would void it"):
        synthesize(patients(), method="aim", attempts=1)


def test_an_unusable_ledger_refuses(house: Path) -> None:
    assert private()[0] == 0
    shutil.rmtree(house / "home" / FOLDER)
    assert private(out="more")[0] == LEDGER_UNUSABLE
    (house / "home" / ANCHOR).unlink()
    assert private(out="more")[0] == 0  # nothing is known any more: a fresh ledger, as documented


def test_unknown_bounds_and_labels_are_paid_for(house: Path) -> None:
    schema = public_schema(ROWS)
    hidden = schema.having(replace(one, public=one.name not in ("age", "ward")) for one in schema)
    (house / "schema.json").write_text(hidden.to_json(), encoding="utf-8")
    assert private()[0] == 0
    card = json.loads((house / "out" / "run.json").read_text(encoding="utf-8"))
    jsonschema.validate(card, CARD)
    assert {one["name"] for one in card["columns"] if one["domain"] == "estimated"} == {"age", "ward"}
    assert card["spent"]["delta_atto"] == 5 * 10**10
    assert any("domain of age" in one["what"] for one in card["measured"])


def stage(house: Path, *, until: str) -> None:
    """Run up to a point and stop there, as a crash would."""

    class Crash(Exception):
        """End a run without any cleaning up."""

    def crash(*_args: object, **_asked: object) -> None:
        raise Crash

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PrivateFolder, until, crash)
        with pytest.raises(Crash):
            synthesize_private(
                house / "patients.csv",
                PrivateAsk("mst", 1.0),
                schema=public_schema(ROWS),
                out=house / "out",
                settings=Settings(home=house / "home"),
            )


def again(house: Path) -> list[str]:
    told: list[str] = []
    done = synthesize_private(
        house / "patients.csv",
        PrivateAsk("mst", 1.0),
        schema=public_schema(ROWS),
        out=house / "out",
        settings=Settings(home=house / "home"),
        event=lambda event: told.append(str(event.get("what", event.get("why", "")))),
    )
    assert (done.folder / "run.json").exists()
    return told


def test_a_complete_answer_of_an_interrupted_run_is_released_without_a_charge(house: Path) -> None:
    stage(house, until="release")
    made = (house / ".out.part" / "synthetic.csv").read_bytes()
    charged = spent(house)
    assert any("was complete" in line for line in again(house))
    assert spent(house) == charged
    assert (house / "out" / "synthetic.csv").read_bytes() == made


@pytest.mark.parametrize("until", ["spent", "complete"])
def test_an_incomplete_answer_is_lost_and_told(house: Path, until: str) -> None:
    stage(house, until=until)
    charged = spent(house)
    assert charged > 0
    assert any("that is lost" in line for line in again(house))
    assert spent(house) == 2 * charged


def test_a_crash_before_the_charge_costs_nothing(house: Path) -> None:
    stage(house, until="spending")
    assert spent(house) == 0
    again(house)
    assert spent(house) == halved(1.0, 1e-7).limit.rho_nano
