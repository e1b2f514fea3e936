"""The catalogue in force, made from the shops' folder."""

from ordering.catalogue.models import Catalogue
from shared.clock import Clock
from shared.shops.files import ShopFiles


class CatalogueFiles:
    """The catalogue of this moment. It is made anew when a file has changed, or a price or document takes effect."""

    def __init__(self, shops: ShopFiles, clock: Clock) -> None:
        self._files = shops
        self._clock = clock
        self._made_of = shops.current()
        self._catalogue = Catalogue(self._made_of, clock.now())

    def current(self) -> Catalogue:
        """The catalogue in force, at most a second behind the files."""
        shops, now = self._files.current(), self._clock.now()
        if shops is not self._made_of or not self._catalogue.since <= now < self._catalogue.until:
            self._made_of, self._catalogue = shops, Catalogue(shops, now)
        return self._catalogue
