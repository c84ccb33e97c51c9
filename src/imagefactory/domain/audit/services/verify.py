"""Read the whole trail and find the first row or checkpoint that is not what was written."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import psycopg
from psycopg.rows import dict_row

from imagefactory.domain.audit import keys, witness
from imagefactory.domain.audit.canonical import FIELDS, FIRST, Row, Statement, kept_hash, link, row_hash

_CHAIN: Final = "coalesce(tenant_id, '00000000-0000-0000-0000-000000000000'::uuid)"
_JSON: Final = ("before", "after", "details")
# As text, because a connection of Django's and one of psycopg's read jsonb in two ways.
_READ: Final = {"words": "tsvector_to_array(search) as words"} | {f: f"{f}::text" for f in _JSON}
_COLUMNS: Final = ", ".join(_READ.get(f, f) for f in FIELDS)
_ROWS: Final = (
    f"select {_COLUMNS}, recorded_at, seq, prev_hash, hash from audit_entry where {_CHAIN} = %s "  # noqa: S608
    "and seq between %s and %s order by seq, occurred_at"
)
# A time range becomes a range of numbers, so that what was recorded late leaves no hole at the edges.
_RANGE: Final = (
    f"select min(seq), max(seq) from audit_entry where {_CHAIN} = %s "  # noqa: S608
    "and occurred_at >= coalesce(%s, '-infinity'::timestamptz) and occurred_at < coalesce(%s, 'infinity'::timestamptz)"
)
_CHAINS: Final = f"select chain from audit_head union select distinct {_CHAIN} from audit_entry"  # noqa: S608
_STATEMENT: Final = ", ".join(f.name for f in dataclasses.fields(Statement))
_BATCH: Final = 2_000
_END: Final = 2**62


@dataclasses.dataclass(frozen=True)
class Problem:
    """What is wrong first: in which chain, at which number, when, and what; of checkpoints the number is theirs."""

    chain: uuid.UUID | None
    seq: int
    at: dt.datetime | None
    what: str

    def sentence(self) -> str:
        """Return it for the command line."""
        where = "Checkpoint" if self.chain is None else f"Chain {self.chain}, entry"
        return f"{where} {self.seq}{f' of {self.at:%Y-%m-%d %H:%M:%S} UTC' if self.at else ''}: {self.what}"


@dataclasses.dataclass
class Report:
    """What was read. `problems` holds the first of each chain, checkpoints before all."""

    chains: int = 0
    rows: int = 0
    checkpoints: int = 0
    removed: int = 0
    removed_until: dt.datetime | None = None
    problems: list[Problem] = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class _Signed:
    """What the checkpoints say of one chain."""

    hashes: dict[int, bytes] = dataclasses.field(default_factory=dict)
    removal: Statement | None = None


def verify(
    database: psycopg.Connection[Any],
    data_dir: Path,
    *,
    tenant: uuid.UUID | None = None,
    since: dt.datetime | None = None,
    until: dt.datetime | None = None,
) -> Report:
    """Check checkpoints, then each chain (or one tenant's), row by row; memory stays the same however long they are.

    With `since` or `until` only that range of rows is read, and what lies before it is taken as given. While the factory
    runs, `database` must read one snapshot (isolation level REPEATABLE READ), or a head moves under the reading.
    """
    report = Report()
    with database.transaction():
        signed, problem = _checkpoints(database, data_dir, report)
        if problem:
            report.problems.append(problem)
        there = {row[0] for row in database.execute(_CHAINS).fetchall()}
        for chain in [tenant] if tenant else sorted(there | set(signed)):
            report.chains += 1
            found = _Chain(database, chain, signed.get(chain, _Signed()), report).check(since, until)
            if found:
                report.problems.append(found)
    return report


def _checkpoints(
    database: psycopg.Connection[Any], data_dir: Path, report: Report
) -> tuple[dict[uuid.UUID, _Signed], Problem | None]:
    ring = keys.Ring(keys.directory(data_dir))
    signed: dict[uuid.UUID, _Signed] = {}
    number, signature = 0, b""
    problem: Problem | None = None
    try:
        remembered = witness.recall(data_dir)
    except ValueError as error:
        remembered, problem = None, Problem(None, 0, None, str(error))
    with database.cursor(name="audit_checkpoints") as rows:
        rows.itersize = _BATCH
        rows.execute(f"select {_STATEMENT}, signature from audit_checkpoint order by number")  # noqa: S608
        for row in rows:
            values: list[Any] = [bytes(v) if isinstance(v, memoryview) else v for v in row]
            raw = values.pop()
            said = Statement(*values)
            wrong = _statement_problem(ring, said, raw, number, signature)
            problem = problem or wrong
            number, signature = said.number, bytes(raw)
            report.checkpoints += 1
            if remembered and remembered[0] == number and remembered[1] != signature:
                problem = problem or Problem(
                    None, number, said.made_at, "it is not the one that was written down outside."
                )
            if wrong:
                continue  # what is not signed says nothing about rows
            of = signed.setdefault(said.chain, _Signed())
            of.hashes[said.seq] = said.hash
            if said.kind == "removal":
                of.removal = said
    if remembered and remembered[0] > number:
        gone = f"checkpoints {number + 1} to {remembered[0]} were deleted: number {remembered[0]} was written down outside."
        problem = problem or Problem(None, number + 1, None, gone)
    return signed, problem


def _statement_problem(ring: keys.Ring, said: Statement, raw: bytes, number: int, signature: bytes) -> Problem | None:
    if said.number != number + 1:
        return Problem(None, number + 1, None, f"checkpoints {number + 1} to {said.number - 1} are missing.")
    if not ring.signed(said.key_id, bytes(raw), said.signed_bytes()):
        return Problem(
            None, said.number, said.made_at, f"its signature was not made by the key {said.key_id} or is forged."
        )
    if said.previous != link(signature):
        return Problem(None, said.number, said.made_at, "it does not follow from the checkpoint before it.")
    return None


class _Chain:
    """One chain, from its beginning, or from where retention left it, to its head."""

    def __init__(self, database: psycopg.Connection[Any], chain: uuid.UUID, signed: _Signed, report: Report) -> None:
        self._database, self._chain, self._signed, self._report = database, chain, signed, report
        self._seq, self._hash = 0, FIRST
        self._at: dt.datetime | None = None
        self._cut = 0
        self._kept: list[tuple[int, bytes]] = []

    def check(self, since: dt.datetime | None, until: dt.datetime | None) -> Problem | None:
        """Return the first problem."""
        first, last = 1, _END
        if since or until:
            found = self._database.execute(_RANGE, [self._chain, since, until]).fetchone()
            if not found or found[0] is None:
                return None
            first, last = found
        if removal := self._signed.removal:
            self._cut = removal.seq
            self._report.removed += removal.seq
            until_ = removal.removed_until
            if until_ and (self._report.removed_until is None or until_ > self._report.removed_until):
                self._report.removed_until = until_
        self._begin(first)
        for row, seq, recorded_at, prev_hash, hashed in self._rows(first, last):
            self._report.rows += 1
            if problem := self._row(row, seq, recorded_at, prev_hash, hashed):
                return problem
        if problem := self._kept_problem(partial=bool(since or until)):
            return problem
        return None if last != _END else self._tail_problem()

    def _begin(self, first: int) -> None:
        """Set what the first row must follow from; inside a range that is whatever it names itself."""
        if self._cut >= first:
            self._seq = self._cut
            assert self._signed.removal is not None  # noqa: S101 - the cut comes from it
            self._hash = self._signed.removal.hash
        elif first > 1:
            self._seq, self._hash = first - 1, b""

    def _rows(self, first: int, last: int) -> Iterator[tuple[Row, int, dt.datetime, bytes, bytes]]:
        with self._database.cursor(name="audit_rows", row_factory=dict_row) as rows:
            rows.itersize = _BATCH
            rows.execute(_ROWS, [self._chain, first, last])
            for found in rows:
                place = (
                    found.pop("seq"),
                    found.pop("recorded_at"),
                    bytes(found.pop("prev_hash")),
                    bytes(found.pop("hash")),
                )
                yield Row(**found | {f: json.loads(found[f]) if found[f] else None for f in _JSON}), *place

    def _row(self, row: Row, seq: int, recorded_at: dt.datetime, prev_hash: bytes, hashed: bytes) -> Problem | None:
        def wrong(what: str, number: int = seq, at: dt.datetime | None = row.occurred_at) -> Problem:
            return Problem(self._chain, number, at, what)

        own = row_hash(row, seq, recorded_at, prev_hash) == hashed
        if seq <= self._cut:
            self._kept.append((seq, hashed))
            self._report.removed -= 1
            return None if own else wrong("it was changed after it was written.")
        if seq == self._seq:
            return wrong("there are two entries of this number: one was inserted.")
        if seq > self._seq + 1:
            missing = f"entries {self._seq + 1} to {seq - 1} are missing: they were deleted."
            return wrong(missing, self._seq + 1, self._at)
        if not own:
            return wrong("it was changed after it was written, or stands in another's place.")
        if self._hash and prev_hash != self._hash:
            if self._seq == 0:
                return wrong("it names an entry before it, and it is the first: what came before was deleted.")
            return wrong(
                f"entry {seq} does not follow from it: it was replaced, swapped, or changed together with its hash.",
                self._seq, self._at,
            )  # fmt: skip
        if self._signed.hashes.get(seq, hashed) != hashed:
            return wrong("a signed checkpoint says otherwise: the chain was written anew up to here or beyond.")
        self._seq, self._hash, self._at = seq, hashed, row.occurred_at
        return None

    def _kept_problem(self, *, partial: bool) -> Problem | None:
        removal = self._signed.removal
        if removal is None or partial or kept_hash(self._kept) == removal.kept_hash:
            return None
        what = "entries that retention left standing were changed, deleted or added."
        return Problem(self._chain, min((s for s, _ in self._kept), default=removal.seq), None, what)

    def _tail_problem(self) -> Problem | None:
        signed = max(self._signed.hashes, default=0)
        head = self._database.execute("select seq, hash from audit_head where chain = %s", [self._chain]).fetchone()
        seq, hashed = (head[0], bytes(head[1])) if head else (0, FIRST)
        cut = "the tail was cut off"
        if signed > self._seq:
            what = f"entries {self._seq + 1} to {signed} are missing, which a checkpoint was signed for: {cut}."
            return Problem(self._chain, self._seq + 1, self._at, what)
        if seq > self._seq:
            what = f"entries {self._seq + 1} to {seq} are missing, which the chain's head counts: {cut}."
            return Problem(self._chain, self._seq + 1, self._at, what)
        if seq < self._seq:
            return Problem(
                self._chain,
                seq + 1,
                self._at,
                f"entries {seq + 1} to {self._seq} stand behind the chain's head: inserted.",
            )
        if hashed != self._hash:
            return Problem(
                self._chain, seq, self._at, "the chain's head names another hash: it was replaced or changed."
            )
        return None
