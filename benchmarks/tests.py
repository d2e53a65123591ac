"""Whether the tests are green every time: `make test`, many times in a row. Each run is one JSON line on stdout."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

ROOT = Path(__file__).parents[1]


def main() -> int:
    """0 where every run was green."""
    told = argparse.ArgumentParser(description=__doc__)
    told.add_argument("--times", type=int, default=20)
    told.add_argument("--target", default="test", help="the target of make")
    arguments = told.parse_args()
    green = 0
    for number in range(arguments.times):
        row = run_once(arguments.target)
        green += row["green"]
        print(json.dumps({"run": number + 1, **row}), flush=True)
    print(json.dumps({"green": green, "of": arguments.times}))
    return int(green < arguments.times)


def run_once(target: str) -> dict[str, Any]:
    """One run: the commit, its seconds, how many tests passed, failed and were skipped, and the names that failed."""
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False)
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "junit.xml"
        told = os.environ | {"PYTEST_ADDOPTS": f"{os.environ.get('PYTEST_ADDOPTS', '')} --junitxml={page}"}
        begun = time.monotonic()
        done = subprocess.run(
            ["make", target],
            cwd=ROOT,
            env=told,
            stdout=subprocess.DEVNULL,
            check=False,
        )
        seconds = time.monotonic() - begun
        counts = count_outcomes(page.read_text()) if page.exists() else {"passed": 0, "failed": [], "skipped": 0}
    green = done.returncode == 0 and counts["passed"] > 0 and not counts["failed"]
    return {"commit": commit.stdout.strip(), "green": green, "seconds": round(seconds, 1), **counts}


def count_outcomes(junit: str) -> dict[str, Any]:
    """passed and skipped (numbers) and failed (names) of a JUnit XML page."""
    found: dict[str, Any] = {"passed": 0, "failed": [], "skipped": 0}
    for case in ElementTree.fromstring(junit).iter("testcase"):
        kinds = {child.tag for child in case}
        if kinds & {"failure", "error"}:
            found["failed"].append(f"{case.get('classname')}::{case.get('name')}")
        elif "skipped" in kinds:
            found["skipped"] += 1
        else:
            found["passed"] += 1
    return found


if __name__ == "__main__":
    raise SystemExit(main())
