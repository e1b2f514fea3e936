"""The policies of all shops as a book, made from the shops' folder (`<shop>/policy/<version>.toml`).

A new version is one new file. It names the moment from which it is in force; the first version of a storefront has none
and applies to everything that was paid before the second.
"""

from datetime import date, datetime, time
from functools import lru_cache
from pathlib import Path
from zoneinfo import ZoneInfo

from refunds.policy import Policy, PolicyBook, UnknownPolicyError
from shared.shops.files import ShopFiles
from shared.shops.holidays import known_holidays
from shared.shops.reading import Shops, read_policy, read_shops
from shared.values.moment import in_bounds


class Policies:
    """The book of the shops in force; made anew when they have changed."""

    def __init__(self, shops: ShopFiles) -> None:
        self._shops = shops
        self._made_of = shops.current()
        self._book = book_of(self._made_of)

    def __call__(self) -> PolicyBook:
        shops = self._shops.current()
        if shops is not self._made_of:
            self._made_of, self._book = shops, book_of(shops)
        return self._book


def book_of(shops: Shops) -> PolicyBook:
    """All versions of all shops."""
    return PolicyBook(Policy.of(file, shop) for shop in shops.values() for file in shop.policies)


@lru_cache(maxsize=4)
def policies_in(folder: Path) -> PolicyBook:
    """The book of a shops' folder as it is at the first call. Raises ShopsError."""
    return book_of(read_shops(folder, [known_holidays]))


def load_file(file: Path, folder: Path) -> Policy:
    """One policy from a file `<shop>/policy/<version>.toml`, wherever it is; the shop itself is that of `folder`.

    Raises ShopsError, and UnknownPolicyError where the folder has no such shop.
    """
    policy = read_policy(file)
    shop = read_shops(folder).get(file.resolve().parent.parent.name)
    if shop is None:
        raise UnknownPolicyError("the file must stand in the folder of a shop: <shop>/policy/<version>.toml")
    return Policy.of(policy, shop)


def moment(text: str, zone: ZoneInfo) -> datetime:
    """A moment with its offset, or the beginning of a day where the seller is. Raises ValueError."""
    try:
        # A plus in a query that was not encoded arrives as a space.
        found = datetime.fromisoformat(text.strip().replace(" ", "+"))
        if found.tzinfo is None:
            found = datetime.combine(date.fromisoformat(text), time.min, zone)
        return in_bounds(found)
    except (ValueError, OverflowError):
        raise ValueError("give a day, or a date and time with an offset, as ISO 8601 writes them") from None
