"""Sign-in for web pages of a service: accounts, sessions, OpenID Connect, and pages rendered from templates.

A service defines the tables in its own metadata (`tables.sign_in_tables`), describes its pages as a `Site`, and calls
`setup.serve_sign_in`. Then `sessions.of(request)` returns the session of a request, and `sessions.acting(request,
csrf)` that of a submitted form. Pages are rendered by the server and work without JavaScript. Needs the extra
`esim-shared[signin]`.
"""
