"""CDA documents as reports: whose, of which order, and the narrative of their sections."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from curate.errors import DropRecord, RecipeError
from curate.record import Reason
from curate.sources.reports.captions import ReportColumns
from curate.sources.reports.messages.cda import read_cda
from curate.sources.reports.read import check_columns, read_reports
from curate.sources.reports.rows import open_records
from curate.sources.reports.text.section import parse_sections

HEAD = """<?xml version="1.0" encoding="{encoding}"?><?xml-stylesheet href="a.xsl"?>
<{p}ClinicalDocument xmlns{q}="urn:hl7-org:v3"><{p}id root="1.2" extension="DOC9"/><{p}title>Chest of J. Doe</{p}title>
<{p}effectiveTime value="20240102101400"/><{p}recordTarget><{p}patientRole><{p}id root="1.3" extension="77"/>
<{p}addr><{p}streetAddressLine>1 Main St</{p}streetAddressLine></{p}addr><{p}telecom value="tel:555-1234"/><{p}patient>
<{p}name><{p}given>John</{p}given><{p}given>Q</{p}given><{p}family>Doe</{p}family></{p}name></{p}patient>
</{p}patientRole></{p}recordTarget><{p}legalAuthenticator><{p}signatureCode code="S"/><{p}assignedEntity>
<{p}id root="1.4" extension="A55"/><{p}assignedPerson><{p}name>Gregory House</{p}name></{p}assignedPerson>
</{p}assignedEntity></{p}legalAuthenticator><{p}inFulfillmentOf><{p}order><{p}id root="1.5" extension="PL1"/>
<ps3-20:accessionNumber xmlns:ps3-20="urn:dicom-org:ps3-20" extension="AC1"/></{p}order></{p}inFulfillmentOf>
<{p}documentationOf><{p}serviceEvent><{p}id root="1.2.840.99.7"/><{p}effectiveTime value="20240101093000"/>
</{p}serviceEvent></{p}documentationOf><{p}component>"""
SECTIONS = """<structuredBody><component><section><code code="121070"/><title>Findings</title><text>
 <paragraph>Heart <content styleCode="Bold">normal</content>.</paragraph><list><item>Nodule &lt; 5 mm.</item>
 <item>No effusion.</item></list><table><tr><td>Size</td><td>4 mm</td></tr></table></text><entry><observation><text>
 CODED</text></observation></entry></section></component><component><section><code code="19005-8"/>
 <text>No acute disease.<br/>Stable.</text></section></component></structuredBody>"""


def document(body: str = SECTIONS, encoding: str = "UTF-8", prefix: str = "") -> bytes:
    """A document of one order, its elements by a name space's prefix or by none."""
    head = HEAD.format(encoding=encoding, p=prefix, q=f":{prefix[:-1]}" if prefix else "")
    if prefix:
        body = body.replace("</", f"\0{prefix}").replace("<", f"<{prefix}").replace("\0", "</")
    return (head + body + f"</{prefix}component></{prefix}ClinicalDocument>").encode(encoding)


@pytest.mark.parametrize("prefix", ["", "n1:"])
@pytest.mark.parametrize("encoding", ["UTF-8", "UTF-16", "ISO-8859-1", "windows-1252"])
def test_a_document_in_sections(encoding: str, prefix: str) -> None:
    found = read_cda(document(SECTIONS.replace("Stable", "Größe stable"), encoding, prefix))
    sections = parse_sections(found.text)
    assert " ".join(sections["findings"].split()) == "Heart normal. Nodule < 5 mm. No effusion. Size 4 mm"
    assert " ".join(sections["impression"].split()) == "No acute disease. Größe stable."
    assert found.known == {
        "accession": "AC1; PL1", "study": "1.2.840.99.7", "patient": "77", "patient_name": "Doe^John Q",
        "date": "20240101", "status": "final", "order": "20240102101400",
    }  # fmt: skip
    assert found.people == ("Doe^John Q", "Gregory House")
    assert {"DOC9", "77", "A55", "1 Main St", "555-1234"} == set(found.numbers)


def test_documents_in_a_folder_and_what_is_none(tmp_path: Path) -> None:
    packed = base64.b64encode(b"No effusion.").decode()
    plain = '<nonXMLBody><text mediaType="text/plain" representation="B64">{}</text></nonXMLBody>'
    bomb = b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x "aa">]><ClinicalDocument>&x;</ClinicalDocument>'
    files = {
        "a.xml": document(), "b.cda": document(plain.format(packed)), "c.xml": document()[:-40],
        "d.xml": document(plain.format(packed).replace("text/plain", "application/pdf")), "e.xml": bomb,
        "f.xml": b"<?xml version='1.0'?><a/>", "g.ccda": document(plain.format("?")),
    }  # fmt: skip
    for name, raw in files.items():
        (tmp_path / name).write_bytes(raw)
    check_columns(tmp_path, ReportColumns())
    found = {r.row[0]: r for r in read_reports(tmp_path, ReportColumns())}
    assert {name: r.reason for name, r in found.items()} == {
        "a": None, "b": None, "c": Reason.BROKEN_ROW, "d": Reason.UNREAD_DOCUMENT, "e": Reason.TOO_LARGE,
        "f": Reason.NOT_A_REPORT, "g": Reason.BROKEN_ROW,
    }  # fmt: skip
    assert (found["b"].text, found["d"].accession) == ("No effusion.", "AC1; PL1")
    assert {"Gregory House", "555-1234", "77", "AC1; PL1"} <= set(found["a"].phi)
    with pytest.raises(RecipeError, match="document of XML"):
        check_columns(tmp_path / "f.xml", ReportColumns())
    with open_records(tmp_path / "a.xml") as records:
        (row,) = records.rows
    assert (row["accession"], row["order_number"], row["patient_name"]) == ("AC1", ["PL1"], "Doe^John Q")


def test_several_patients_what_is_struck_out_and_powers() -> None:
    other = b'<recordTarget><patientRole><id root="1.3" extension="88"/></patientRole></recordTarget>'
    body = SECTIONS.replace(
        "Stable.", '<content revised="delete">Worse<br/></content>Stable, 10<sup>3</sup> mm<sup>2</sup>.'
    )
    assert read_cda(document(body)).text.endswith("No acute disease.\nStable, 10^3 mm2.")
    both = document().replace(b"<legalAuthenticator>", other + b"<legalAuthenticator>")
    assert read_cda(both).reason is Reason.SEVERAL_PATIENTS
    assert read_cda(both.replace(b'"88"', b'"77"')).reason is None


@pytest.mark.parametrize("around", ["structuredBody", "component"])
def test_a_document_of_elements_within_elements_is_refused_at_once(around: str) -> None:
    many = 1_000_000
    with pytest.raises(DropRecord) as dropped:
        read_cda(f"<ClinicalDocument><{around}>{'<a>' * many}{'</a>' * many}</{around}></ClinicalDocument>".encode())
    assert dropped.value.reason is Reason.BROKEN_ROW
