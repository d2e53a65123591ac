"""How fast `curate fetch` is beside DCMTK's getscu, movescu and storescu and one local Orthanc, and in how much memory.

    python -m benchmarks.fetch [--objects 10000] [--dcmtk 1000]        (apt-get install orthanc orthanc-dicomweb dcmtk)

Small objects (8 x 8 px), 100 a study, so that what is measured is the protocol and not the disk. Each tool fetches the
same studies, into a folder of its own, one after another; DCMTK's the first of them, an association each. storescu
sends objects that DICOMweb has brought, over one association, to a second, empty Orthanc.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from curate.fetch.dicomweb import DicomWeb, DicomWebRules
from curate.fetch.dimse import Dimse, DimseRules
from curate.fetch.job import FetchRules, fetch
from curate.fetch.server import Server
from tests.curate.orthanc import PLUGIN, PROGRAM, Orthanc, orthanc
from tests.curate.pacs import as_file, instance

PER_STUDY = 100


def connected(server: Orthanc, kind: str) -> Server:
    """A connection by one of the protocols."""
    if kind == "DICOMweb":
        return DicomWeb(DicomWebRules(f"http://127.0.0.1:{server.http}/dicom-web"))
    via = "get" if kind == "C-GET" else "move"
    return Dimse(DimseRules("127.0.0.1", server.dicom, "PACS", via=via, port=server.receiver))  # type: ignore[arg-type]


def fetch_with_curate(server: Orthanc, kind: str, studies: int, out: Path) -> int:
    """Objects fetched."""
    accessions = [f"A{n}" for n in range(1, studies + 1)]
    return fetch(out, lambda: connected(server, kind), accessions, {}, FetchRules(), lambda *_: None).objects


def fetch_with_dcmtk(server: Orthanc, tool: str, studies: int, out: Path) -> int:
    """Objects fetched by DCMTK: an association a study, as its tools take one."""
    out.mkdir()
    receiving = ["-aem", "RADSIFT", "+P", str(server.receiver)] if tool == "movescu" else []
    for study in range(1, studies + 1):
        query = ["-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID=1.2.3.{study}"]
        peer = ["-aet", "RADSIFT", "-aec", "PACS", "127.0.0.1", str(server.dicom)]
        subprocess.run([tool, "-S", "-od", str(out), *receiving, *query, *peer], check=True, capture_output=True)
    return sum(1 for path in out.iterdir() if path.is_file())


def send(fetched: Path, server: Orthanc, objects: int) -> int:
    """Objects sent by storescu."""
    studies = [str(fetched / "dicom" / f"1.2.3.{n}") for n in range(1, objects // PER_STUDY + 1)]
    peer = ["-aec", "PACS", "127.0.0.1", str(server.dicom)]
    subprocess.run(["storescu", "+sd", "+r", *peer, *studies], check=True, capture_output=True)
    with urllib.request.urlopen(f"http://127.0.0.1:{server.http}/statistics", timeout=60) as response:
        return int(json.load(response)["CountInstances"])


def measure(who: str, how: str, objects: int, run: Callable[[], int]) -> None:
    """Print a line; the memory is this process's."""
    start, cpu = time.monotonic(), time.process_time()
    done = run()
    spent, memory = time.monotonic() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    ours = f", {time.process_time() - cpu:.0f} CPU-s, {memory} MB at most so far" if who != "DCMTK" else ""
    print(f"{who:13} {how:9} {done:,} of {objects:,} in {spent:6.1f} s  {done / spent:7,.0f}/s{ours}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--objects", type=int, default=10_000)
    parser.add_argument("--dcmtk", type=int, default=1000, help="objects for DCMTK's tools")
    args = parser.parse_args()
    if PROGRAM is None or not PLUGIN.exists():
        sys.exit("no Orthanc here: apt-get install orthanc orthanc-dicomweb")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server, empty = (stack.enter_context(orthanc(folder / name)) for name in ("server", "empty"))
        for study in range(1, args.objects // PER_STUDY + 1):
            for n in range(1, PER_STUDY + 1):
                server.store(as_file(instance(study, 1, n)))
        runs = [(kind, args.objects, fetch_with_curate) for kind in ("DICOMweb", "C-GET", "C-MOVE")]
        runs += [(tool, min(args.dcmtk, args.objects), fetch_with_dcmtk) for tool in ("getscu", "movescu")]
        for how, objects, run in runs:
            who = "DCMTK" if how in ("getscu", "movescu") else "curate fetch"
            if who != "DCMTK" or shutil.which(how):
                measure(who, how, objects, partial(run, server, how, objects // PER_STUDY, folder / how))
            if how == "DICOMweb" and shutil.which("storescu"):
                sent = min(args.dcmtk, objects)
                measure("DCMTK", "storescu", sent, partial(send, folder / how, empty, sent))


if __name__ == "__main__":
    main()
