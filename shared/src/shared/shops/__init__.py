"""The shops: a folder for each, with what all services must know of it (docs/how-to/add-a-shop.md).

`models`, `plans`, `policy` and `brand` are values. `reading` reads the folders and reports every fault. `files` holds
the shops in force and reads them again when a file has changed.
"""
