"""`python -m medimagegan` is the command `medimagegan`."""
import sys

from medimagegan.cli.main import main

if __name__ == '__main__':
    sys.exit(main())
