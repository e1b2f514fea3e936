"""docs/mails.md: every fact has an email or a reason, every email a fact, and the document is what the code says."""

from pathlib import Path

from notifications.emails import KINDS
from notifications.mail_table import FACTS, WITHOUT_FACT, Mails, document
from shared.contracts.base import EVENTS

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "mails.md"


def test_every_fact_has_an_email_or_a_reason() -> None:
    facts = {event.topic for event in EVENTS.values() if event.__module__.startswith("shared.contracts")}
    assert set(FACTS) == facts


def test_every_kind_of_email_stands_in_the_table_once() -> None:
    named = [kind for mails in FACTS.values() if isinstance(mails, Mails) for kind in mails.kinds]
    assert sorted([*named, *WITHOUT_FACT]) == sorted([*KINDS, "qr", "resend"])


def test_the_document_is_what_the_code_says() -> None:
    assert DOCUMENT.read_text("utf-8") == document(), "run make schemas"
