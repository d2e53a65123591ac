"""Volumes in which a face may be seen: CT, MR and PET of the head, of which a surface can be rendered and recognised.

Judged by the header alone: body part, anatomic region, descriptions. Where these say nothing of what was imaged, a
volume may be a head. Who ran a defacing tool before says so by Recognizable Visual Features (0028,0302) NO, by the
Clean Recognizable Visual Features Option (113102, PS3.16 CID 7050), or by a tool's name in De-identification Method;
that is believed and told on, never looked into.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from importlib.resources import files

from pydicom.dataset import Dataset

from curate.deid.rules import PixelPolicy
from curate.errors import DropRecord
from curate.record import Reason
from curate.sources.dicom.file import text, value

_VOLUMES = frozenset({"CT", "MR", "PT", "NM"})
_TOOLS = re.compile(
    r"deface|refac|quickshear|skull.?strip|brain.?extract|face.{0,12}(?:remov|blur|mask|clean)", re.IGNORECASE
)
_LISTS = tomllib.loads(files("curate.deid.pixels").joinpath("data", "faces.toml").read_text("utf-8"))
_HEADS, _OTHERS, _CODES = (frozenset(_LISTS[name].split()) for name in ("heads", "others", "codes"))
_NO_HEAD = re.compile(r"\b(?:femoral|humeral|radial|fibular|metatarsal|metacarpal)\s+(?:head|neck)s?\b")
_WHOLE = re.compile(r"\b(?:whole|total)\s?-?_?body\b|\bskull\s?-?\s?(?:base)?\s?to\b|\bvertex\b")
_SAID = ("BodyPartExamined", "StudyDescription", "SeriesDescription", "ProtocolName", "RequestedProcedureDescription",
         "PerformedProcedureStepDescription", "AcquisitionProtocolName")  # fmt: skip


def check_face(source: Dataset, policy: PixelPolicy) -> None:
    """DropRecord(FACE) where ``policy`` keeps heads back and ``source`` may be of one that was not defaced."""
    if policy.faces == "quarantine" and may_show_face(source) and not is_defaced(source):
        raise DropRecord(Reason.FACE)


def may_show_face(source: Dataset) -> bool:
    """Whether an object is part of a volume of a head, or of nothing that its header names."""
    if text(source, "Modality").upper() not in _VOLUMES:
        return False
    described = [_plain(text(source, keyword)) for keyword in _SAID]
    words = {word for each in described for word in re.findall(r"[a-z]{2,}", _NO_HEAD.sub(" ", each))}
    codes = {
        text(item, "CodeValue")
        for keyword in ("AnatomicRegionSequence", "PrimaryAnatomicStructureSequence")
        for item in value(source, keyword) or []
    }
    if words & _HEADS or codes & _CODES or any(_WHOLE.search(each) for each in described):
        return True
    return not (words & _OTHERS or codes or any(_NO_HEAD.search(each) for each in described))


def is_defaced(source: Dataset) -> bool:
    """Whether the header says that the face was removed."""
    if text(source, "RecognizableVisualFeatures").upper() == "NO":
        return True
    done = value(source, "DeidentificationMethodCodeSequence") or []
    if any(text(item, "CodeValue") == "113102" for item in done):
        return True
    return _TOOLS.search(text(source, "DeidentificationMethod")) is not None


def _plain(described: str) -> str:
    """In small letters without accents, words apart that underscores and capitals join."""
    bare = "".join(ch for ch in unicodedata.normalize("NFKD", described) if not unicodedata.combining(ch))
    return re.sub(r"[_/^.-]+", " ", bare).lower()
