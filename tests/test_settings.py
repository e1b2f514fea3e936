"""What the settings of all services have in common."""

import pytest
from pydantic import SecretStr

import notifications.settings
import operations.settings
import ordering.settings
import payments.settings
import provisioning.settings
import refunds.settings

SERVICES = [ordering, payments, provisioning, notifications, refunds, operations]
MARKED_BY = "shared.secret_settings"


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.__name__)
def test_production_knows_what_is_for_tests(service: object) -> None:
    """What a setting calls generated, or for tests or benchmarks, carries a mark that production refuses."""
    fields = service.settings.Settings.model_fields  # type: ignore[attr-defined] # each of the six has it
    unmarked = [
        name
        for name, info in fields.items()
        if any(word in (info.description or "") for word in ("benchmark", "for tests"))
        or (info.annotation is SecretStr and info.default_factory is not None)
        if not any(type(mark).__module__ == MARKED_BY for mark in info.metadata)
    ]
    assert unmarked == []
