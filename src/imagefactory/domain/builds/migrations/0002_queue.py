"""The queue's functions and sequences."""

from pathlib import Path

from django.db import migrations

_HERE = Path(__file__).parent
SQL = "\n".join((_HERE / name).read_text(encoding="utf-8") for name in ("queue.sql", "claim.sql"))
UNDO = """
drop function builds_claim(text, uuid, interval);
drop function builds_enqueue(uuid, int);
drop function builds_release(uuid);
drop sequence builds_turn_seq, builds_fence_seq, builds_live_seq;
"""


class Migration(migrations.Migration):
    dependencies = [("builds", "0001_initial")]
    operations = [migrations.RunSQL(SQL, UNDO)]
