"""How many reports a CPU-second are read from HL7 messages and FHIR resources, and in how much memory.

python -m benchmarks.input.report_speed [--reports 20000]
python -m benchmarks.input.report_speed --bundle 2      one FHIR bundle of 2 GB, scans of the reports (PDF) in it
"""

from __future__ import annotations

import argparse
import base64
import json
import resource
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from curate.sources.reports.captions import ReportColumns
from curate.sources.reports.read import read_reports

TEXT = "FINDINGS: The lungs are clear. No pleural effusion or pneumothorax. The heart is not enlarged. " * 4
TEXT += "\nIMPRESSION: No acute disease."


def messages(count: int) -> Iterator[str]:
    """ORU^R01 messages of ten observations."""
    for n in range(count):
        yield f"MSH|^~\\&|RIS|M|X|Y|20240101101500||ORU^R01^ORU_R01|{n}|P|2.5\r"
        yield f"PID|1|9|{n}^^^M^MR||DOE{n}^JOHN||19500101\r"
        yield f"ORC|RE|PL{n}|A{n}\rOBR|1|PL{n}|A{n}|71020^CHEST|||202401010930||||||||||||||||||F\r"
        for i, line in enumerate(TEXT.split(". ")[:10], 1):
            yield f"OBX|{i}|FT|71020&GDT^CHEST||{line}||||||F\r"


def resources(count: int) -> Iterator[dict[str, Any]]:
    """A report, its patient and its study, by turns."""
    data = base64.b64encode(TEXT.encode()).decode()
    for n in range(count):
        yield {"resourceType": "DiagnosticReport", "id": f"r{n}", "status": "final",
               "subject": {"reference": f"Patient/p{n}"}, "imagingStudy": [{"reference": f"ImagingStudy/i{n}"}],
               "effectiveDateTime": "2021-05-03", "resultsInterpreter": [{"display": "Dr Who"}],
               "presentedForm": [{"contentType": "text/plain", "data": data}]}  # fmt: skip
        yield {
            "resourceType": "Patient",
            "id": f"p{n}",
            "identifier": [{"value": f"M{n}"}],
            "name": [{"family": "Doe"}],
        }
        yield {"resourceType": "ImagingStudy", "id": f"i{n}", "identifier": [
            {"system": "urn:dicom:uid", "value": f"urn:oid:1.2.{n}"}]}  # fmt: skip


def write(folder: Path, count: int) -> Iterator[Path]:
    """A file of each form."""
    with open(folder / "messages.hl7", "w", newline="") as file:
        file.writelines(messages(count))
    yield folder / "messages.hl7"
    with open(folder / "bundle.json", "w") as file:
        file.write('{"resourceType": "Bundle", "entry": [')
        for n, each in enumerate(resources(count)):
            file.write(("," if n else "") + json.dumps({"resource": each}))
        file.write("]}")
    yield folder / "bundle.json"
    with open(folder / "export.ndjson", "w") as file:
        file.writelines(json.dumps(each) + "\n" for each in resources(count))
    yield folder / "export.ndjson"


def write_bundle(path: Path, size: int) -> int:
    """One bundle of at least ``size`` bytes, a PDF beside every report's text; how many reports it holds."""
    scan = {"contentType": "application/pdf", "data": base64.b64encode(b"%PDF-1.4" + bytes(60_000)).decode()}
    count, shown = 0, json.dumps(scan)
    with open(path, "w") as file:
        file.write('{"resourceType": "Bundle", "entry": [')
        for each in resources(size):
            entry = json.dumps({"resource": each})
            if each["resourceType"] == "DiagnosticReport":
                entry, count = entry.replace('[{"contentType', f'[{shown}, {{"contentType', 1), count + 1
            elif each["resourceType"] == "ImagingStudy" and file.tell() > size:
                file.write("," + entry + "]}")
                return count
            file.write(("," if file.tell() > 50 else "") + entry)
    raise AssertionError("as many reports as bytes are more than enough")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--reports", type=int, default=20_000)
    parser.add_argument("--bundle", type=float, help="GB")
    args = parser.parse_args()
    count = args.reports
    with tempfile.TemporaryDirectory() as folder:
        if args.bundle:
            count = write_bundle(Path(folder) / "bundle.json", round(args.bundle * 1e9))
        for path in [Path(folder) / "bundle.json"] if args.bundle else write(Path(folder), count):
            start = time.process_time()
            read = sum(report.reason is None for report in read_reports(path, ReportColumns()))
            spent, memory = time.process_time() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
            assert read == count, (path.name, read)
            size = path.stat().st_size / 1e6
            print(f"{path.name:16} {size:7.1f} MB  {read / spent:8,.0f} reports/CPU-s  {memory} MB at most so far")


if __name__ == "__main__":
    main()
