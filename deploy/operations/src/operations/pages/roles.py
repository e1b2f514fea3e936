"""The roles of people on these pages: an operator acts, a viewer only reads."""

OPERATOR, VIEWER = ROLES = ("operator", "viewer")
