"""The life of a profile after it was made: observed, revoked, expired, topped up."""
