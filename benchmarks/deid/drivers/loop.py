"""The loop every peer's driver shares: files of a folder, one after another, a line of status for each.

Run by the peer's own Python, so it imports nothing but the standard library. A driver is called as

    python driver.py IN OUT STATUS

and appends to STATUS one JSON line a file: {"file", "error" (class name or null), "cpu" (seconds)}. Files that STATUS
knows already are passed over, so a driver that crashed or hung is started again after its file was given a line there.
"""

import json
import logging
import sys
import time
import warnings
from pathlib import Path


def main(handle):
    """``handle(source, target)`` (strings) for every file under IN."""
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    source, target, status = (Path(a) for a in sys.argv[1:4])
    known = {json.loads(line)["file"] for line in status.read_text().splitlines()} if status.exists() else set()
    for path in sorted(p for p in source.rglob("*") if p.is_file()):
        name = path.relative_to(source).as_posix()
        if name in known:
            continue
        out = target / name
        out.parent.mkdir(parents=True, exist_ok=True)
        Path(f"{status}.now").write_text(name)
        start, error = time.process_time(), None
        try:
            handle(str(path), str(out))
        except (Exception, SystemExit) as problem:  # noqa: BLE001  the peer may raise what it likes
            error = type(problem).__name__
        row = {"file": name, "error": error, "cpu": time.process_time() - start}
        with status.open("a") as lines:
            lines.write(json.dumps(row) + "\n")
