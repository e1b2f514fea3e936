"""Contracts: what is written now can be read by the last releases, and what they write can be read now."""

import copy
from collections.abc import Callable
from pathlib import Path

import pytest

from release import contracts
from release.history import NAMES, NoHistoryError, export, last_release
from shared.testing.documents import JsonObject


@pytest.fixture(scope="module")
def trees() -> list[Path]:
    """The last releases, each commit once."""
    try:
        return [export(commit) for commit in sorted({last_release(name).commit for name in NAMES})]
    except NoHistoryError as error:
        pytest.skip(str(error))


def test_nothing_that_was_promised_is_gone(trees: list[Path]) -> None:
    for tree in trees:
        released = contracts.released_schemas(tree)
        assert len(released) >= 30
        assert list(contracts.changes(released, contracts.of_now())) == []


def test_released_code_and_the_code_of_now_understand_each_other(trees: list[Path]) -> None:
    for tree in trees:
        assert list(contracts.misunderstandings(tree)) == []


def test_it_is_the_released_code_that_reads(trees: list[Path], tmp_path: Path) -> None:
    """A release whose reader refuses everything is noticed."""
    package = tmp_path / "shared" / "src" / "shared"
    for folder in ("contracts/schemas", "messaging"):
        (package / folder).mkdir(parents=True)
    for folder in (".", "contracts", "messaging"):
        (package / folder / "__init__.py").touch()
    (package / "messaging" / "cloudevents.py").write_text(
        "class UnreadableError(Exception): ...\ndef read_body(*asked): raise UnreadableError('no')\n"
    )
    schema = "shared/src/shared/contracts/schemas/payments.order-paid.v1.json"
    (tmp_path / schema).write_text((trees[0] / schema).read_text())
    found = list(contracts.misunderstandings(tmp_path))
    assert found
    assert set(found) == {"payments.order-paid.v1: the release refuses what is written now: no"}


def changed(change: Callable[[JsonObject], object], minor: int = 0) -> list[str]:
    released = {"payments.order-paid.v1": contracts.of_now()["payments.order-paid.v1"]}
    now = copy.deepcopy(released)
    change(now["payments.order-paid.v1"])
    now["payments.order-paid.v1"]["$id"] = f"urn:esim:event:payments.order-paid:1.{minor}"
    return list(contracts.changes(released, now))


def test_an_addition_is_a_minor_version() -> None:
    def add(schema: JsonObject) -> None:
        schema["properties"]["note"] = {"type": "string"}

    assert "say so with `minor=1`" in changed(add)[0]
    assert changed(add, minor=1) == []


def test_remarks_are_free_and_removals_are_not() -> None:
    assert changed(lambda schema: schema.update(description="said better")) == []
    assert "removed" in changed(lambda schema: schema["properties"].pop("invoice_id"), minor=1)[0]
    assert "gone" in next(contracts.changes({"a.b.v1": {}}, {}))
