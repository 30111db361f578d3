"""Promises about the password: it stands in no log, message, traceback, dump or file that we make."""

from __future__ import annotations

import contextlib
import copy
import json
import logging
import pickle
import socket
import struct
import threading
import traceback
from pathlib import Path

import pytest
from pymysql.constants import CLIENT

from synth_worker.database.connection import Database, Statement, TableName
from synth_worker.database.credentials import Credentials
from synth_worker.database.registry import ENGINES, open_database
from synth_worker.errors import BadInput, DatabaseRefused, GesalpError
from tests.database.server import Server

CANARY = "cAnArY-pa55word-'\"\\ %"
SHORT = "cAnArY"


@pytest.fixture(scope="module")
def guarded(server: Server) -> Server:
    escaped = CANARY.replace("'", "''")
    server.run(
        "CREATE ROLE guarded LOGIN", f"SET standard_conforming_strings = on; ALTER ROLE guarded PASSWORD '{escaped}'"
    )
    server.run("GRANT USAGE ON SCHEMA public TO guarded")
    server.secrets["guarded"] = CANARY
    return server


def spoken(error: BaseException) -> str:
    """Return all that an error says: with captured locals, everything chained to it, and its own fields."""
    found: list[str] = []
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        one = waiting.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        # Frames of this file hold what the test itself was given; frames of ours must hold nothing.
        frames = traceback.StackSummary.extract(
            (
                (frame, line)
                for frame, line in traceback.walk_tb(one.__traceback__)
                if frame.f_code.co_filename != __file__
            ),
            capture_locals=True,
        )
        found += [str(one), repr(one), repr(one.args), repr(vars(one)), "".join(frames.format())]
        found += [repr(frame.locals) for frame in frames]
        waiting += [one.__cause__, one.__context__]
    return "\n".join(found)


def test_the_canary_really_opens_the_door_and_is_found_by_this_search(guarded: Server) -> None:
    assert open_database("postgresql", guarded.credentials("guarded")).health().role == "guarded"

    code = compile("def leaks(password):\n    raise ValueError('leak')", "elsewhere.py", "exec")
    place: dict[str, object] = {}
    exec(code, place)  # noqa: S102 - a frame of another file
    with pytest.raises(ValueError, match="leak") as caught:
        place["leaks"](CANARY)  # type: ignore[operator]
    assert SHORT in spoken(caught.value)


FAILURES: dict[str, dict[str, object]] = {
    "nobody there": {"port": 1},
    "another host": {"host": "no-such-host.invalid"},
    "no authority": {"sslrootcert": "/none.pem"},
    "no database": {"database": "none_such"},
    "another role": {"user": "nobody_known"},
    "wrong port": {"port": "x y"},
    "port is a list": {"port": [1]},
    "unknown key": {"sslmode": "disable"},
    "flag is text": {"allow_unsafe_role": "yes"},
    "plaintext afar": {"host": "db.example.com", "plaintext_on_loopback": True},
    "seconds": {"statement_seconds": -1},
    "lacks the user": {"user": ""},
}


@pytest.mark.parametrize("way", FAILURES)
def test_no_failure_to_open_tells_it(guarded: Server, way: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG), pytest.raises(GesalpError) as caught:
        open_database("postgresql", guarded.credentials("guarded") | FAILURES[way])
    assert SHORT not in spoken(caught.value)
    assert SHORT not in caplog.text
    assert all(SHORT not in str(vars(record)) for record in caplog.records)


@pytest.mark.parametrize("engine", ["mariadb", "postgresql"])
@pytest.mark.parametrize("letter", ["\u20ac", "\udc80", "\x00", "\n"])
def test_a_password_of_any_letters_is_in_no_failure(engine: str, letter: str) -> None:
    given = {"host": "127.0.0.1", "port": 1, "database": "d", "user": "u", "password": f"{CANARY}{letter}"}
    with pytest.raises(GesalpError) as caught:
        open_database(engine, given)
    assert SHORT not in spoken(caught.value)


def test_a_server_without_tls_that_asks_for_the_password_in_the_clear_gets_nothing() -> None:
    flags = (CLIENT.CAPABILITIES | CLIENT.PLUGIN_AUTH | CLIENT.SECURE_CONNECTION) & ~CLIENT.SSL
    hello = b"\x0a10.11.0-MariaDB\0" + struct.pack("<I8sxHBHH", 1, b"a" * 8, flags & 0xFFFF, 45, 2, flags >> 16)
    hello += bytes([21, *[0] * 10]) + b"b" * 12 + b"\0mysql_native_password\0"
    switch = b"\xfemysql_clear_password\0" + b"c" * 20 + b"\0"
    heard: list[bytes] = []

    def listen() -> None:
        peer, _ = listening.accept()
        with peer, contextlib.suppress(OSError):
            peer.settimeout(5)
            peer.sendall(struct.pack("<I", len(hello))[:3] + b"\0" + hello)
            heard.append(peer.recv(4096))
            peer.sendall(struct.pack("<I", len(switch))[:3] + b"\2" + switch)
            heard.append(peer.recv(4096))

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=listen)
        thread.start()
        given = {"host": "127.0.0.1", "port": listening.getsockname()[1], "database": "d", "user": "u"}
        with pytest.raises(DatabaseRefused, match="TLS was refused"):
            open_database("mariadb", {**given, "password": CANARY})
        thread.join()
    assert b"".join(heard) == b""


@pytest.mark.parametrize("engine", sorted(ENGINES))
def test_no_engine_tells_what_it_cannot_use(engine: str) -> None:
    with pytest.raises(GesalpError) as caught:
        open_database(engine, {"password": CANARY, "path": "/none/such"})
    assert SHORT not in spoken(caught.value)
    with pytest.raises(GesalpError) as caught:
        open_database(CANARY[:2] + "x", {"password": CANARY})
    assert SHORT not in spoken(caught.value)


def test_nothing_that_is_opened_shows_it(guarded: Server, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        database: Database = open_database("postgresql", guarded.credentials("guarded"))
        shown = [repr(database), str(database), repr(database.health()), str(vars(database)), str(database.name)]
        with database.snapshot() as snapshot:
            shown += [repr(snapshot), str(snapshot.rows(Statement("SELECT * FROM pg_settings")))]
            shown += [repr(vars(snapshot)), str(snapshot.connection.info.dsn)]  # type: ignore[attr-defined]
        for broken in (lambda: database.columns(TableName(None, "none")), lambda: snapshot.rows(Statement("SELECT 1"))):
            with pytest.raises(GesalpError) as caught:
                broken()
            shown.append(spoken(caught.value))
    assert SHORT not in "\n".join(shown)
    assert SHORT not in caplog.text


def test_credentials_are_neither_shown_nor_dumped() -> None:
    held = Credentials({"host": "a", "password": CANARY})
    assert (repr(held), f"{held}", f"{held!s:>3}") == ("Credentials(host, password)",) * 3
    assert SHORT not in str([held, {"a": held}])
    for dump in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(BadInput, match="not written"):
            dump(held)
    with pytest.raises(TypeError):
        json.dumps(held)
    with pytest.raises(TypeError):
        vars(held)
    with pytest.raises(BadInput) as caught:
        held.text("password")
    assert SHORT not in spoken(caught.value)


def test_no_file_and_no_log_of_the_server_holds_it(
    guarded: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    before = len(guarded.logged())
    database = open_database("postgresql", guarded.credentials("guarded"))
    database.health()
    assert not list(tmp_path.rglob("*"))
    assert SHORT not in guarded.logged()[before:]
