"""The trace page of the local stack, declared: Zipkin, fed by OTLP. An extra: the product runs without it."""

from collections.abc import Mapping

import httpx

from local_stack.product import PRODUCT, Component, Environment
from local_stack.site import Site

PAGE_PORT = "zipkin-page"
#: How zipkin_server.py calls it when all is well.
UP = "up"


def _environment(site: Site) -> Environment:
    return {
        "ZIPKIN_OTLP_PORT": str(site.ports["zipkin"]),
        "ZIPKIN_PAGE_PORT": str(site.ports[PAGE_PORT]),
        "ZIPKIN_LOG": str(site.log("zipkin-java")),
    }


def _settings_of(site: Site) -> Mapping[str, Environment]:
    page = {"TRACE_URL_TEMPLATE": f"{site.url(PAGE_PORT)}/zipkin/traces/{{trace_id}}"}
    return {
        "*": {"OTEL_EXPORTER_OTLP_ENDPOINT": site.url("zipkin")},
        "ordering": page,
        "operations": {**page, "TRACE_API": f"{site.url(PAGE_PORT)}/api/v2/trace/{{trace_id}}"},
    }


ZIPKIN = Component(
    name="zipkin",
    command=("-m", "local_stack.zipkin_server"),
    preferred_port=4318,
    ready_path="/health",
    environment=_environment,
    other_ports=((PAGE_PORT, 9411),),
    pages=(("one order, one trace", "/"),),
    settings_of=_settings_of,
)

WITH_TRACES = (ZIPKIN, *PRODUCT)
"""The product, and a page to look at its traces."""


def standing(site: Site) -> str:
    """How far Zipkin is, in words; empty where it is up."""
    try:
        found = str(httpx.get(f"{site.url('zipkin')}/status", timeout=3, trust_env=False).json()["zipkin"])
    except (httpx.HTTPError, ValueError, KeyError) as error:
        return f"does not answer ({type(error).__name__})"
    return "" if found == UP else found
