"""A DIMSE server (PS3.7): C-FIND to find; C-GET to retrieve over the same association, or C-MOVE to have the server
send to our own receiver (C-STORE)."""

from __future__ import annotations

import logging
import socket
import ssl
import warnings
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from curate.errors import RecipeError
from curate.fetch.server import Deliver, Listing, ServerFailedError, ServerGoneError, Study, extra, untrusted

_PENDING, _WARNING = (0xFF00, 0xFF01), 0xB000
_REFUSED, _OUT_OF_RESOURCES = 0x0124, 0xA700  # PS3.7 annex C, PS3.4 table B.2-1
_UIDS_PER_REQUEST = 128  # a list of UIDs is one element, whose length servers limit
_MAX_CONTEXTS = 126  # an association holds 128, and two are for queries


@dataclass(frozen=True)
class DimseRules:
    """``called`` and ``calling``: AE titles. ``port``: our receiver's, for C-MOVE; the server must know it under
    ``calling``. ``tls``: with ``ca`` to trust, and our ``certificate`` and ``key`` where the server requires them."""

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
        for sop_class in (model.StudyRootQueryRetrieveInformationModelFind, self._retrieve_model()):
            self._ae.add_requested_context(sop_class)
        if self._rules.via == "move":
            return []
        roles = []
        syntaxes = self._net.ALL_TRANSFER_SYNTAXES
        for context in self._net.StoragePresentationContexts[:_MAX_CONTEXTS]:
            self._ae.add_requested_context(context.abstract_syntax, syntaxes)
            roles.append(self._net.build_role(context.abstract_syntax, scp_role=True))
        return roles

    def _retrieve_model(self) -> Any:
        name = "Get" if self._rules.via == "get" else "Move"
        return getattr(self._classes, f"StudyRootQueryRetrieveInformationModel{name}")

    def _listen(self) -> None:
        """Start the receiver on our port: any storage class, any transfer syntax."""
        receiver, evt = self._net.AE(ae_title=self._rules.calling), self._net.evt
        for context in self._net.AllStoragePresentationContexts:
            receiver.add_supported_context(context.abstract_syntax, self._net.ALL_TRANSFER_SYNTAXES)
        try:
            self._receiver = receiver.start_server(
                ("", self._rules.port), block=False,
                evt_handlers=[(evt.EVT_C_STORE, self._store), (evt.EVT_DATA_SENT, _acknowledge)],
                ssl_context=_server_context(self._rules) if self._rules.tls else None,
            )  # fmt: skip
        except OSError:
            problem = f"port {self._rules.port} cannot be listened on"
            raise RecipeError("--port", problem, "name a free one, which the server knows us by") from None

    def find(self, filters: Mapping[str, str]) -> list[Study]:
        """See `Server.find`."""
        return_keys = {
            "StudyInstanceUID": "",
            "AccessionNumber": "",
            "PatientID": "",
            "NumberOfStudyRelatedInstances": "",
        }
        studies: dict[str, Study] = {}
        for answer in self._query("STUDY", {**return_keys, **filters}):
            uid, count = _text(answer, "StudyInstanceUID"), _text(answer, "NumberOfStudyRelatedInstances")
            object_count = int(count) if count.isdigit() else None
            studies[uid] = Study(uid, _text(answer, "AccessionNumber"), _text(answer, "PatientID"), object_count)
        return [study for uid, study in studies.items() if uid]

    def objects(self, study: Study) -> dict[str, list[str]]:
        """See `Server.objects`."""
        upper = {"StudyInstanceUID": study.uid}
        series = [_text(a, "SeriesInstanceUID") for a in self._query("SERIES", {**upper, "SeriesInstanceUID": ""})]
        by_series = {}
        for uid in dict.fromkeys(filter(None, series)):
            answers = self._query("IMAGE", {**upper, "SeriesInstanceUID": uid, "SOPInstanceUID": ""})
            by_series[uid] = [*dict.fromkeys(filter(None, (_text(a, "SOPInstanceUID") for a in answers)))]
        return by_series

    def _query(self, level: str, keys: Mapping[str, str]) -> Iterator[Any]:
        model = self._classes.StudyRootQueryRetrieveInformationModelFind
        for status, answer in self._connected().send_c_find(_identifier(level, keys), model):
            if _pending(status) and answer is not None:
                yield answer

    def retrieve(self, study: Study, listed: Listing, missing: Listing, deliver: Deliver) -> None:
        """See `Server.retrieve`. One request for a whole study, or requests for the missing objects of each series."""
        self._deliver, self._failed = deliver, None
        upper = {"StudyInstanceUID": study.uid}
        if missing == listed:
            self._fetch("STUDY", upper)
            return
        for series, objects in missing.items():
            uids = list(objects)
            for start in range(0, len(uids), _UIDS_PER_REQUEST):
                batch = "\\".join(uids[start : start + _UIDS_PER_REQUEST])
                self._fetch("IMAGE", {**upper, "SeriesInstanceUID": series, "SOPInstanceUID": batch})

    def _fetch(self, level: str, keys: Mapping[str, str]) -> None:
        association, identifier = self._connected(), _identifier(level, keys)
        if self._rules.via == "get":
            answers = association.send_c_get(identifier, self._retrieve_model())
        else:
            answers = association.send_c_move(identifier, self._rules.calling, self._retrieve_model())
        failed = None
        try:
            for status, _ in answers:
                _pending(status)
        except ServerFailedError as error:
            failed = error
        if self._failed is not None:
            raise self._failed  # a write error on our disk, from the receiver's thread
        if failed is not None:
            raise failed

    def _store(self, event: Any) -> int:
        """Handle a C-STORE. It must not raise: pynetdicom would report that to the server only."""
        if self._deliver is None:
            return _REFUSED
        try:
            self._deliver(event.encoded_dataset())
        except Exception as error:  # noqa: BLE001  raised later in the requesting thread
            self._failed = error
            return _OUT_OF_RESOURCES
        return 0

    def _connected(self) -> Any:
        if self._association is None or not self._association.is_established:
            r, evt = self._rules, self._net.evt
            handlers: list[Any] = [(evt.EVT_DATA_SENT, _acknowledge)]
            if r.via == "get":
                handlers.append((evt.EVT_C_STORE, self._store))
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


def _acknowledge(event: Any) -> None:
    """Acknowledge what came at once: a server that sends a message in parts waits for it before each (Nagle), 40 ms
    where the acknowledgement is delayed. Linux forgets the option, so it is set anew."""
    connection = event.assoc.dul.socket
    if connection is not None and connection.socket is not None and hasattr(socket, "TCP_QUICKACK"):
        with suppress(OSError):  # closed since
            connection.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)


def _pending(status: Any) -> bool:
    """Whether more answers follow. ServerGoneError where the association ended without a status."""
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


def _text(answer: Any, keyword: str) -> str:
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
    """RecipeError where the certificate is not trusted or its name differs: an association would not report that."""
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
