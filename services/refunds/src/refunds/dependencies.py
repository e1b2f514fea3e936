"""What the routes of all features depend on, besides the dependencies of every service."""

from typing import Annotated

from fastapi import Depends, Request

from shared.shops.files import ShopFiles
from shared.shops.reading import Shops


async def _shops(request: Request) -> Shops:
    shops: ShopFiles = request.app.state.shops
    return shops.current()


#: The shops in force.
ShopsDep = Annotated[Shops, Depends(_shops)]
