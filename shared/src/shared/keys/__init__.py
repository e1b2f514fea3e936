"""API keys of shops: ordering creates and revokes them at run time, and every service that shops call checks them.

Ordering publishes the state of each key, without its secret, on the compacted topic `ordering.api-key`. The other
services store it (`handlers.py`) and check keys against their own table (`shop_keys.py`).
"""
