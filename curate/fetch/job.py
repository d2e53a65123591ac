"""Fetch studies into a folder: what a list or a query names, once, with every failure counted.

OUT/dicom/<study>/<series>/<object>.dcm      as the server sent them; nothing here is de-identified
OUT/complete/<digest>                        a study, or a line of the list, of which everything is there
OUT/fetch.json                               counts by reason, and which lines of the list they are of: no value

A second command with the same OUT asks for what is missing. Files are renamed into place, so a part of one is never
taken for the whole.
"""

from __future__ import annotations

import io
import os
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
from curate.sources.identity import canonical_id
from curate.step import Progress
from curate.storage import TEMPORARY, commit_bytes, commit_json, digest, exclusive, private_folder, sweep

_UID = re.compile(r"[0-9.]{1,64}")
_MARKER = ".radsift-fetch.json"
_IN_A_ROW = 3  # studies for which the server does not answer, before it is the server that is gone
_WILD = re.compile(r"[*?\\]")


@dataclass(frozen=True)
class FetchRules:
    """``per_second``: objects at most, in the mean (0: no limit); ``tries`` for each study, ``pause`` seconds before
    the second, twice as long before each further one."""

    per_second: float = 0.0
    tries: int = 4
    pause: float = 1.0


@dataclass
class Fetched:
    """``studies``: whole, these among them that were so before; ``objects``: written now; ``failures``: by reason;
    ``lines``: reason -> lines of the list, from 1."""

    studies: int = 0
    objects: int = 0
    bytes: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    lines: dict[str, list[int]] = field(default_factory=dict)

    def fail(self, reason: FetchReason, line: int | None, count: int = 1) -> None:
        """Count a failure of a study, or of one object of it."""
        self.failures[reason.value] += count
        if line is not None and line not in self.lines.setdefault(reason.value, []):
            self.lines[reason.value].append(line)


def read_accessions(path: Path) -> list[str]:
    """One a line; empty lines and a header without a digit are none. RecipeError where the file holds none."""
    try:
        lines = [line.strip().strip('"') for line in path.read_text(encoding="utf-8-sig").splitlines()]
    except (OSError, UnicodeDecodeError):
        raise RecipeError("--accessions", f"{path} cannot be read", "name a text file, an accession a line") from None
    if lines and not any(c.isdigit() for c in lines[0]):
        lines[0] = ""
    if wrong := [n for n, line in enumerate(lines, 1) if _WILD.search(line) or len(line) > 64]:
        problem = f"line {wrong[0]} is no accession number: a wildcard, or over 64 characters"
        raise RecipeError("--accessions", problem, "one whole number a line")
    if not any(lines):
        raise RecipeError("--accessions", f"{path} holds no accession", "an accession a line")
    return lines


def read_query(given: Sequence[str]) -> dict[str, str]:
    """KEYWORD=VALUE of study level; RecipeError where one is none."""
    from pydicom.datadict import tag_for_keyword  # pydicom: only where something is fetched

    filters = {}
    for each in given:
        keyword, equals, value = each.partition("=")
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
    """Fetch into ``out``. RunError where the server is gone for several studies in a row, or the disk is full: what is
    whole stays, the same command goes on."""
    _claim(out)
    with exclusive(out / "lock"):
        sweep(out / "dicom")
        job = _Job(out, connect, rules, progress)
        try:
            if accessions:
                job.by_accession(accessions, query)
            else:
                job.by_query(query)
        finally:
            job.hang_up()
            done = job.done
            told = {"studies": done.studies, "objects": done.objects, "failures": dict(done.failures)}
            commit_json(out / "fetch.json", {**told, "lines": done.lines})
        return done


def _claim(out: Path) -> None:
    if out.is_dir() and any(out.iterdir()) and not (out / _MARKER).exists():
        raise RecipeError("OUT", f"{out} is not empty, and was not made by fetch", "name a new folder")
    private_folder(out)
    for name in ("dicom", "complete"):
        private_folder(out / name)
    commit_json(out / _MARKER, {"made_by": "radsift fetch"})


class _Job:
    def __init__(self, out: Path, connect: Callable[[], Server], rules: FetchRules, progress: Progress) -> None:
        self._out, self._connect, self._rules, self._progress = out, connect, rules, progress
        self._server: Server | None = None
        self._pace = _Pace(rules.per_second)
        self._gone = 0
        self.done = Fetched()

    def hang_up(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    def by_accession(self, accessions: Sequence[str], query: Mapping[str, str]) -> None:
        wanted = [(n, a) for n, a in enumerate(accessions, 1) if a]
        for done, (line, accession) in enumerate(wanted):
            self._progress("studies", done, len(wanted))
            marker = self._out / "complete" / digest("accession", accession, repr(sorted(query.items())))
            if marker.exists():
                self.done.studies += int(marker.read_text())
                continue
            studies = self._tried(lambda: self._of_accession(accession, query, line), line)  # noqa: B023  called at once
            whole = [self._study(study, line) for study in studies or ()]
            if whole and all(whole):
                commit_bytes(marker, str(len(whole)).encode())
        self._progress("studies", len(wanted), len(wanted))

    def by_query(self, query: Mapping[str, str]) -> None:
        studies = self._tried(lambda: self._asked().find(query), None) or []
        for n, study in enumerate(studies):
            self._progress("studies", n, len(studies))
            self._study(study, None)
        self._progress("studies", len(studies), len(studies))

    def _of_accession(self, accession: str, query: Mapping[str, str], line: int) -> list[Study]:
        """The accession's studies. A server that does not know the key answers with others', or all there are."""
        found = self._asked().find({**query, "AccessionNumber": accession})
        mine = [study for study in found if canonical_id(study.accession) == canonical_id(accession)]
        if len(mine) < len(found):
            self.done.fail(FetchReason.NOT_ASKED_FOR, line, len(found) - len(mine))
        if not found:
            self.done.fail(FetchReason.NOT_FOUND, line)
        if len({canonical_id(study.patient) for study in mine if study.patient}) > 1:
            self.done.fail(FetchReason.SEVERAL_PATIENTS, line)
            return []
        return mine

    def _study(self, study: Study, line: int | None) -> bool:
        """Whether the study is whole now."""
        if not _UID.fullmatch(study.uid):
            self.done.fail(FetchReason.NOT_ASKED_FOR, line)
            return False
        marker = self._out / "complete" / digest("study", study.uid)
        if not marker.exists():
            receiving = _Receiving(self._out / "dicom", study, self._pace)
            whole = self._tried(lambda: self._retrieved(study, receiving), line)
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

    def _retrieved(self, study: Study, receiving: _Receiving) -> bool:
        server = self._asked()
        listed = server.objects(study)
        told = {uid for objects in listed.values() for uid in objects}
        receiving.expected = told
        missing = {s: [u for u in us if not receiving.has(s, u)] for s, us in listed.items() if _UID.fullmatch(s)}
        missing = {series: objects for series, objects in missing.items() if objects}
        if missing:
            server.retrieve(study, listed, missing, receiving.deliver)
        receiving.raise_fault()
        there = sum(receiving.has(series, uid) for series, objects in listed.items() for uid in objects)
        return there == len(told) > 0 and there >= (study.objects or 0)

    def _tried(self, work: Callable[[], Any], line: int | None) -> Any:
        """What ``work`` gives; None where the server fails or is gone for all tries, which is counted."""
        for attempt in range(self._rules.tries):
            if attempt:
                time.sleep(self._rules.pause * 2 ** (attempt - 1))
            try:
                made = work()
                self._gone = 0
                return made
            except ServerFailedError:
                self.done.fail(FetchReason.SERVER_FAILED, line)
                return None
            except ServerGoneError:
                self.hang_up()
        self.done.fail(FetchReason.SERVER_GONE, line)
        self._gone += 1
        if self._gone >= _IN_A_ROW or line is None:
            raise RunError(
                f"the server does not answer any more; {self.done.studies:,} studies are whole, and the same command "
                "goes on with the others"
            )
        return None

    def _asked(self) -> Server:
        if self._server is None:
            self._server = self._connect()
        return self._server


class _Receiving:
    """The objects of one study as they come in, from whichever thread: each is the one that was asked for, or is not
    written."""

    def __init__(self, folder: Path, study: Study, pace: _Pace) -> None:
        self._folder, self._study, self._pace = folder / study.uid, study, pace
        self._patient, self._lock = canonical_id(study.patient), threading.Lock()
        self._fault: OSError | None = None
        self.expected: set[str] = set()
        self.objects = self.bytes = 0
        self.refused: Counter[FetchReason] = Counter()

    def has(self, series: str, uid: str) -> bool:
        return bool(_UID.fullmatch(uid)) and (self._folder / series / f"{uid}.dcm").exists()

    def deliver(self, data: bytes) -> None:
        """Write one object, if it is of this study and patient."""
        told = _identity(data)
        with self._lock:
            if told is None:
                self.refused[FetchReason.UNREADABLE] += 1
                return
            study, series, uid, patient = told
            if (
                study != self._study.uid
                or uid not in self.expected
                or not (_UID.fullmatch(series) and _UID.fullmatch(uid))
            ):
                self.refused[FetchReason.NOT_ASKED_FOR] += 1
                return
            self._patient = self._patient or canonical_id(patient)  # of a server that does not say, the first one's
            if canonical_id(patient) != self._patient:
                self.refused[FetchReason.ANOTHER_PATIENT] += 1
                return
            try:
                self._write(self._folder / series / f"{uid}.dcm", data)
            except OSError as error:
                self._fault = error
                raise
        self._pace.wait()

    def _write(self, path: Path, data: bytes) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f"{path.name}{TEMPORARY}{os.urandom(4).hex()}")
        temporary.write_bytes(data)
        temporary.replace(path)
        self.objects += 1
        self.bytes += len(data)

    def raise_fault(self) -> None:
        """What our own disk said, where a protocol kept it to itself."""
        if self._fault is not None:
            raise self._fault


def _identity(data: bytes) -> tuple[str, str, str, str] | None:
    """Study, series, object and patient of a Part 10 file; None where it is none."""
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
    """Not more than so many a second, in the mean."""

    def __init__(self, per_second: float) -> None:
        self._each = 1 / per_second if per_second else 0.0
        self._next = time.monotonic()

    def wait(self) -> None:
        if self._each:
            self._next = max(self._next, time.monotonic() - self._each) + self._each
            time.sleep(max(0.0, self._next - time.monotonic()))
