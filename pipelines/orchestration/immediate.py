"""An SQLAlchemy plugin for the server's SQLite: a transaction that may write takes its turn as it begins.

    PREFECT_SERVER_DATABASE_CONNECTION_URL=sqlite+aiosqlite:///HOME/prefect.db?plugin=immediate

Prefect begins most of its transactions DEFERRED and reads before it writes. If another connection writes in
between, SQLite refuses the write at once with "database is locked": what was read is old, so no busy timeout
waits for it. A transaction that begins IMMEDIATE waits for its turn before it reads anything. Plain reads are
outside of transactions in Prefect and never wait. (https://www.sqlite.org/lang_transaction.html, section 2.2;
Prefect's own mend, pull request 22967, is for one of these transactions.)
"""

from typing import Any

from sqlalchemy import Connection, Engine, event
from sqlalchemy.engine import URL, CreateEnginePlugin


class Immediate(CreateEnginePlugin):
    """Turns each BEGIN DEFERRED of the engine into BEGIN IMMEDIATE."""

    def update_url(self, url: URL) -> URL:
        return url.difference_update_query(["plugin"])

    def engine_created(self, engine: Engine) -> None:
        event.listen(engine, "before_cursor_execute", begin_immediate, retval=True)


def begin_immediate(
    connection: Connection, cursor: Any, statement: str, parameters: Any, context: Any, executemany: bool
) -> tuple[str, Any]:
    """The statement to execute, with its parameters."""
    return ("BEGIN IMMEDIATE" if statement == "BEGIN DEFERRED" else statement), parameters
