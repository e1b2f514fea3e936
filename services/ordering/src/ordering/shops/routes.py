"""HTTP: the calling shop, with what it sells."""

from http import HTTPStatus

from fastapi import APIRouter, Request, Response

from ordering.catalogue.models import Catalogue
from ordering.dependencies import CallingShop, CatalogueNow
from ordering.shops.models import PlanList, StorefrontView
from shared.kernel.etag import conditional
from shared.kernel.problems import Problem
from shared.shops.models import Shop

router = APIRouter(tags=["catalogue"])


@router.get("/storefront", name="storefront")
async def show_storefront(slug: CallingShop, catalogue: CatalogueNow) -> StorefrontView:
    """The calling shop: its plans and prices, and the document versions that its orders must name."""
    return StorefrontView.of(_shop(catalogue, slug), catalogue)


@router.get("/plans", name="plans", response_model=PlanList)
async def list_plans(request: Request, slug: CallingShop, catalogue: CatalogueNow) -> Response:
    """The calling shop's plans and prices now. With an ETag: send it as `If-None-Match`."""
    return conditional(request, PlanList.of(_shop(catalogue, slug), catalogue))


def _shop(catalogue: Catalogue, slug: str) -> Shop:
    shop = catalogue.storefront(slug)
    if shop is None:
        raise Problem(HTTPStatus.FORBIDDEN, "unknown-storefront", "No such storefront is in the catalogue.")
    return shop
