"""Volumes in which a face may be seen: CT, MR and PET of the head, of which a surface can be rendered and recognised.

Judged by the header alone: body part, anatomic region, descriptions. Where these say nothing of what was imaged, a
volume may be a head. Who ran a defacing tool before says so by Recognizable Visual Features (0028,0302) NO, by the
Clean Recognizable Visual Features Option (113102, PS3.16 CID 7050), or by a tool's name in De-identification Method;
that is believed and told on, never looked into.
"""

from __future__ import annotations

import re
import unicodedata

from pydicom.dataset import Dataset

from curate.deid.rules import PixelPolicy
from curate.errors import DropRecord
from curate.record import Reason
from curate.sources.dicom.file import text, value

_VOLUMES = frozenset({"CT", "MR", "PT", "NM"})
_TOOLS = re.compile(
    r"deface|refac|quickshear|skull.?strip|brain.?extract|face.{0,12}(?:remov|blur|mask|clean)", re.IGNORECASE
)
_HEADS = """
head brain skull face facial sinus sinuses paranasal orbit orbits orbita orbital eye eyes iac iam mastoid
mastoids temporal tmj jaw mandible maxilla maxillofacial dental nose nasal nasopharynx neuro cranium cranial
cerebral cerebrum cerebellum intracranial pituitary sella hypophysis headneck wholebody neck stroke flair
mprage dti ear ears petrous parotid kopf schadel gehirn hirn hals gesicht tete crane cerveau visage cabeza
craneo cerebro cuello cara testa cranio encefalo collo volto hoofd schedel hersenen hals gezicht cabeca
pescoco
"""
_OTHERS = """
chest thorax lung lungs heart cardiac coronary aorta abdomen abdominal abdomenpelvis liver kidney kidneys
renal pancreas spleen bowel colon rectum pelvis pelvic prostate uterus bladder spine cspine tspine lspine
sspine cervical thoracic lumbar sacrum coccyx shoulder humerus elbow forearm wrist hand finger hip femur thigh
knee calf tibia leg ankle foot toe extremity arm breast rib ribs sternum clavicle abdo torax becken
wirbelsaule knie schulter bauch poumon genou epaule rodilla hombro columna ginocchio spalla knie schouder
joelho ombro
"""
_HEAD_WORDS, _OTHER_WORDS = frozenset(_HEADS.split()), frozenset(_OTHERS.split())
_NO_HEAD = re.compile(r"\b(?:femoral|humeral|radial|fibular|metatarsal|metacarpal)\s+(?:head|neck)s?\b")
_WHOLE = re.compile(r"\b(?:whole|total)\s?-?_?body\b|\bskull\s?-?\s?(?:base)?\s?to\b|\bvertex\b")
# Of SNOMED CT, with the codes of the older SRT beside them (PS3.16 annex L): head, brain, face, skull, orbit, sinus,
# neck, jaw, head and neck.
_CODES = """
69536005 12738006 89545001 89546000 363654007 2095001 45048000 661005 774007 T-D1100 T-A0100 T-D1200 T-11100 T-D1480
T-22000 T-D1600 T-D1213 T-D1000
"""
_HEAD_CODES = frozenset(_CODES.split())
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
    if words & _HEAD_WORDS or codes & _HEAD_CODES or any(_WHOLE.search(each) for each in described):
        return True
    return not (words & _OTHER_WORDS or codes or any(_NO_HEAD.search(each) for each in described))


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
