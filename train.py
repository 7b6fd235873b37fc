"""`python train.py ...` is `predjax train ...`."""

import sys

from predjax.commands.train import main

if __name__ == "__main__":
    sys.exit(main())
