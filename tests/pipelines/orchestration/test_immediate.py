"""Two of Prefect's own transactions that read and then write the same SQLite file at the same time."""

import asyncio
from pathlib import Path

import pipelines.orchestration.environment  # noqa: F401  (Prefect reads its settings as it is imported)

# isort: split
import pytest
import sqlalchemy as sa
from prefect.server.database.configurations import AioSqliteConfiguration
from sqlalchemy.exc import OperationalError

from pipelines.orchestration.settings import DATABASE, OWN_DATABASE, settings


async def race(url: str) -> int:
    """One transaction reads; another one adds 1 if it can; then the first adds 1. Returns the sum."""
    database = AioSqliteConfiguration(url)
    engine = await database.engine()
    async with engine.begin() as connection:
        await connection.execute(sa.text("create table counts as select 0 as n"))
    has_read = asyncio.Event()

    async def add(others: set[asyncio.Task[None]]) -> None:
        async with await database.session(engine) as session, database.begin_transaction(session):
            n = (await session.execute(sa.text("select n from counts"))).scalar_one()
            has_read.set()
            if others:
                await asyncio.wait(others, timeout=0.2)
            await session.execute(sa.text("update counts set n = :n"), {"n": n + 1})

    async def second() -> None:
        await has_read.wait()
        await add(set())

    other = asyncio.create_task(second())
    try:
        await add({other})
        await other
        async with engine.connect() as connection:
            return int((await connection.execute(sa.text("select n from counts"))).scalar_one())
    finally:
        await engine.dispose()


def test_a_transaction_that_reads_before_it_writes_waits_for_its_turn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in OWN_DATABASE:
        monkeypatch.delenv(name, raising=False)
    url = settings(tmp_path)[DATABASE]
    with pytest.raises(OperationalError, match="database is locked"):
        asyncio.run(race(url.partition("?")[0]))
    (tmp_path / "prefect.db").unlink()
    assert asyncio.run(race(url)) == 2


@pytest.mark.parametrize("name", OWN_DATABASE)
def test_the_operators_database_is_left_alone(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "postgresql+asyncpg")
    assert DATABASE not in settings(tmp_path)


def test_another_home_of_ours_is_not_the_operators(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(DATABASE, settings(tmp_path / "a")[DATABASE])
    assert (
        settings(tmp_path / "b")[DATABASE] == f"sqlite+aiosqlite:///{tmp_path}/b/prefect.db?plugin=immediate"
    )
