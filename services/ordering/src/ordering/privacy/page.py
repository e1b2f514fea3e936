"""The export of PP 6.2 as a page that a person can read."""

from collections.abc import Mapping
from html import escape
from typing import Any


def export_page(export: Mapping[str, Any]) -> str:
    """The export as a plain HTML page; every value is escaped. Values are JSON values, by service and kind."""
    sections = "".join(f"<h2>{escape(service)}</h2>{_html(parts)}" for service, parts in export.items())
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Your data</title>'
        '<meta name="viewport" content="width=device-width"><style>body{font:16px/1.5 system-ui;max-width:60rem;'
        "margin:2rem auto;padding:0 1rem}table{border-collapse:collapse;width:100%;margin:.5rem 0 1.5rem}"
        "th,td{border:1px solid #bbb;padding:.3rem .5rem;text-align:left;vertical-align:top;overflow-wrap:anywhere}"
        f"</style></head><body><h1>What we hold about you</h1>{sections}</body></html>"
    )


def _html(value: Any) -> str:
    match value:
        case dict() if value:
            rows = "".join(
                f'<tr><th scope="row">{escape(str(name))}</th><td>{_html(item)}</td></tr>'
                for name, item in value.items()
            )
            return f"<table>{rows}</table>"
        case list() if value:
            return "".join(_html(item) for item in value)
        case None | [] | {}:
            return "<p>nothing</p>"
    return escape(str(value))
