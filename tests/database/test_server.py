"""Promises of the tests themselves: a machine without PostgreSQL fails them, and says what to install."""

from __future__ import annotations

import pytest

from tests.database.server import program


def test_a_missing_program_fails_and_says_how_to_install_it() -> None:
    with pytest.raises(AssertionError, match="apt-get install postgresql"):
        program("no-such-program-of-postgresql")
