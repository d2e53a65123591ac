"""An S3 server on this machine (moto's), in a process of its own, and an environment that leads to it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import fsspec

_SERVER = """
import logging, sys, threading
from moto.server import ThreadedMotoServer
logging.getLogger("werkzeug").setLevel(logging.CRITICAL)
server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
sys.stdin.read()
"""


@contextmanager
def s3_server(bucket: str) -> Iterator[str]:
    """The server's URL; ``bucket`` is there, and `os.environ` names the server and its credentials."""
    process = subprocess.Popen(
        [sys.executable, "-c", _SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    names = ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION")
    before = {name: os.environ.get(name) for name in names}
    try:
        assert process.stdout is not None
        url = f"http://127.0.0.1:{int(process.stdout.readline())}"
        os.environ.update(zip(names, (url, "nobody", "nothing", "us-east-1"), strict=True))
        request = urllib.request.Request(f"{url}/{bucket}", method="PUT")
        for _ in range(100):
            try:
                urllib.request.urlopen(request).close()
                break
            except OSError:
                time.sleep(0.1)
        forget_servers()
        yield url
    finally:
        forget_servers()
        process.terminate()
        process.wait()
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def forget_servers() -> None:
    """fsspec keeps a file system for its options, and the server's place is in none of them."""
    fsspec.get_filesystem_class("s3").clear_instance_cache()
