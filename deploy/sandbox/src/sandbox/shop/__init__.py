"""A storefront's page in a browser, for tests and the curious: it knows what to pay, and nothing of cards."""
