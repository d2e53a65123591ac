"""Find flaky tests: run `make test` many times in a row and print one JSON line per run."""

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
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--target", default="test", help="the target of make")
    arguments = parser.parse_args()
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
        environment = os.environ | {"PYTEST_ADDOPTS": f"{os.environ.get('PYTEST_ADDOPTS', '')} --junitxml={page}"}
        start = time.monotonic()
        process = subprocess.run(
            ["make", target],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.DEVNULL,
            check=False,
        )
        seconds = time.monotonic() - start
        counts = count_outcomes(page.read_text()) if page.exists() else {"passed": 0, "failed": [], "skipped": 0}
    green = process.returncode == 0 and counts["passed"] > 0 and not counts["failed"]
    return {"commit": commit.stdout.strip(), "green": green, "seconds": round(seconds, 1), **counts}


def count_outcomes(junit: str) -> dict[str, Any]:
    """passed and skipped (numbers) and failed (names) of a JUnit XML page."""
    counts: dict[str, Any] = {"passed": 0, "failed": [], "skipped": 0}
    for case in ElementTree.fromstring(junit).iter("testcase"):
        kinds = {child.tag for child in case}
        if kinds & {"failure", "error"}:
            counts["failed"].append(f"{case.get('classname')}::{case.get('name')}")
        elif "skipped" in kinds:
            counts["skipped"] += 1
        else:
            counts["passed"] += 1
    return counts


if __name__ == "__main__":
    raise SystemExit(main())
