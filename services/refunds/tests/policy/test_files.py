"""Policy files: read at the start, refused field by field, versions side by side; and their tables."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from refunds.policy import Facts, PolicyBook, Price, UnknownPolicyError
from refunds.policy.models.policy import PLACEHOLDERS
from refunds.policy.rules.policy_table import as_text, table
from refunds.policy.store import PolicyError, bundled_policies, load
from shared.contracts import Money

QAZAQ = (resources.files("refunds.policy") / "files" / "qazaq-esim@1.toml").read_text(encoding="utf-8")


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., PolicyBook]:
    """Loads a folder of policies: `name=text`."""

    def write(texts: dict[str, str]) -> PolicyBook:
        for name, text in texts.items():
            (tmp_path / f"{name}.toml").write_text(text, encoding="utf-8")
        return load(tmp_path.iterdir())

    return write


def changed(*pairs: tuple[str, str]) -> str:
    text = QAZAQ
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new, 1)
    return text


SECOND = (
    ('version = "1"', 'version = "2"\nin_force_from = "2026-12-01T00:00:00+05:00"'),
    (
        'request_until = { after = "purchase", calendar_days = 14',
        'request_until = { after = "purchase", calendar_days = 3',
    ),
)


def test_a_new_version_is_one_new_file_and_leaves_older_orders_alone(
    write: Callable[..., PolicyBook], make_facts: Callable[..., dict[str, Any]]
) -> None:
    book = write({"qazaq-esim@1": QAZAQ, "qazaq-esim@2": changed(*SECOND)})
    boundary = datetime(2026, 11, 30, 19, tzinfo=UTC)
    support = {"finding": "technical_failure"}
    for paid_at, policy, verdict in (
        (boundary - timedelta(seconds=1), "qazaq-esim@1", "approve"),
        (boundary, "qazaq-esim@2", "deny"),
    ):
        asked_at = paid_at + timedelta(days=5)
        facts = make_facts(
            "qazaq-esim",
            "technical_failure",
            order={"paid_at": paid_at},
            request={"received_at": asked_at},
            support=support,
            profile={"install_state": "released", "used_bytes": 0, "observed_at": asked_at},
        )
        decision = book.decide(Facts.model_validate(facts))
        assert (decision.policy, decision.verdict) == (policy, verdict)
    assert [policy.name for policy in book.versions("qazaq-esim")] == ["qazaq-esim@1", "qazaq-esim@2"]
    assert "before 01 December 2026 00:00 (Asia/Almaty)" in table(book.named("qazaq-esim@1"), book).judges
    assert "from 01 December 2026 00:00 on" in table(book.named("qazaq-esim@2"), book).judges


def test_a_new_storefront_is_one_new_file(
    write: Callable[..., PolicyBook], make_facts: Callable[..., dict[str, Any]]
) -> None:
    book = write({"newcomer@1": changed(('storefront = "qazaq-esim"', 'storefront = "newcomer"'))})
    assert book.storefronts == ["newcomer"]
    facts = Facts.model_validate(make_facts("newcomer", "changed_mind"))
    assert book.decide(facts).policy == "newcomer@1"
    with pytest.raises(UnknownPolicyError):
        book.in_force("qazaq-esim", datetime(2026, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    ("pair", "told"),
    [
        (('zone = "Asia/Almaty"', 'zone = "Asia/Nowhere"'), "zone: "),
        (('holidays = "KZ"', 'holidays = "XX"'), "holidays: "),
        (('currency = "KZT"', 'currency = "tenge"'), "currency: "),
        (('currency = "KZT"', 'currency = "KZT"\ncolour = "red"'), "colour: Extra inputs are not permitted"),
        (('when.reason = ["phone_settings"]', 'when.reason = ["boredom"]'), "refuse.2.when.reason.0: "),
        (("when.fair_use_violated = true", "when.fair_use = true"), "refuse.4.when.fair_use: "),
        (('clauses = ["RP 2.1"]', 'clauses = ["RP two"]'), "approve.1.ground.0.clauses.0: "),
        (('clauses = ["RP 2.1"]', 'clauses = ["XY 2.1"]'), "cites documents that it does not name: XY"),
        (("{charges} times", "{wishes} times"), "approve.0.ground.0.en: "),
        (("calendar_days = 14,", "calendar_days = 14, hours = 3,"), "deadlines.request_until: "),
        (('request_until = { after = "purchase", calendar_days = 14, clause = "RP 3" }', ""), "sets no request_until"),
        (('[waiting.support]\nclauses = ["RP 2.2"]', '[waiting.other]\nclauses = ["RP 2.2"]'), "waiting.other: "),
        (('version = "1"', 'version = "9"'), "version: storefront and version make the file's name"),
        (('version = "1"', 'version = "1"\nin_force_from = "2026-12-01"'), "in_force_from: "),
        (
            ('version = "1"', 'version = "1"\nin_force_from = "2026-12-01T00:00:00+05:00"'),
            "the first known version has none",
        ),
        (("[[otherwise]]", "[[otherwise]]\nwhen.delivered = true"), "the last `otherwise` must hold always"),
        (('zone = "Asia/Almaty"', "zone = Asia"), "qazaq-esim@1.toml: "),
    ],
)
def test_a_wrong_file_is_refused_with_its_field(
    write: Callable[..., PolicyBook], pair: tuple[str, str], told: str
) -> None:
    with pytest.raises(PolicyError) as refused:
        write({"qazaq-esim@1": changed(pair)})
    assert told in str(refused.value)
    assert str(refused.value).startswith("qazaq-esim@1")


def test_two_versions_cannot_begin_at_once(write: Callable[..., PolicyBook]) -> None:
    third = changed(*SECOND).replace('version = "2"', 'version = "3"')
    with pytest.raises(PolicyError, match="the same as that of qazaq-esim@2"):
        write({"qazaq-esim@1": QAZAQ, "qazaq-esim@2": changed(*SECOND), "qazaq-esim@3": third})


@pytest.mark.parametrize("name", ["qazaq-esim@1", "e-sim-onl@2026-03", "esimka@2026-04-22"])
def test_the_table_tells_every_clause_and_word(name: str) -> None:
    book = bundled_policies()
    policy = book.named(name)
    text = as_text(table(policy, book))
    for rule in (*policy.approve, *policy.refuse, *policy.otherwise):
        for ground in rule.ground:
            assert ground.en in text
            assert ground.ru in text
            for clause in ground.clauses:
                assert clause in text
    for words in (policy.answers.appeal, policy.answers.money_back, policy.answers.incomplete):
        assert words.en in text


def test_prices_keep_their_scale() -> None:
    for amount, currency, text in (
        (599050, "KZT", "5990.50"),
        (5, "USD", "0.05"),
        (7, "JPY", "7"),
        (1234, "KWD", "1.234"),
    ):
        price = Price.of(Money(amount=amount, currency=currency))
        assert (price.amount, price.money.amount) == (text, amount)


def test_every_placeholder_is_filled(make_facts: Callable[..., dict[str, Any]]) -> None:
    from refunds.policy.rules.explanations import fillings  # noqa: PLC0415 - looked into here alone

    facts = Facts.model_validate(make_facts("esimka", "other"))
    assert set(fillings(facts, bundled_policies().named("esimka@2026-04-22"), "en")) == PLACEHOLDERS
