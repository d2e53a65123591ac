"""Everything here runs in a fresh process: what is declared or imported stays so for a process's life."""

from __future__ import annotations

import io
import subprocess
import sys
import tarfile
from pathlib import Path

from tests.filters.shapes import pairs


def _python(*args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *args], capture_output=True, text=True, timeout=300)


def test_the_package_alone_imports_nothing_heavy():
    done = _python("-c", "import filters, sys; print([m for m in ('torch', 'open_clip', 'cv2') if m in sys.modules])")
    assert done.stdout.strip() == "[]", done.stderr


def test_declares_where_torchvision_is_broken_and_only_there():
    works = _python("-c", "import torchvision").returncode == 0
    code = (
        "from filters.towers.torchvision_ops import ensure; print(ensure(), ensure());"
        " import open_clip, open_clip_train, timm"
    )
    done = _python("-c", code)
    assert done.returncode == 0, done.stderr
    first, again = done.stdout.strip().replace(") (", ")|(").split("|")
    assert again == "()"
    assert (first == "()") == works, "nothing may be declared where torchvision works"


def test_open_clip_train_trains_our_architecture_in_this_process(tmp_path: Path):
    images, texts, _ = pairs(4)
    with tarfile.open(tmp_path / "0.tar", "w") as shard:
        for i, (image, text) in enumerate(zip(images, texts, strict=True)):
            for name, content in ((f"{i}.png", image), (f"{i}.txt", text.encode())):
                info = tarfile.TarInfo(name)
                info.size = len(content)
                shard.addfile(info, io.BytesIO(content))
    data = ["--train-data", str(tmp_path / "0.tar"), "--dataset-type", "webdataset", "--train-num-samples", "4"]
    size = ["--model", "radsift-tiny", "--batch-size", "2", "--epochs", "1", "--workers", "1", "--device", "cpu"]
    done = _python(
        "-m", "filters.training.open_clip_train_main", *data, *size, "--logs", str(tmp_path), "--name", "run"
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert (tmp_path / "run/checkpoints/epoch_1.pt").stat().st_size > 1e6
