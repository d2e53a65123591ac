"""Servers of images in this process: DIMSE by pynetdicom, DICOMweb by the standard library, with what can go wrong.

Both serve the same `Archive`; a `Fault` is what a test has them do wrong.
"""

from __future__ import annotations

import io
import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlparse

from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage

STUDY_LEVEL = ("StudyInstanceUID", "AccessionNumber", "PatientID")


def instance(study: int, series: int, number: int, patient: str = "", accession: str = "") -> Dataset:
    """A small picture of the ``study``-th study."""
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.{study}.{series}.{number}"
    ds.StudyInstanceUID, ds.SeriesInstanceUID = f"1.2.3.{study}", f"1.2.3.{study}.{series}"
    ds.PatientID, ds.AccessionNumber = patient or f"P{study}", accession or f"A{study}"
    ds.PatientName, ds.StudyDate, ds.Modality = "Doe^Jane", "20240102", "OT"
    ds.Rows = ds.Columns = 8
    ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.PixelRepresentation = 1, "MONOCHROME2", 0
    ds.BitsAllocated = ds.BitsStored = 8
    ds.HighBit, ds.PixelData = 7, bytes(range(64))
    return ds


def as_file(ds: Dataset) -> bytes:
    memory = io.BytesIO()
    ds.save_as(memory, enforce_file_format=True)
    return memory.getvalue()


@dataclass
class Fault:
    """``dies_after``: objects served before every connection breaks off, once (`dead`: for ever); ``foreign``: an
    object of another patient stands in the place of one that was asked for; ``more``: objects that are counted and are
    not there; ``deaf``: keys of a query are ignored; ``token``: what is asked for; ``slow``: seconds an answer takes;
    ``garbage``: an object that is none."""

    dies_after: int | None = None
    dead: bool = False
    foreign: bool = False
    more: int = 0
    deaf: bool = False
    token: str = ""
    slow: float = 0.0
    garbage: bool = False


@dataclass
class Archive:
    """``served``: how many objects went out; ``fault`` is asked before each."""

    datasets: list[Dataset]
    fault: Fault = field(default_factory=Fault)
    served: int = 0

    def match(self, keys: dict[str, str]) -> list[Dataset]:
        if self.fault.deaf:
            keys = {name: value for name, value in keys.items() if name != "AccessionNumber"}
        asked = {name: value.split("\\") for name, value in keys.items() if value}
        return [ds for ds in self.datasets if all(str(ds.get(name, "")) in values for name, values in asked.items())]

    def one_each(self, found: list[Dataset], keyword: str) -> list[Dataset]:
        return list({str(ds[keyword].value): ds for ds in found}.values())

    def count(self, study: str) -> int:
        return sum(ds.StudyInstanceUID == study for ds in self.datasets) + self.fault.more

    def dies(self) -> bool:
        fault = self.fault
        if fault.dead or (fault.dies_after is not None and self.served >= fault.dies_after):
            fault.dies_after = None
            return True
        self.served += 1
        return False

    def out(self, ds: Dataset) -> Dataset:
        if not self.fault.foreign or not ds.SOPInstanceUID.endswith(".1"):
            return ds
        other = dcmread(io.BytesIO(as_file(ds)))
        other.PatientID = "SOMEBODY-ELSE"
        return other


@contextmanager
def dimse_server(archive: Archive, context: ssl.SSLContext | None = None) -> Iterator[int]:
    """A C-FIND, C-GET and C-MOVE provider by the title PACS; its port."""
    from pynetdicom import AE, AllStoragePresentationContexts, evt
    from pynetdicom import sop_class as classes

    def keys(event: Any) -> dict[str, str]:
        told = {}
        for element in event.identifier:
            if element.keyword != "QueryRetrieveLevel":
                value = element.value
                told[element.keyword] = str(value) if isinstance(value, str) else "\\".join(map(str, value or []))
        return told

    def find(event: Any) -> Iterator[tuple[int, Dataset | None]]:
        time.sleep(archive.fault.slow)
        level = event.identifier.QueryRetrieveLevel
        unique = {"STUDY": "StudyInstanceUID", "SERIES": "SeriesInstanceUID", "IMAGE": "SOPInstanceUID"}[level]
        if archive.fault.dead:
            event.assoc.abort()
            return
        asked = {name: value for name, value in keys(event).items() if name != "NumberOfStudyRelatedInstances"}
        for ds in archive.one_each(archive.match(asked), unique):
            answer = Dataset()
            answer.QueryRetrieveLevel = level
            for name in (*STUDY_LEVEL, unique):
                setattr(answer, name, ds[name].value)
            if level == "STUDY":
                answer.NumberOfStudyRelatedInstances = archive.count(ds.StudyInstanceUID)
            yield 0xFF00, answer

    def send(event: Any) -> Iterator[Any]:
        found = archive.match(keys(event))
        yield len(found)
        for ds in found:
            if archive.dies():
                event.assoc.abort()
                return
            yield 0xFF00, archive.out(ds)

    def move(event: Any) -> Iterator[Any]:
        yield "127.0.0.1", receivers[event.move_destination.strip()]
        yield from send(event)

    ae = AE(ae_title="PACS")
    for name in ("Find", "Get", "Move"):
        ae.add_supported_context(getattr(classes, f"StudyRootQueryRetrieveInformationModel{name}"))
    for each in AllStoragePresentationContexts:
        ae.add_supported_context(each.abstract_syntax, scu_role=True, scp_role=True)
        if each.abstract_syntax == SecondaryCaptureImageStorage:
            ae.add_requested_context(each.abstract_syntax)
    receivers = {"RADSIFT": free_port()}
    handlers = [(evt.EVT_C_FIND, find), (evt.EVT_C_GET, send), (evt.EVT_C_MOVE, move)]
    server = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers, ssl_context=context)
    archive.receiver = receivers["RADSIFT"]  # type: ignore[attr-defined]
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()


@contextmanager
def web_server(archive: Archive, context: ssl.SSLContext | None = None) -> Iterator[str]:
    """QIDO-RS and WADO-RS; its URL without the host's name."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: Any) -> None:
            pass

        def do_GET(self) -> None:
            time.sleep(archive.fault.slow)
            if archive.fault.token and self.headers.get("Authorization") != f"Bearer {archive.fault.token}":
                self.answer(401, "text/plain", b"token expired")
                return
            if archive.fault.dead:
                self.close_connection = True
                return
            url = urlparse(self.path)
            parts = url.path.strip("/").split("/")[1:]
            told = dict(zip(parts[::2], parts[1::2], strict=False))
            names = {"studies": "StudyInstanceUID", "series": "SeriesInstanceUID", "instances": "SOPInstanceUID"}
            keys = {names[level]: uid for level, uid in told.items()}
            if len(parts) % 2:
                self.search(parts[-1], keys, parse_qs(url.query))
            else:
                self.send(archive.match(keys))

        def search(self, level: str, keys: dict[str, str], query: dict[str, list[str]]) -> None:
            asked = {n: v[0] for n, v in query.items() if n not in ("includefield", "limit", "offset")}
            unique = "StudyInstanceUID" if level == "studies" else "SOPInstanceUID"
            answers = []
            for ds in archive.one_each(archive.match({**keys, **asked}), unique):
                answer = Dataset()
                for name in (*STUDY_LEVEL, "SeriesInstanceUID", "SOPInstanceUID"):
                    setattr(answer, name, ds[name].value)
                answer.NumberOfStudyRelatedInstances = archive.count(ds.StudyInstanceUID)
                answers.append(answer.to_json_dict())
            offset, limit = int(query.get("offset", ["0"])[0]), int(query.get("limit", ["100"])[0])
            self.answer(200, "application/dicom+json", json.dumps(answers[offset : offset + limit]).encode())

        def send(self, found: list[Dataset]) -> None:
            if not found:
                self.answer(404, "text/plain", b"")
                return
            self.send_response(200)
            self.send_header("Content-Type", 'multipart/related; type="application/dicom"; boundary=edge')
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for ds in found:
                if archive.dies():
                    self.connection.shutdown(socket.SHUT_RDWR)
                    self.close_connection = True
                    return
                bad = archive.fault.garbage and ds.SOPInstanceUID.endswith(".1")
                self.chunk(b"--edge\r\nContent-Type: application/dicom\r\n\r\n")
                self.chunk((b"no object" if bad else as_file(archive.out(ds))) + b"\r\n")
            self.chunk(b"--edge--\r\n")
            self.chunk(b"")

        def chunk(self, data: bytes) -> None:
            self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")

        def answer(self, status: int, kind: str, data: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield f":{server.server_address[1]}/dicom-web"
    finally:
        server.shutdown()
        server.server_close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
