"""How much CPU a pool of WebDataset shards takes until it is indexed: walked, headers read, texts read, paired.

python -m benchmarks.input.pool_speed [--records 100000]
"""

from __future__ import annotations

import argparse
import io
import os
import resource
import tarfile
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

from curate.deid.pseudonym import write_secret
from curate.engine import start_engine
from curate.engine.resources import Resources
from pipelines.recipe.load import load_recipe
from pipelines.run.execute import run_pipeline

RECIPE = Path(__file__).parents[2] / "pipelines" / "recipes" / "webdataset.yaml"
PER_SHARD = 10_000


def write(folder: Path, records: int) -> None:
    """Shards of a small picture and a sentence each."""
    rng = np.random.default_rng(0)
    pictures = [cv2.imencode(".png", rng.integers(0, 255, (32, 32)).astype(np.uint8))[1].tobytes() for _ in range(64)]
    for shard in range(-(-records // PER_SHARD)):
        with tarfile.open(folder / f"{shard:06}.tar", "w") as tar:
            for n in range(shard * PER_SHARD, min(records, (shard + 1) * PER_SHARD)):
                text = f"FINDINGS: The lungs are clear, and the heart is not enlarged in picture {n}.".encode()
                for suffix, data in (("png", pictures[n % 64]), ("txt", text)):
                    info = tarfile.TarInfo(f"{n:09}.{suffix}")
                    info.size = len(data)
                    tar.addfile(info, io.BytesIO(data))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--records", type=int, default=100_000)
    records = parser.parse_args().records
    with tempfile.TemporaryDirectory() as folder:
        pool = Path(folder) / "pool"
        pool.mkdir()
        write(pool, records)
        write_secret(Path(folder) / "key")
        places = [f"images.0.path={pool}", f"reports.0.path={pool}", f"out={folder}/run", f"secret={folder}/key"]
        recipe = load_recipe(RECIPE, [*places, "deid.burned_in=trust", "filters={}", "select={}"])
        before, start = os.times(), time.monotonic()
        engine = start_engine(Resources(workers=1))
        _, manifests = run_pipeline(recipe, engine, lambda *_: None, "index")
        engine.close()
        after = os.times()
        spent = sum(after[:4]) - sum(before[:4])
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        print(f"{manifests[-1].kept:,} of {records:,} records indexed in {spent:.1f} CPU-s, "
              f"{time.monotonic() - start:.1f} s, {memory} MB")  # fmt: skip


if __name__ == "__main__":
    main()
