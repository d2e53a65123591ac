"""Identities outside the data set: preamble, file meta information, what follows the last element."""

from __future__ import annotations

import struct

from pydicom.dataset import Dataset

from benchmarks.deid.header.cases.build import Built, base_ct, meta_of, one, padded, raw, spliced, written
from benchmarks.deid.plant import Ledger


def preamble_text(p: Ledger) -> Built:
    return one(written(base_ct(p), preamble=p.name("{s}, {g}").encode() + p.number(" ID########").encode()))


def preamble_tiff(p: Ledger) -> Built:
    """A dual-personality file (PS3.10 7.1): the preamble is a TIFF header whose IFD names the patient."""
    artist = p.name("{g} {s}").encode() + b"\0"
    ifd = struct.pack("<HHHII", 1, 0x013B, 2, len(artist), 26) + struct.pack("<I", 0)
    return one(written(base_ct(p), preamble=b"II*\0" + struct.pack("<I", 8) + ifd + artist))


def meta_ae_titles(p: Ledger) -> Built:
    ds = base_ct(p)
    meta = meta_of(ds)
    meta.SourceApplicationEntityTitle = p.plant("QUILLSCP")
    meta.SendingApplicationEntityTitle = p.plant("BRANKOVSCU")
    meta.ReceivingApplicationEntityTitle = p.plant("THISTLEAE")
    meta.ImplementationVersionName = p.plant("OYELARANDI_1")
    return one(written(ds, meta=meta))


def meta_private_information(p: Ledger) -> Built:
    ds = base_ct(p)
    meta = meta_of(ds)
    meta.PrivateInformationCreatorUID = p.uid()
    meta.PrivateInformation = padded(p.name("{g} {s}"))
    return one(written(ds, meta=meta))


def meta_instance_uid(p: Ledger) -> Built:
    """MediaStorageSOPInstanceUID is a third UID, neither of the data set nor of its reference."""
    ds = base_ct(p)
    meta = meta_of(ds)
    meta.MediaStorageSOPInstanceUID, meta.ImplementationClassUID = p.uid(), p.uid()
    return one(written(ds, meta=meta))


def meta_unknown_elements(p: Ledger) -> Built:
    data = written(base_ct(p))
    extra = raw(0x00020FFE, b"LO", padded(p.name("{s}"))) + raw(0x00020033, b"UN", padded(p.name("{s}")))
    length = struct.unpack("<I", data[140:144])[0]
    end = 144 + length
    return one(data[:140] + struct.pack("<I", length + len(extra)) + data[144:end] + extra + data[end:])


def trailing_bytes(p: Ledger) -> Built:
    return one(written(base_ct(p)) + b"\0\0\0\0" + p.name("{s}^{g}").encode() + p.blob())


def trailing_padding(p: Ledger) -> Built:
    return one(spliced(base_ct(p), [(0xFFFCFFFC, raw(0xFFFCFFFC, b"OB", padded(p.name("{g} {s}")) + p.blob()))]))


def after_the_pixels(p: Ledger) -> Built:
    extra = [(0x7FE20010, raw(0x7FE20010, b"LO", padded(p.name("{s}")))),
             (0xFFFAFFFA, raw(0xFFFAFFFA, b"SQ", b"")),
             (0xFFFE0010, raw(0xFFFF0010, b"LO", padded(p.name("{s}"))))]  # fmt: skip
    return one(spliced(base_ct(p), extra))


def command_group(p: Ledger) -> Built:
    """Elements of the command set (group 0000), which a file must not have."""
    ds = base_ct(p)
    ds.add_new(0x00001000, "UI", p.uid())
    extra = [(0x00000010, raw(0x00000010, b"SH", padded(p.name("{s}"))[:16]))]
    return one(spliced(ds, extra), withhold=True)


def two_files_of_a_study(p: Ledger) -> Built:
    first, second = base_ct(p), Dataset()
    second.update(first)
    second.SOPInstanceUID = p.uid()
    second.InstanceNumber = 2
    reference = Dataset()
    reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = first.SOPClassUID, first.SOPInstanceUID
    second.ReferencedImageSequence = [reference]
    return Built({"a.dcm": written(first), "b.dcm": written(second)})


CASES = (preamble_text, preamble_tiff, meta_ae_titles, meta_private_information, meta_instance_uid,
         meta_unknown_elements, trailing_bytes, trailing_padding, after_the_pixels, command_group,
         two_files_of_a_study)  # fmt: skip
