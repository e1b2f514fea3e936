"""A local stack whose parts reach Kafka, Postgres and the companies outside through proxies."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Self

from local_stack.component import RunningComponent
from local_stack.ports import free_port
from local_stack.product import OPERATIONS, PRODUCT, Component
from local_stack.site import Site
from local_stack.stack import Stack
from shared.testing.proxy import Proxy

#: What stands behind a proxy, by the name of its port.
BEHIND = ("kafka", "postgres", "sandbox", "smtp")
#: Whatever else goes on, and on a machine that is busy with other things.
_START_SECONDS = 180.0
#: A local broker takes itself for dead after 1.5 s without a heartbeat, which a busy machine keeps from it.
_BROKER = {"broker.session.timeout.ms": "6000"}
#: Short pauses, so that timers are at work within minutes; the mechanisms are those of production.
_HURRIED: Mapping[str, Mapping[str, str]] = {
    "*": {"CONSUMER_SESSION_SECONDS": "6"},
    "payments": {
        "POLL_FIRST_SECONDS": "5",
        "POLL_LONGEST_SECONDS": "20",
        "CHECK_FIRST_SECONDS": "0.2",
        "EPAY_TIMEOUT_SECONDS": "3",
        "WEBKASSA_TIMEOUT_SECONDS": "5",
        "CHORE_SECONDS": "5",
    },
    "provisioning": {"WATCH_SECONDS": "1", "OPERATOR_TIMEOUT_SECONDS": "3"},
    "refunds": {"OBSERVATION_RETRY_SECONDS": "1"},
    "notifications": {"SMTP_TIMEOUT_SECONDS": "5", "SMTP_FINAL_TIMEOUT_SECONDS": "10"},
    "sandbox": {
        "SANDBOX_WEBHOOK_FIRST_RETRY_SECONDS": "0.5",
        "SANDBOX_WEBHOOK_LONGEST_RETRY_SECONDS": "5",
        "SANDBOX_WEBHOOK_ATTEMPTS": "200",
        "SANDBOX_AIRALO_TOKENS_PER_MINUTE": "1000",
    },
}


class CampaignStack(Stack):
    """`proxies` by what stands behind them. They are to be started before the stack is."""

    def __init__(self, name: str, *, directory: Path | None = None, beneath: Path | None = None) -> None:
        # The page of operations judges by what the services publish; the campaign by the ledgers outside.
        components = [
            # On ports of its own: a port that everybody knows may be somebody else's while its service is away.
            replace(component, start_seconds=_START_SECONDS, preferred_port=None)
            for component in PRODUCT
            if component != OPERATIONS
        ]
        super().__init__(
            name,
            environment=_HURRIED,
            fresh=True,
            components=components,
            directory=directory,
            beneath=beneath,
            broker_settings=_BROKER,
        )
        self.proxies = {part: Proxy(self._port_of(part)) for part in BEHIND}

    def _port_of(self, part: str) -> Callable[[], int]:
        return lambda: self.state.ports[part]

    def seen_by(self, name: str) -> Site:
        """With the proxies' ports in place of those behind them; the companies outside see the site as it is."""
        site = super().seen_by(name)
        if name == "sandbox":
            return site
        ports = site.ports | {part: proxy.port for part, proxy in self.proxies.items()}
        return replace(site, ports=ports, databases={name: self._past(url) for name, url in site.databases.items()})

    def _past(self, url: str) -> str:
        return url.replace(f":{self.state.ports['postgres']}/", f":{self.proxies['postgres'].port}/")

    @property
    def services(self) -> list[str]:
        """Those with a database."""
        return [component.name for component in self.components if component.has_database]

    def component(self, name: str) -> Component:
        """The component of that name."""
        return next(component for component in self.components if component.name == name)

    def second(self, name: str, **changes: str) -> RunningComponent:
        """Another instance of a service, on a port of its own; others know the first one's address alone."""
        site = self.seen_by(name)
        port = free_port()
        component = self.component(name)
        settings = {key: value for key, value in component.environment(site).items() if key != "HTTP_PORT"}
        hurried = {**_HURRIED["*"], **_HURRIED.get(name, {})}
        traces = {"TRACE_FILE": str(self.directory / "traces" / f"{name}-2.jsonl")}
        return RunningComponent(
            component, replace(site, ports={**site.ports, name: port}), {**settings, **hurried, **traces, **changes}
        )

    async def __aenter__(self) -> Self:
        """Start the proxies, then everything."""
        for proxy in self.proxies.values():
            await proxy.start()
        try:
            await self.up()
        except BaseException:
            await self._stop_proxies()
            raise
        return self

    async def down(self) -> None:
        """Stop everything, then the proxies."""
        try:
            await super().down()
        finally:
            await self._stop_proxies()

    async def _stop_proxies(self) -> None:
        for proxy in self.proxies.values():
            await proxy.stop()
