"""The embedded server's own configuration, sized by the machine's memory; no files are touched here."""

from __future__ import annotations

import os
from pathlib import Path

MIB = 1024 * 1024
# libpq and PostgreSQL put `.s.PGSQL.5432` behind the directory, and a socket's name ends at 107 bytes
# (unix(7)).
LONGEST_SOCKET_PATH = 107
PORT = 5432

HBA = "local all all scram-sha-256\nlocal replication all scram-sha-256\n"


def memory_bytes() -> int:
    """Return the machine's memory in bytes."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _clamp(low: int, value: int, high: int) -> int:
    return max(low, min(value, high))


def server(socket_dir: Path, memory: int, *, durable: bool = True) -> str:
    """Return the text of `factory.conf`.

    `memory` is the machine's, in bytes: an eighth of it is shared buffers, and the kernel keeps the rest for
    builds. `durable=False` is for throw-away servers only: after a crash its data is worth nothing.
    """
    mib = memory // MIB
    lines = {
        "listen_addresses": "''",
        "port": str(PORT),
        "unix_socket_directories": f"'{_quoted(socket_dir)}'",
        "unix_socket_permissions": "0700",
        "max_connections": "200",
        "shared_buffers": f"{_clamp(32, mib // 8, 1024)}MB",
        "effective_cache_size": f"{_clamp(128, mib // 3, 65_536)}MB",
        "work_mem": "8MB",
        "maintenance_work_mem": f"{_clamp(32, mib // 32, 256)}MB",
        "random_page_cost": "1.1",
        "jit": "off",
        "max_wal_size": "1GB",
        "wal_compression": "on",
        "password_encryption": "scram-sha-256",
        # An old open snapshot makes every claim read dead rows (0.45 to 2.4 ms after 7,000 claims).
        "idle_in_transaction_session_timeout": "60s",
        # A vanished client is noticed while its query runs.
        "client_connection_check_interval": "10s",
        "log_min_duration_statement": "2s",
        "log_line_prefix": "'%m [%p] %q%u %a '",
        "log_checkpoints": "off",
        "logging_collector": "off",
        "log_timezone": "'UTC'",
        "timezone": "'UTC'",
    }
    if not durable:
        lines |= {
            "fsync": "off",
            "synchronous_commit": "off",
            "full_page_writes": "off",
            "shared_buffers": "64MB",
        }
    head = "# Written at every start of the factory. Put your own settings into operator.conf beside it.\n"
    return head + "".join(f"{name} = {value}\n" for name, value in lines.items())


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")
