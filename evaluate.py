"""`python evaluate.py ...` is `predjax evaluate ...`."""

import sys

from predjax.commands.evaluate import main

if __name__ == "__main__":
    sys.exit(main())
