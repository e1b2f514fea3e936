"""What both sides of ES2+ write in their headers."""

PROTOCOL = "gsma/rsp/v2.5.0"
PROTOCOL_PREFIX = "gsma/rsp/v2."
