"""A real Orthanc (Debian: apt-get install orthanc orthanc-dicomweb) in a folder of a test's, that can be killed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.curate.pacs import free_port

PROGRAM = shutil.which("Orthanc")
PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")


class Orthanc:
    """``dicom`` and ``http``: its ports; ``receiver``: ours, that it sends to by the title RADSIFT."""

    def __init__(self, folder: Path) -> None:
        self.dicom, self.http, self.receiver = free_port(), free_port(), free_port()
        self._folder, self._process = folder, None
        settings = {
            "Name": "PACS", "StorageDirectory": str(folder / "db"), "IndexDirectory": str(folder / "db"),
            "DicomAet": "PACS", "DicomPort": self.dicom, "HttpPort": self.http, "RemoteAccessAllowed": True,
            "AuthenticationEnabled": False, "Plugins": [str(PLUGIN)],
            "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
            "DicomAlwaysAllowFind": True, "DicomAlwaysAllowGet": True, "DicomAlwaysAllowMove": True,
            "DicomModalities": {"us": ["RADSIFT", "127.0.0.1", self.receiver]}, "LimitFindResults": 0,
            "SaveJobs": False,
        }  # fmt: skip
        folder.mkdir()
        (folder / "orthanc.json").write_text(json.dumps(settings))

    def start(self) -> None:
        with open(self._folder / "log", "ab") as log:
            command = [str(PROGRAM), str(self._folder / "orthanc.json")]
            self._process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        for _ in range(200):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self.http}/system", timeout=1).close()
                return
            except (urllib.error.URLError, OSError):
                time.sleep(0.05)
        raise RuntimeError((self._folder / "log").read_text()[-2000:])

    def store(self, data: bytes) -> None:
        request = urllib.request.Request(f"http://127.0.0.1:{self.http}/instances", data, method="POST")
        urllib.request.urlopen(request, timeout=10).close()

    def kill(self) -> None:
        if self._process is not None:
            os.kill(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None


@contextmanager
def orthanc(folder: Path) -> Iterator[Orthanc]:
    server = Orthanc(folder)
    server.start()
    try:
        yield server
    finally:
        server.kill()
