"""Signed-in web pages of a service: accounts, sessions, OpenID Connect, and pages out of templates.

A service makes the tables in its own metadata (`tables.sign_in_tables`), describes its pages as a `Site`, and calls
`wiring.serve_sign_in`; then `sessions.of(request)` says who asks, and `sessions.acting(request, csrf)` who acts.
Rendered by the server, usable without JavaScript. Needs the extra `esim-shared[signin]`.
"""
