"""Connect to a PostgreSQL server that proves who it is; refusals say why in words of ours, without the password."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import cast

import psycopg

from synth_worker.database.credentials import Credentials
from synth_worker.database.postgres_tls import parameters, reason_of
from synth_worker.errors import DatabaseRefused

LOG = logging.getLogger(__name__)

Connection = psycopg.Connection[tuple[object, ...]]
CONNECT = cast("Callable[..., Connection]", psycopg.connect)


def connected(credentials: Credentials) -> Connection:
    """Return a connection to a server that was verified as its credentials demand. Raises DatabaseRefused."""
    told = parameters(credentials)
    try:
        # The password is never a local of ours: a traceback that captures locals would show it.
        return CONNECT(**told, **_secret(credentials))
    except psycopg.Error as error:
        reason = reason_of(str(error))
    LOG.error("the connection to %s:%s was refused: %s", told["host"], told["port"], reason.sentence)
    raise DatabaseRefused(f"{told['host']}:{told['port']}: {reason.sentence}", hint=reason.hint)


def _secret(credentials: Credentials) -> dict[str, str]:
    """Return the password for libpq; without one it looks into PGPASSWORD and its password file."""
    return {"password": str(credentials["password"])} if credentials.get("password") else {}
