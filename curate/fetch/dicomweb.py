"""A DICOMweb server (PS3.18): QIDO-RS to find, WADO-RS to retrieve, one series per request."""

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

_STUDY_KEYWORDS = ("StudyInstanceUID", "AccessionNumber", "PatientID", "NumberOfStudyRelatedInstances")
_TAGS = {"StudyInstanceUID": "0020000D", "AccessionNumber": "00080050", "PatientID": "00100020",
         "NumberOfStudyRelatedInstances": "00201208", "SeriesInstanceUID": "0020000E",
         "SOPInstanceUID": "00080018"}  # fmt: skip
_RETRY_LATER = (408, 425, 429, 500, 502, 503, 504)


@dataclass(frozen=True)
class DicomWebRules:
    """``token``: a file with a bearer token or a whole Authorization value ("Basic ..."), read again whenever the
    server refuses it. ``ca``: certificates to trust; ``certificate`` and ``key``: the client's own."""

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
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)  # they log URLs, which hold identifiers
        session = self._requests.Session()
        session.trust_env = False  # no proxy and no .netrc from the environment
        if rules.ca is not None:
            session.verify = str(rules.ca)
        if rules.certificate is not None:
            session.cert = (str(rules.certificate), str(rules.key or rules.certificate))
        with _translated_errors(self._requests, rules):
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
            answers: list[dict[str, Any]] = self._client.search_for_studies(
                search_filters=dict(filters), fields=list(_STUDY_KEYWORDS), limit=PAGE, offset=offset
            )
            return answers

        studies = []
        for uid, answer in self._pages(page, "StudyInstanceUID").items():
            count = _value(answer, "NumberOfStudyRelatedInstances")
            object_count = int(count) if count.isdigit() else None
            studies.append(Study(uid, _value(answer, "AccessionNumber"), _value(answer, "PatientID"), object_count))
        return studies

    def objects(self, study: Study) -> dict[str, list[str]]:
        """See `Server.objects`."""

        def page(offset: int) -> list[dict[str, Any]]:
            answers: list[dict[str, Any]] = self._client.search_for_instances(
                study.uid, fields=["SeriesInstanceUID", "SOPInstanceUID"], limit=PAGE, offset=offset
            )
            return answers

        series: dict[str, list[str]] = {}
        for uid, answer in self._pages(page, "SOPInstanceUID").items():
            series.setdefault(_value(answer, "SeriesInstanceUID"), []).append(uid)
        return series

    def _pages(self, page: Callable[[int], list[dict[str, Any]]], key: str) -> dict[str, dict[str, Any]]:
        """Every answer by its UID. Also ends for a server that repeats the same page, or that ignores the limit."""
        by_uid: dict[str, dict[str, Any]] = {}
        while True:
            answers = self._with_fresh_token(partial(page, len(by_uid)))
            new = {uid: a for a in answers if isinstance(a, dict) and (uid := _value(a, key)) and uid not in by_uid}
            by_uid |= new
            if len(answers) < PAGE or not new:
                return by_uid

    def retrieve(self, study: Study, listed: Listing, missing: Listing, deliver: Deliver) -> None:
        """See `Server.retrieve`. A whole series is streamed; the missing objects of an incomplete one are requested one
        by one."""
        for series, objects in missing.items():
            received: set[str] = set()
            if len(objects) == len(listed[series]) > 1:
                for uid, data in self._stream_series(study.uid, series):
                    received.add(uid)
                    deliver(data)
            for uid in objects:
                if uid not in received:
                    self._retrieve_object(study.uid, series, uid, deliver)

    def _stream_series(self, study: str, series: str) -> Iterator[tuple[str, bytes]]:
        """UID and file of a series' objects, until one that cannot be parsed."""
        with _translated_errors(self._requests, self._rules):
            stream = self._client.iter_series(study, series)
        while True:
            try:
                with _translated_errors(self._requests, self._rules):
                    dataset = next(stream, None)
                    received = None if dataset is None else (str(dataset.get("SOPInstanceUID", "")), _file(dataset))
            except ServerFailedError:
                return
            if received is None:
                return
            yield received

    def _retrieve_object(self, study: str, series: str, uid: str, deliver: Deliver) -> None:
        try:
            with _translated_errors(self._requests, self._rules):
                data = _file(self._client.retrieve_instance(study, series, uid))
        except ServerFailedError:
            return  # the object stays missing, and is counted as such
        deliver(data)

    def _with_fresh_token(self, request: Callable[[], list[dict[str, Any]]]) -> list[dict[str, Any]]:
        """Call ``request``; where the server refuses the token, read its file again and repeat once."""
        try:
            with _translated_errors(self._requests, self._rules):
                return request()
        except RecipeError as error:
            if error.field != "--token-file" or self._rules.token is None:
                raise
        self._authorize()
        with _translated_errors(self._requests, self._rules):
            return request()

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
    """The object as a Part 10 file; elements that were not decoded are written as received."""
    memory = io.BytesIO()
    dataset.save_as(memory, enforce_file_format=True)
    return memory.getvalue()


@contextmanager
def _translated_errors(requests: Any, rules: DicomWebRules) -> Iterator[None]:
    """Turn the client's exceptions into our own, without their text, which holds URLs and values."""
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
            end = ServerGoneError() if status in _RETRY_LATER else ServerFailedError()
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
