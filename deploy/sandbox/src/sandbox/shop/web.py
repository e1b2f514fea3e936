"""The shop page below /shop. A test plays the storefront's server: it puts a payment object here and opens the page."""

from pathlib import Path
from typing import Annotated, Any
from weakref import WeakKeyDictionary

from fastapi import APIRouter, HTTPException, Response
from fastapi import Path as InPath
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from pydantic import BaseModel, ConfigDict, Field

from sandbox.serving import stands
from sandbox.stands import Stands

Name = Annotated[str, InPath(pattern="^[A-Za-z0-9-]{1,64}$")]
_MOST = 1000
_ENDS = {"thanks": "Thank you, the payment went through.", "declined": "The payment did not go through."}


class ShopPage(BaseModel):
    """What the page offers; `payment` goes to halyk.pay() as it is."""

    model_config = ConfigDict(extra="forbid")

    title: str = Field(max_length=200)
    price: str = Field(max_length=50)
    payment: dict[str, Any]


#: By sandbox, the pages by name.
_pages: WeakKeyDictionary[Stands, dict[str, ShopPage]] = WeakKeyDictionary()


def shop_router() -> APIRouter:
    """The routes of the shop page."""
    router = APIRouter(prefix="/shop", tags=["shop"])
    templates = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True, undefined=StrictUndefined
    )

    def found(name: str) -> ShopPage:
        pages = _pages.get(stands(), {})
        if name not in pages:
            raise HTTPException(404, "no such shop page")
        return pages[name]

    @router.put("/{name}")
    async def put(name: Name, page: ShopPage) -> dict[str, str]:
        pages = _pages.setdefault(stands(), {})
        pages.pop(name, None)
        pages[name] = page
        while len(pages) > _MOST:
            del pages[next(iter(pages))]
        return {"path": f"/shop/{name}"}

    @router.get("/{name}")
    async def show(name: Name) -> Response:
        return _html(templates, "shop.html", page=found(name))

    @router.get("/{name}/{end}")
    async def ended(name: Name, end: str) -> Response:
        if end not in _ENDS:
            raise HTTPException(404, "no such shop page")
        return _html(templates, "ended.html", page=found(name), name=name, words=_ENDS[end], again=end == "declined")

    return router


def _html(templates: Environment, template: str, **values: Any) -> Response:
    html = templates.get_template(template).render(**values)
    return Response(html, media_type="text/html", headers={"cache-control": "no-store"})
