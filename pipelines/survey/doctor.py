"""`curate doctor`: what this machine, its libraries, a folder and a secret can do, and what to mend."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import stat
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from curate.errors import RecipeError

GIB = 2**30
_SHM = Path("/dev/shm")  # noqa: S108  where Ray keeps its objects
_NETWORK = ("nfs", "nfs4", "cifs", "smb3", "fuse.sshfs", "lustre", "gpfs", "beegfs", "ceph", "9p")
_CODECS = {"JPEG 2000": "JPEG2K", "JPEG-LS": "JPEGLS", "JPEG, 8 and 12 bits": "JPEG8", "JPEG lossless": "LJPEG"}
_REINSTALL = "pip install --force-reinstall radsift"
_PACKAGES = ("torch", "open_clip_torch", "ray", "pyarrow", "polars", "faiss-cpu", "pydicom", "numpy", "pillow")


@dataclass(frozen=True)
class Check:
    """One thing that was looked at: ``bad`` stops a run, a ``note`` costs something; ``fix`` says what to do."""

    name: str
    state: Literal["ok", "note", "bad"]
    says: str
    fix: str = ""


def examine(folder: Path, secret: Path | None = None) -> Iterator[Check]:
    """Every check in turn; one that fails in an unforeseen way is a bad one, never an exception."""
    checks: list[tuple[str, Callable[[], Iterator[Check]]]] = [
        ("versions", _versions),
        ("decoders", _decoders),
        ("text in pixels", _text_detector),
        ("device", _device),
        ("ray", _ray),
        ("cores and memory", _machine),
        ("folder", lambda: _folder(folder)),
        ("secret", lambda: _secret(secret)),
    ]
    for name, look in checks:
        try:
            yield from look()
        except Exception as error:  # noqa: BLE001  it is what is being asked
            yield Check(name, "bad", f"{type(error).__name__} while looking", _REINSTALL)


def _versions() -> Iterator[Check]:
    found, missing = [f"python {platform.python_version()}"], []
    for name in _PACKAGES:
        try:
            found.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            missing.append(name)
    if missing:
        fix = f"pip install {' '.join(missing)} -c constraints.txt"
        yield Check("versions", "bad", f"missing: {', '.join(missing)}", fix)
    yield Check("versions", "ok", ", ".join(found))


def _decoders() -> Iterator[Check]:
    import imagecodecs

    missing = [name for name, codec in _CODECS.items() if not getattr(imagecodecs, codec).available]
    if missing:
        says = f"no decoder for {', '.join(missing)}: such files are dropped as unsupported_transfer_syntax"
        yield Check("decoders", "bad", says, "pip install imagecodecs -c constraints.txt")
    else:
        yield Check("decoders", "ok", ", ".join(_CODECS))


def _text_detector() -> Iterator[Check]:
    import cv2
    import numpy as np

    from curate.deid.pixels import text_reader
    from curate.deid.pixels.text_detector import detected

    page, lines = np.zeros((512, 512), np.uint8), range(40, 512, 40)
    for y in lines:
        cv2.putText(page, "DOE JANE 1970-01-01", (20, y), cv2.FONT_HERSHEY_SIMPLEX, 0.7, 255)
    detected(page, 0.5)  # loads the network
    began = time.process_time()
    found = len(detected(page, 0.5))
    spent = 1000 * (time.process_time() - began)
    says = f"the detector finds {found} of {len(lines)} lines that were drawn; {spent:.0f} ms CPU for 512 x 512"
    if found == len(lines):
        yield Check("text in pixels", "ok", says)
    else:
        yield Check("text in pixels", "bad", says, _REINSTALL)
    if not text_reader.available():
        says = "no OCR package: letters of side (L, R) are blanked as other text is"
        yield Check("text in pixels", "note", says, text_reader.INSTALL)


def _device() -> Iterator[Check]:
    cards = _cards()
    if cards:
        yield Check("device", "ok", f"{', '.join(cards)}; use them: --set engine.gpus=1 (per model)")
    else:
        flags = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
        more = "; bf16 is fast here: filters.NAME.precision: bf16" if "amx_bf16" in flags else ""
        says = f"no GPU: filters score and train on the CPU{more}"
        yield Check("device", "note", says, "a GPU, for more than some 100,000 pairs")


def _cards() -> list[str]:
    """The GPUs that torch can use."""
    if importlib.metadata.version("torch").endswith("+cpu"):
        return []  # known without its import, which takes seconds
    import torch

    properties = torch.cuda.get_device_properties
    cards = [properties(i) for i in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
    return [f"{card.name} {card.total_memory / GIB:.0f} GiB" for card in cards]


def _ray() -> Iterator[Check]:
    version = importlib.metadata.version("ray")
    address = os.environ.get("RAY_ADDRESS")
    where = (
        f"cluster of RAY_ADDRESS {address}" if address else "no cluster in RAY_ADDRESS: --engine ray starts one here"
    )
    yield Check("ray", "ok", f"{version}; {where}")
    if _SHM.is_dir():
        room = shutil.disk_usage(_SHM).free
        if room < 2 * GIB:
            fix = "docker run --shm-size 8g; in Kubernetes an emptyDir of medium Memory at /dev/shm"
            says = f"{room / GIB:.1f} GiB free: Ray's objects go to disk, which is slow"
            yield Check("shared memory", "note", says, fix)
        else:
            yield Check("shared memory", "ok", f"{room / GIB:.1f} GiB free")


def _machine() -> Iterator[Check]:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    memory = _free_memory()
    says = f"{cores} cores" + ("" if memory is None else f", {memory / GIB:.0f} GiB of memory free")
    if memory is not None and memory < 2 * GIB * cores:
        workers = max(int(memory // (2 * GIB)), 1)
        yield Check("cores and memory", "note", f"{says}: under 2 GiB a worker", f"--workers {workers}")
    else:
        yield Check("cores and memory", "ok", says)


def _free_memory() -> int | None:
    """Bytes that can be had, by the machine and by the container's limit; None where nobody says."""
    meminfo = Path("/proc/meminfo")
    lines = dict(line.split(":", 1) for line in meminfo.read_text().splitlines()) if meminfo.exists() else {}
    free = int(lines["MemAvailable"].split()[0]) * 1024 if "MemAvailable" in lines else None
    group = Path("/sys/fs/cgroup")
    if free is not None and (group / "memory.max").exists():
        limit = (group / "memory.max").read_text().strip()
        if limit.isdecimal():
            free = min(free, int(limit) - int((group / "memory.current").read_text()))
    return free


def _folder(folder: Path) -> Iterator[Check]:
    at = next(p for p in (folder.absolute(), *folder.absolute().parents) if p.exists())
    if not at.is_dir() or not os.access(at, os.W_OK):
        yield Check("folder", "bad", f"{at} cannot be written to", "name another folder for 'out'")
        return
    free, kind = shutil.disk_usage(at).free, _file_system(at)
    if free < 10 * GIB:
        fix = "a run takes about twice the size of the pictures that it keeps"
        yield Check("folder", "note", f"{at}: {free / GIB:.1f} GiB free", fix)
    elif kind in _NETWORK:
        fix = "one run at a time; mount with locks (no 'nolock')"
        yield Check("folder", "note", f"{at}: {free / GIB:.0f} GiB free, on {kind}", fix)
    else:
        yield Check("folder", "ok", f"{at}: {free / GIB:.0f} GiB free" + (f", {kind}" if kind else ""))


def _file_system(path: Path) -> str:
    """Its kind by the longest mount point above ``path``; empty where the system does not say."""
    mounts = Path("/proc/mounts")
    if not mounts.exists():
        return ""
    rows = [line.split()[1:3] for line in mounts.read_text().splitlines()]
    above = [(len(point), kind) for point, kind in rows if path.is_relative_to(point)]
    return max(above, default=(0, ""))[1]


def _secret(path: Path | None) -> Iterator[Check]:
    from curate.deid.pseudonym import is_random, load_secret

    try:
        load_secret(path)
    except RecipeError as error:
        yield Check("secret", "note" if path is None else "bad", error.problem, error.fix)
        return
    if path is not None and stat.S_IMODE(path.stat().st_mode) & 0o077:
        says = f"{path} can be read by others (mode {stat.S_IMODE(path.stat().st_mode):o})"
        yield Check("secret", "bad", says, f"chmod 600 {path}")
    raw = path.read_bytes().strip() if path is not None else os.environ.get("RADSIFT_SECRET", "").encode().strip()
    if is_random(raw):
        yield Check("secret", "ok", f"{4 * len(raw)} random bits")
    else:
        says = "a passphrase: who holds the shards can guess at it (each guess goes through scrypt)"
        yield Check("secret", "note", says, "curate secret FILE writes 256 random bits")
