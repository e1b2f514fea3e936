"""Which orders a request reaches (I14): the rules, without a database."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from ordering.contact.rules import Holder, Mailbox, channel_of_correction
from shared.ids import uuid7
from shared.values.email_address import Email, mailbox_key

CHANGED_AT = datetime(2026, 11, 30, tzinfo=UTC)
HOLDERS = st.builds(lambda proved: Holder(uuid7(), "a@example.org", "+77011234567", proved, CHANGED_AT), st.booleans())
MAILBOXES = st.builds(Mailbox, HOLDERS, st.lists(HOLDERS, max_size=4))


@given(MAILBOXES, st.sampled_from(["correct", "export", "block", "erase"]))
def test_an_unproved_contact_reaches_itself_and_a_proved_one_the_proved_orders(mailbox: Mailbox, act: str) -> None:
    reached = mailbox.reach(act)  # type: ignore[arg-type] # from the list above

    assert reached[0] == mailbox.own.buyer_id
    others = {other.buyer_id: other for other in mailbox.others}
    if not mailbox.own.proved:
        assert len(reached) == 1
    elif act in {"block", "erase"}:
        assert set(reached[1:]) == set(others)
    else:
        assert set(reached[1:]) == {buyer for buyer, other in others.items() if other.proved}


@given(MAILBOXES, st.sets(st.sampled_from(["name", "email", "phone", "language"]), min_size=1), st.booleans())
def test_no_sms_is_sent_if_the_mailbox_is_proved_or_the_contact_is_shared(
    mailbox: Mailbox, fields: set[str], shared: bool
) -> None:
    channel = channel_of_correction(mailbox, sorted(fields), shared=shared)
    if mailbox.proved or shared or (fields & {"email", "phone"}) == {"phone"}:
        assert channel == "email"
    else:
        assert channel == "sms"


@given(st.emails())
def test_all_spellings_of_an_address_are_one_mailbox(address: str) -> None:
    email = Email.parse(address)
    assert email.key == mailbox_key(email.text) == mailbox_key(email.key)
    assert Email.parse(address.swapcase()).key == email.key
