"""Judge what reached a database: words that we send, names that are allowed, and values make every statement."""

from __future__ import annotations

import re
from collections.abc import Iterable

from synth_worker.database import postgres_rights as rights
from tests.database.attacks import COLUMNS, TABLE

# PostgreSQL's own rules of lexing, written down from its manual: texts, names, numbers, parameters, words, signs.
TOKEN = re.compile(
    r"""\s+ | (?P<escaped>[eE]'(?:[^'\\]|\\.|'')*') | (?P<text>'(?:[^']|'')*') | (?P<name>"(?:[^"]|"")*")
      | (?P<number>[0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?) | (?P<parameter>\$[0-9]+|\?)
      | (?P<word>[A-Za-z_][A-Za-z_0-9]*) | (?P<sign>::|(?<=")\.(?=")|\|\||<=|>=|<>|[-+*/=<>(),~\[\]])""",
    re.VERBOSE | re.DOTALL,
)

SENT = """
    SELECT FROM WHERE AS AND OR NOT IN LIKE ESCAPE IS NULL TRUE FALSE true false typeof BLOB ORDER BY LIMIT
    CASE WHEN THEN ELSE END
    CAST COLLATE OVER PARTITION COPY TO STDOUT FORMAT csv encode sha256 md5 convert_to coalesce replace substr
    floor sum count row_number abs trunc length isfinite isnan isinf epoch extract NULLIF hex UTF8 text bigint
    bit integer numeric double precision date timestamp timestamptz boolean VARCHAR DOUBLE UBIGINT BIGINT
    TRY_CAST typeof BLOB regexp_full_match float8 int8 int4 int2 time gesalp_text gesalp_number gesalp_comparable
    gesalp_hashed gesalp_uniform gesalp_hash gesalp_draw gesalp_same gesalp_unit gesalp_place kept hashed
    numbered drawn chosen placed h OFFSET
"""
WORDS = frozenset(SENT.split())
NAMES = frozenset(f'"{one}"' for one in (*COLUMNS, TABLE, "public", "C"))
VALUE_NAME = re.compile(r"[vck][0-9]+")
COUNTING = frozenset(
    [
        "WITH",
        "k",
        "u",
        "r",
        "coded",
        "keyed",
        "ARRAY",
        "unnest",
        "GROUP",
        "GROUPING",
        "SETS",
        "UNION",
        "ALL",
        "typeof",
        "BLOB",
        "[",
        "]",
    ]
)
"""What counts are made with beside; a request for rows uses none of it."""

SETTINGS = re.compile(r"SELECT (set_config\(\$[0-9]+, \$[0-9]+, false\)(, )?)+")
TRANSACTION = ("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", "ROLLBACK", "COMMIT")


def _plain(sql: str) -> str:
    return " ".join(sql.split())


CATALOGUE = frozenset(
    re.sub(r"\$[0-9]+", "?", _plain(one))
    for one in (rights.COLUMNS, rights.TABLES, rights.WRITES, rights.OWNS, rights.SESSION)
)


def is_ours(statement: str) -> bool:
    """Tell whether a statement is a part of a session's opening or a look into the catalogue, word for word."""
    text = _plain(statement)
    return text in TRANSACTION or bool(SETTINGS.fullmatch(text)) or re.sub(r"\$[0-9]+", "?", text) in CATALOGUE


def wrong_with(statement: str, *, more: frozenset[str] = frozenset()) -> str:
    """Return what a SELECT holds that none of ours can hold, "" where nothing; ``more``: further words of ours."""
    text = statement.strip()
    if not re.match(r"(COPY \()?SELECT ", text) and not ("WITH" in more and text.startswith("WITH ")):
        return f"begins with {text[:30]!r}"
    at, words = 0, []
    while at < len(text):
        found = TOKEN.match(text, at)
        if not found:
            return f"the sign {text[at : at + 20]!r}"
        kind = found.lastgroup
        if kind == "sign" and found[0] in ("[", "]") and found[0] not in more:
            return f"the sign {found[0]!r}"
        if kind == "word":
            words.append(found[0])
            if found[0] not in WORDS | more and not VALUE_NAME.fullmatch(found[0]):
                return f"the word {found[0]!r}"
        if kind == "name" and found[0] not in NAMES:
            return f"the name {found[0]!r}"
        at = found.end()
    if text.count("(") < words.count("SELECT") - 1 or words.count("COPY") > 1:
        return "more than one SELECT"
    return ""


def logged_statements(log: str, *, application: str = "gesalp") -> Iterable[str]:
    """Return the statements that a client sent, from PostgreSQL's log: lines that go on begin with a tab."""
    begun = re.compile(
        r"^[0-9-]{10} [0-9:.]{12} \w+ \[[0-9]+\] " + application + r" \S+: LOG:  (?:statement|execute [^:]*): "
    )
    current: list[str] | None = None
    for line in log.split("\n"):
        if line.startswith("\t") and current is not None:
            current.append(line[1:])
            continue
        if current is not None:
            yield "\n".join(current)
        found = begun.match(line)
        current = [line[found.end() :]] if found else None
    if current is not None:
        yield "\n".join(current)
