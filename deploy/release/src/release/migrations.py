"""Expand, then contract: what a migration may do to a database that the last release still works on.

A database is looked at as the last release leaves it and as it is now. Whatever the release needs and finds no more,
or cannot write any more, is a problem, however the migration did it. What goes in the contract phase, when no release
that needs it runs any more, is named with its reason in the migration that removes it:

    CONTRACT_PHASE = {"column orders.note": "read by nobody since 1.2.0, and 1.2.0 is the oldest release that runs"}
"""

import ast
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import psycopg

from release.history import python_path

#: What there is, by name: `column orders.note` and what is to be known of it.
Shape = Mapping[str, tuple[str, ...]]
_SCHEMA = "n.nspname = 'public' AND NOT c.relispartition AND c.relname <> 'alembic_version'"
_SHAPE = f"""
SELECT 'table ' || c.relname, ARRAY[]::text[] FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p', 'v', 'm') AND {_SCHEMA}
UNION ALL
SELECT 'column ' || c.relname || '.' || a.attname,
    ARRAY[format_type(a.atttypid, a.atttypmod), CASE WHEN a.attnotnull THEN 'not null' ELSE 'null' END,
          coalesce(pg_get_expr(d.adbin, d.adrelid), CASE WHEN a.attidentity <> '' THEN 'identity' ELSE '' END)]
  FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
  WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'v', 'm') AND {_SCHEMA}
UNION ALL
SELECT 'constraint ' || c.relname || '.' || k.conname, ARRAY[pg_get_constraintdef(k.oid)]
  FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE k.contype IN ('c', 'f', 'p', 'u', 'x') AND {_SCHEMA}
UNION ALL
SELECT 'unique index ' || c.relname || '.' || i.relname, ARRAY[pg_get_indexdef(x.indexrelid)]
  FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_class c ON c.oid = x.indrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE x.indisunique AND {_SCHEMA}
UNION ALL
SELECT 'trigger ' || c.relname || '.' || t.tgname, ARRAY[pg_get_triggerdef(t.oid)]
  FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE NOT t.tgisinternal AND {_SCHEMA}
UNION ALL
SELECT 'function ' || p.proname || '(' || pg_get_function_identity_arguments(p.oid) || ')',
    ARRAY[pg_get_function_result(p.oid)]
  FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = 'public'
"""
_UPGRADE = "import sys; from shared.kernel import migrations; migrations.upgrade(*sys.argv[1:])"
#: Rules: whatever is new among them on a table of the release may refuse what the release writes.
_RULES = ("constraint ", "unique index ", "trigger ")


def migrate_as_released(service: str, tree: Path, url: str) -> None:
    """Bring a database to where that release's own code brings it. Raises CalledProcessError."""
    subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", _UPGRADE, service, url],
        env=os.environ | {"PYTHONPATH": python_path(tree, service)},
        cwd=tree,
        check=True,
        capture_output=True,
    )


def shape(url: str) -> Shape:
    """What is in that database; partitions are their table's business."""
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        return {name: tuple(shape) for name, shape in connection.execute(_SHAPE).fetchall()}


def narrowings(before: Shape, after: Shape) -> Iterator[tuple[str, str]]:
    """What the code for `before` could not live with, by the name of the thing."""
    for name, shape in before.items():
        now = after.get(name)
        if now is None:
            # A renamed thing is gone too; the parts of a table that is gone are not listed one by one.
            if f"table {_table(name)}" in after or name.startswith(("table ", "function ")):
                yield name, "is gone (or has another name)"
        elif name.startswith("column "):
            yield from ((name, problem) for problem in _narrower(shape, now))
        elif shape != now:
            yield name, f"was {' '.join(shape)}, is {' '.join(now)}"
    for name, shape in after.items():
        if name in before or f"table {_table(name)}" not in before:
            continue
        if name.startswith("column ") and shape[1] == "not null" and not shape[2]:
            yield name, "is new, not null and without a default: the release inserts without it"
        elif name.startswith(_RULES):
            yield name, f"is a new rule on a table that the release writes: {' '.join(shape)}"


def _narrower(before: tuple[str, ...], after: tuple[str, ...]) -> Iterator[str]:
    if before[0] != after[0]:
        yield f"was {before[0]}, is {after[0]}"
    if (before[1], after[1]) == ("null", "not null"):
        yield "may be null no more"
    if before[2] and not after[2] and after[1] == "not null":
        yield "has no default any more"


def _table(name: str) -> str:
    return name.partition(" ")[2].removeprefix("index ").partition(".")[0]


def contract_phase(service: str, root: Path, released: Path) -> dict[str, str]:
    """What migrations that came after the release say that they remove on purpose, and why."""
    found: dict[str, str] = {}
    for path in _versions(root, service):
        if not (_folder(released, service) / path.name).exists():
            for node in ast.parse(path.read_text(encoding="utf-8")).body:
                if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "CONTRACT_PHASE":
                    found |= ast.literal_eval(node.value)
    return found


def edited(service: str, root: Path, released: Path) -> list[str]:
    """Released migrations that are not any more what they were: databases that have run them stay as they are."""
    return [
        path.name
        for path in _versions(released, service)
        if not (now := _folder(root, service) / path.name).exists() or now.read_bytes() != path.read_bytes()
    ]


def _versions(root: Path, service: str) -> list[Path]:
    return sorted(_folder(root, service).glob("[0-9]*.py"))


def _folder(root: Path, service: str) -> Path:
    return root / "services" / service / "src" / service / "migrations" / "versions"
