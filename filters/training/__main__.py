"""One process of a training: ``torchrun --nproc-per-node N -m filters.training OUT/job.json``."""

from __future__ import annotations

import sys
from pathlib import Path

from curate.errors import RadsiftError
from filters.training.job import read_job, run_job


def main(args: list[str]) -> int:
    """The process's exit code; an error is one line on stderr."""
    if len(args) != 1:
        sys.stderr.write("usage: torchrun --nproc-per-node N -m filters.training OUT/job.json\n")
        return 2
    try:
        run_job(read_job(Path(args[0])))
    except RadsiftError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
