"""`python -m benchmarks.deid.frames`: see `fillings`."""

from benchmarks.deid.frames.fillings import main

if __name__ == "__main__":
    main()
