"""The peers: each in its own environment under a cache folder, driven over a folder of files by a tiny script.

A peer that fails on a file, crashes or hangs is counted as failed there, not as leaking. A peer that cannot be
installed is named with the reason; the rest of the benchmark goes on without it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

DRIVERS = Path(__file__).parent / "drivers"
HUNG = 20  # seconds without a finished file


@dataclass(frozen=True)
class Peer:
    """``pins``: what pip installs; ``driver``: the script of `drivers` that the peer's own Python runs."""

    name: str
    pins: tuple[str, ...]
    driver: str
    module: str

    def python(self, cache: Path) -> Path:
        """The interpreter of the peer's environment."""
        return cache / "-".join(self.pins).replace("=", "-") / "bin" / "python"


DICOM_PEERS = (
    Peer("dicom-anonymizer 2.1.0", ("dicom-anonymizer==2.1.0",), "dicom_anonymizer_driver.py", "dicomanonymizer"),
    Peer("dicognito 0.19.0", ("dicognito==0.19.0",), "dicognito_driver.py", "dicognito"),
    Peer("deid 0.4.13", ("deid==0.4.13",), "deid_driver.py", "deid"),
)
PRESIDIO = Peer("presidio-analyzer 2.2", ("presidio-analyzer==2.2.366",), "presidio_driver.py", "presidio_analyzer")


def default_cache() -> Path:
    """Where the peers' environments are kept between runs."""
    return Path(os.environ.get("RADSIFT_BENCH_CACHE", Path.home() / ".cache" / "radsift-bench"))


def install(peer: Peer, cache: Path) -> str:
    """Make the peer's environment where it is not there; "" or why it is not to be had."""
    python = peer.python(cache)
    if python.exists() and _runs(python, peer.module):
        return ""
    cache.mkdir(parents=True, exist_ok=True)
    pip = [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", *peer.pins]
    for command in ([sys.executable, "-m", "venv", str(python.parents[1])], pip):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            last = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
            return f"not installed: {last[-1] if last else 'exit ' + str(done.returncode)}"
    return "" if _runs(python, peer.module) else "not installed: it does not import"


def _runs(python: Path, module: str) -> bool:
    return subprocess.run([str(python), "-c", f"import {module}"], capture_output=True, check=False).returncode == 0


def drive(peer: Peer, cache: Path, source: Path, target: Path, **environment: str) -> dict[str, dict[str, object]]:
    """Every file of ``source`` through the peer into ``target``: file -> {"error": class name or None, "cpu": s}."""
    target.mkdir(parents=True, exist_ok=True)
    status = target.parent / f"{target.name}.status"
    wanted = sum(p.is_file() for p in source.rglob("*"))
    command = [str(peer.python(cache)), str(DRIVERS / peer.driver), str(source), str(target), str(status)]
    env = {**os.environ, **environment, "OMP_NUM_THREADS": "1"}
    env.pop("PYTHONPATH", None)
    while len(rows := _rows(status)) < wanted:
        worker = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        why = _watch(worker, status)
        if not (why or worker.returncode) and len(_rows(status)) < wanted:
            raise RuntimeError(f"{peer.name}: the driver ended before its files did")
        now = Path(f"{status}.now")
        if len(_rows(status)) < wanted:
            if not now.exists():
                raise RuntimeError(f"{peer.name}: the driver does not start")
            row = {"file": now.read_text(), "error": why or "Crashed", "cpu": 0.0}
            with status.open("a") as lines:
                lines.write(json.dumps(row) + "\n")
    return {str(row["file"]): row for row in rows}


def _watch(worker: subprocess.Popen[bytes], status: Path) -> str:
    """Wait for the driver; kill it where no file was finished for `HUNG` seconds."""
    seen, since = -1, time.monotonic()
    while worker.poll() is None:
        size = status.stat().st_size if status.exists() else 0
        if size != seen:
            seen, since = size, time.monotonic()
        if time.monotonic() - since > HUNG:
            worker.kill()
            worker.wait()
            return "Hung"
        time.sleep(0.1)
    return ""


def _rows(status: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in status.read_text().splitlines()] if status.exists() else []
