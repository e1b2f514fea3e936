"""What a service offers, as OpenAPI 3.1 and AsyncAPI 3.0: generated from its code when somebody asks, never before."""
