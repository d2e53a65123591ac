"""What an audit sees without the source, beside what the verifier sees with it, on what other tools released.

    python -m benchmarks.deid.public.audit [--studies N]

A synthetic archive's DICOM files go through each peer and through `curate deid`'s own cleaning of headers. Of every
file that came out, the verifier is asked with the source beside it (`dicom_findings`), the audit without
(`audit_header`), and dicomqc's scan by itself. A file is told of where any of them found anything. The verifier takes
as a finding what the audit cannot know (a value carried over that looks like nothing), and the audit what the verifier
has no reason to doubt (a day that is no day of the source, an invented name that looks like one).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
import time
from collections import Counter
from pathlib import Path

import pydicom

from benchmarks.deid import peers
from curate.deid.pseudonym import Pseudonymizer
from curate.deid.quiet import quiet
from curate.deid.rules import DeidRules
from curate.deid.verify.audit.header import audit_header
from curate.deid.verify.dicom.findings import dicom_findings
from curate.deid_export.dicom.clean import clean_dicom
from curate.deid_export.rules import ReleaseRules
from curate.synth.archive import SynthConfig, write_archive

DICOMQC = peers.Peer("dicomqc 0.2.0", ("dicomqc==0.2.0",), "", "dicomqc")


def release_ours(source: Path, target: Path) -> None:
    """The files below ``source`` as `curate deid` writes them, pixels believed."""
    rules, pseudo = ReleaseRules(deid=DeidRules("trust")), Pseudonymizer(b"\x07" * 32)
    target.mkdir()
    for path in sorted(source.iterdir()):
        outcome = clean_dicom(path, rules, pseudo)
        if outcome.data is not None:
            (target / path.name).write_bytes(outcome.data)


def compare(source: Path, released: Path, retain: tuple[str, ...] = ()) -> dict[str, object]:
    """Files by who found anything in them, codes by who found them, files a CPU-second of the audit. ``retain``: what
    the verifier is told that the release kept by intention."""
    found: Counter[str] = Counter()
    codes: dict[str, Counter[str]] = {"verifier": Counter(), "audit": Counter()}
    spent, files = 0.0, sorted(p for p in released.iterdir() if p.is_file())
    for path in files:
        data = path.read_bytes()
        began = time.process_time()
        alone = set(audit_header(data).places)
        spent += time.process_time() - began
        with quiet():
            beside = set(dicom_findings(data, pydicom.dcmread(source / path.name, force=True), retain=retain))
        found[
            {(1, 1): "both", (1, 0): "verifier only", (0, 1): "audit only"}.get((bool(beside), bool(alone)), "none")
        ] += 1
        codes["verifier"].update(code.value for code in beside)
        codes["audit"].update(code.value for code in alone)
    rate = round(len(files) / max(spent, 1e-9))
    return {"files": len(files), **found, **{who: dict(sorted(c.items())) for who, c in codes.items()}, "rate": rate}


def scan(python: Path, folder: Path, report: Path) -> dict[str, int]:
    """dicomqc's findings in ``folder``, by rule."""
    command = [str(python.parent / "dicomqc"), "scan", str(folder), "--json", str(report), "--uid-checks", "--quiet"]
    subprocess.run(command, check=False, capture_output=True)
    told = json.loads(report.read_text())
    rules = Counter(str(f["rule_id"]).removeprefix("research-release-v0.1.") for f in told["findings"])
    return {"failed": told["summary"]["files_failed"], **dict(sorted(rules.items()))}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=40)
    studies, cache = parser.parse_args().studies, peers.default_cache()
    qc = peers.install(DICOMQC, cache)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        write_archive(folder / "archive", SynthConfig(studies=studies, seed=3, side=96))
        source = folder / "source"
        source.mkdir()
        for i, path in enumerate(sorted((folder / "archive" / "dicom").rglob("*.dcm"))):
            (source / f"{i:05d}.dcm").write_bytes(path.read_bytes())
        released = {}
        for peer in peers.DICOM_PEERS:
            if why := peers.install(peer, cache):
                print(f"{peer.name}: {why}")
                continue
            peers.drive(peer, cache, source, folder / peer.module)
            released[peer.name] = folder / peer.module
        release_ours(source, folder / "ours")
        for name, target in {**released, "ours": folder / "ours"}.items():
            retain = ReleaseRules().header.retain if name == "ours" else ()
            print(json.dumps({"released by": name, **compare(source, target, retain)}))
            if not qc:
                print(json.dumps({"dicomqc": scan(DICOMQC.python(cache), target, folder / "qc.json")}))
        if qc:
            print(f"{DICOMQC.name}: {qc}")


if __name__ == "__main__":
    main()
