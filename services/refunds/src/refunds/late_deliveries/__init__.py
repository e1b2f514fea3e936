"""Orders that were not delivered within the time that the policy promises (RF 2.3)."""
