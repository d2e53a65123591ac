"""Fetch the studies that a list or a query names into a folder or bucket, each once, and count every failure.

OUT/dicom/<study>/<series>/<object>.dcm      as the server sent them; nothing here is de-identified
OUT/complete/<digest>                        marks a study, or a line of the list, that is complete
OUT/fetch.json                               failures by reason and by line number of the list; no identifiers

A second command with the same OUT requests what is missing. Files are committed whole, so a partial file is never
taken for a complete one. On an object store the bucket's policy says who reads.
"""

from __future__ import annotations

import io
import re
import threading
import time
import warnings
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from curate.errors import RecipeError, RunError
from curate.fetch.server import FetchReason, Server, ServerFailedError, ServerGoneError, Study
from curate.record import Reason
from curate.sources.identity import canonical_id
from curate.step import Progress
from curate.storage import commit_bytes, commit_json, digest, exclusive, private_folder, sweep

_UID = re.compile(r"[0-9.]{1,64}")
_MARKER = ".radsift-fetch.json"
_MAX_UNANSWERED = 3  # consecutive studies without an answer, after which the run stops: the server is gone
_WILDCARD = re.compile(r"[*?\\]")


@dataclass(frozen=True)
class FetchRules:
    """``per_second``: maximum mean rate of objects (0: no limit). ``tries``: attempts for each study, with ``pause``
    seconds before the second and twice as long before each further one."""

    per_second: float = 0.0
    tries: int = 4
    pause: float = 1.0


@dataclass
class Fetched:
    """``studies``: complete ones, earlier runs' included. ``objects``: written by this run. ``failures``: by reason.
    ``lines``: reason -> line numbers of the list, from 1."""

    studies: int = 0
    objects: int = 0
    bytes: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    lines: dict[str, list[int]] = field(default_factory=dict)

    def fail(self, reason: FetchReason | Reason, line: int | None, count: int = 1) -> None:
        """Count a failure of a study, or of one object of it."""
        self.failures[reason.value] += count
        if line is not None and line not in self.lines.setdefault(reason.value, []):
            self.lines[reason.value].append(line)


def read_accessions(path: Path) -> list[str]:
    """One accession number per line; empty lines and a header line without a digit give "". RecipeError where there is
    none at all."""
    try:
        lines = [line.strip().strip('"') for line in path.read_text(encoding="utf-8-sig").splitlines()]
    except (OSError, UnicodeDecodeError):
        raise RecipeError("--accessions", f"{path} cannot be read", "name a text file, an accession a line") from None
    if lines and not any(c.isdigit() for c in lines[0]):
        lines[0] = ""
    if wrong := [n for n, line in enumerate(lines, 1) if _WILDCARD.search(line) or len(line) > 64]:
        problem = f"line {wrong[0]} is no accession number: a wildcard, or over 64 characters"
        raise RecipeError("--accessions", problem, "one whole number a line")
    if not any(lines):
        raise RecipeError("--accessions", f"{path} holds no accession", "an accession a line")
    return lines


def read_query(pairs: Sequence[str]) -> dict[str, str]:
    """Parse KEYWORD=VALUE pairs of study level; RecipeError where one is malformed."""
    from pydicom.datadict import tag_for_keyword  # imported only where something is fetched

    filters = {}
    for pair in pairs:
        keyword, equals, value = pair.partition("=")
        if not equals or not value or tag_for_keyword(keyword) is None:
            raise RecipeError(
                "--query", f"'{keyword}' is no DICOM keyword with a value", "as StudyDate=20240101-20240131"
            )
        filters[keyword] = value
    return filters


def fetch(
    out: Path,
    connect: Callable[[], Server],
    accessions: Sequence[str],
    query: Mapping[str, str],
    rules: FetchRules,
    progress: Progress,
) -> Fetched:
    """Fetch into ``out``. RunError where the server stops answering for several studies in a row, or another process
    fetches into ``out``, OSError where the disk is full: complete studies stay, and the same command resumes."""
    claim(out, "dicom", "complete")
    with exclusive(out / "lock") as check_lock:
        sweep(out / "dicom")
        job = _Job(out, connect, rules, progress, check_lock)
        try:
            if accessions:
                job.by_accession(accessions, query)
            else:
                job.by_query(query)
        finally:
            job.disconnect()
            done = job.done
            counts = {"studies": done.studies, "objects": done.objects, "failures": dict(done.failures)}
            commit_json(out / "fetch.json", {**counts, "lines": done.lines})
        return done


def claim(out: Path, *folders: str) -> None:
    """Make ``out`` and the ``folders`` in it fetch's own, for its owner alone; RecipeError where it is another's."""
    if out.is_dir() and any(out.iterdir()) and not (out / _MARKER).exists():
        raise RecipeError("OUT", f"{out} is not empty, and was not made by fetch", "name a new folder")
    private_folder(out)
    for name in folders:
        private_folder(out / name)
    commit_json(out / _MARKER, {"made_by": "radsift fetch"})


class _Job:
    def __init__(
        self,
        out: Path,
        connect: Callable[[], Server],
        rules: FetchRules,
        progress: Progress,
        check_lock: Callable[[], None],
    ) -> None:
        self._out, self._connect, self._rules, self._progress = out, connect, rules, progress
        self._check_lock = check_lock
        self._server: Server | None = None
        self._pace = _Pace(rules.per_second)
        self._studies_unanswered = 0
        self.done = Fetched()

    def disconnect(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    def by_accession(self, accessions: Sequence[str], query: Mapping[str, str]) -> None:
        numbered = [(n, a) for n, a in enumerate(accessions, 1) if a]
        for done, (line, accession) in enumerate(numbered):
            self._progress("studies", done, len(numbered))
            marker = self._out / "complete" / digest("accession", accession, repr(sorted(query.items())))
            if marker.exists():
                self.done.studies += int(marker.read_text())
                continue
            studies = self._with_retries(lambda: self._of_accession(accession, query, line), line)  # noqa: B023  called at once
            whole = [self._study(study, line) for study in studies or ()]
            if whole and all(whole):
                commit_bytes(marker, str(len(whole)).encode())
        self._progress("studies", len(numbered), len(numbered))

    def by_query(self, query: Mapping[str, str]) -> None:
        studies = self._with_retries(lambda: self._connected().find(query), None) or []
        for n, study in enumerate(studies):
            self._progress("studies", n, len(studies))
            self._study(study, None)
        self._progress("studies", len(studies), len(studies))

    def _of_accession(self, accession: str, query: Mapping[str, str], line: int) -> list[Study]:
        """The accession's studies. A server that ignores the key answers with other accessions' studies, or with
        all."""
        answered = self._connected().find({**query, "AccessionNumber": accession})
        matching = [study for study in answered if canonical_id(study.accession) == canonical_id(accession)]
        if len(matching) < len(answered):
            self.done.fail(FetchReason.NOT_ASKED_FOR, line, len(answered) - len(matching))
        if not answered:
            self.done.fail(FetchReason.NOT_FOUND, line)
        if len({canonical_id(study.patient) for study in matching if study.patient}) > 1:
            self.done.fail(FetchReason.SEVERAL_PATIENTS, line)
            return []
        return matching

    def _study(self, study: Study, line: int | None) -> bool:
        """Fetch one study; return whether it is complete."""
        if not _UID.fullmatch(study.uid):
            self.done.fail(FetchReason.NOT_ASKED_FOR, line)
            return False
        self._check_lock()
        marker = self._out / "complete" / digest("study", study.uid)
        if not marker.exists():
            receiving = _Receiving(self._out / "dicom", study, self._pace)
            whole = self._with_retries(lambda: self._retrieve_missing(study, receiving), line)
            self.done.objects += receiving.objects
            self.done.bytes += receiving.bytes
            for reason, count in receiving.refused.items():
                self.done.fail(reason, line, count)
            if not whole:
                if whole is not None:
                    self.done.fail(FetchReason.INCOMPLETE, line)
                return False
            commit_bytes(marker, b"")
        self.done.studies += 1
        return True

    def _retrieve_missing(self, study: Study, receiving: _Receiving) -> bool:
        server = self._connected()
        listed = server.objects(study)
        listed_uids = {uid for objects in listed.values() for uid in objects}
        receiving.expected = listed_uids
        missing = {s: [u for u in us if not receiving.has(s, u)] for s, us in listed.items() if _UID.fullmatch(s)}
        missing = {series: objects for series, objects in missing.items() if objects}
        if missing:
            server.retrieve(study, listed, missing, receiving.deliver)
        receiving.raise_fault()
        present = sum(receiving.has(series, uid) for series, objects in listed.items() for uid in objects)
        return present == len(listed_uids) > 0 and present >= (study.objects or 0)

    def _with_retries(self, work: Callable[[], Any], line: int | None) -> Any:
        """The result of ``work``; None where the server fails, or does not answer any attempt (both are counted)."""
        for attempt in range(self._rules.tries):
            if attempt:
                time.sleep(self._rules.pause * 2 ** (attempt - 1))
            try:
                result = work()
                self._studies_unanswered = 0
                return result
            except ServerFailedError:
                self.done.fail(FetchReason.SERVER_FAILED, line)
                return None
            except ServerGoneError:
                self.disconnect()
        self.done.fail(FetchReason.SERVER_GONE, line)
        self._studies_unanswered += 1
        if self._studies_unanswered >= _MAX_UNANSWERED or line is None:
            raise RunError(
                f"the server does not answer any more; {self.done.studies:,} studies are whole, and the same command "
                "goes on with the others"
            )
        return None

    def _connected(self) -> Server:
        if self._server is None:
            self._server = self._connect()
        return self._server


class _Receiving:
    """Receives the objects of one study, from any thread, and writes those that were requested."""

    def __init__(self, folder: Path, study: Study, pace: _Pace) -> None:
        self._folder, self._study, self._pace = folder / study.uid, study, pace
        self._patient, self._lock = canonical_id(study.patient), threading.Lock()
        self._fault: OSError | None = None
        self._present = {(path.parent.name, path.stem) for path in self._folder.rglob("*.dcm")}
        self.expected: set[str] = set()
        self.objects = self.bytes = 0
        self.refused: Counter[FetchReason] = Counter()

    def has(self, series: str, uid: str) -> bool:
        return (series, uid) in self._present

    def deliver(self, data: bytes) -> None:
        """Write one object, if it is of this study and patient."""
        identity = _identity(data)
        with self._lock:
            if identity is None:
                self.refused[FetchReason.UNREADABLE] += 1
                return
            study, series, uid, patient = identity
            if (
                study != self._study.uid
                or uid not in self.expected
                or not (_UID.fullmatch(series) and _UID.fullmatch(uid))
            ):
                self.refused[FetchReason.NOT_ASKED_FOR] += 1
                return
            self._patient = self._patient or canonical_id(patient)  # the first object's, where the server gave none
            if canonical_id(patient) != self._patient:
                self.refused[FetchReason.ANOTHER_PATIENT] += 1
                return
            try:
                commit_bytes(self._folder / series / f"{uid}.dcm", data)
            except OSError as error:
                self._fault = error
                raise
            self._present.add((series, uid))
            self.objects += 1
            self.bytes += len(data)
        self._pace.wait()

    def raise_fault(self) -> None:
        """Raise the write error that the protocol swallowed, if any."""
        if self._fault is not None:
            raise self._fault


def _identity(data: bytes) -> tuple[str, str, str, str] | None:
    """Study, series, object and patient of a Part 10 file; None where it cannot be read as one."""
    from pydicom import dcmread

    tags = ["StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "PatientID"]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            header = dcmread(io.BytesIO(data), stop_before_pixels=True, specific_tags=tags)
            study, series, uid, patient = (str(header.get(name) or "").strip(" \0") for name in tags)
    except Exception:  # noqa: BLE001  a third party's parser on bytes from a network: it raises anything
        return None
    return study, series, uid, patient


class _Pace:
    """Limits the mean rate of objects per second."""

    def __init__(self, per_second: float) -> None:
        self._interval = 1 / per_second if per_second else 0.0
        self._next = time.monotonic()

    def wait(self) -> None:
        if self._interval:
            self._next = max(self._next, time.monotonic() - self._interval) + self._interval
            time.sleep(max(0.0, self._next - time.monotonic()))
