"""Polls readiness and summary of every service, and stores the answers for all instances of operations."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import httpx
from pydantic import SecretStr, ValidationError

from operations.tables import answers
from shared.database import Database
from shared.kernel.outbound import read_json, time_limit
from shared.operations.answers import Summary

_SECONDS = 3.0
#: The service that lists operators.
_LISTS_OPERATORS = "provisioning"
_KEEP = """
ON CONFLICT (service) DO UPDATE SET
  asked_at = EXCLUDED.asked_at, ready = EXCLUDED.ready, checks = EXCLUDED.checks, problem = EXCLUDED.problem,
  not_ready_since = CASE WHEN EXCLUDED.ready THEN NULL ELSE COALESCE(answers.not_ready_since, EXCLUDED.asked_at) END,
  summary = COALESCE(EXCLUDED.summary, answers.summary),
  summary_at = COALESCE(EXCLUDED.summary_at, answers.summary_at),
  operators = COALESCE(EXCLUDED.operators, answers.operators)
"""


@dataclass(slots=True)
class _Answer:
    ready: bool = False
    checks: dict[str, str] = field(default_factory=dict)
    summary: dict[str, Any] | None = None
    operators: list[Any] | None = None
    problem: str | None = None


class ServicePolling:
    """Polls the services by name: readiness; with `operations_key` their summary; with `agent_key` provisioning's
    operators.
    """

    def __init__(
        self,
        database: Database,
        http: httpx.AsyncClient,
        urls: Mapping[str, str],
        *,
        operations_key: SecretStr | None,
        agent_key: SecretStr | None,
    ) -> None:
        self._database = database
        self._http = http
        self._urls = urls
        self._operations_key = operations_key
        self._agent_key = agent_key

    async def poll(self) -> None:
        """Poll all services at once, and store their answers."""
        names = sorted(self._urls)
        polled = await asyncio.gather(*(self._poll(name) for name in names))
        async with self._database.transaction("polling") as tx:
            rows = [
                {
                    "service": name,
                    "asked_at": tx.now,
                    "not_ready_since": None if answer.ready else tx.now,
                    "ready": answer.ready,
                    "checks": answer.checks,
                    "summary": answer.summary,
                    "summary_at": tx.now if answer.summary else None,
                    "operators": answer.operators,
                    "problem": answer.problem,
                }
                for name, answer in zip(names, polled, strict=True)
            ]
            await tx.insert(answers, rows, on_conflict=_KEEP)

    async def _poll(self, name: str) -> _Answer:
        url, answer = self._urls[name].rstrip("/"), _Answer()
        try:
            with time_limit(_SECONDS):
                health = await self._http.get(f"{url}/health/ready")
                answer.ready = health.status_code == HTTPStatus.OK
                answer.checks = {str(part): str(state) for part, state in read_json(health).get("checks", {}).items()}
                if self._operations_key is not None:
                    summary = await self._get(f"{url}/operations/summary", self._operations_key)
                    answer.summary = Summary.model_validate(summary).model_dump(mode="json")
                if name == _LISTS_OPERATORS and self._agent_key is not None:
                    answer.operators = list(await self._get(f"{url}/operators", self._agent_key))
        except TimeoutError:
            answer.problem = f"does not answer within {_SECONDS:.0f} s"
        except httpx.HTTPStatusError as error:
            answer.problem = f"answers {error.response.status_code} to {error.request.url.path}"
        except httpx.HTTPError as error:
            answer.problem = f"does not answer ({type(error).__name__})"
        except (ValidationError, ValueError, AttributeError, TypeError):
            answer.problem = "answers something that this release does not understand"
        return answer

    async def _get(self, url: str, key: SecretStr) -> Any:
        answer = await self._http.get(url, headers={"authorization": f"Bearer {key.get_secret_value()}"})
        answer.raise_for_status()
        return read_json(answer)
