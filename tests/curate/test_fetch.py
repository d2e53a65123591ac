"""Fetching from servers that behave and from servers that do not: nothing is lost, nobody else's object is taken."""

from __future__ import annotations

import datetime as dt
import json
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pydicom import dcmread

from curate.errors import RecipeError, RunError
from curate.fetch.dicomweb import DicomWeb, DicomWebRules
from curate.fetch.dimse import Dimse, DimseRules
from curate.fetch.job import Fetched, FetchRules, fetch, read_accessions, read_query
from curate.fetch.server import Server
from curate.places import place
from tests.curate.pacs import Archive, Fault, as_file, dimse_server, instance, web_server
from tests.inline import curate as command
from tests.s3server import s3_server

pytest.importorskip("pynetdicom")
pytest.importorskip("dicomweb_client")

QUICK = FetchRules(tries=3, pause=0.01)
Connect = Callable[[], Server]


def archive(fault: Fault | None = None, studies: int = 3) -> Archive:
    made = [instance(s, series, n) for s in range(1, studies + 1) for series in (1, 2) for n in (1, 2, 3)]
    return Archive(made, fault or Fault())


@contextmanager
def served(kind: str, what: Archive, timeout: int = 0, **more: object) -> Iterator[Connect]:
    with ExitStack() as stack:
        if kind == "web":
            url = "http://127.0.0.1" + stack.enter_context(web_server(what))
            yield lambda: DicomWeb(DicomWebRules(url, timeout=timeout or 1, **more))  # type: ignore[arg-type]
            return
        port = stack.enter_context(dimse_server(what))
        rules = DimseRules("127.0.0.1", port, "PACS", via="get" if kind == "get" else "move",
                           port=what.receiver, timeout=timeout or 5)  # type: ignore[arg-type, attr-defined]  # fmt: skip
        yield lambda: Dimse(rules)


def run(out: Path, connect: Connect, *accessions: str, query: dict[str, str] | None = None) -> Fetched:
    return fetch(out, connect, list(accessions), query or {}, QUICK, lambda *_: None)


def held(out: Path) -> dict[str, Path]:
    """Object -> its file, which must be whole and lie where its header says."""
    found = {}
    for path in (out / "dicom").rglob("*"):
        if path.is_file():
            ds = dcmread(path)
            assert path.relative_to(out / "dicom").parts == (
                ds.StudyInstanceUID, ds.SeriesInstanceUID, f"{ds.SOPInstanceUID}.dcm"
            )  # fmt: skip
            assert ds.PixelData == bytes(range(64))
            found[ds.SOPInstanceUID] = path
    return found


SLOW = pytest.mark.slow  # an association of 126 contexts costs a third of a second
KINDS = ("web", "get", "move")
MOST = ("web", "get", pytest.param("move", marks=SLOW))
FEW = ("web", *(pytest.param(kind, marks=SLOW) for kind in ("get", "move")))


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_listed_is_fetched_once_and_counted(kind: str, tmp_path: Path) -> None:
    what = archive()
    with served(kind, what) as connect:
        done = run(tmp_path / "out", connect, "A1", "", "A3", "A9")
        assert (done.studies, done.objects, done.failures) == (2, 12, {"study_not_found": 1})
        assert done.lines == {"study_not_found": [4]}
        assert set(held(tmp_path / "out")) == {
            d.SOPInstanceUID for d in what.datasets if d.StudyInstanceUID != "1.2.3.2"
        }
        before = what.served
        again = run(tmp_path / "out", connect, "A1", "", "A3", "A9")
        assert (again.studies, again.objects, what.served) == (2, 0, before)
        everything = run(tmp_path / "all", connect, query={"StudyDate": "20240102"})
    assert everything.studies == 3 and len(held(tmp_path / "all")) == 18
    told = (tmp_path / "out" / "fetch.json").read_text()
    assert json.loads(told)["lines"] == {"study_not_found": [4]} and "A9" not in told
    assert (tmp_path / "out").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("kind", MOST)
def test_a_server_that_dies_halfway_loses_nothing(kind: str, tmp_path: Path) -> None:
    what = archive(Fault(dies_after=8))
    with served(kind, what) as connect:
        done = run(tmp_path / "out", connect, "A1", "A2", "A3")
        assert (done.studies, done.objects, done.failures) == (3, 18, {})
        assert what.served <= 18 + 3  # what had come is not asked for again
    assert len(held(tmp_path / "out")) == 18


@pytest.mark.parametrize("kind", FEW[:2])
def test_a_server_that_stays_away_stops_the_fetch_which_goes_on_later(kind: str, tmp_path: Path) -> None:
    what = archive(studies=5)
    with served(kind, what) as connect:
        run(tmp_path / "out", connect, "A1")
        what.fault.dead = True
        with pytest.raises(RunError, match="1 studies are whole, and the same command goes on"):
            run(tmp_path / "out", connect, "A1", "A2", "A3", "A4", "A5")
        what.fault.dead = False
        done = run(tmp_path / "out", connect, "A1", "A2", "A3", "A4", "A5")
    assert (done.studies, done.objects, done.failures) == (5, 24, {}) and len(held(tmp_path / "out")) == 30
    assert not list((tmp_path / "out").rglob("*.tmp-*"))


@pytest.mark.parametrize("kind", FEW)
def test_another_patients_object_is_refused(kind: str, tmp_path: Path) -> None:
    what = archive(Fault(foreign=True))
    with served(kind, what) as connect:
        done = run(tmp_path / "out", connect, "A1")
        assert done.studies == 0 and done.failures["object_of_another_patient"] >= 2
        assert done.failures["fewer_objects_than_told"] == 1
        assert {d.PatientID for d in map(dcmread, held(tmp_path / "out").values())} == {"P1"}
        what.fault.foreign = False
        assert run(tmp_path / "out", connect, "A1").failures == {}


@pytest.mark.parametrize("kind", FEW)
def test_a_server_that_lies_is_not_believed(kind: str, tmp_path: Path) -> None:
    what = archive(Fault(more=2))
    with served(kind, what) as connect:
        done = run(tmp_path / "counts", connect, "A1")
        assert (done.studies, done.objects, done.failures) == (0, 6, {"fewer_objects_than_told": 1})
        what.fault = Fault(deaf=True)  # all studies, whatever is asked for
        done = run(tmp_path / "deaf", connect, "A1")
        assert (done.studies, done.objects, done.failures) == (1, 6, {"answer_not_asked_for": 2})
        what.fault = Fault()
        what.datasets += [instance(7, 1, 1, patient="P7", accession="A1")]
        done = run(tmp_path / "two", connect, "A1")
        assert (done.studies, done.objects, done.failures) == (0, 0, {"accession_of_several_patients": 1})


@pytest.mark.parametrize("kind", FEW[:2])
def test_a_slow_server_is_gone(kind: str, tmp_path: Path) -> None:
    with served(kind, archive(Fault(slow=2.5)), timeout=1) as connect:
        done = run(tmp_path / "out", connect, "A1")
    assert done.failures == {"server_gone": 1} and done.lines == {"server_gone": [1]}


def test_an_object_that_is_none_spoils_no_other(tmp_path: Path) -> None:
    with served("web", archive(Fault(garbage=True))) as connect:
        done = run(tmp_path / "out", connect, "A1")
    assert done.studies == 0 and done.failures["fewer_objects_than_told"] == 1
    assert {uid.rpartition(".")[2] for uid in held(tmp_path / "out")} == {"2", "3"}


def test_an_expired_token_is_read_anew_from_its_file(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("old\n")
    with served("web", archive(Fault(token="new")), token=token) as connect:
        with pytest.raises(RecipeError, match=r"--token-file: the server refuses \(401\)\n.*renew") as caught:
            run(tmp_path / "out", connect, "A1")
        assert "old" not in str(caught.value)
        server = connect()
        token.write_text("new")  # renewed while the connection was open
        assert [s.accession for s in server.find({"AccessionNumber": "A1"})] == ["A1"]
        server.close()
        assert run(tmp_path / "out", connect, "A1").studies == 1


def certificate(folder: Path, name: str) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
    builder = builder.serial_number(7).not_valid_before(now).not_valid_after(now + dt.timedelta(days=1))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
    made = builder.add_extension(x509.BasicConstraints(True, None), critical=True).sign(key, hashes.SHA256())
    (folder / f"{name}.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    raw = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    (folder / f"{name}.key").write_bytes(raw)
    return folder / f"{name}.pem", folder / f"{name}.key"


@pytest.mark.parametrize("kind", ["web", "get"])
def test_a_certificate_of_another_name_is_not_trusted(kind: str, tmp_path: Path) -> None:
    for name, is_ours in (("localhost", True), ("elsewhere.example", False)):
        pem, key = certificate(tmp_path, name)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem, key)
        with ExitStack() as stack:
            what = archive()
            if kind == "web":
                url = "https://localhost" + stack.enter_context(web_server(what, context))
                connect: Connect = lambda: DicomWeb(DicomWebRules(url, ca=pem, timeout=60))  # noqa: B023, E731
            else:
                port = stack.enter_context(dimse_server(what, context))
                rules = DimseRules("localhost", port, "PACS", tls=True, ca=pem, timeout=60)
                connect = lambda: Dimse(rules)  # noqa: B023, E731
            if is_ours:
                assert run(tmp_path / name / "out", connect, "A1").studies == 1
            else:
                with pytest.raises(RecipeError, match=r"--ca: the certificate of localhost.*is not trusted, or"):
                    run(tmp_path / name / "out", connect, "A1")


def test_a_folder_of_others_is_not_touched_and_arguments_are_asked(tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "x").write_text("x")
    with served("web", archive()) as connect, pytest.raises(RecipeError, match="was not made by fetch"):
        run(tmp_path / "theirs", connect, "A1")
    listed = tmp_path / "list.txt"
    listed.write_text("accession\nA1\n\n A2 \n")
    assert read_accessions(listed) == ["", "A1", "", "A2"]
    for content, match in (("A*1\n", "line 1 is no accession"), ("\n", "holds no accession")):
        listed.write_text(content)
        with pytest.raises(RecipeError, match=match):
            read_accessions(listed)
    assert read_query(["StudyDate=20240101-"]) == {"StudyDate": "20240101-"}
    with pytest.raises(RecipeError, match="'Studydate' is no DICOM keyword"):
        read_query(["Studydate=2024"])


def test_a_bucket_is_fetched_into_as_a_folder_is(tmp_path: Path) -> None:
    pytest.importorskip("s3fs", reason="s3fs is not installed")
    pytest.importorskip("moto.server", reason="moto's server is not installed")
    listed = tmp_path / "list.txt"
    listed.write_text("A1\nA3\nA404\n")
    what = archive(Fault(dies_after=8))
    with s3_server("pacs"), web_server(what) as path:
        server = ["--dicomweb", f"http://127.0.0.1{path}", "--accessions", str(listed)]
        ended = command("fetch", "s3://pacs/in", *server)
        assert ended.returncode == 1 and "2 studies are whole, 12 objects" in ended.stdout, ended
        assert "s3://pacs/in/dicom" in ended.stdout and "study_not_found=1, lines 3" in ended.stdout
        out, before = place("s3://pacs/in"), what.served
        objects = {path.stem: path.read_bytes() for path in (out / "dicom").rglob("*.dcm")}
        assert objects == {ds.SOPInstanceUID: as_file(ds) for ds in what.datasets if ds.StudyInstanceUID != "1.2.3.2"}
        assert "0 objects" in command("fetch", "s3://pacs/in", *server).stdout and what.served == before
        (place("s3://pacs/theirs") / "x").write_bytes(b"x")
        refused = command("fetch", "s3://pacs/theirs", *server)
        assert refused.returncode == 2 and "was not made by fetch" in refused.stderr, refused


def test_not_faster_than_asked(tmp_path: Path) -> None:
    import time

    with served("web", archive()) as connect:
        start = time.monotonic()
        fetch(tmp_path / "out", connect, ["A1"], {}, FetchRules(per_second=20), lambda *_: None)
        assert time.monotonic() - start > 5 / 20


def test_a_file_holds_what_the_server_sent(tmp_path: Path) -> None:
    what = archive()
    with served("web", what) as connect:
        run(tmp_path / "out", connect, "A2")
    sent = {d.SOPInstanceUID: d for d in what.datasets}
    for uid, path in held(tmp_path / "out").items():
        assert path.read_bytes() == as_file(sent[uid])
