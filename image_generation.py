"""`python3 image_generation.py input.yaml`: train what the file says. The same as `medimagegan train input.yaml`."""
import sys

from medimagegan.cli.main import main

if __name__ == '__main__':
    sys.exit(main(['train', *sys.argv[1:]]))
