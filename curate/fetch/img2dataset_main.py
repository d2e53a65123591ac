"""img2dataset under a pace: ``PYTHON img2dataset_main.py SECONDS OPTIONS``, OPTIONS as JSON for `img2dataset.download`.

Run by `curate.fetch.urls` in an interpreter that need not be this product's, so it imports nothing of it. img2dataset
starts its worker by running this file again: what is set up here holds there, too.
"""

import json
import os
import sys
import threading
import time
from typing import Any

from img2dataset import download, downloader

PACE, OPTIONS = float(sys.argv[1]), sys.argv[2]  # seconds between two requests
_ask, _lock, _next, _parent = downloader.download_image, threading.Lock(), [0.0], os.getppid()


def paced(*args: Any, **kwargs: Any) -> Any:
    """`download_image`, when it is its turn."""
    with _lock:
        _next[0] = max(_next[0], time.monotonic() - PACE) + PACE
        turn = _next[0]
    time.sleep(max(0.0, turn - time.monotonic()))
    return _ask(*args, **kwargs)


def _end_with_parent() -> None:
    while os.getppid() == _parent:
        time.sleep(1)
    os._exit(1)


downloader.download_image = paced
threading.Thread(target=_end_with_parent, daemon=True).start()
if __name__ == "__main__":
    download(**json.loads(OPTIONS))
