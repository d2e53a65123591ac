"""Private elements with and without a creator, of creators known to be safe, and elements of VR UN."""

from __future__ import annotations

import struct

from pydicom.dataset import Dataset

from benchmarks.deid.header.cases.build import Built, base_ct, item, one, padded, raw, spliced, written
from benchmarks.deid.plant import Ledger


def with_creator(p: Ledger) -> Built:
    ds = base_ct(p)
    block = ds.private_block(0x0009, "ACME IMAGING 01", create=True)
    block.add_new(1, "PN", p.name())
    block.add_new(2, "LO", p.number("R#######"))
    block.add_new(3, "DA", p.date())
    block.add_new(4, "OB", padded(p.name("{g} {s}")))
    block.add_new(5, "UI", p.uid())
    inner = Dataset()
    inner.PatientName = p.name()
    inner.private_block(0x0011, "ACME IMAGING 01", create=True).add_new(1, "LT", p.name("{s}"))
    block.add_new(6, "SQ", [inner])
    return one(written(ds))


def creator_is_a_person(p: Ledger) -> Built:
    ds = base_ct(p)
    ds.private_block(0x0011, p.name("{g} {s}"), create=True).add_new(1, "CS", "YES")
    return one(written(ds))


def without_creator(p: Ledger) -> Built:
    extra = [(0x00091001, raw(0x00091001, b"LO", padded(p.name("{s}")))),
             (0x00190008, raw(0x00190008, b"PN", padded(p.name()))),
             (0x00110001, raw(0x00110001, b"UN", padded(p.name("{s}")))),
             (0x7FE10010, raw(0x7FE10010, b"LO", padded(p.name("{s}"))))]  # fmt: skip
    return one(spliced(base_ct(p), extra))


def safe_creators_unsafe_values(p: Ledger) -> Built:
    """Attributes that lists of safe private ones name, each holding an identity all the same."""
    ds = base_ct(p)
    ds.private_block(0x0009, "GEMS_IDEN_01", create=True).add_new(0x02, "SH", p.name("{s}"))
    ds.private_block(0x0019, "GEMS_ACQU_01", create=True).add_new(0x23, "DS", p.number("#######"))
    ds.private_block(0x0043, "GEMS_PARM_01", create=True).add_new(0x39, "IS", p.number("########"))
    ds.private_block(0x2001, "Philips Imaging DD 001", create=True).add_new(0x03, "LO", p.name("{s}"))
    ds.private_block(0x0019, "SIEMENS MR HEADER", create=True).add_new(0x08, "CS", p.name("{s}"))
    ds.private_block(0x7053, "Philips PET Private Group", create=True).add_new(0x00, "DS", p.number("#######"))
    return one(written(ds))


def vendor_blob(p: Ledger) -> Built:
    """A CSA-like header: binary, with named string fields inside."""
    ds = base_ct(p)
    blob = b"SV10\4\3\2\1" + struct.pack("<II", 2, 77)
    for key, value in (
        (b"PatientName", p.name("{s}^{g}")),
        (b"Institution", p.plant("Wrexcombe General", "Wrexcombe")),
    ):
        blob += key.ljust(64, b"\0") + struct.pack("<I", len(value)) + value.encode().ljust(64, b"\0")
    block = ds.private_block(0x0029, "SIEMENS CSA HEADER", create=True)
    block.add_new(0x10, "OB", blob)
    block.add_new(0x20, "UN", blob)
    return one(written(ds))


def un_with_sequences_inside(p: Ledger) -> Built:
    name = raw(0x00100010, b"PN", padded(p.name()))
    implicit = struct.pack("<HHI", 0x10, 0x10, 14) + padded(p.name("{s}")).ljust(14)[:14]
    delimiter = b"\xfe\xff\xdd\xe0\0\0\0\0"
    extra = [(0x00090010, raw(0x00090010, b"LO", padded("ACME"))),
             (0x00091001, raw(0x00091001, b"UN", item(name))),
             (0x00091002, raw(0x00091002, b"UN", item(implicit, True) + delimiter, 0xFFFFFFFF)),
             (0x00091003, raw(0x00091003, b"OB", item(name))),
             (0x00400FFE, raw(0x00400FFE, b"UN", item(implicit, True) + delimiter, 0xFFFFFFFF))]  # fmt: skip
    return one(spliced(base_ct(p), extra))


def un_on_standard_tags(p: Ledger) -> Built:
    extra = [(0x00080080, raw(0x00080080, b"UN", padded(p.plant("Fotheringay Hospital", "Fotheringay")))),
             (0x00081030, raw(0x00081030, b"UN", padded("CHEST " + p.name("{s}")))),
             (0x00080090, raw(0x00080090, b"UN", padded(p.name()))),
             (0x00101001, raw(0x00101001, b"UN", padded(p.name()))),
             (0x00081140, raw(0x00081140, b"UN", item(raw(0x00081155, b"UI", padded(p.uid())))))]  # fmt: skip
    return one(spliced(base_ct(p), extra))


def unknown_standard_tags(p: Ledger) -> Built:
    """Even groups, tags of no edition: what a newer standard or an old scanner would write."""
    extra = [(tag, raw(tag, vr, padded(p.name("{s}"))))
             for tag, vr in ((0x00080FFE, b"LO"), (0x00109998, b"PN"), (0x00189FFE, b"UN"), (0x00480FFE, b"SH"),
                             (0x77760010, b"LT"))]  # fmt: skip
    return one(spliced(base_ct(p), extra))


CASES = (with_creator, creator_is_a_person, without_creator, safe_creators_unsafe_values, vendor_blob,
         un_with_sequences_inside, un_on_standard_tags, unknown_standard_tags)  # fmt: skip
