"""Header de-identification in files per CPU-second, side by side and interleaved, and memory over many files.

The file: pydicom's own CT_small, enlarged to 512 x 512 (0.5 MB) and given what a scanner of today writes: about 150
elements, sequences and private ones among them. Peers are timed inside their own process, imports not counted,
reading and writing counted for all. Ours is measured three ways: the header alone, the pixels passed on as they lie,
which is what the peers do; the release with pixels trusted, where the verifier checks every byte written; and the
release as it is, pixel gate included. No peer verifies or looks at pixels.
"""

from __future__ import annotations

import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from benchmarks.deid import ours, peers
from curate.deid_export.rules import ReleaseRules


def ct_file(index: int) -> Dataset:
    """A CT slice of 512 x 512, 16 bits allocated, with the elements of a scanner of today."""
    ds = pydicom.dcmread(str(get_testdata_file("CT_small.dcm")))
    small = ds.pixel_array
    ds.remove_private_tags()  # of 2004, more than a scanner of today writes
    large = np.kron(small, np.ones((4, 4), small.dtype)) + np.int16(index % 7)
    ds.Rows, ds.Columns, ds.PixelData = 512, 512, large.tobytes()
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=[f"bench {index}"])
    ds.InstanceNumber = index + 1
    for keyword, value in _MORE.items():
        setattr(ds, keyword, value)
    for keyword in ("RequestAttributesSequence", "ReferencedImageSequence", "ReferencedStudySequence"):
        inner = Dataset()
        inner.ReferencedSOPClassUID, inner.ReferencedSOPInstanceUID = (
            ds.SOPClassUID,
            generate_uid(entropy_srcs=[keyword]),
        )
        inner.RequestedProcedureDescription, inner.ScheduledProcedureStepID = "CT THORAX", "S4711"
        setattr(ds, keyword, [inner])
    for group, creator in ((0x0019, "BENCH ACQU 01"), (0x0021, "BENCH RELA 01"), (0x0045, "BENCH HELIOS 01")):
        block = ds.private_block(group, creator, create=True)
        for offset in range(6):
            block.add_new(offset, "DS" if offset % 2 else "LO", str(offset * 3.5) if offset % 2 else f"value {offset}")
    return ds


_MORE: dict[str, object] = {
    "AccessionNumber": "A20230117", "ReferringPhysicianName": "Referrer^Rita", "OperatorsName": "Tech^Tom",
    "InstitutionName": "Some Hospital", "InstitutionAddress": "1 Road, Town", "StationName": "CT01",
    "InstitutionalDepartmentName": "Radiology", "StudyDescription": "CT THORAX W CONTRAST",
    "SeriesDescription": "Lung 1.0 B60f", "ProtocolName": "ThoraxRoutine", "BodyPartExamined": "CHEST",
    "PatientAge": "067Y", "PatientSize": 1.7, "PatientAddress": "7 Lane, Town", "PatientTelephoneNumbers": "555 0100",
    "DeviceSerialNumber": "52345", "SoftwareVersions": "VB40", "DateOfLastCalibration": "20230101",
    "ExposureTime": 500, "XRayTubeCurrent": 220, "Exposure": 110, "FilterType": "0", "GeneratorPower": 40,
    "FocalSpots": [1.2], "ConvolutionKernel": "B60f", "PatientPosition": "HFS", "TableHeight": 150,
    "GantryDetectorTilt": 0, "RotationDirection": "CW", "SingleCollimationWidth": 0.6, "TotalCollimationWidth": 38.4,
    "TableSpeed": 46, "TableFeedPerRotation": 23, "SpiralPitchFactor": 1.2, "CTDIvol": 7.3,
    "ContrastBolusAgent": "Omnipaque 350", "ContrastBolusVolume": 80, "RequestedProcedureID": "R1",
    "PerformedProcedureStepStartDate": "20230117", "PerformedProcedureStepID": "P1", "ImageComments": "",
    "WindowCenterWidthExplanation": "LUNG", "LossyImageCompression": "00", "StudyID": "1",
}  # fmt: skip


def measure(installed: list[peers.Peer], cache: Path, files: int, repeats: int) -> dict[str, Any]:
    """{"elements", "bytes", "files/cpu-s": {tool: median}, "all": {tool: [..]}, "ratio": ours / the best peer}."""
    found: dict[str, list[float]] = {}
    ways = {
        f"{ours.NAME} (header alone)": ours.header_alone,
        f"{ours.NAME} (header, verified)": _released(ours.TRUSTING),
        f"{ours.NAME} (header, pixel gate, verified)": _released(ours.DEFAULT),
    }
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "in"
        source.mkdir()
        for index in range(files):
            ct_file(index).save_as(source / f"{index:04d}.dcm", enforce_file_format=False)
        first = next(iter(sorted(source.iterdir())))
        elements = sum(1 for _ in pydicom.dcmread(first).iterall())
        size = first.stat().st_size
        for way in ways.values():  # what is loaded once is not counted, as the peers' imports are not
            assert pydicom.dcmread(BytesIO(way(first))).pixel_array.shape == (512, 512)
        for turn in range(repeats):
            for name, way in ways.items():
                spent = [_spent(way, path, Path(folder) / "out.dcm") for path in sorted(source.iterdir())]
                found.setdefault(name, []).append(files / sum(spent))
            for peer in installed:
                target = Path(folder) / f"{peer.module}-{turn}"
                rows = peers.drive(peer, cache, source, target).values()
                good = [float(str(row["cpu"])) for row in rows if not row["error"]]
                found.setdefault(peer.name, []).append(len(good) / sum(good) if good else 0.0)
                shutil.rmtree(target)
    medians = {name: round(statistics.median(values), 1) for name, values in found.items()}
    best = max((medians[p.name] for p in installed), default=0.0)
    return {
        "elements": elements,
        "bytes": size,
        "files": files,
        "files/cpu-s": medians,
        "all": {name: [round(v, 1) for v in values] for name, values in found.items()},
        "to the fastest peer": {name: round(medians[name] / best, 2) for name in ways} if best else {},
    }


def _released(rules: ReleaseRules) -> Callable[[Path], bytes]:
    def release(path: Path) -> bytes:
        done = ours.clean(path, rules)
        if done.outcome is None or done.outcome.data is None:
            raise RuntimeError(f"the benchmark's own CT is not clean: {done.error or done.outcome}")
        return done.outcome.data

    return release


def _spent(way: Callable[[Path], bytes], path: Path, target: Path) -> float:
    """CPU seconds of one file, reading and writing included as they are for the peers."""
    start = time.process_time()
    target.write_bytes(way(path))
    return time.process_time() - start


_CHILD = """
import sys, resource
from pathlib import Path
from benchmarks.deid import ours
folder, total = Path(sys.argv[1]), int(sys.argv[2])
paths = sorted(folder.iterdir())
for i in range(total):
    done = ours.clean(paths[i % len(paths)], ours.TRUSTING)
    assert done.outcome is not None and done.outcome.data
    if i + 1 in (total // 10, total):
        now = next(l for l in open("/proc/self/status") if l.startswith("VmRSS")).split()[1]
        print(i + 1, now)
"""


def memory(total: int) -> dict[str, Any]:
    """Resident memory of one process after a tenth of ``total`` files and after all, MB; Linux only."""
    if not Path("/proc/self/status").exists():
        return {"note": "needs /proc"}
    with tempfile.TemporaryDirectory() as folder:
        for index in range(20):
            ct_file(index).save_as(Path(folder) / f"{index:04d}.dcm", enforce_file_format=False)
        command = [sys.executable, "-c", _CHILD, folder, str(total)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    rows = [line.split() for line in done.stdout.splitlines()]
    early, late = (int(kilobytes) / 1024 for _, kilobytes in rows)
    return {"files": total, "MB after a tenth": round(early, 1), "MB after all": round(late, 1),
            "growth": round(late / early - 1, 4)}  # fmt: skip
