"""Invariants of the services themselves, from the answers of each about itself."""

from collections.abc import Iterable
from datetime import timedelta

from operations.invariants.rules.base import ServiceAnswers, ServiceInvariant, Violation


class ServiceNotReady(ServiceInvariant):
    """Every service is ready.

    For a minute a service has not answered, or has answered that it is not ready: it does not reach its database or the
    brokers, is not migrated, or its consumer makes no progress. The detail says which.
    """

    name = "service_not_ready"
    after = timedelta(minutes=1)

    def violations(self, answers: ServiceAnswers, after: timedelta) -> Iterable[Violation]:
        """One per service."""
        for service in answers.services:
            if service.not_ready_since is not None and service.not_ready_since <= answers.now - after:
                failing = {name: result for name, result in service.checks.items() if result != "ok"}
                yield Violation(service.service, service.not_ready_since, {**failing, "problem": service.problem})


class OutboxOld(ServiceInvariant):
    """Every event of a service is published within a minute.

    An event was committed a minute ago and has not reached the brokers: both the service's publishing and its relay do
    not work, or the brokers refuse it. The other services do not know the event meanwhile.
    """

    name = "outbox_old"
    after = timedelta(minutes=1)

    def violations(self, answers: ServiceAnswers, after: timedelta) -> Iterable[Violation]:
        """One per service."""
        for service in answers.services:
            if service.summary is None or service.summary.outbox.oldest is None:
                continue
            if service.summary.outbox.oldest <= answers.now - after:
                yield Violation(service.service, service.summary.outbox.oldest, {"rows": service.summary.outbox.rows})


class DeadLettersWaiting(ServiceInvariant):
    """No record waits among the dead letters.

    Records could not be applied and wait for a decision: redrive them when the cause is removed, or discard them with a
    reason. Until then the service does not know what they say.
    """

    name = "dead_letters_waiting"

    def violations(self, answers: ServiceAnswers, after: timedelta) -> Iterable[Violation]:
        """One per service."""
        del after
        for service in answers.services:
            if service.summary is not None and service.summary.dead_letters.waiting:
                yield Violation(service.service, None, {"waiting": service.summary.dead_letters.waiting})


class WorkParked(ServiceInvariant):
    """No task waits for a person.

    No attempt of the service can settle these tasks: look at each, remove the cause, and retry it.
    """

    name = "work_parked"
    severity = "ticket"

    def violations(self, answers: ServiceAnswers, after: timedelta) -> Iterable[Violation]:
        """One per service and kind of task."""
        del after
        for service in answers.services:
            for count in service.summary.work if service.summary else ():
                if count.state == "parked" and count.rows:
                    yield Violation(f"{service.service}/{count.kind}", count.oldest_due_at, {"rows": count.rows})


class WorkLate(ServiceInvariant):
    """Due tasks are performed.

    Tasks have been due for a quarter of an hour and no worker has claimed them: no instance performs this kind, or all
    of its workers are stuck. Tasks that are retried do not count: each attempt moves their time.
    """

    name = "work_late"
    severity = "ticket"
    after = timedelta(minutes=15)

    def violations(self, answers: ServiceAnswers, after: timedelta) -> Iterable[Violation]:
        """One per service, kind of task and state."""
        for service in answers.services:
            for count in service.summary.work if service.summary else ():
                if count.state != "parked" and count.oldest_due_at <= answers.now - after:
                    subject = f"{service.service}/{count.kind}/{count.state}"
                    yield Violation(subject, count.oldest_due_at, {"rows": count.rows})


class WatchBehind(ServiceInvariant):
    """Operations itself reads every fact in time.

    For five minutes operations has not applied every published fact: it has a backlog, or the brokers do not answer.
    The rules about orders judge nothing later meanwhile, so they raise neither a false alarm nor a true one.
    """

    name = "watch_behind"
    after = timedelta(minutes=5)

    def violations(self, answers: ServiceAnswers, after: timedelta) -> Iterable[Violation]:
        """Only itself."""
        since = answers.as_of or answers.started_at
        if since <= answers.now - after:
            yield Violation("operations", since)


RUNNING = (ServiceNotReady(), OutboxOld(), DeadLettersWaiting(), WorkParked(), WorkLate(), WatchBehind())
