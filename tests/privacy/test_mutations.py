"""A bug of differential privacy that is seeded is found: every mutant fails the check that names it."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from tests.privacy.checks import CHECKS as CHECKS_OF_PARTS
from tests.privacy.checks_methods import CHECKS as CHECKS_OF_METHODS
from tests.privacy.mutants import MUTANTS as MUTANTS_OF_PARTS
from tests.privacy.mutants_methods import MUTANTS as MUTANTS_OF_METHODS

CHECKS = CHECKS_OF_PARTS | CHECKS_OF_METHODS
MUTANTS = MUTANTS_OF_PARTS | MUTANTS_OF_METHODS

ORDER = (
    "noise",
    "accounting",
    "mechanisms",
    "budget",
    "entries",
    "chain",
    "ledger_file",
    "cells",
    "source",
    "dp_spending",
    "dp_margin",
    "dp_domain",
    "dp_pairs",
    "dp_fit",
    "aim",
    "order_free",
    "dp_steps",
    "arn_dp",
    "loop_dp",
)
"""Modules after those that they import."""
PACKAGES = {
    **{name: "synth_worker.generators" if name.startswith("dp_") else "synth_worker.privacy" for name in ORDER},
    "aim": "synth_worker.generators",
    "order_free": "synth_worker.generators",
    "arn_dp": "synth_worker.generators",
    "loop_dp": "synth_worker",
}


def source_of(module: str) -> str:
    found = importlib.util.find_spec(f"{PACKAGES[module]}.{module}")
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).read_text(encoding="utf-8")


@contextmanager
def world(changed: Mapping[str, str]) -> Generator[SimpleNamespace]:
    """Compile the modules under another name, some with another text, so that they import one another."""
    package = "mutated_privacy"
    sys.modules[package] = ModuleType(package)
    made = SimpleNamespace()
    try:
        for name in ORDER:
            text = changed.get(name, source_of(name))
            text = text.replace("from synth_worker.privacy import", f"from {package} import")
            for one in ORDER:
                text = text.replace(f"from {PACKAGES[one]}.{one} import", f"from {package}.{one} import")
            module = ModuleType(f"{package}.{name}")
            sys.modules[module.__name__] = module
            setattr(sys.modules[package], name, module)
            exec(compile(text, module.__name__, "exec"), module.__dict__)  # noqa: S102
            setattr(made, name, module)
        yield made
    finally:
        for name in [one for one in sys.modules if one.split(".")[0] == package]:
            del sys.modules[name]


def test_every_check_passes_on_what_is_shipped() -> None:
    with world({}) as true:
        for check in CHECKS.values():
            check(true)


@pytest.mark.parametrize("name", MUTANTS)
def test_no_mutant_survives(name: str) -> None:
    mutant = MUTANTS[name]
    text = source_of(mutant.module)
    assert text.count(mutant.old) == 1, f"{mutant.old!r} is not once in {mutant.module}: mend the mutant"
    with (
        world({mutant.module: text.replace(mutant.old, mutant.new)}) as mutated,
        pytest.raises((AssertionError, pytest.fail.Exception)),
    ):
        CHECKS[mutant.check](mutated)
