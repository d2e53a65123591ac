"""How fast `curate fetch` is beside DCMTK's getscu and movescu, from one local Orthanc, and in how much memory.

    python -m benchmarks.fetch [--objects 10000]        (apt-get install orthanc orthanc-dicomweb dcmtk)

Small objects (8 x 8 px), 100 a study, so that what is measured is the protocol and not the disk. Each tool fetches the
same studies, into a folder of its own, one after another.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import subprocess
import sys
import tempfile
import time
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


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--objects", type=int, default=10_000)
    studies = parser.parse_args().objects // PER_STUDY
    if PROGRAM is None or not PLUGIN.exists():
        sys.exit("no Orthanc here: apt-get install orthanc orthanc-dicomweb")
    with tempfile.TemporaryDirectory() as folder, orthanc(Path(folder) / "server") as server:
        for study in range(1, studies + 1):
            for n in range(1, PER_STUDY + 1):
                server.store(as_file(instance(study, 1, n)))
        runs = [("curate fetch", kind, fetch_with_curate) for kind in ("DICOMweb", "C-GET", "C-MOVE")]
        runs += [("DCMTK", tool, fetch_with_dcmtk) for tool in ("getscu", "movescu") if shutil.which(tool)]
        for who, how, run in runs:
            start, out = time.monotonic(), Path(folder) / how
            objects = run(server, how, studies, out)
            spent, memory = time.monotonic() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
            at = f", {memory} MB at most so far" if who != "DCMTK" else ""
            print(f"{who:13} {how:9} {objects:,} of {studies * PER_STUDY:,} in {spent:6.1f} s"
                  f"  {objects / spent:7,.0f}/s{at}", flush=True)  # fmt: skip
            shutil.rmtree(out)


if __name__ == "__main__":
    main()
