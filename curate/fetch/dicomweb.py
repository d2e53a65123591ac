"""A server that speaks DICOMweb (PS3.18): QIDO-RS finds, WADO-RS retrieves, a series a request."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from curate.errors import RecipeError
from curate.fetch.server import (
    PAGE,
    Deliver,
    Listing,
    ServerFailedError,
    ServerGoneError,
    Study,
    extra,
    read_file,
    untrusted,
)

_STUDY = ("StudyInstanceUID", "AccessionNumber", "PatientID", "NumberOfStudyRelatedInstances")
_TAGS = {"StudyInstanceUID": "0020000D", "AccessionNumber": "00080050", "PatientID": "00100020",
         "NumberOfStudyRelatedInstances": "00201208", "SeriesInstanceUID": "0020000E",
         "SOPInstanceUID": "00080018"}  # fmt: skip
_LATER = (408, 425, 429, 500, 502, 503, 504)


@dataclass(frozen=True)
class DicomWebRules:
    """``token``: a file with a bearer token, or a whole Authorization value ("Basic ..."), read anew whenever the
    server refuses the last one. ``ca``: certificates to trust; ``certificate`` and ``key``: the client's own."""

    url: str
    token: Path | None = None
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    timeout: float = 60.0


class DicomWeb:
    """See `curate.fetch.server.Server`."""

    def __init__(self, rules: DicomWebRules) -> None:
        self._rules, self._requests = rules, extra("requests")
        web = extra("dicomweb_client.web")
        for name in ("dicomweb_client", "urllib3", "requests"):
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)  # they tell URLs, which hold identities
        session = self._requests.Session()
        session.trust_env = False  # no proxy and no password file that nobody named
        if rules.ca is not None:
            session.verify = str(rules.ca)
        if rules.certificate is not None:
            session.cert = (str(rules.certificate), str(rules.key or rules.certificate))
        with _told_apart(self._requests, rules):
            waits = min(rules.timeout, 10), rules.timeout
            self._client = web.DICOMwebClient(rules.url, session=session, timeout=waits, permissive_uid=True)
        self._client.set_http_retry_params(retry=False)
        self._session = session
        self._authorize()

    def _authorize(self) -> None:
        if self._rules.token is not None:
            token = read_file(self._rules.token, "--token-file")
            if not token or not token.isprintable():
                raise RecipeError("--token-file", "holds no token", "write the token into it, on one line")
            self._session.headers["Authorization"] = token if " " in token else f"Bearer {token}"

    def find(self, filters: Mapping[str, str]) -> list[Study]:
        """See `Server.find`."""

        def page(offset: int) -> list[dict[str, Any]]:
            found: list[dict[str, Any]] = self._client.search_for_studies(
                search_filters=dict(filters), fields=list(_STUDY), limit=PAGE, offset=offset
            )
            return found

        found = []
        for uid, answer in self._pages(page, "StudyInstanceUID").items():
            count = _value(answer, "NumberOfStudyRelatedInstances")
            told = int(count) if count.isdigit() else None
            found.append(Study(uid, _value(answer, "AccessionNumber"), _value(answer, "PatientID"), told))
        return found

    def objects(self, study: Study) -> dict[str, list[str]]:
        """See `Server.objects`."""

        def page(offset: int) -> list[dict[str, Any]]:
            found: list[dict[str, Any]] = self._client.search_for_instances(
                study.uid, fields=["SeriesInstanceUID", "SOPInstanceUID"], limit=PAGE, offset=offset
            )
            return found

        series: dict[str, list[str]] = {}
        for uid, answer in self._pages(page, "SOPInstanceUID").items():
            series.setdefault(_value(answer, "SeriesInstanceUID"), []).append(uid)
        return series

    def _pages(self, page: Callable[[int], list[dict[str, Any]]], key: str) -> dict[str, dict[str, Any]]:
        """Every answer by its UID. A server that gives the same page for ever, or all at once, ends it as well."""
        found: dict[str, dict[str, Any]] = {}
        while True:
            answers = self._again(partial(page, len(found)))
            fresh = {uid: a for a in answers if isinstance(a, dict) and (uid := _value(a, key)) and uid not in found}
            found |= fresh
            if len(answers) < PAGE or not fresh:
                return found

    def retrieve(self, study: Study, listed: Listing, missing: Listing, deliver: Deliver) -> None:
        """See `Server.retrieve`. A series is streamed; of one of which some is there the rest is asked for one by
        one."""
        for series, objects in missing.items():
            seen: set[str] = set()
            if len(objects) == len(listed[series]) > 1:
                for uid, data in self._streamed(study.uid, series):
                    seen.add(uid)
                    deliver(data)
            for uid in objects:
                if uid not in seen:
                    self._one(study.uid, series, uid, deliver)

    def _streamed(self, study: str, series: str) -> Iterator[tuple[str, bytes]]:
        """UID and file of a series' objects, up to one that makes no sense."""
        with _told_apart(self._requests, self._rules):
            stream = self._client.iter_series(study, series)
        while True:
            try:
                with _told_apart(self._requests, self._rules):
                    dataset = next(stream, None)
                    made = None if dataset is None else (str(dataset.get("SOPInstanceUID", "")), _file(dataset))
            except ServerFailedError:
                return
            if made is None:
                return
            yield made

    def _one(self, study: str, series: str, uid: str, deliver: Deliver) -> None:
        try:
            with _told_apart(self._requests, self._rules):
                data = _file(self._client.retrieve_instance(study, series, uid))
        except ServerFailedError:
            return  # the object is missing then, and counted as such
        deliver(data)

    def _again(self, ask: Callable[[], list[dict[str, Any]]]) -> list[dict[str, Any]]:
        """``ask``; once more with the token as it stands in its file now where the server refuses the last one."""
        try:
            with _told_apart(self._requests, self._rules):
                return ask()
        except RecipeError as error:
            if error.field != "--token-file" or self._rules.token is None:
                raise
        self._authorize()
        with _told_apart(self._requests, self._rules):
            return ask()

    def close(self) -> None:
        """See `Server.close`."""
        self._session.close()


def _value(answer: Mapping[str, Any], keyword: str) -> str:
    """The first value of an attribute in DICOM JSON (PS3.18 F.2)."""
    element = answer.get(_TAGS[keyword])
    values = element.get("Value") if isinstance(element, dict) else None
    first = values[0] if isinstance(values, list) and values else ""
    return str(first).strip() if isinstance(first, str | int) else ""


def _file(dataset: Any) -> bytes:
    """The object as a Part 10 file; what was not looked at is as it came."""
    memory = io.BytesIO()
    dataset.save_as(memory, enforce_file_format=True)
    return memory.getvalue()


@contextmanager
def _told_apart(requests: Any, rules: DicomWebRules) -> Iterator[None]:
    """What the client raises, as one of the ends there are; nothing of its text, which holds URLs and values."""
    kinds = requests.exceptions
    end: Exception | None = None
    try:
        yield
    except kinds.SSLError:
        end = untrusted(_host(rules.url))
    except kinds.HTTPError as error:
        status = error.response.status_code if error.response is not None else 0
        if status in (401, 403):
            end = RecipeError(
                "--token-file", f"the server refuses ({status})", "renew the token in the file, and go on"
            )
        else:
            end = ServerGoneError() if status in _LATER else ServerFailedError()
    except (kinds.InvalidURL, kinds.MissingSchema, kinds.InvalidSchema):
        end = RecipeError("--dicomweb", "is no URL", "as https://pacs.example/dicom-web")
    except (kinds.RequestException, ConnectionError, TimeoutError):
        end = ServerGoneError()
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001  the client and pydicom on bytes from a network: they raise anything
        end = ServerFailedError()
    if end is not None:
        raise end


def _host(url: str) -> str:
    return url.partition("//")[2].partition("/")[0].rpartition("@")[2] or "the server"
