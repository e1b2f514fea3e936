"""Fixtures that give any test a real Kafka and real databases of its own. Register with `pytest_plugins`."""
