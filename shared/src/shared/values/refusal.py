"""The error of all values."""


class InvalidValueError(ValueError):
    """The value is not valid. The message completes "the field …" and never repeats the value."""
