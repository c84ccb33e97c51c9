"""Sign what the chains have come to, so that a cut tail and a rewritten chain are found too."""

from __future__ import annotations

import dataclasses
import datetime as dt
import uuid
from pathlib import Path
from typing import Final

from django.db import connection, transaction

from imagefactory.domain.audit import events, keys, witness
from imagefactory.domain.audit.canonical import Statement, link
from imagefactory.kernel import pg
from imagefactory.kernel.actor import Actor
from imagefactory.kernel.clock import now
from imagefactory.kernel.outbox.emit import emit

EVERY_ROWS: Final = 1_000
EVERY: Final = dt.timedelta(minutes=30)

_DUE: Final = """
select h.chain, h.seq, h.hash from audit_head h
left join lateral (
  select seq, made_at from audit_checkpoint c where c.chain = h.chain order by seq desc, number desc limit 1
) c on true
where h.seq > coalesce(c.seq, 0) and (c.seq is null or h.seq - c.seq >= %s or c.made_at <= %s)
order by h.chain
"""


@dataclasses.dataclass(frozen=True)
class Claim:
    """What is to be signed of a chain."""

    chain: uuid.UUID
    seq: int
    hash: bytes
    kind: str = "tail"
    removed_until: dt.datetime | None = None
    kept_hash: bytes = b""


def sign_due_checkpoints(data_dir: Path, *, every_rows: int = EVERY_ROWS, every: dt.timedelta = EVERY) -> int:
    """Sign the head of each chain that has `every_rows` rows more than its last checkpoint, or any and `every` went by.

    Returns how many were signed. Safe to run at any time and twice at once.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("select pg_advisory_xact_lock(%s)", [pg.Lock.AUDIT_CHECKPOINT])
        cursor.execute(_DUE, [every_rows, now() - every])
        due = [Claim(chain, seq, bytes(hashed)) for chain, seq, hashed in cursor.fetchall()]
        newest = sign(data_dir, due)
    if newest:
        # After the commit: a witness of what was rolled back would cry wolf for ever.
        witness.remember(data_dir, *newest)
    return len(due)


def sign(data_dir: Path, claims: list[Claim]) -> tuple[int, bytes] | None:
    """Write signed checkpoints inside the caller's transaction, which holds the lock AUDIT_CHECKPOINT.

    Returns number and signature of the last, for the witness once the transaction is committed.
    """
    if not claims:
        return None
    signer, made_at = keys.Signer(keys.directory(data_dir)), now()
    rows = []
    with connection.cursor() as cursor:
        cursor.execute("select number, signature from audit_checkpoint order by number desc limit 1")
        number, signature = cursor.fetchone() or (0, b"")
        for c in claims:
            number += 1
            said = Statement(
                number, c.chain, c.seq, c.hash, c.kind, made_at, c.removed_until, c.kept_hash, link(bytes(signature)),
                signer.key_id,
            )  # fmt: skip
            signature = signer.sign(said.signed_bytes())
            rows.append([*(getattr(said, f.name) for f in dataclasses.fields(said)), signature])
        names = ", ".join(f.name for f in dataclasses.fields(Statement))
        cursor.executemany(
            f"insert into audit_checkpoint ({names}, signature) values ({', '.join(['%s'] * 11)})",  # noqa: S608
            rows,
        )
    return number, bytes(signature)


def rotate_key(actor: Actor, data_dir: Path) -> tuple[str, str]:
    """Sign with a new key from now on; returns the ids of the old key and the new one. For the command line."""
    old, new = keys.rotate(keys.directory(data_dir))
    with transaction.atomic():
        emit(actor, events.SigningKeyRotated(None, {"key": old}, {"key": new}))
    return old, new
