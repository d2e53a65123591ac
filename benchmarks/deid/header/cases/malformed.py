"""Files that are not as the standard says: wrong VR, wrong length, behind NUL, doubled, out of order, cut off."""

from __future__ import annotations

import struct

from pydicom import uid

from benchmarks.deid.header.cases.build import Built, base_ct, item, one, padded, raw, spliced, written
from benchmarks.deid.plant import Ledger


def wrong_vr(p: Ledger) -> Built:
    """Text where numbers, dates, codes and UIDs belong."""
    text = lambda form="{s}^{g}": padded(p.name(form))  # noqa: E731
    extra = [(0x00081030, raw(0x00081030, b"US", text())), (0x00180050, raw(0x00180050, b"DS", text("{s}"))),
             (0x00180060, raw(0x00180060, b"LO", text("{s}"))), (0x00200012, raw(0x00200012, b"IS", text("{s}"))),
             (0x00080022, raw(0x00080022, b"DA", text("{s}"))), (0x00080032, raw(0x00080032, b"TM", text("{s}"))),
             (0x0008002A, raw(0x0008002A, b"DT", text("{s}"))), (0x00101010, raw(0x00101010, b"AS", text("{s}"))),
             (0x00200052, raw(0x00200052, b"UI", text("{s}"))), (0x00185100, raw(0x00185100, b"PN", text())),
             (0x00189087, raw(0x00189087, b"FD", text("{s}{g}")[:16])), (0x00280120, raw(0x00280120, b"LT", text())),
             (0x00180022, raw(0x00180022, b"UT", text())),
             (0x00080008, raw(0x00080008, b"SH", text("{s}")))]  # fmt: skip
    ds = base_ct(p)
    del ds.ImageType
    return one(spliced(ds, [e for e in extra if e[0] not in (0x00180050, 0x00180060)]))


def text_in_pixel_numbers(p: Ledger) -> Built:
    ds = base_ct(p)
    for keyword in ("KVP", "SliceThickness", "WindowCenter"):
        del ds[keyword]
    extra = [(0x00180050, raw(0x00180050, b"DS", padded(p.name("{s}")))),
             (0x00180060, raw(0x00180060, b"DS", padded(p.name("{s}")))),
             (0x00281050, raw(0x00281050, b"DS", padded(p.name("{s}"))))]  # fmt: skip
    return one(spliced(ds, extra), pixels=True)


def hidden_behind_nul(p: Ledger) -> Built:
    ds = base_ct(p)
    for keyword in ("Modality", "BodyPartExamined", "PatientSex", "StudyTime", "RescaleType"):
        del ds[keyword]
    hidden = lambda shown: padded(shown.encode() + b"\0\0" + p.name("{s}").encode())  # noqa: E731
    extra = [(0x00080060, raw(0x00080060, b"CS", hidden("CT"))), (0x00180015, raw(0x00180015, b"CS", hidden("CHEST"))),
             (0x00100040, raw(0x00100040, b"CS", hidden("F"))), (0x00080030, raw(0x00080030, b"TM", hidden("101500"))),
             (0x00281054, raw(0x00281054, b"LO", hidden("HU"))),
             (0x00080070, raw(0x00080070, b"LO", hidden("SIEMENS"))),
             (0x00200020, raw(0x00200020, b"CS", hidden("L\\F"))),
             (0x00200052, raw(0x00200052, b"UI", hidden("1.2.3.4")))]  # fmt: skip
    return one(spliced(ds, extra))


def hidden_in_values(p: Ledger) -> Built:
    """A second value, blanks before, a line break, a second person-name group."""
    ds = base_ct(p)
    ds.PatientOrientation = ["L", p.name("{s}")]
    ds.ScanOptions = ["HELIX", p.name("{s}")]
    ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL", p.name("{s}").upper()]
    ds.Manufacturer = "SIEMENS\n" + p.name("{g} {s}")
    ds.ManufacturerModelName = "Somatom " + p.name("{s}")
    ds.SoftwareVersions = ["VB40", p.name("{s}")]
    ds.ConvolutionKernel = ["B30f", p.name("{s}")]
    ds.PatientPosition = p.plant("QUILL HFS", "QUILL")
    ds.BodyPartExamined = p.plant("CHESTOYELARANDI", "OYELARANDI")
    return one(written(ds))


def duplicate_elements(p: Ledger) -> Built:
    extra = [(0x00080060, raw(0x00080060, b"CS", padded(p.name("{s}")))),
             (0x00100010, raw(0x00100010, b"PN", padded(p.name()))),
             (0x00280010, raw(0x00280010, b"US", struct.pack("<H", 64)))]  # fmt: skip
    return one(spliced(base_ct(p), extra))


def out_of_order(p: Ledger) -> Built:
    data = spliced(base_ct(p), [])
    return one(
        data + raw(0x00081030, b"LO", padded("CHEST " + p.name("{s}"))) + raw(0x00100010, b"PN", padded(p.name()))
    )


def length_past_the_end(p: Ledger) -> Built:
    ds = base_ct(p)
    data = spliced(ds, [])
    return one(data + raw(0x7FE20010, b"UN", padded(p.name("{s}")), 0x00FFFFFF), withhold=True)


def length_too_short(p: Ledger) -> Built:
    """The description says 6 bytes; the rest of the text lies where the next element should be."""
    ds = base_ct(p)
    text = b"CHEST " + padded(p.name("{s}^{g}"))
    return one(spliced(ds, [(0x00081030, raw(0x00081030, b"LO", text, 6))]), withhold=True)


def sequence_length_wrong(p: Ledger) -> Built:
    inner = item(raw(0x00100010, b"PN", padded(p.name())))
    return one(spliced(base_ct(p), [(0x00400275, raw(0x00400275, b"SQ", inner, len(inner) + 40))]), withhold=True)


def truncated(p: Ledger) -> Built:
    ds = base_ct(p)
    ds.ImageComments = p.name("{g} {s}")
    return one(written(ds)[:-2000], withhold=True)


def _syntax(p: Ledger, syntax: str) -> Built:
    ds = base_ct(p)
    ds.StudyDescription = "CHEST " + p.name("{s}")
    ds.private_block(0x0009, "ACME", create=True).add_new(1, "LO", p.name("{s}"))
    if syntax == uid.ExplicitVRBigEndian:
        import numpy as np

        ds.PixelData = np.frombuffer(ds.PixelData, "<u2").astype(">u2").tobytes()
    return one(written(ds, syntax))


def big_endian(p: Ledger) -> Built:
    return _syntax(p, uid.ExplicitVRBigEndian)


def implicit(p: Ledger) -> Built:
    return _syntax(p, uid.ImplicitVRLittleEndian)


def deflated(p: Ledger) -> Built:
    return _syntax(p, uid.DeflatedExplicitVRLittleEndian)


def deflated_and_more(p: Ledger) -> Built:
    built = _syntax(p, uid.DeflatedExplicitVRLittleEndian)
    return one(built.files["a.dcm"] + p.name("{s}^{g}").encode() + p.blob())


def no_file_meta(p: Ledger) -> Built:
    """A bare data set, as old archives hold."""
    ds = base_ct(p)
    ds.StudyDescription = "CHEST " + p.name("{s}")
    data = written(ds, uid.ImplicitVRLittleEndian)
    return one(data[144 + struct.unpack("<I", data[140:144])[0] :], withhold=True)


def says_explicit_is_implicit(p: Ledger) -> Built:
    ds = base_ct(p)
    ds.StudyDescription = "CHEST " + p.name("{s}")
    return one(written(ds, uid.ImplicitVRLittleEndian).replace(b"1.2.840.10008.1.2\0", b"1.2.840.10008.1.2.1"[:18]),
               withhold=True)  # fmt: skip


def overlong_values(p: Ledger) -> Built:
    ds = base_ct(p)
    ds.StudyDescription = "CHEST " * 4000 + p.name("{s}")
    ds.PatientName = p.name() + "X" * 300
    ds.SeriesDescription = "".join(f"{c}\u200b" for c in p.name("{s}"))
    ds.SpecificCharacterSet = "ISO_IR 192"
    p.plant(ds.SeriesDescription)
    return one(written(ds))


CASES = (wrong_vr, text_in_pixel_numbers, hidden_behind_nul, hidden_in_values, duplicate_elements, out_of_order,
         length_past_the_end, length_too_short, sequence_length_wrong, truncated, big_endian, implicit, deflated,
         deflated_and_more, no_file_meta, says_explicit_is_implicit, overlong_values)  # fmt: skip
