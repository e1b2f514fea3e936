"""Test harness: fixtures with a real Kafka and databases of a test's own (docs/architecture/test-harness.md)."""
