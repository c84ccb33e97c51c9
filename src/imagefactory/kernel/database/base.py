"""The database backend: before a statement runs, the connection is told the scope, unless it was told already."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db.backends.postgresql import base
from psycopg.pq import TransactionStatus

from imagefactory.kernel import scope


class DatabaseWrapper(base.DatabaseWrapper):
    """Remembers what the connection was last told, so that an unchanged scope costs no round trip.

    The setting is the session's, since requests are no transactions. PostgreSQL takes a session's setting back with the
    transaction that made it, so after every rollback it counts as unknown and is told anew.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._told: str | None = None
        self.execute_wrappers.append(self._in_scope)

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        made = super().get_new_connection(conn_params)
        self._told = scope.NOBODY
        return made

    def _in_scope(self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
        if self._told != scope.wanted():
            self._tell(scope.wanted())
        return execute(sql, params, many, context)

    def _tell(self, wanted: str) -> None:
        connection = self.connection
        # In a failed transaction only its end is accepted, and what ends it touches no rows.
        if connection is None or connection.info.transaction_status == TransactionStatus.INERROR:
            return
        self._told = None
        with self.wrap_database_errors, connection.cursor() as cursor:
            cursor.execute("select set_config('app.tenant_id', %s, false)", [wanted])
        self._told = wanted

    def _rollback(self) -> Any:
        self._told = None
        return super()._rollback()  # type: ignore[misc]  # not in the stubs

    def _savepoint_rollback(self, sid: str) -> None:
        super()._savepoint_rollback(sid)  # type: ignore[misc]  # not in the stubs
        self._told = None
