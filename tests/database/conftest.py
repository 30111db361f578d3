"""Share one PostgreSQL among the tests of a process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.database.server import Server, running


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """Run a real PostgreSQL with TLS; `server.credentials("reader")` opens its database ``patient_data``."""
    with running() as found:
        yield found
