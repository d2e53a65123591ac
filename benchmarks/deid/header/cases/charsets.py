"""Names in the character sets of PS3.5 6.1, declared, wrongly declared and not declared."""

from __future__ import annotations

from pydicom.dataset import Dataset

from benchmarks.deid.header.cases.build import Built, base_ct, one, padded, raw, spliced, written
from benchmarks.deid.plant import Ledger


def _declared(p: Ledger, charset: str | list[str], name: str, *parts: str) -> Built:
    """The name in the patient's name, a description, a comment, an item and a private element."""
    ds = base_ct(p)
    ds.SpecificCharacterSet = charset
    ds.PatientName = p.plant(name, *parts)
    ds.OperatorsName = name
    ds.StudyDescription = ds.ImageComments = ds.SeriesDescription = parts[-1]
    inner = Dataset()
    inner.RequestedProcedureDescription, inner.RequestingPhysician = "CHEST " + parts[-1], name
    ds.RequestAttributesSequence = [inner]
    ds.private_block(0x0009, "ACME", create=True).add_new(1, "LO", parts[-1])
    return one(written(ds))


def latin_1(p: Ledger) -> Built:
    return _declared(p, "ISO_IR 100", "Buç^Jérôme", "Jérôme")


def cyrillic(p: Ledger) -> Built:
    return _declared(p, "ISO_IR 144", "Люксембург^Зинаида", "Люксембург", "Зинаида")


def greek(p: Ledger) -> Built:
    return _declared(p, "ISO_IR 126", "Διονυσίου^Καλλιόπη", "Διονυσίου", "Καλλιόπη")


def japanese(p: Ledger) -> Built:
    return _declared(p, ["", "ISO 2022 IR 87"], "Yamadadera^Tarouji=山田寺^太郎次=やまだでら^たろうじ",
                     "Yamadadera", "Tarouji", "山田寺", "太郎次", "やまだでら")  # fmt: skip


def korean(p: Ledger) -> Built:
    return _declared(p, ["", "ISO 2022 IR 149"], "Hongxx^Gildongyy=洪^吉洞=홍길^동순", "Gildongyy", "吉洞", "동순")


def chinese(p: Ledger) -> Built:
    return _declared(p, "GB18030", "Wangxx^XiaoDongyy=王小^东明", "XiaoDongyy", "东明")


def utf_8(p: Ledger) -> Built:
    return _declared(p, "ISO_IR 192", "Žluťoučká^Přemysla=王小^东明=หมอ^สมชาย", "Žluťoučká", "Přemysla", "สมชาย")


def wrongly_declared(p: Ledger) -> Built:
    """UTF-8 bytes under ISO_IR 100, and Shift-JIS under ISO_IR 13."""
    ds = base_ct(p)
    ds.SpecificCharacterSet = "ISO_IR 100"
    name = p.plant("Žluťoučká").encode()
    extra = [(0x00081030, raw(0x00081030, b"LO", padded(name))), (0x00104000, raw(0x00104000, b"LT", padded(name))),
             (0x0008103E, raw(0x0008103E, b"LO", padded(p.plant("山田寺").encode("shift_jis"))))]  # fmt: skip
    return one(spliced(ds, extra))


def not_declared(p: Ledger) -> Built:
    extra = [(0x00081030, raw(0x00081030, b"LO", padded(p.plant("Διονυσίου").encode("iso8859-7")))),
             (0x00204000, raw(0x00204000, b"LT", padded(p.plant("Přemysla").encode("utf-8")))),
             (0x0008103E, raw(0x0008103E, b"LO", padded(p.plant("Thornaby").encode("utf-16-le"))))]  # fmt: skip
    return one(spliced(base_ct(p), extra))


def unknown_charset(p: Ledger) -> Built:
    """A term of no standard, which is itself a name."""
    ds = base_ct(p)
    ds.StudyDescription = "CHEST " + p.name("{s}")
    extra = [(0x00080005, raw(0x00080005, b"CS", padded(p.plant("QUILLFEATHER"))))]
    return one(spliced(ds, extra))


def charset_of_an_item(p: Ledger) -> Built:
    ds, inner = base_ct(p), Dataset()
    inner.SpecificCharacterSet = "ISO_IR 144"
    inner.PatientName, inner.CodeMeaning = p.plant("Люксембург"), p.plant("Зинаида")
    ds.RequestAttributesSequence = [inner]
    return one(written(ds))


CASES = (latin_1, cyrillic, greek, japanese, korean, chinese, utf_8, wrongly_declared, not_declared, unknown_charset,
         charset_of_an_item)  # fmt: skip
