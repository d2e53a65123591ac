"""The packages `benchmarks/gpu.sh` needs beside PyTorch and numpy, out of this environment, as two small archives."""

from __future__ import annotations

import sys
import tarfile
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from curate.errors import RunError

MOST = 64_000_000  # bytes of one
PACKS = {
    "opencv": "opencv-python-headless",
    "rest": "open_clip_torch timm torchvision tokenizers safetensors ftfy wcwidth regex huggingface_hub hf_xet httpx "
    "httpcore httpx2 httpcore2 truststore h11 anyio idna certifi sniffio tqdm packaging pyyaml pydantic pydantic_core "
    "annotated_types typing_inspection typing_extensions pyarrow pillow onnxruntime flatbuffers protobuf webdataset "
    "braceexpand cryptography cffi pycparser",
}
_WITHOUT = (  # what nothing here imports
    "pyarrow/include",
    "pyarrow/tests",
    "pyarrow/src",
    "pyarrow/libarrow_flight",
    "pyarrow/libarrow_substrait",
    "pyarrow/_flight",
    "pyarrow/_substrait",
    "onnxruntime/transformers",
    "onnxruntime/tools",
    "onnxruntime/quantization",
    "torchvision/datasets",
)


def pack(names: str, out: Path) -> int:
    """Write the archive; its size in bytes. RunError where it is too large."""
    with tarfile.open(out, "w:xz", preset=6) as archive:
        for name in names.split():
            try:
                found = distribution(name)
            except PackageNotFoundError:
                continue  # of another version's needs
            for path in _files(found):
                archive.add(str(found.locate_file(path)), path, recursive=False)
    size = out.stat().st_size
    if size > MOST:
        raise RunError(f"{out.name} has {size / 1e6:.1f} MB, at most {MOST / 1e6:.0f} can travel: leave out more")
    return size


def _files(found: Distribution) -> list[str]:
    names = sorted(str(path) for path in found.files or [])
    unwanted = ("..", *_WITHOUT)
    return [n for n in names if not n.startswith(unwanted) and not n.endswith((".pyc", ".pyi", ".a", ".h"))]


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for called, wanted in PACKS.items():
        print(f"{called}.tar.xz: {pack(wanted, folder / f'{called}.tar.xz') / 1e6:.1f} MB")
