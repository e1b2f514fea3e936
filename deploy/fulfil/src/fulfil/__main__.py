"""`python -m fulfil`, the same as `fulfil`."""

import sys

from fulfil.cli import main

if __name__ == "__main__":
    sys.exit(main())
