"""A server that speaks DIMSE (PS3.7): C-FIND finds; C-GET retrieves over the same association, or C-MOVE has the server
send to a receiver of our own (C-STORE)."""

from __future__ import annotations

import logging
import socket
import ssl
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from curate.errors import RecipeError
from curate.fetch.server import Deliver, Listing, ServerFailedError, ServerGoneError, Study, extra, untrusted

_PENDING, _WARNING = (0xFF00, 0xFF01), 0xB000
_REFUSED, _OUT_OF_RESOURCES = 0x0124, 0xA700  # PS3.7 annex C, PS3.4 table B.2-1
_LISTED = 128  # UIDs in one request: a list of UIDs is one value, and servers bound it
_MOST_CONTEXTS = 126  # an association has 128


@dataclass(frozen=True)
class DimseRules:
    """``called`` and ``calling``: AE titles. ``port``: of our receiver, for C-MOVE; the server must know it by
    ``calling``. ``tls``: with ``ca`` to trust, and ``certificate`` and ``key`` of our own where the server asks."""

    host: str
    server_port: int
    called: str
    calling: str = "RADSIFT"
    via: Literal["get", "move"] = "get"
    port: int = 11113
    tls: bool = False
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    timeout: float = 60.0


class Dimse:
    """See `curate.fetch.server.Server`."""

    def __init__(self, rules: DimseRules) -> None:
        self._rules, self._net = rules, extra("pynetdicom")
        self._classes = extra("pynetdicom.sop_class")
        for name in ("pynetdicom", "pydicom"):
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)
        self._deliver: Deliver | None = None
        self._failed: BaseException | None = None
        self._association: Any = None
        self._receiver: Any = None
        self._ae = self._net.AE(ae_title=rules.calling)
        self._ae.acse_timeout = self._ae.dimse_timeout = self._ae.network_timeout = rules.timeout
        self._ae.connection_timeout = min(rules.timeout, 10)
        self._tls = _client_context(rules) if rules.tls else None
        if self._tls is not None:
            _shake_hands(self._tls, rules)
        self._roles = self._contexts()
        if rules.via == "move":
            self._listen()

    def _contexts(self) -> list[Any]:
        model = self._classes
        for each in (model.StudyRootQueryRetrieveInformationModelFind, self._retrieving()):
            self._ae.add_requested_context(each)
        if self._rules.via == "move":
            return []
        roles = []
        syntaxes = self._net.ALL_TRANSFER_SYNTAXES
        for context in self._net.StoragePresentationContexts[:_MOST_CONTEXTS]:
            self._ae.add_requested_context(context.abstract_syntax, syntaxes)
            roles.append(self._net.build_role(context.abstract_syntax, scp_role=True))
        return roles

    def _retrieving(self) -> Any:
        name = "Get" if self._rules.via == "get" else "Move"
        return getattr(self._classes, f"StudyRootQueryRetrieveInformationModel{name}")

    def _listen(self) -> None:
        """Receive what the server sends on our port, any storage class in any transfer syntax."""
        receiver = self._net.AE(ae_title=self._rules.calling)
        for context in self._net.AllStoragePresentationContexts:
            receiver.add_supported_context(context.abstract_syntax, self._net.ALL_TRANSFER_SYNTAXES)
        try:
            self._receiver = receiver.start_server(
                ("", self._rules.port), block=False, evt_handlers=[(self._net.evt.EVT_C_STORE, self._store)],
                ssl_context=_server_context(self._rules) if self._rules.tls else None,
            )  # fmt: skip
        except OSError:
            problem = f"port {self._rules.port} cannot be listened on"
            raise RecipeError("--port", problem, "name a free one, which the server knows us by") from None

    def find(self, filters: Mapping[str, str]) -> list[Study]:
        """See `Server.find`."""
        asked = {"StudyInstanceUID": "", "AccessionNumber": "", "PatientID": "", "NumberOfStudyRelatedInstances": ""}
        found: dict[str, Study] = {}
        for answer in self._query("STUDY", {**asked, **filters}):
            uid, count = _of(answer, "StudyInstanceUID"), _of(answer, "NumberOfStudyRelatedInstances")
            told = int(count) if count.isdigit() else None
            found[uid] = Study(uid, _of(answer, "AccessionNumber"), _of(answer, "PatientID"), told)
        return [study for uid, study in found.items() if uid]

    def objects(self, study: Study) -> dict[str, list[str]]:
        """See `Server.objects`."""
        upper = {"StudyInstanceUID": study.uid}
        series = [_of(a, "SeriesInstanceUID") for a in self._query("SERIES", {**upper, "SeriesInstanceUID": ""})]
        found = {}
        for uid in dict.fromkeys(filter(None, series)):
            answers = self._query("IMAGE", {**upper, "SeriesInstanceUID": uid, "SOPInstanceUID": ""})
            found[uid] = [*dict.fromkeys(filter(None, (_of(a, "SOPInstanceUID") for a in answers)))]
        return found

    def _query(self, level: str, keys: Mapping[str, str]) -> Iterator[Any]:
        model = self._classes.StudyRootQueryRetrieveInformationModelFind
        for status, answer in self._connected().send_c_find(_identifier(level, keys), model):
            if _pending(status) and answer is not None:
                yield answer

    def retrieve(self, study: Study, listed: Listing, missing: Listing, deliver: Deliver) -> None:
        """See `Server.retrieve`: a study, or of one the objects that are missing, in one request each."""
        self._deliver, self._failed = deliver, None
        upper = {"StudyInstanceUID": study.uid}
        if missing == listed:
            self._fetch("STUDY", upper)
            return
        for series, objects in missing.items():
            uids = list(objects)
            for at in range(0, len(uids), _LISTED):
                some = "\\".join(uids[at : at + _LISTED])
                self._fetch("IMAGE", {**upper, "SeriesInstanceUID": series, "SOPInstanceUID": some})

    def _fetch(self, level: str, keys: Mapping[str, str]) -> None:
        association, identifier = self._connected(), _identifier(level, keys)
        if self._rules.via == "get":
            answers = association.send_c_get(identifier, self._retrieving())
        else:
            answers = association.send_c_move(identifier, self._rules.calling, self._retrieving())
        failed = None
        try:
            for status, _ in answers:
                _pending(status)
        except ServerFailedError as error:
            failed = error
        if self._failed is not None:
            raise self._failed  # of our own disk, in the receiver's thread
        if failed is not None:
            raise failed

    def _store(self, event: Any) -> int:
        """C-STORE: what the server sends. Raises nothing: that would be told to the server, and to nobody else."""
        if self._deliver is None:
            return _REFUSED
        try:
            self._deliver(event.encoded_dataset())
        except Exception as error:  # noqa: BLE001  kept for the thread that asked
            self._failed = error
            return _OUT_OF_RESOURCES
        return 0

    def _connected(self) -> Any:
        if self._association is None or not self._association.is_established:
            r, evt = self._rules, self._net.evt
            handlers = [(evt.EVT_C_STORE, self._store)] if r.via == "get" else []
            tls = (self._tls, r.host) if self._tls else None
            self._association = self._ae.associate(
                r.host, r.server_port, ae_title=r.called, ext_neg=self._roles or None, evt_handlers=handlers,
                tls_args=tls,
            )  # fmt: skip
            if self._association.is_rejected:
                fix = "have the server know --calling, and name it as it calls itself with --called"
                raise RecipeError("--called", "the server rejects the association", fix)
            if not self._association.is_established:
                raise ServerGoneError
        return self._association

    def close(self) -> None:
        """See `Server.close`."""
        if self._association is not None and self._association.is_established:
            self._association.release()
        if self._receiver is not None:
            self._receiver.shutdown()


def _pending(status: Any) -> bool:
    """Whether more is to come. ServerGoneError where the association ended instead of an answer."""
    if not status or "Status" not in status:
        raise ServerGoneError
    code = int(status.Status)
    if code in _PENDING:
        return True
    if code not in (0, _WARNING):
        raise ServerFailedError
    return False


def _identifier(level: str, keys: Mapping[str, str]) -> Any:
    from pydicom.dataset import Dataset

    identifier = Dataset()
    identifier.QueryRetrieveLevel = level
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for keyword, value in keys.items():
            setattr(identifier, keyword, value.split("\\") if keyword == "SOPInstanceUID" and "\\" in value else value)
    return identifier


def _of(answer: Any, keyword: str) -> str:
    try:
        value = answer.get(keyword, "")
    except (ValueError, TypeError, NotImplementedError):
        return ""
    return "" if value is None else str(value).strip(" \0")


def _client_context(rules: DimseRules) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=None if rules.ca is None else str(rules.ca))
        if rules.certificate is not None:
            context.load_cert_chain(rules.certificate, rules.key)
    except (OSError, ssl.SSLError):
        raise RecipeError("--ca", "a certificate or key cannot be read", "name PEM files") from None
    return context


def _shake_hands(context: ssl.SSLContext, rules: DimseRules) -> None:
    """RecipeError where the certificate is not trusted or of another name, which an association would not say."""
    try:
        with (
            socket.create_connection((rules.host, rules.server_port), min(rules.timeout, 10)) as plain,
            context.wrap_socket(plain, server_hostname=rules.host),
        ):
            return
    except ssl.SSLCertVerificationError:
        end: Exception = untrusted(rules.host)
    except (OSError, ssl.SSLError):
        end = ServerGoneError()
    raise end


def _server_context(rules: DimseRules) -> ssl.SSLContext:
    if rules.certificate is None:
        raise RecipeError("--cert", "a receiver with TLS needs a certificate of its own", "name one, and its --key")
    try:
        context = ssl.create_default_context(
            ssl.Purpose.CLIENT_AUTH, cafile=None if rules.ca is None else str(rules.ca)
        )
        context.load_cert_chain(rules.certificate, rules.key)
    except (OSError, ssl.SSLError):
        raise RecipeError("--cert", "a certificate or key cannot be read", "name PEM files") from None
    return context
