"""The phones' messages for people to read: the page /sms."""

from pathlib import Path

from fastapi import APIRouter, Response
from jinja2 import ChoiceLoader, Environment, FileSystemLoader, StrictUndefined

from sandbox.serving import stands

_MOST = 200
_OWN = Path(__file__).parent / "templates"
#: The page looks like the mail page, whose frame it uses.
_FRAME = Path(__file__).parent.parent / "mail" / "templates"


def sms_router() -> APIRouter:
    """The route of the page."""
    routes = APIRouter(include_in_schema=False)
    templates = Environment(
        loader=ChoiceLoader([FileSystemLoader(_OWN), FileSystemLoader(_FRAME)]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )

    @routes.get("/sms")
    async def page(to: str = "") -> Response:
        """The newest messages, of one phone or of all."""
        ledger = stands().sms.ledger
        messages = ledger.to(to.strip())[-_MOST:][::-1]
        html = templates.get_template("phones.html").render(messages=messages, to=to, count=len(ledger.book))
        return Response(html, media_type="text/html; charset=utf-8", headers={"cache-control": "no-store"})

    return routes
