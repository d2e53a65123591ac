"""Imported before anything else of the tests, and so before the libraries that read these."""

import os

# Two workers share two cores, each with processes of its own: more threads wait for each other, which makes the small
# matrices of tests cost up to eight times as much.
for _library in ("OMP", "OPENBLAS", "MKL"):
    os.environ.setdefault(f"{_library}_NUM_THREADS", "1")
