"""The grammar of a service: the same names everywhere, and a feature is used through what its package exports."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
#: The packages of the five services, and of operations, which watches them.
SOURCES = {path.name: path for path in sorted(ROOT.glob("services/*/src/*"))} | {
    "operations": ROOT / "deploy/operations/src/operations"
}
#: What every one of them has.
REQUIRED = {"__main__.py", "app.py", "settings.py", "tables.py", "interface.py", "clients", "migrations"}
#: The parts of a feature; every feature has one of them at least, as a module or a package.
PARTS = {"handlers", "tasks", "routes", "store", "rules", "models", "actions", "service", "scheduled_jobs", "rendering"}
#: Parts of a feature that others may import: values, pure decisions, and the annotated types of FastAPI dependencies.
OPEN = {"models", "rules", "dependencies"}
#: Packages of a service that are no features.
OTHER = {"clients", "migrations"}


def test_the_sources_are_those_of_six_packages() -> None:
    assert list(SOURCES) == ["notifications", "ordering", "payments", "provisioning", "refunds", "operations"]


def features(source: Path) -> set[str]:
    return {path.parent.name for path in source.glob("*/__init__.py")} - OTHER


def reaching_in(source: Path, known: set[str]) -> Iterator[str]:
    """Imports of a part of another feature that is not open. Modules beside the features assemble them."""
    for path in sorted(source.glob("*/**/*.py")):
        own = path.relative_to(source).parts[0]
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.ImportFrom) or node.module is None:
                continue
            service, feature, part, *_ = [*node.module.split("."), "", ""]
            names = {alias.name for alias in node.names}
            closed = part not in OPEN if part else False
            if service == source.name and feature in known - {own} and (closed or names & {"store", "tasks", "routes"}):
                yield f"{path.relative_to(source)}: {node.module}"


@pytest.mark.parametrize("service", SOURCES)
def test_a_service_has_the_names_that_every_service_has(service: str) -> None:
    source = SOURCES[service]
    assert REQUIRED - {path.name for path in source.iterdir()} == set()
    parts = {feature: {path.stem for path in (source / feature).iterdir()} for feature in features(source)}
    assert [feature for feature, names in parts.items() if not names & PARTS] == []


@pytest.mark.parametrize("service", SOURCES)
def test_a_feature_is_used_through_its_package(service: str) -> None:
    source = SOURCES[service]
    known = features(source)
    assert len(known) > 3
    assert list(reaching_in(source, known)) == []


def test_reaching_into_a_feature_is_found(tmp_path: Path) -> None:
    source = tmp_path / "shop"
    for feature in ("orders", "refunds"):
        (source / feature).mkdir(parents=True)
        (source / feature / "__init__.py").touch()
    (source / "orders" / "tasks.py").write_text(
        "from shop.refunds import Case\nfrom shop.refunds.models import Case\nfrom shop.refunds.store import load\n"
        "from shop.refunds import store\nfrom shop.orders.store import save\n"
    )
    found = [line.partition(": ")[2] for line in reaching_in(source, features(source))]
    assert found == ["shop.refunds.store", "shop.refunds"]
