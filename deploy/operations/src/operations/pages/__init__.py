"""The operations page: what the services do, and how people put it right. Rendered here, usable without JavaScript."""
