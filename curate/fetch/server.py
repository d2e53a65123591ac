"""The interface of an image server, whichever protocol it speaks, and the errors of its calls."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

from curate.errors import RecipeError

Deliver = Callable[[bytes], None]  # takes an object as a Part 10 file; may be called from several threads
Listing = Mapping[str, Collection[str]]  # series -> its objects
PAGE = 1000  # answers per request, where a protocol has pages


class FetchReason(StrEnum):
    """Why a study or an object was not fetched. The value is what the terminal and `fetch.json` print."""

    NOT_FOUND = "study_not_found"
    NOT_ASKED_FOR = "answer_not_asked_for"  # a study of another accession, an object of another study
    ANOTHER_PATIENT = "object_of_another_patient"
    SEVERAL_PATIENTS = "accession_of_several_patients"
    INCOMPLETE = "fewer_objects_than_told"
    UNREADABLE = "object_unreadable"
    SERVER_FAILED = "server_failed"  # it answered with an error
    SERVER_GONE = "server_gone"  # no answer, or the connection broke


@dataclass(frozen=True)
class Study:
    """A study as the server describes it. ``objects``: the number it states, if it does."""

    uid: str
    accession: str
    patient: str
    objects: int | None


class ServerGoneError(Exception):
    """The server cannot be reached, is too slow, or broke the connection. Worth retrying. Holds no server text."""


class ServerFailedError(Exception):
    """The server answered that it cannot do this."""


class Server(Protocol):
    """One connection, used by one thread. Every call may raise ServerGoneError or ServerFailedError, and RecipeError
    where the user must correct something: a name, a certificate, a token."""

    def find(self, filters: Mapping[str, str]) -> list[Study]:
        """The studies that match, by DICOM keywords of study level."""

    def objects(self, study: Study) -> dict[str, list[str]]:
        """Series Instance UID -> its SOP Instance UIDs."""

    def retrieve(self, study: Study, listed: Listing, missing: Listing, deliver: Deliver) -> None:
        """Deliver the ``missing`` objects among those ``listed``. Every series in ``missing`` has at least one."""

    def close(self) -> None:
        """Close the connection."""


def extra(module: str) -> Any:
    """A package of the extra `network`; RecipeError with the command that installs it."""
    try:
        return importlib.import_module(module)
    except ImportError:
        problem = f"needs the package {module.partition('.')[0]}"
        raise RecipeError("fetch", problem, "pip install 'radsift[network]'") from None


def read_file(path: Path, flag: str) -> str:
    """The text of a small file; RecipeError under ``flag`` where it cannot be read."""
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        raise RecipeError(flag, f"{path} cannot be read", "name a readable text file") from None


def untrusted(host: str) -> RecipeError:
    """The error for a certificate that is not trusted, or has another name."""
    problem = f"the certificate of {host} is not trusted, or is of another name"
    fix = "name the file of the authority that signed it, and the server as its certificate does"
    return RecipeError("--ca", problem, fix)
