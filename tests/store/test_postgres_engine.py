"""PostgreSQL as an engine: what it reads, and what it says when it cannot."""

import sys
from datetime import UTC, datetime

import pytest

from embellie.domain.errors import EngineError, TableError
from embellie.store.engine_choice import open_engine
from embellie.store.event_columns import DEFINED
from embellie.store.postgres_engine import PostgresTable
from embellie.store.postgres_line import place_of
from embellie.store.tables import open_table

SECRET = "s3cr3t"


def test_a_place_is_told_without_who_goes_there():
    """Neither the user nor the password nor a parameter is part of what messages say."""
    assert place_of(f"postgresql://ana:{SECRET}@db:5432/news?sslpassword={SECRET}") == "db:5432/news"
    assert place_of(f"postgresql://ana:{SECRET}@db:port/news") == "PostgreSQL"


def test_a_missing_extra_is_named(monkeypatch):
    """Without the driver, the message says what to install."""
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(EngineError, match=r"pip install 'embellie\[postgres\]'"):
        open_table("postgresql://localhost/news::users")


def test_an_unknown_engine_is_told():
    """A scheme that is no engine names those there are."""
    with pytest.raises(EngineError, match="sc://host:port"):
        open_engine("mysql://localhost/news")


@pytest.fixture(scope="module")
def filled(postgres_url):
    import psycopg

    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("""
            CREATE SCHEMA shop; CREATE TYPE mood AS ENUM ('sad', 'glad');
            CREATE TABLE shop."Odd Users" ("Reader Id" uuid, "group" char(3), bought bool, paid numeric(12, 2), "at" timestamptz, mood mood, old int);
            ALTER TABLE shop."Odd Users" DROP COLUMN old;
            INSERT INTO shop."Odd Users" VALUES ('00000000-0000-0000-0000-000000000001', 'a', true, 1.25, '2026-01-01 00:30+02', 'glad');
            CREATE TABLE purchases (unit int); CREATE VIEW bought AS SELECT * FROM purchases;
            CREATE ROLE guest LOGIN; CREATE TABLE hidden (a int)""")
    return postgres_url


@pytest.mark.engines
class TestPostgres:
    """A real server."""

    def test_columns_have_duckdbs_types(self, filled):
        """Types are told in one vocabulary; dropped columns are gone, odd names are kept."""
        table = open_table(f"{filled}::shop.Odd Users")
        found = dict(table.columns)
        rows = table.rows(
            'SELECT "group", min(bought) AS b, sum(paid) AS paid, count(DISTINCT mood) AS m FROM source GROUP BY "group"'
        )
        table.close()
        assert found == {
            "Reader Id": "UUID", "group": "VARCHAR", "bought": "BOOLEAN", "paid": "DECIMAL",
            "at": "TIMESTAMP WITH TIME ZONE", "mood": "MOOD",
        }  # fmt: skip
        assert rows == [{"group": "a  ", "b": True, "paid": 1.25, "m": 1}]

    def test_a_view_is_a_table_too(self, filled):
        """Views are read like tables."""
        table = open_table(f"{filled}::bought")
        assert table.rows("SELECT count(*) AS n FROM source") == [{"n": 0}]
        table.close()

    def test_a_parameter_is_never_part_of_the_sql(self, filled):
        """A value that looks like SQL is a value."""
        table = open_table(f"{filled}::purchases")
        evil = "'; DROP TABLE purchases; --"
        assert table.rows("SELECT $x || 'y' AS t, count(*) AS n FROM source", {"x": evil}) == [
            {"t": evil + "y", "n": 0}
        ]
        table.close()

    def test_times_are_utc(self, filled):
        """A time with a zone is compared as UTC, whatever the zone of the server."""
        table = open_table(f"{filled}::shop.Odd Users")
        sql = 'SELECT count(*) AS n FROM source WHERE CAST("at" AS TIMESTAMP) = $when'
        aware = datetime(2025, 12, 31, 22, 30, tzinfo=UTC)
        assert table.rows(sql, {"when": aware}) == table.rows(sql, {"when": aware.replace(tzinfo=None)}) == [{"n": 1}]
        table.close()

    def test_nothing_can_be_written(self, filled):
        """The session only reads, whatever the user may do."""
        import psycopg

        table = PostgresTable(filled, "purchases")
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            table._reader._connection.execute("INSERT INTO purchases VALUES (1)")
        table.close()

    def test_a_lost_connection_is_opened_again(self, filled):
        """A server that cut the line while nobody asked is asked once more."""
        import psycopg

        table = open_table(f"{filled}::purchases")
        with psycopg.connect(filled, autocommit=True) as other:
            other.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'embellie'")
        assert table.rows("SELECT count(*) AS n FROM source") == [{"n": 0}]
        table.close()

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            (("/tests", "/nowhere"), 'database "nowhere" does not exist'),
            (("tester:", "stranger:"), 'role "stranger" does not exist'),
            (("127.0.0.1", "127.0.0.9"), "nobody answers there"),
            (("127.0.0.1", "no-such-host.invalid"), "no host has this name"),
            (("/tests", "/tests?sslmode=nonsense"), "Check the URL"),
        ],
    )
    def test_a_refusal_says_what_to_do_and_no_password(self, filled, change, words):
        """Each way in that is closed has its own words; the password is in none."""
        url = filled.replace("not-told", SECRET).replace(*change)
        with pytest.raises(EngineError) as caught:
            open_table(f"{url}::purchases")
        assert words in str(caught.value)
        assert caught.value.hint
        assert SECRET not in str(caught.value)

    def test_a_missing_table_has_near_names(self, filled):
        """A misspelt table is told what is near."""
        with pytest.raises(TableError, match="Did you mean `purchases`"):
            open_table(f"{filled}::purchase")

    def test_a_table_one_may_not_read(self, filled):
        """What the user may not read is told as that."""
        guest = filled.replace("tester:not-told", f"guest:{SECRET}")
        table = open_table(f"{guest}::hidden")
        with pytest.raises(TableError, match="GRANT SELECT"):
            table.rows("SELECT count(*) AS n FROM source")
        table.close()

    def test_a_query_that_overflows_is_told(self, filled):
        """An arithmetic error names the remedy."""
        table = open_table(f"{filled}::shop.Odd Users")
        with pytest.raises(TableError, match="cannot compute"):
            table.rows("SELECT exp(CAST(paid AS DOUBLE) * 1000) AS x FROM source")
        table.close()

    def test_events_must_have_the_columns_of_the_lake(self, filled):
        """A table that is no log is refused; one that is can be asked."""
        import psycopg

        with pytest.raises(TableError, match="no column `seq`"):
            open_engine(filled, lake="purchases")
        with psycopg.connect(filled, autocommit=True) as connection:
            connection.execute(f"CREATE TABLE events ({DEFINED.replace('DOUBLE', 'DOUBLE PRECISION')})")
        reader = open_engine(filled)
        assert reader.rows("SELECT count(*) AS n FROM events") == [{"n": 0}]
        reader.close()
