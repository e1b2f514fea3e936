"""The buyers that tombstones of contacts name."""

from shared.ids import uuid7
from shared.kernel.privacy import erased_buyers
from shared.messaging.consumer import Tombstone


def test_a_key_that_is_no_id_names_no_buyer_and_keeps_none_of_the_others() -> None:
    first, second = sorted([uuid7(), uuid7()])
    keys = (str(second), "ann@example.org", str(first), str(second))
    batch = [Tombstone("ordering.buyer-contact", key, uuid7(), None) for key in keys]
    assert erased_buyers(batch) == [first, second]
