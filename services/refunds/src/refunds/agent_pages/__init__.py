"""The agents' pages: sign-in, queue, cases, claims, oversight. Rendered here, usable without JavaScript."""
