"""`python -m twinvae` is the command."""

import sys

from twinvae.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
