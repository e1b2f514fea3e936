"""HTTP: the calling shop, with what it sells."""

from http import HTTPStatus

from fastapi import APIRouter

from ordering.dependencies import CallingShop, CatalogueNow
from ordering.shops.models import StorefrontView
from shared.kernel.problems import Problem

router = APIRouter(tags=["catalogue"])


@router.get("/storefront", name="storefront")
async def show_storefront(slug: CallingShop, catalogue: CatalogueNow) -> StorefrontView:
    """The calling shop: its plans and prices, and the document versions that its orders must name."""
    shop = catalogue.storefront(slug)
    if shop is None:
        raise Problem(HTTPStatus.FORBIDDEN, "unknown-storefront", "No such storefront is in the catalogue.")
    return StorefrontView.of(shop, catalogue)
