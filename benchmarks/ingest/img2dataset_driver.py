"""img2dataset over a folder of files, in its own environment: python img2dataset_driver.py SOURCE OUT"""

import csv
import sys
from pathlib import Path

import pandas as pd
from img2dataset import download

if __name__ == "__main__":
    source, out = Path(sys.argv[1]).resolve(), Path(sys.argv[2])
    rows = list(csv.DictReader((source / "pairs.csv").open(newline="", encoding="utf-8")))
    urls = [f"file://{source / 'images' / row['image']}" for row in rows]
    pd.DataFrame({"url": urls, "caption": [row["text"] for row in rows]}).to_parquet(out / "list.parquet")
    download(
        url_list=str(out / "list.parquet"),
        input_format="parquet",
        url_col="url",
        caption_col="caption",
        output_folder=str(out / "shards"),
        output_format="webdataset",
        processes_count=1,
        thread_count=4,
        image_size=256,
        resize_mode="keep_ratio_largest",
        resize_only_if_bigger=True,
        encode_format="png",
        encode_quality=1,
        number_sample_per_shard=1000,
    )
