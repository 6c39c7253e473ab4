"""Looking at PostgreSQL as its operator would: version, rights, connections, how far its copies are behind."""

from dataclasses import dataclass

from embellie.store.engine import quoted
from embellie.store.log_place import PostgresPlace
from embellie.store.postgres_line import driver
from embellie.store.postgres_log_tables import READING, connect, explain

LAG_SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresLook:
    """What was seen.

    Attributes:
        version: As PostgreSQL says it.
        user: Whom the servers log in as.
        used: Connections that are open.
        most: Connections that may be.
        lacking: What this user would have to be allowed.
        behind: Copies more than `LAG_SECONDS` behind: name and seconds.
    """

    version: str
    user: str
    used: int
    most: int
    lacking: tuple[str, ...]
    behind: tuple[tuple[str, float], ...]


def look_at_postgres(place: PostgresPlace) -> PostgresLook:
    """Look at a database that holds a log.

    Raises:
        EngineError: It cannot be reached, or does not let us in.
    """
    connection = connect(place.url, READING)
    try:
        version, user, used, most = connection.execute(
            "SELECT current_setting('server_version'), current_user, (SELECT count(*) FROM pg_stat_activity"
            " WHERE backend_type = 'client backend'), current_setting('max_connections')::int"
        ).fetchone()
        lacking = [
            f"{right} {table}"
            for table in ("events", "quarantine", "ledger", "erased", "log")
            for right in ("SELECT", "INSERT", "UPDATE", "DELETE")
            if not connection.execute(
                "SELECT has_table_privilege(%s, %s)", [f"{quoted(place.schema)}.{table}", right]
            ).fetchone()[0]
        ]
        copies = connection.execute(
            "SELECT application_name, extract(epoch FROM replay_lag)::float8 FROM pg_stat_replication"
            " WHERE replay_lag > make_interval(secs => %s) ORDER BY 1",
            [LAG_SECONDS],
        ).fetchall()
    except driver().Error as error:
        raise explain(error, place.url) from None
    finally:
        connection.close()
    return PostgresLook(
        version=version.split()[0],
        user=user,
        used=int(used),
        most=int(most),
        lacking=tuple(lacking),
        behind=tuple((str(name), float(lag)) for name, lag in copies),
    )
