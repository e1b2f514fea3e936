"""Webhooks: updates are delivered to the servers of shops, signed, retried for three days, one queue per endpoint."""

from ordering.webhooks.metrics import WebhookMetrics
from ordering.webhooks.secrets import SigningSecrets
from ordering.webhooks.tasks import DeliverWebhooks

__all__ = ["DeliverWebhooks", "SigningSecrets", "WebhookMetrics"]
