"""The tag in a Reply-To names its order, and nobody else can make one."""

import base64

import pytest

from shared.ids import uuid7
from shared.reply_tags import ReplyTags

KEY = base64.b64encode(bytes(range(32))).decode()


def test_an_answer_names_its_order_however_the_address_is_spelled() -> None:
    tags, order_id = ReplyTags(KEY), uuid7()
    address = tags.address("support@shop.example", order_id)
    assert address.startswith("support+")
    assert len(address.partition("@")[0]) <= 64
    assert tags.order_of(["somebody@else.example", address.upper()]) == order_id
    assert str(order_id) not in address


@pytest.mark.parametrize("change", [lambda tag: tag[:-1] + "a", lambda _: "a" * 36, lambda tag: tag[:-2], lambda _: ""])
def test_a_tag_that_is_not_ours_names_nothing(change: object) -> None:
    tags = ReplyTags(KEY)
    order_id = next(one for one in iter(uuid7, None) if not tags.address("s@x.example", one).endswith("a@x.example"))
    tag = tags.address("s@x.example", order_id).partition("+")[2].partition("@")[0]
    assert tags.order_of([f"s+{change(tag)}@x.example"]) is None  # type: ignore[operator] # a lambda of the table
    other = ReplyTags(base64.b64encode(bytes(32)).decode())
    assert other.order_of([f"s+{tag}@x.example"]) is None


def test_a_long_local_part_stays_without_a_tag() -> None:
    assert ReplyTags(KEY).address(f"{'s' * 40}@x.example", uuid7()) == f"{'s' * 40}@x.example"
