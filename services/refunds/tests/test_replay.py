"""`python -m refunds replay`: past decisions under another version, read from a real database."""

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from refunds.policy import Facts
from refunds.policy.commands import replay
from refunds.policy.store import policies_in
from refunds.settings import Settings
from refunds.tables import decisions
from shared.database import Database
from shared.ids import uuid7
from shared.testing.documents import Json, JsonObject, RowMapping
from shared.testing.shops import EXAMPLES, copied
from shared.testing.stage import Stage

decide = policies_in(EXAMPLES).decide

PAID = datetime(2026, 11, 2, 7, tzinfo=UTC)
ALL = ["order_number", "email", "phone", "full_name", "payment_date", "reason", "evidence"]


@pytest.fixture
async def database_url(stage: Stage) -> str:
    url: str = (await stage.settings(Settings, "refunds", agent_keys={})).database_url
    return url


def stored(day: int, storefront: str = "qazaq-esim", **parts: object) -> JsonObject:
    """A decision of a confirmed failure, asked for and decided on that day after the purchase."""
    asked_at = PAID + timedelta(days=day)
    facts = Facts.model_validate(
        {
            "storefront": storefront,
            "now": asked_at,
            "order": {"paid_at": PAID, "paid": {"amount": "5990.00", "currency": "KZT"}},
            "delivery": {"delivered_at": PAID},
            "profile": {"install_state": "released", "used_bytes": 0, "observed_at": asked_at},
            "support": {"finding": "technical_failure"},
            "request": {"received_at": asked_at, "reason": "technical_failure", "provided": ALL},
        }
        | parts
    )
    answer = decide(facts)
    return {
        "decision_id": uuid7(),
        "case_id": uuid7(),
        "order_id": uuid7(),
        "decided_at": asked_at,
        "decided_by": "system",
        "verdict": answer.verdict,
        "policy": answer.policy,
        "facts": facts.model_dump(mode="json"),
        "answer": answer.model_dump(mode="json"),
    }


async def store(url: str, rows: list[RowMapping]) -> None:
    database = Database(url)
    async with database.transaction() as tx:
        await tx.insert(decisions, rows)
    await database.close()


@pytest.fixture
def stricter(tmp_path: Path) -> Path:
    """The policy of qazaq-esim, with three days to ask instead of fourteen."""
    policies = copied(tmp_path / "shops") / "qazaq-esim" / "policy"
    text = (policies / "1.toml").read_text(encoding="utf-8")
    text = text.replace('version = "1"', 'version = "2"\neffective_from = "2027-01-01T00:00:00+05:00"')
    path = policies / "2.toml"
    path.write_text(text.replace("calendar_days = 14, clause", "calendar_days = 3, clause"), encoding="utf-8")
    return path


@pytest.fixture
def run(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Json]:
    monkeypatch.setenv("DATABASE_URL", database_url)

    async def run(*arguments: str) -> int:
        return await asyncio.to_thread(replay, arguments)

    return run


async def test_it_tells_what_would_change(
    run: Callable[..., Json], database_url: str, stricter: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [stored(1), stored(3), stored(4), stored(14), stored(15), stored(5, "esimka")]
    # An earlier decision of a case that was decided again: the last one counts.
    waiting = stored(4, support=None) | {"case_id": rows[2]["case_id"], "decided_at": rows[2]["decided_at"]}
    waiting["decided_at"] -= timedelta(hours=1)
    broken = stored(6) | {"facts": {"storefront": "qazaq-esim", "of": "another time"}}
    await store(database_url, [*rows, waiting, broken])
    assert await run("--policy", str(stricter), "--since", "2026-11-01", "--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["policy"], report["cases"]) == ("qazaq-esim@2", 6)
    assert report["turns"] == {"approve -> deny": 2}
    assert report["unreadable"] == [str(broken["case_id"])]
    assert [change["case_id"] for change in report["changes"]] == [str(rows[2]["case_id"]), str(rows[3]["case_id"])]
    [first, _] = report["changes"]
    assert first["was"] == {
        "policy": "qazaq-esim@1",
        "verdict": "approve",
        "clauses": ["RP 2.1", "RP 2.2", "RP 2.3", "PO 5.4"],
        "refund": "5990.00 KZT",
        "missing": [],
    }
    assert (first["would_be"]["verdict"], first["would_be"]["clauses"]) == ("deny", ["RP 3"])
    assert await run("--policy", str(stricter), "--since", "2026-11-01") == 0
    text = capsys.readouterr().out
    assert "would change: 2" in text
    assert f"{rows[3]['case_id']}" in text
    assert "deny (RP 3)" in text


async def test_the_same_policy_changes_nothing(
    run: Callable[..., Json], database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    surplus = stored(2, order={"paid_at": PAID, "paid": {"amount": "5990.00", "currency": "KZT"}, "charges": 2})
    surplus["facts"]["request"]["reason"] = "double_charge"
    surplus["answer"] = decide(Facts.model_validate(surplus["facts"])).model_dump(mode="json")
    surplus["answer"]["refund"]["amount"] = "5000.00"  # what the bank took the second time
    await store(database_url, [*(stored(day) for day in range(20)), surplus])
    assert await run("--policy", "qazaq-esim@1", "--since", "2026-11-05") == 0
    assert capsys.readouterr().out == (
        "qazaq-esim@1, cases decided since 2026-11-04T19:00:00+00:00: 17\nnothing would change\n"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--policy", "qazaq-esim@9", "--since", "2026-11-01"), "--policy: no policy of this name is known"),
        (("--policy", "nowhere@1.toml", "--since", "2026-11-01"), "--policy: nowhere@1.toml: is not there"),
        (("--policy", "qazaq-esim@1", "--since", "yesterday"), "--since: give a day"),
        (("--policy", "qazaq-esim@1", "--since", "2026-11-01"), "DATABASE_URL: Field required"),
    ],
)
def test_wrong_arguments_are_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], message: str
) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    assert replay(arguments) == 2
    assert message in capsys.readouterr().err


def test_an_unreachable_database_is_an_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql+psycopg://nobody:nothing@127.0.0.1:1/nowhere")
    assert replay(("--policy", "qazaq-esim@1", "--since", "2026-11-01")) == 1
    printed = capsys.readouterr().err
    assert "the database cannot be read" in printed
    assert "nothing@" not in printed
