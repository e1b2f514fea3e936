"""Migrations since the last releases only add; what they remove all the same, they say and give a reason for."""

from pathlib import Path

import psycopg
import pytest

from local_stack.paths import WORK_TREE
from release.migrations import contract_phase, edited, migrate_as_released, narrowings, shape
from shared.kernel import migrations


def test_the_last_release_can_work_on_the_database_of_now(released: tuple[str, Path], database: str) -> None:
    name, tree = released
    migrate_as_released(name, tree, database)
    before = shape(database)
    assert {"table inbox", "table work", "column outbox.topic"} <= set(before)
    migrations.upgrade(name, database)
    after = shape(database)
    found = dict(narrowings(before, after))
    allowed = contract_phase(name, WORK_TREE, tree)
    assert all(allowed.values()), "a removal without a reason"
    assert set(allowed) <= set(found), "a reason for what is not removed"
    assert {thing: why for thing, why in found.items() if thing not in allowed} == {}


def test_released_migrations_are_as_they_were(released: tuple[str, Path]) -> None:
    name, tree = released
    assert edited(name, WORK_TREE, tree) == []


@pytest.mark.parametrize(
    ("change", "thing"),
    [
        ("ALTER TABLE orders DROP COLUMN note", "column orders.note"),
        ("ALTER TABLE orders RENAME COLUMN note TO remark", "column orders.note"),
        ("ALTER TABLE orders RENAME TO purchases", "table orders"),
        ("ALTER TABLE orders ALTER COLUMN note TYPE varchar(10)", "column orders.note"),
        ("ALTER TABLE orders ALTER COLUMN note SET NOT NULL", "column orders.note"),
        ("ALTER TABLE orders ALTER COLUMN kept DROP DEFAULT", "column orders.kept"),
        ("ALTER TABLE orders ADD COLUMN must text NOT NULL", "column orders.must"),
        ("ALTER TABLE orders ADD CONSTRAINT short CHECK (length(note) < 5)", "constraint orders.short"),
        ("CREATE UNIQUE INDEX one_note ON orders (note)", "unique index orders.one_note"),
        ("DROP INDEX orders_kept", "unique index orders.orders_kept"),
        ("DROP FUNCTION one()", "function one()"),
        ("DO $$ BEGIN EXECUTE 'ALTER TABLE orders DROP ' || 'COLUMN note'; END $$", "column orders.note"),
    ],
)
def test_what_the_release_could_not_live_with_is_found(database: str, change: str, thing: str) -> None:
    assert thing in dict(changed(database, change))


@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE orders ADD COLUMN more text",
        "ALTER TABLE orders ADD COLUMN counted integer NOT NULL DEFAULT 0",
        "ALTER TABLE orders ALTER COLUMN kept DROP NOT NULL",
        "CREATE TABLE others (id integer PRIMARY KEY, note text NOT NULL CHECK (note <> ''))",
        "CREATE INDEX by_note ON orders (note)",
    ],
)
def test_additions_are_free(database: str, change: str) -> None:
    assert changed(database, change) == []


def changed(url: str, change: str) -> list[tuple[str, str]]:
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute("CREATE TABLE orders (id integer PRIMARY KEY, note text, kept text NOT NULL DEFAULT '')")
        connection.execute("CREATE UNIQUE INDEX orders_kept ON orders (kept)")
        connection.execute("CREATE FUNCTION one() RETURNS integer LANGUAGE sql AS 'SELECT 1'")
        before = shape(url)
        connection.execute(change.encode())
        return list(narrowings(before, shape(url)))


def test_a_reason_is_read_from_migrations_after_the_release_alone(tmp_path: Path) -> None:
    for tree, versions in (("old", ("0001_first",)), ("new", ("0001_first", "0002_less"))):
        folder = tmp_path / tree / "services" / "ordering" / "src" / "ordering" / "migrations" / "versions"
        folder.mkdir(parents=True)
        for version in versions:
            (folder / f"{version}.py").write_text(
                f"CONTRACT_PHASE = {{'column orders.{version}': 'nobody reads it'}}\n"
            )
    found = contract_phase("ordering", tmp_path / "new", tmp_path / "old")
    assert found == {"column orders.0002_less": "nobody reads it"}
    (folder / "0001_first.py").write_text("# rewritten\n")
    assert edited("ordering", tmp_path / "new", tmp_path / "old") == ["0001_first.py"]
