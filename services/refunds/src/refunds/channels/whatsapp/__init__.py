"""WhatsApp (Cloud API) as a channel of conversations."""
