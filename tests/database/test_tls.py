"""Promises of the connection: a server that does not prove who it is, or asks for less, is refused with the reason."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from synth_worker.database.credentials import Credentials
from synth_worker.database.postgres_tls import BUNDLES, parameters, root_certificates
from synth_worker.database.registry import open_database
from synth_worker.errors import BadInput, DatabaseRefused, UnknownName
from tests.database.authority import Authority
from tests.database.in_the_middle import man_in_the_middle
from tests.database.server import Server

WEAK_TLS = (
    "ssl_min_protocol_version = 'TLSv1.1'\nssl_max_protocol_version = 'TLSv1.1'\nssl_ciphers = 'ALL:@SECLEVEL=0'\n"
)


@pytest.fixture(scope="module")
def hostile() -> Iterator[Server]:
    """Hold a cluster of its own, started anew by each test in another evil way."""
    found = Server.created()
    found.start()
    found.run("CREATE DATABASE patient_data", database="postgres")
    found.role("reader")
    found.run(
        "SET password_encryption = 'md5'", "CREATE ROLE old LOGIN PASSWORD 'old one'", "CREATE ROLE trusted LOGIN"
    )
    found.secrets |= {"old": "old one", "trusted": "any"}
    found.stop()
    yield found
    found.remove()


@pytest.fixture
def evil(hostile: Server) -> Iterator[Server]:
    kept = {name: (hostile.data / name).read_bytes() for name in ("server.crt", "server.key")}
    yield hostile
    hostile.stop()
    for name, content in kept.items():
        (hostile.data / name).write_bytes(content)


def refused(server: Server, user: str = "reader", **more: object) -> str:
    with pytest.raises(DatabaseRefused) as caught:
        open_database("postgresql", server.credentials(user, **more))
    assert caught.value.__context__ is None
    assert server.secrets[user] not in str(caught.value)
    return str(caught.value)


def test_an_honest_server_is_read_and_its_protection_told(server: Server) -> None:
    health = open_database("postgresql", server.credentials()).health()
    assert health.encryption.startswith("TLSv1.3 ")
    assert health.server.startswith("PostgreSQL ")
    assert (health.role, health.harmless, health.read_only, health.warnings) == ("reader", True, True, ())


def test_the_authority_may_come_from_the_environment(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    given = server.credentials()
    del given["sslrootcert"]
    monkeypatch.setenv("PGSSLROOTCERT", str(server.ca))
    assert open_database("postgresql", given).health().encryption


def test_without_an_authority_the_system_s_is_taken_which_did_not_sign_this_server(server: Server) -> None:
    if not any(Path(one).is_file() for one in BUNDLES):
        with pytest.raises(DatabaseRefused, match="no bundle of authorities"):
            root_certificates(Credentials({"host": "a"}))
        return
    given = server.credentials()
    del given["sslrootcert"]
    with pytest.raises(DatabaseRefused, match="not valid under the CA"):
        open_database("postgresql", given)


def test_libpq_s_own_settings_of_the_environment_weaken_nothing(
    server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    other = Authority("another").write(tmp_path / "other.pem")
    weak = {
        "PGSSLMODE": "disable",
        "PGCHANNELBINDING": "disable",
        "PGREQUIREAUTH": "none",
        "PGSSLMINPROTOCOLVERSION": "TLSv1",
    }
    for name, value in {
        **weak,
        "PGSSLROOTCERT": str(other),
        "PGOPTIONS": "-c search_path=evil",
        "PGHOSTADDR": "127.0.0.9",
    }.items():
        monkeypatch.setenv(name, value)
    database = open_database("postgresql", server.credentials())
    assert database.health().encryption.startswith("TLSv1.3 ")


def test_what_libpq_is_told_does_not_rest_on_what_openssl_happens_to_refuse(server: Server) -> None:
    told = parameters(Credentials(server.credentials()))
    demanded = {
        "sslmode": "verify-full",
        "sslrootcert": str(server.ca),
        "ssl_min_protocol_version": "TLSv1.2",
        "channel_binding": "require",
        "require_auth": "scram-sha-256",
        "gssencmode": "disable",
        "hostaddr": "",
        "options": "",
    }
    assert {key: told[key] for key in demanded} == demanded
    assert "password" not in told


def test_plaintext_is_refused(evil: Server) -> None:
    evil.start(extra="ssl = off\n", hba="host all all 127.0.0.1/32 scram-sha-256\n")
    assert "offers no TLS" in refused(evil)


def test_plaintext_may_be_asked_for_on_the_loopback_alone(evil: Server) -> None:
    evil.start(extra="ssl = off\n", hba="host all all 127.0.0.1/32 scram-sha-256\n")
    health = open_database("postgresql", evil.credentials(plaintext_on_loopback=True)).health()
    assert (health.encryption, health.local) == ("", True)
    assert health.warnings == ("the connection is plaintext on the loopback",)
    assert "on the loopback only" in refused(evil, host="db.example.com", plaintext_on_loopback=True)


def test_another_authority_is_refused(evil: Server) -> None:
    Authority("another").issue(evil.data)
    evil.start()
    assert "not valid under the CA" in refused(evil)


def test_another_authority_of_the_same_name_is_refused(evil: Server) -> None:
    Authority(evil.authority.name).issue(evil.data)
    evil.start()
    assert "not valid under the CA" in refused(evil)


def test_another_host_is_refused(evil: Server) -> None:
    evil.authority.issue(evil.data, hosts=("elsewhere.example",))
    evil.start()
    assert "for another host" in refused(evil)


def test_an_expired_certificate_is_refused(evil: Server) -> None:
    evil.authority.issue(evil.data, days=-1)
    evil.start()
    assert "expired" in refused(evil)


def permissive_version(port: int) -> str:
    """Ask for TLS of whatever version the server speaks, and believe everything; return the version."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    with socket.create_connection(("127.0.0.1", port)) as plain:
        plain.sendall(bytes.fromhex("0000000804d2162f"))
        assert plain.recv(1) == b"S"
        with context.wrap_socket(plain, server_hostname="localhost") as secured:
            return secured.version() or ""


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_tls_1_1_is_refused_of_a_server_that_really_speaks_it(evil: Server) -> None:
    evil.start(extra=WEAK_TLS)
    assert permissive_version(evil.port) == "TLSv1.1"
    assert "no TLS of version 1.2" in refused(evil)


DOWNGRADES = {
    "cleartext": ("hostssl all all 127.0.0.1/32 password\n", "reader"),
    "md5": ("hostssl all all 127.0.0.1/32 md5\n", "old"),
    "none": ("hostssl all all 127.0.0.1/32 trust\n", "trusted"),
}


@pytest.mark.parametrize("way", DOWNGRADES)
def test_a_weaker_proof_of_the_password_is_refused(evil: Server, way: str) -> None:
    hba, user = DOWNGRADES[way]
    evil.start(hba=hba)
    # A client that asks for less is let in, so the server really does ask for less.
    with psycopg.connect(
        host="127.0.0.1",
        port=evil.port,
        user=user,
        password=evil.secrets[user],
        dbname="patient_data",
        sslmode="require",
    ) as lenient:
        assert lenient.execute("SELECT 1").fetchone() == (1,)
    assert "weaker proof of the password" in refused(evil, user)


def test_the_password_is_not_sent_in_the_clear_even_where_it_is_asked_for(evil: Server) -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(1)
        listening.settimeout(5)
        evil.port = int(listening.getsockname()[1])
        heard: list[bytes] = []

        def listen() -> None:
            peer, _ = listening.accept()
            with peer:
                heard.append(peer.recv(64))
                peer.sendall(b"N")
                heard.append(peer.recv(1024))

        thread = threading.Thread(target=listen)
        thread.start()
        assert "offers no TLS" in refused(evil)
        thread.join()
    assert heard == [bytes.fromhex("0000000804d2162f"), b""]


def test_a_server_that_is_not_there_or_does_not_know_us_is_told(server: Server) -> None:
    assert "nothing answers" in refused(server, port=1)
    assert "does not know this user and password" in refused(server, password="wrong")  # noqa: S106 - it is wrong
    assert "does not exist" in refused(server, database="none_such")
    assert "does not exist" in refused(server, sslrootcert="/none/such.pem")


def test_credentials_that_lack_something_or_mean_nothing_are_refused(server: Server) -> None:
    given = server.credentials()
    with pytest.raises(UnknownName, match="sslmode"):
        open_database("postgresql", {**given, "sslmode": "disable"})
    with pytest.raises(BadInput, match="lack 'user'"):
        open_database("postgresql", {key: value for key, value in given.items() if key != "user"})


@pytest.mark.parametrize("key", ["host", "port", "database", "user", "schema", "password"])
def test_a_text_that_ends_early_cannot_cut_off_what_is_demanded(server: Server, key: str) -> None:
    # libpq reads its parameters up to a NUL: what comes behind, verify-full among it, would not be asked for.
    given = server.credentials(sslrootcert="/etc/ssl/certs/ca-certificates.crt", schema="public")
    with pytest.raises(BadInput, match=f"{key}.*holds a character that is none"):
        open_database("postgresql", {**given, key: f"{given[key]}\x00"})


def test_plaintext_reaches_no_other_machine_by_a_list_of_hosts_or_the_environment(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = server.credentials(plaintext_on_loopback=True)
    for host in ("/nowhere,db.example.com", "localhost,db.example.com", "127.0.0.1,10.0.0.1"):
        with pytest.raises(DatabaseRefused, match="possible on the loopback only"):
            open_database("postgresql", {**given, "host": host})
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(1)
        listening.settimeout(0.5)
        monkeypatch.setenv("PGHOSTADDR", "127.0.0.1")
        with pytest.raises(DatabaseRefused, match=r"nothing answers|could not be opened|does not exist"):
            open_database("postgresql", {**given, "host": "/nowhere", "port": listening.getsockname()[1]})
        with pytest.raises(TimeoutError):
            listening.accept()


@pytest.mark.parametrize("stripping", [False, True], ids=["relaying", "hiding that the server can bind"])
def test_a_man_in_the_middle_whose_certificate_is_trusted_gets_nothing(
    server: Server, tmp_path: Path, stripping: bool
) -> None:
    with man_in_the_middle(server, tmp_path, stripping=stripping) as port:
        given = {**server.credentials(), "port": port}
        # He is real: a client that does not bind to the channel is let through by him, its certificates all in order.
        with psycopg.connect(
            host="127.0.0.1",
            port=port,
            user="reader",
            password=server.secrets["reader"],
            dbname="patient_data",
            sslmode="verify-full",
            sslrootcert=str(server.ca),
            channel_binding="disable",
        ) as permissive:
            assert permissive.execute("SELECT 1").fetchone() == (1,)
        with pytest.raises(DatabaseRefused) as caught:
            open_database("postgresql", given)
    assert "somebody may stand in between" in str(caught.value)
    assert caught.value.__context__ is None
    assert server.secrets["reader"] not in str(caught.value)
