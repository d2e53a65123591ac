"""A set in clip_benchmark's layout, its shard written by webdataset itself."""

from __future__ import annotations

from pathlib import Path

import webdataset

from filters.evaluate.sets import EvalSet


def write_clip_benchmark(data: EvalSet, folder: Path, split: str = "test") -> None:
    """``data`` as its own exporter lays it out: classification if it has labels, else retrieval; PNG pictures."""
    labels = data.labels
    (folder / split).mkdir(parents=True, exist_ok=True)
    with webdataset.TarWriter(str(folder / split / "0.tar"), mtime=0) as tar:
        for i in range(len(data)):
            told = {"txt": "\n".join(data.texts[i])} if labels is None else {"cls": labels[i]}
            if labels is None or labels[i] >= 0:
                tar.write({"__key__": f"s{i:07d}", "png": data.images[i](), **told})
    (folder / split / "nshards.txt").write_text("1\n")
    (folder / "dataset_type.txt").write_text("retrieval\n" if labels is None else "classification\n")
    if labels is not None:
        (folder / "classnames.txt").write_text("".join(f"{c}\n" for c in data.classes))
        (folder / "zeroshot_classification_templates.txt").write_text("{c}\nan image of {c}\n")
