"""WhatsApp's Cloud API, as a business sees it."""
