"""Takes spans by OTLP/HTTP and shows them in Zipkin, which it starts: `python -m local_stack.zipkin_server`.

Zipkin's own OTLP module is not among the released artifacts that Maven finds, so the translation is ours
(zipkin_spans.py), and services speak plain OTLP as they do to any collector. The receiver is ready at once: it keeps
spans until Zipkin answers, and says at `/` how far it is. Without Zipkin (no Maven, no network) nothing else is wrong.
"""

import asyncio
import gzip
import os
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from google.protobuf.message import DecodeError  # type: ignore[import-untyped] # it ships no types
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from local_stack.errors import LocalStackError
from local_stack.http_probe import answers_ok
from local_stack.java import java
from local_stack.ports import LOOPBACK
from local_stack.processes import ManagedProcess
from local_stack.zipkin import UP
from local_stack.zipkin_files import zipkin_jar
from local_stack.zipkin_spans import zipkin_spans

#: What Zipkin keeps, in memory; a delivered order has about thirty spans.
KEPT_SPANS = 50_000
WAITING_SPANS = 20_000
HEAP = ("-Xms32m", "-Xmx192m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
START_SECONDS = 120.0
_TOGETHER = 1000
_PAUSE_SECONDS = 0.25
_RESTART_SECONDS = 10.0
_LOOK_SECONDS = 3600.0


class Zipkin:
    """The child process, and the spans on their way to it. `standing` says in words how far it is; `up` is well."""

    def __init__(self, port: int, log: Path) -> None:
        self.page = f"http://{LOOPBACK}:{port}/zipkin/"
        self.standing = "not started yet"
        self._port = port
        self._log = log
        self._waiting: deque[dict[str, Any]] = deque(maxlen=WAITING_SPANS)
        self._process: ManagedProcess | None = None

    def take(self, spans: list[dict[str, Any]]) -> None:
        """Remember spans for Zipkin; the oldest are lost where it stays away."""
        self._waiting.extend(spans)

    async def run(self) -> None:
        """Keep Zipkin up and pass spans on, until cancelled."""
        feeding = asyncio.create_task(self._feed())
        try:
            while True:
                await self._once()
                await asyncio.sleep(_RESTART_SECONDS)
        finally:
            feeding.cancel()
            await asyncio.gather(feeding, return_exceptions=True)
            if self._process is not None:
                await self._process.stop(2.0)

    async def _once(self) -> None:
        try:
            self.standing = "being downloaded (130 MB, once per machine)"
            jar = await asyncio.to_thread(zipkin_jar)
            self.standing = "starting"
            self._process = process = ManagedProcess(
                "Zipkin", _command(jar, self._port), log=self._log, environment=_environment()
            )
            process.start()
            await process.wait_ready(lambda: answers_ok(self._port, "/health"), START_SECONDS, port=self._port)
            self.standing = UP
            while not await process.wait_exit(_LOOK_SECONDS):
                pass  # it is to live as long as we do
            raise process.failure()
        except (LocalStackError, OSError) as error:
            self.standing = f"down: {error}"
            print(f"Zipkin is {self.standing}", flush=True)
            if self._process is not None:
                self._process.kill()

    async def _feed(self) -> None:
        async with httpx.AsyncClient(base_url=f"http://{LOOPBACK}:{self._port}", trust_env=False, timeout=5) as client:
            while True:
                await asyncio.sleep(_PAUSE_SECONDS)
                while self._waiting and self.standing == UP:
                    spans = [self._waiting.popleft() for _ in range(min(_TOGETHER, len(self._waiting)))]
                    try:
                        (await client.post("/api/v2/spans", json=spans)).raise_for_status()
                    except httpx.HTTPError as error:
                        print(f"Zipkin took no spans: {type(error).__name__}", flush=True)
                        self._waiting.extendleft(reversed(spans))
                        break


def _command(jar: Path, port: int) -> list[str]:
    # By default it listens on every interface.
    listen = {"armeria.ports[0].ip": LOOPBACK, "armeria.ports[0].port": port, "armeria.ports[0].protocols[0]": "http"}
    return [java(), *HEAP, *(f"-D{name}={value}" for name, value in listen.items()), "-jar", str(jar)]


def _environment() -> dict[str, str]:
    return {**os.environ, "STORAGE_TYPE": "mem", "MEM_MAX_SPANS": str(KEPT_SPANS)}


def application(zipkin: Zipkin) -> Starlette:
    """`POST /v1/traces` (OTLP, protobuf), `/` to Zipkin's page or how far it is, `/health`, `/status`."""

    async def traces(request: Request) -> Response:
        body = await request.body()
        try:
            if request.headers.get("content-encoding") == "gzip":
                body = await asyncio.to_thread(gzip.decompress, body)
            zipkin.take(zipkin_spans(body))
        except (DecodeError, OSError, EOFError) as error:
            return Response(f"not an OTLP request: {type(error).__name__}", HTTPStatus.BAD_REQUEST)
        return Response(ExportTraceServiceResponse().SerializeToString(), media_type="application/x-protobuf")

    async def page(_request: Request) -> Response:
        if zipkin.standing == UP:
            return RedirectResponse(zipkin.page)
        words = f"Zipkin is {zipkin.standing}. Everything else works without it; this page looks again by itself.\n"
        return Response(words, HTTPStatus.SERVICE_UNAVAILABLE, {"Refresh": "2"}, media_type="text/plain")

    async def health(_request: Request) -> Response:
        return Response("ok", media_type="text/plain")

    async def status(_request: Request) -> Response:
        return JSONResponse({"zipkin": zipkin.standing, "page": zipkin.page})

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        task = asyncio.create_task(zipkin.run())
        yield
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    routes = [
        Route("/v1/traces", traces, methods=["POST"]),
        Route("/", page),
        Route("/health", health),
        Route("/status", status),
    ]
    return Starlette(routes=routes, lifespan=lifespan)


def main() -> None:
    """Serve until a signal stops it."""
    zipkin = Zipkin(int(os.environ["ZIPKIN_PAGE_PORT"]), Path(os.environ["ZIPKIN_LOG"]))
    port = int(os.environ["ZIPKIN_OTLP_PORT"])
    uvicorn.run(application(zipkin), host=LOOPBACK, port=port, log_level="warning", access_log=False)


if __name__ == "__main__":
    main()
