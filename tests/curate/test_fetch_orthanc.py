"""Fetching from a real Orthanc, by each protocol; and from one that is killed halfway and comes back."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from curate.errors import RunError
from curate.fetch.dicomweb import DicomWeb, DicomWebRules
from curate.fetch.dimse import Dimse, DimseRules
from curate.fetch.job import FetchRules, fetch
from curate.fetch.server import Server
from tests.curate.orthanc import PLUGIN, PROGRAM, Orthanc, orthanc
from tests.curate.pacs import as_file, instance
from tests.curate.test_fetch import held

pytestmark = pytest.mark.skipif(
    PROGRAM is None or not PLUGIN.exists(), reason="no Orthanc here: apt-get install orthanc orthanc-dicomweb"
)
STUDIES = 6


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    with orthanc(tmp_path_factory.mktemp("orthanc") / "server") as made:
        for study in range(1, STUDIES + 1):
            for n in range(1, 11):
                made.store(as_file(instance(study, 1 + n % 2, n)))
        yield made


def connected(server: Orthanc, kind: str) -> Server:
    if kind == "web":
        return DicomWeb(DicomWebRules(f"http://127.0.0.1:{server.http}/dicom-web", timeout=5))
    via = "get" if kind == "get" else "move"
    return Dimse(DimseRules("127.0.0.1", server.dicom, "PACS", via=via, port=server.receiver, timeout=5))  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["web", "get", "move"])
def test_an_orthanc_gives_what_it_holds(kind: str, server: Orthanc, tmp_path: Path) -> None:
    asked = ["A1", "A3", "A404"]
    done = fetch(tmp_path / "out", lambda: connected(server, kind), asked, {}, FetchRules(), lambda *_: None)
    assert (done.studies, done.objects, done.failures) == (2, 20, {"study_not_found": 1})
    assert {uid.split(".")[3] for uid in held(tmp_path / "out")} == {"1", "3"}
    everything = {"StudyDate": "20240101-20240131"}
    done = fetch(tmp_path / "all", lambda: connected(server, kind), [], everything, FetchRules(), lambda *_: None)
    assert (done.studies, done.objects, done.failures) == (STUDIES, 10 * STUDIES, {})


def kill_after(server: Orthanc, out: Path, objects: int) -> None:
    while sum(1 for _ in out.rglob("*.dcm")) < objects:
        time.sleep(0.01)
    server.kill()


@pytest.mark.parametrize("kind", ["web", "get"])
def test_an_orthanc_that_is_killed_halfway_loses_nothing(kind: str, server: Orthanc, tmp_path: Path) -> None:
    asked = [f"A{n}" for n in range(1, STUDIES + 1)]
    slow = FetchRules(per_second=60, tries=2, pause=0.05)
    killer = threading.Thread(target=kill_after, args=(server, tmp_path / "out", 15))
    killer.start()
    try:
        with pytest.raises(RunError, match="the same command goes on"):
            fetch(tmp_path / "out", lambda: connected(server, kind), asked, {}, slow, lambda *_: None)
    finally:
        killer.join()
        server.start()
    before = len(held(tmp_path / "out"))
    assert 0 < before < 10 * STUDIES
    done = fetch(tmp_path / "out", lambda: connected(server, kind), asked, {}, FetchRules(), lambda *_: None)
    assert (done.studies, done.objects, done.failures) == (STUDIES, 10 * STUDIES - before, {})
    assert len(held(tmp_path / "out")) == 10 * STUDIES
