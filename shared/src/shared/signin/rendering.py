"""Renders pages from templates, with headers that forbid foreign scripts, frames and caches."""

from collections.abc import Callable, Mapping
from datetime import datetime
from importlib.resources import files
from typing import Any
from zoneinfo import ZoneInfo

from fastapi.responses import HTMLResponse, RedirectResponse, Response
from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

from shared.signin.site import Site

_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_UTC = ZoneInfo("UTC")
_DAY, _HOUR, _MINUTE = 86_400, 3_600, 60


def local(moment: datetime | None, zone: ZoneInfo = _UTC) -> str:
    """`20 Nov 2026, 16:00`, in that zone."""
    return "—" if moment is None else f"{moment.astimezone(zone):%-d %b %Y, %H:%M}"


def distance(moment: datetime, now: datetime) -> str:
    """`in 3 h`, `2 days ago`."""
    seconds = abs((moment - now).total_seconds())
    if seconds >= 2 * _DAY:
        length = f"{seconds // _DAY:.0f} days"
    elif seconds >= 2 * _HOUR:
        length = f"{seconds // _HOUR:.0f} h"
    else:
        length = f"{max(1, seconds // _MINUTE):.0f} min"
    return f"in {length}" if moment > now else f"{length} ago"


def words(name: str) -> str:
    """`await_support` as `await support`."""
    return name.partition(":")[0].replace("_", " ")


class Pages:
    """The templates of a package (its folder `templates`), and those that all sites share."""

    def __init__(
        self,
        package: str,
        site: Site,
        *,
        filters: Mapping[str, Callable[..., Any]] | None = None,
        functions: Mapping[str, Callable[..., Any]] | None = None,
    ) -> None:
        """`filters` and `functions` for the templates, by name."""
        self.site = site
        self._package = package
        self._templates = Environment(
            loader=ChoiceLoader([PackageLoader(package), PackageLoader("shared.signin")]),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters |= {"local": local, "words": words, **(filters or {})}
        self._templates.globals |= {"site": site, "distance": distance, **(functions or {})}

    def page(self, template: str, status: int = 200, **values: Any) -> HTMLResponse:
        """Render a page. `values` must contain every name that the template uses."""
        text = self._templates.get_template(f"{template}.html.j2").render(**values)
        return HTMLResponse(text, status, headers=_HEADERS)

    def style(self) -> Response:
        """The style that all sites share, then the package's own `style.css`."""
        return _static(_text("shared.signin", "style.css") + _text(self._package, "style.css"), "text/css")

    def icon(self) -> Response:
        """The package's `icon.svg`."""
        return _static(_text(self._package, "icon.svg"), "image/svg+xml")


def redirect(url: str) -> RedirectResponse:
    """Redirect to the result after a form was accepted (303)."""
    return RedirectResponse(url, 303, headers={"Cache-Control": "no-store"})


def _text(package: str, name: str) -> str:
    return files(package).joinpath(name).read_text(encoding="utf-8")


def _static(text: str, media_type: str) -> Response:
    return Response(text, media_type=media_type, headers={"Cache-Control": "max-age=300"})
