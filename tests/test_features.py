"""A feature uses another feature through what its package exports, its models and its pure rules; nothing else."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SERVICES = ("ordering", "payments", "provisioning", "notifications", "refunds")
#: Parts of a feature that others may import: values, pure decisions, and the annotated types of FastAPI dependencies.
OPEN = {"models", "rules", "dependencies"}
#: Packages of a service that are no features.
OTHER = {"clients", "migrations"}


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


@pytest.mark.parametrize("service", SERVICES)
def test_a_feature_is_used_through_its_package(service: str) -> None:
    source = ROOT / "services" / service / "src" / service
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
