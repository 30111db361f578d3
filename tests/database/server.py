"""Run a real PostgreSQL with TLS for the tests: Debian's binaries, an unprivileged user, an authority of its own."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from tests.database.authority import Authority

INSTALL = (
    "PostgreSQL's programs (initdb, postgres) were not found, in PATH or /usr/lib/postgresql/*/bin: "
    "these tests need them. On Debian and Ubuntu: apt-get install postgresql. On macOS: brew install postgresql."
)
ADMIN, ADMIN_PASSWORD = "gesalp_admin", "admin of a test"
PASSWORD = "password of a test"
READY_SECONDS = 30
SCRAM = "hostssl all all 127.0.0.1/32 scram-sha-256\n"
CONFIGURATION = """
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
max_connections = 60
shared_buffers = '128MB'
fsync = off
synchronous_commit = off
full_page_writes = off
wal_level = minimal
max_wal_senders = 0
max_wal_size = '2GB'
autovacuum = off
ssl = on
log_statement = 'all'
log_line_prefix = '%m [%p] %a %u: '
log_connections = on
"""


def program(name: str) -> str:
    """Return the path of one of PostgreSQL's programs. Fails, and says how to install it, where there is none."""
    places = os.pathsep.join([os.environ.get("PATH", ""), *map(str, sorted(Path("/usr/lib/postgresql").glob("*/bin")))])
    found = shutil.which(name, path=places)
    assert found, INSTALL
    return found


def _unprivileged() -> pwd.struct_passwd | None:
    """Return who runs the server where we are root, whom PostgreSQL refuses."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise AssertionError("there is neither a user postgres nor nobody to run PostgreSQL as")


def _free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


@dataclass
class Server:
    """Be one server: its folder, its port, the file of its authority, and its log of statements."""

    folder: Path
    authority: Authority
    port: int = 0
    process: subprocess.Popen[bytes] | None = None
    secrets: dict[str, str] = field(default_factory=lambda: {ADMIN: ADMIN_PASSWORD})

    @classmethod
    def created(cls) -> Server:
        """Make a cluster, not yet running."""
        folder = Path(tempfile.mkdtemp(prefix="gesalp-postgres-"))
        server = cls(folder, Authority("authority of a test"))
        password = folder / "password"
        password.write_text(ADMIN_PASSWORD, encoding="utf-8")
        server._hand_over()
        command = [program("initdb"), "-D", str(server.data), "-U", ADMIN, "--auth=scram-sha-256", "--no-sync"]
        server._run([*command, f"--pwfile={password}", "--encoding=UTF8", "--locale=C"])
        password.unlink()
        server.authority.write(server.ca)
        server.authority.issue(server.data)
        server._own_file("gesalp.conf", CONFIGURATION)
        with (server.data / "postgresql.conf").open("a", encoding="utf-8") as file:
            file.write("include 'gesalp.conf'\ninclude_if_exists 'extra.conf'\n")
        server._own_file("pg_hba.conf", SCRAM)
        server._hand_over()
        return server

    @property
    def data(self) -> Path:
        """Return the cluster's folder."""
        return self.folder / "data"

    @property
    def ca(self) -> Path:
        """Return the file of the authority that clients trust."""
        return self.folder / "authority.pem"

    @property
    def log(self) -> Path:
        """Return the file in which the server logs every statement."""
        return self.folder / "server.log"

    def logged(self) -> str:
        """Return all that the server has logged."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def start(self, *, extra: str = "", hba: str = SCRAM) -> Server:
        """Start with settings ``extra`` and lines of pg_hba.conf ``hba``; return when it answers."""
        self._own_file("extra.conf", extra)
        self._own_file("pg_hba.conf", hba)
        self._hand_over()
        self.port = _free_port()
        command = [program("postgres"), "-D", str(self.data), "-p", str(self.port)]
        before = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self._lowered(command), stdout=log, stderr=log, cwd=self.folder)
        until = time.monotonic() + READY_SECONDS
        while not self._answers(before):
            assert self.process.poll() is None and time.monotonic() < until, self.logged()[-2000:]
            time.sleep(0.02)
        return self

    def stop(self) -> None:
        """Stop at once; connections are cut."""
        if self.process:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(timeout=READY_SECONDS)
            self.process = None

    def remove(self) -> None:
        """Stop, and delete the folder."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def copy(self) -> Server:
        """Return a second cluster with the same content, while this one is stopped."""
        folder = Path(tempfile.mkdtemp(prefix="gesalp-postgres-"))
        shutil.copytree(self.data, folder / "data")
        other = Server(folder, self.authority, secrets=dict(self.secrets))
        other.authority.write(other.ca)
        other._hand_over()
        return other

    def credentials(self, user: str = "reader", *, database: str = "patient_data", **more: object) -> dict[str, object]:
        """Return credentials as a user gives them."""
        given = {"host": "localhost", "port": self.port, "database": database, "user": user}
        return {**given, "password": self.secrets[user], "sslrootcert": str(self.ca), **more}

    def admin(self, database: str = "postgres") -> psycopg.Connection:
        """Connect as the superuser, each statement its own transaction."""
        return psycopg.connect(
            host="127.0.0.1",
            port=self.port,
            user=ADMIN,
            password=ADMIN_PASSWORD,
            dbname=database,
            sslmode="verify-full",
            sslrootcert=str(self.ca),
            autocommit=True,
            application_name="admin",
        )

    def run(self, *statements: str, database: str = "patient_data") -> None:
        """Run statements as the superuser."""
        with self.admin(database) as connection:
            for one in statements:
                connection.execute(one.encode())

    def role(self, name: str, *rights: str, password: str = PASSWORD) -> None:
        """Make a role that may log in, and give it rights in patient_data."""
        self.secrets[name] = password
        self.run(f"CREATE ROLE {name} LOGIN PASSWORD '{password}'", *rights)

    def _answers(self, logged: int) -> bool:
        with socket.socket() as tried:
            tried.settimeout(1)
            if tried.connect_ex(("127.0.0.1", self.port)):
                return False
            # A request for TLS: the one byte of the answer comes when the server is ready to fork.
            tried.sendall(bytes.fromhex("0000000804d2162f"))
            with contextlib.suppress(OSError):
                return tried.recv(1) in (b"S", b"N") and b"ready to accept" in self.log.read_bytes()[logged:]
        return False

    def _own_file(self, name: str, text: str) -> None:
        (self.data / name).write_text(text, encoding="utf-8")

    def _hand_over(self) -> None:
        owner = _unprivileged()
        if owner is None:
            return
        for one in (self.folder, *self.folder.rglob("*")):
            os.chown(one, owner.pw_uid, owner.pw_gid)

    def _lowered(self, command: list[str]) -> list[str]:
        owner = _unprivileged()
        if owner is None:
            return command
        ids = [f"--reuid={owner.pw_uid}", f"--regid={owner.pw_gid}", "--clear-groups", "--pdeathsig=INT"]
        return ["setpriv", *ids, *command]

    def _run(self, command: list[str]) -> None:
        done = subprocess.run(self._lowered(command), capture_output=True, text=True, check=False, cwd=self.folder)
        assert done.returncode == 0, done.stderr


@contextlib.contextmanager
def running() -> Iterator[Server]:
    """Run a server with the database ``patient_data`` and the role ``reader``, who may use the schema public."""
    server = Server.created()
    try:
        server.start()
        server.run("CREATE DATABASE patient_data", database="postgres")
        server.run("CREATE DATABASE other_data", database="postgres")
        server.role("reader", "REVOKE ALL ON SCHEMA public FROM PUBLIC", "GRANT USAGE ON SCHEMA public TO reader")
        yield server
    finally:
        server.remove()
