"""Policy files: read at the start, refused field by field, versions side by side; and their tables."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from refunds.policy import Facts, PolicyBook, Price, UnknownPolicyError
from refunds.policy.rules.policy_table import as_text, table
from refunds.policy.rules.texts import LANGUAGES, texts
from refunds.policy.store import policies_in
from shared.contracts import Language, Money
from shared.shops.faults import ShopsError
from shared.shops.policy import PLACEHOLDERS
from shared.shops.reading import read_shops
from shared.testing.documents import JsonObject
from shared.testing.languages import foreign_words
from shared.testing.shops import EXAMPLES, copied

QAZAQ = (EXAMPLES / "qazaq-esim" / "policy" / "1.toml").read_text(encoding="utf-8")


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., PolicyBook]:
    """Loads the shops with other policies for one of them: `version=text`."""

    def write(texts: dict[str, str], slug: str = "qazaq-esim") -> PolicyBook:
        shop = copied(tmp_path / "shops") / "qazaq-esim"
        for version, text in texts.items():
            (shop / "policy" / f"{version}.toml").write_text(text, encoding="utf-8")
        shop.rename(shop.with_name(slug))
        return policies_in(tmp_path / "shops")

    return write


def changed(*pairs: tuple[str, str]) -> str:
    text = QAZAQ
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new, 1)
    return text


SECOND = (
    ('version = "1"', 'version = "2"\neffective_from = "2026-12-01T00:00:00+05:00"'),
    (
        'request_until = { after = "purchase", calendar_days = 14',
        'request_until = { after = "purchase", calendar_days = 3',
    ),
)


def test_a_new_version_is_one_new_file_and_leaves_older_orders_alone(
    write: Callable[..., PolicyBook], make_facts: Callable[..., JsonObject]
) -> None:
    book = write({"2": changed(*SECOND)})
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


def test_a_new_storefront_is_one_new_folder(
    write: Callable[..., PolicyBook], make_facts: Callable[..., JsonObject]
) -> None:
    book = write({}, "newcomer")
    assert book.storefronts == ["e-sim-onl", "esimka", "newcomer"]
    facts = Facts.model_validate(make_facts("newcomer", "changed_mind"))
    assert book.decide(facts).policy == "newcomer@1"
    with pytest.raises(UnknownPolicyError):
        book.in_force("qazaq-esim", datetime(2026, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    ("pair", "message"),
    [
        (('version = "1"', 'version = "1"\ncolour = "red"'), "colour: Extra inputs are not permitted"),
        (('version = "1"', 'version = "1"\nzone = "Asia/Almaty"'), "zone: Extra inputs are not permitted"),
        (('version = "1"', "version = 1"), "version: Input should be a valid string"),
        (('when.reason = ["phone_settings"]', 'when.reason = ["boredom"]'), "refuse.3.when.reason.1: "),
        (("when.fair_use_violated = true", "when.fair_use = true"), "refuse.5.when.fair_use: "),
        (('clauses = ["RP 2.1"]', 'clauses = ["RP two"]'), "approve.2.ground.1.clauses.1: "),
        (('clauses = ["RP 2.1"]', 'clauses = ["XY 2.1"]'), "cites documents that it does not name: XY"),
        (("{charges} times", "{wishes} times"), "approve.1.ground.1.en: "),
        (('kk = "Тапсырыс нөмірін көрсетіңіз."\n', ""), "required.1.kk: is missing for: Please tell us the order"),
        (('kk = "Ақша сіз', 'kz = "Ақша сіз'), "answers.money_back.kk: is missing for: The money goes back to"),
        (("{charges} рет", "екі рет"), "approve.1.ground.1: has other placeholders in kk than in en (charges): The "),
        (('ka = "საჯარო ოფერტა"\n', ""), "documents.PO.ka: is missing for: Public Offer"),
        (("calendar_days = 14,", "calendar_days = 14, hours = 3,"), "deadlines.request_until: "),
        (('request_until = { after = "purchase", calendar_days = 14, clause = "RP 3" }', ""), "sets no request_until"),
        (('[waiting.support]\nclauses = ["RP 2.2"]', '[waiting.other]\nclauses = ["RP 2.2"]'), "waiting.other: "),
        (('version = "1"', 'version = "9"'), "version: is the file's name: 1"),
        (('version = "1"', 'version = "1"\neffective_from = "2026-12-01"'), "effective_from: "),
        (
            ('version = "1"', 'version = "1"\neffective_from = "2026-12-01T00:00:00+05:00"'),
            "effective_from: the first version has none",
        ),
        (("[[otherwise]]", "[[otherwise]]\nwhen.delivered = true"), "the last `otherwise` must hold always"),
        (('version = "1"', "version = one"), "Invalid value (at line 4"),
    ],
)
def test_a_wrong_file_is_refused_with_its_field(
    write: Callable[..., PolicyBook], pair: tuple[str, str], message: str
) -> None:
    with pytest.raises(ShopsError) as refused:
        write({"1": changed(pair)})
    assert message in str(refused.value)
    assert str(refused.value).startswith("qazaq-esim/policy")


def test_two_versions_cannot_begin_at_once(write: Callable[..., PolicyBook]) -> None:
    third = changed(*SECOND).replace('version = "2"', 'version = "3"')
    with pytest.raises(ShopsError, match="two versions begin at 2026-11-30T19:00:00"):
        write({"2": changed(*SECOND), "3": third})


@pytest.mark.parametrize("name", ["qazaq-esim@1", "e-sim-onl@2026-03", "esimka@2026-04-22"])
def test_the_table_tells_every_clause_and_word(name: str) -> None:
    book = policies_in(EXAMPLES)
    policy = book.named(name)
    text = as_text(table(policy, book))
    for rule in (*policy.approve, *policy.refuse, *policy.otherwise):
        for ground in rule.ground:
            assert [language for language in LANGUAGES if getattr(ground, language) not in text] == []
            for clause in ground.clauses:
                assert clause in text
    for words in (policy.answers.appeal, policy.answers.money_back, policy.answers.incomplete):
        assert words.en in text


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_sentence_of_another_language_stands_in_a_decision(language: Language) -> None:
    shops = read_shops(EXAMPLES)
    own = texts(language)["decision"]
    sentences = dict(own)
    for shop in shops.values():
        sentences |= {words.en: getattr(words, language) for file in shop.policies for _, words in file.sentences()}
    assert len(sentences) > 80
    for name, text in sentences.items():
        assert foreign_words(text, language) == [], (name, text)
    places = {name: set(re.findall(r"\{\w+\}", text)) for name, text in texts("en")["decision"].items()}
    assert {name: set(re.findall(r"\{\w+\}", text)) for name, text in own.items()} == places
    assert len(texts(language)["calendar"]["months"].split()) == 12


def test_prices_keep_their_scale() -> None:
    for amount, currency, text in (
        (599050, "KZT", "5990.50"),
        (5, "USD", "0.05"),
        (7, "JPY", "7"),
        (1234, "KWD", "1.234"),
    ):
        price = Price.of(Money(amount=amount, currency=currency))
        assert (price.amount, price.money.amount) == (text, amount)


def test_every_placeholder_is_filled(make_facts: Callable[..., JsonObject]) -> None:
    from refunds.policy.rules.explanations import fillings  # noqa: PLC0415 - looked into here alone

    facts = Facts.model_validate(make_facts("esimka", "other"))
    assert set(fillings(facts, policies_in(EXAMPLES).named("esimka@2026-04-22"), "en")) == PLACEHOLDERS
