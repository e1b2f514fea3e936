"""The API keys of shops: created, listed and revoked at run time, over HTTP and from the shell."""
