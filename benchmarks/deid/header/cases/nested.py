"""Identities in sequences: at depth 1 to 5 and 1,000, in codes, in what says where the object came from."""

from __future__ import annotations

from pydicom import uid
from pydicom.dataset import Dataset

from benchmarks.deid.header.cases.build import EXPLICIT, Built, base_ct, item, one, padded, raw, spliced, written
from benchmarks.deid.plant import Ledger

_PATH = ("RequestAttributesSequence", "ScheduledProtocolCodeSequence", "ProtocolContextSequence",
         "ContentItemModifierSequence", "ConceptNameCodeSequence")  # fmt: skip


def _identity(p: Ledger) -> Dataset:
    ds = Dataset()
    ds.PatientName, ds.PatientID, ds.PatientBirthDate = p.name(), p.number("N#######"), p.date(1940, 1980)
    ds.ReferencedSOPInstanceUID, ds.InstitutionName = p.uid(), p.plant("Ottoline Clinic", "Ottoline")
    ds.ScheduledPerformingPhysicianName, ds.CodeMeaning = p.name(), p.name("{g} {s}")
    return ds


def depth_1_to_5(p: Ledger) -> Built:
    ds = base_ct(p)
    level = ds
    for keyword in _PATH:
        inner = _identity(p)
        setattr(level, keyword, [inner, _identity(p)])
        level = inner
    return one(written(ds))


def depth_1000_undefined_length(p: Ledger) -> Built:
    return _deep(p, 1000, True)


def depth_1000_defined_length(p: Ledger) -> Built:
    return _deep(p, 1000, False)


def _deep(p: Ledger, depth: int, undefined: bool) -> Built:
    inner = raw(0x00100010, b"PN", padded(p.name()))
    for _ in range(depth):
        wrapped = item(inner, undefined)
        if undefined:
            inner = raw(0x00400275, b"SQ", wrapped + b"\xfe\xff\xdd\xe0\0\0\0\0", 0xFFFFFFFF)
        else:
            inner = raw(0x00400275, b"SQ", wrapped)
    return one(spliced(base_ct(p), [(0x00400275, inner)]), withhold=True)


def code_meanings(p: Ledger) -> Built:
    ds = base_ct(p)
    for keyword in ("AnatomicRegionSequence", "ProcedureCodeSequence", "ViewCodeSequence", "PatientSpeciesCodeSequence",
                    "RequestedProcedureCodeSequence", "ReasonForStudyCodeSequence"):  # fmt: skip
        code = Dataset()
        code.CodeValue, code.CodingSchemeDesignator = p.number("C######"), "99" + p.plant("WILLOW")
        code.CodingSchemeVersion, code.CodeMeaning = p.plant("thelma"), "Chest of " + p.name("{s}")
        setattr(ds, keyword, [code])
    known = Dataset()  # a code of the standard's own, whose meaning is a person
    known.CodeValue, known.CodingSchemeDesignator, known.CodeMeaning = "51185008", "SCT", "Chest, " + p.name("{g} {s}")
    ds.AnatomicRegionSequence.append(known)
    return one(written(ds))


def persons_and_devices(p: Ledger) -> Built:
    ds = base_ct(p)
    for keyword in ("OperatorIdentificationSequence", "ReferringPhysicianIdentificationSequence",
                    "PhysiciansOfRecordIdentificationSequence", "ContributingEquipmentSequence",
                    "PerformingPhysicianIdentificationSequence"):  # fmt: skip
        person = Dataset()
        person.InstitutionName, person.PersonAddress = p.plant("Hawksmoor Trust", "Hawksmoor"), p.plant("3 Mew Street")
        person.PersonTelephoneNumbers, person.DeviceSerialNumber = p.number("+44 #### ######"), p.number("Z#######")
        code = Dataset()
        code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = p.number("GMC#######"), "L", p.name("{g} {s}")
        person.PersonIdentificationCodeSequence = [code]
        setattr(ds, keyword, [person])
    return one(written(ds))


def original_attributes(p: Ledger) -> Built:
    ds, change, before = base_ct(p), Dataset(), _identity(p)
    change.ModifiedAttributesSequence = [before]
    change.SourceOfPreviousValues, change.ModifyingSystem = p.plant("Umberleigh"), p.plant("PACSOLDNAME")
    change.AttributeModificationDateTime, change.ReasonForTheAttributeModification = p.date() + "101010", "CORRECT"
    ds.OriginalAttributesSequence = [change]
    return one(written(ds))


def encrypted_attributes(p: Ledger) -> Built:
    ds, inner = base_ct(p), Dataset()
    inner.EncryptedContentTransferSyntaxUID, inner.EncryptedContent = EXPLICIT, p.blob(64)
    ds.EncryptedAttributesSequence = [inner]
    return one(written(ds))


def digital_signatures(p: Ledger) -> Built:
    ds, mac, signature = base_ct(p), Dataset(), Dataset()
    mac.MACIDNumber, mac.MACCalculationTransferSyntaxUID, mac.MACAlgorithm = 1, EXPLICIT, "SHA256"
    signature.MACIDNumber, signature.DigitalSignatureUID = 1, p.uid()
    signature.DigitalSignatureDateTime = p.date() + "101010"
    signature.CertificateType = "X509_1993_SIG"
    signature.CertificateOfSigner = padded(b"CN=" + p.name("{g} {s}").encode() + p.blob(40))
    signature.Signature = p.blob(64)
    ds.MACParametersSequence, ds.DigitalSignaturesSequence = [mac], [signature]
    return one(written(ds))


def content_in_an_image(p: Ledger) -> Built:
    ds, text, person = base_ct(p), Dataset(), Dataset()
    text.ValueType, text.TextValue = "TEXT", p.name("{g} {s}") + " seen by " + p.name("Dr {s}")
    person.ValueType, person.PersonName = "PNAME", p.name()
    ds.AcquisitionContextSequence = [text, person]
    ds.ContentSequence = [text]
    annotation = Dataset()
    annotation.UnformattedTextValue, annotation.TextValue = p.name("{s}"), p.name("{s}")
    ds.GraphicAnnotationSequence = [annotation]
    return one(written(ds))


def functional_groups(p: Ledger) -> Built:
    ds = base_ct(p)
    shared, frame, content = Dataset(), Dataset(), Dataset()
    content.FrameComments, content.FrameLabel = "scan of " + p.name("{s}"), p.name("{s}")
    content.FrameAcquisitionDateTime = content.FrameReferenceDateTime = p.date() + "111213"
    frame.FrameContentSequence = [content]
    shared.ReferencedImageSequence = [_identity(p)]
    anatomy = Dataset()
    anatomy.AnatomicRegionSequence, anatomy.FrameLaterality = [_identity(p)], "U"
    shared.FrameAnatomySequence = [anatomy]
    block = frame.private_block(0x2005, p.plant("GWENLLIAN"), create=True)
    block.add_new(1, "LO", p.name("{g} {s}"))
    ds.SharedFunctionalGroupsSequence, ds.PerFrameFunctionalGroupsSequence = [shared], [frame]
    ds.SOPClassUID = uid.EnhancedCTImageStorage
    ds.NumberOfFrames = 1
    return one(written(ds))


CASES = (depth_1_to_5, depth_1000_undefined_length, depth_1000_defined_length, code_meanings, persons_and_devices,
         original_attributes, encrypted_attributes, digital_signatures, content_in_an_image,
         functional_groups)  # fmt: skip
