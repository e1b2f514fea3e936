"""A small real shop, built only on the client `esim_fulfilment`: see README.md."""
