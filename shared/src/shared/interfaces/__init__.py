"""OpenAPI 3.1 and AsyncAPI 3.0 documents of a service, generated from its code at the first request."""
