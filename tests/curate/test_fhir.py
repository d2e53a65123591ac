"""FHIR's DiagnosticReports as reports: whose, of which study, what they say, whatever form the resources come in."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

import pytest

from curate.errors import RecipeError
from curate.ingest.rows import status_of
from curate.record import Reason
from curate.sources.reports.captions import ReportColumns
from curate.sources.reports.messages import fhir
from curate.sources.reports.read import check_columns, read_reports
from curate.sources.reports.report import Report
from curate.sources.reports.text.section import parse_sections

Resource = dict[str, Any]
WORDS = "FINDINGS: The lungs are clear.\nIMPRESSION: No acute disease."


def form(text: str = WORDS, kind: str = "text/plain") -> Resource:
    return {"contentType": kind, "data": base64.b64encode(text.encode()).decode()}


def report(n: int = 1, **more: Any) -> Resource:
    usual: Resource = {
        "resourceType": "DiagnosticReport", "id": f"r{n}", "status": "final", "subject": {"reference": f"Patient/p{n}"},
        "imagingStudy": [{"reference": f"ImagingStudy/i{n}"}], "effectiveDateTime": "2021-05-03T10:00:00+02:00",
        "resultsInterpreter": [{"display": "Gregory House"}, {"reference": "Practitioner/d1"}],
        "presentedForm": [form()],
    }  # fmt: skip
    return {name: value for name, value in (usual | more).items() if value is not None}


def coded(code: str) -> Resource:
    return {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": code}]}


def others(n: int = 1) -> list[Resource]:
    ids = [{"value": "555-66"}, {"type": coded("MR"), "value": f"MRN{n}"}]
    numbers = [{"system": "urn:dicom:uid", "value": f"urn:oid:1.2.3.{n}"}, {"type": coded("ACSN"), "value": f"ACC{n}"}]
    return [
        {"resourceType": "Patient", "id": f"p{n}", "identifier": ids, "birthDate": "1950-02-03",
         "name": [{"family": "Doe", "given": ["Jane", "Q"]}], "telecom": [{"value": "555-1234"}],
         "address": [{"line": ["1 Main St"], "city": "Springfield"}]},
        {"resourceType": "ImagingStudy", "id": f"i{n}", "identifier": numbers},
        {"resourceType": "Practitioner", "id": "d1", "name": [{"family": "Welby", "given": ["Marcus"]}]},
        {"resourceType": "Encounter", "id": "e1"},
    ]  # fmt: skip


def bundle(resources: Sequence[Resource], base: str = "https://ris.example/fhir") -> Resource:
    entries = [{"fullUrl": f"{base}/{r['resourceType']}/{r['id']}", "resource": r} for r in resources]
    return {"resourceType": "Bundle", "type": "collection", "entry": entries}


def read(folder: Path) -> list[Report]:
    check_columns(folder, ReportColumns())
    return list(read_reports(folder, ReportColumns()))


def lines(resources: Sequence[Resource]) -> str:
    return "".join(json.dumps(r) + "\n" for r in resources)


def as_xml(resource: Resource) -> str:
    """A resource as the standard's XML has it (R4, 2.6.1)."""
    return '<?xml version="1.0"?>\n' + _element(resource, ' xmlns="http://hl7.org/fhir"')


def _element(resource: Resource, attributes: str = "") -> str:
    inner = "".join(_fields(name, value) for name, value in resource.items() if name != "resourceType")
    return f"<{resource['resourceType']}{attributes}>{inner}</{resource['resourceType']}>"


def _fields(name: str, value: Any) -> str:
    if isinstance(value, list):
        return "".join(_fields(name, each) for each in value)
    if name == "div":
        return str(value)
    if isinstance(value, dict):
        inside = "".join(_fields(n, v) for n, v in value.items())
        return f"<{name}>{_element(value) if 'resourceType' in value else inside}</{name}>"
    return f"<{name} value={quoteattr(str(value))}/>"


FORMS = {
    "XML bundle": {"b.xml": as_xml(bundle([report(), *others()]))},
    "XML, UTF-16": {
        "b.xml": as_xml(bundle([report(), *others()])).replace("?>", ' encoding="utf-16"?>').encode("utf-16")
    },
    "XML, one file a resource": {f"{r['resourceType']}.xml": as_xml(r) for r in [report(), *others()]},
    "bundle": {"b.json": json.dumps(bundle([report(), *others()]))},
    "pretty bundle, report last": {"b.json": json.dumps(bundle([*others(), report()]), indent=2)},
    "gzip": {"b.json.gz": gzip.compress(json.dumps(bundle([report(), *others()])).encode())},
    "byte-order mark": {"b.json": "\ufeff" + json.dumps(bundle([report(), *others()]))},
    "export": {"DiagnosticReport.ndjson": lines([report()]), "z/Other.ndjson": lines(others())},
    "one file a resource": {f"{r['resourceType']}.json": json.dumps(r, indent=1) for r in [report(), *others()]},
    "pages": {"pages.ndjson": lines([bundle([report()]), bundle(others())])},
    "absolute references": {
        "b.json": json.dumps(
            bundle([report(subject={"reference": "https://ris.example/fhir/Patient/p1/_history/3"}), *others()])
        )
    },
}


@pytest.mark.parametrize("name", FORMS)
def test_every_form_says_the_same(name: str, tmp_path: Path) -> None:
    for relative, content in FORMS[name].items():
        path = tmp_path / relative
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    (told,) = [r for r in read(tmp_path) if r.reason is None]
    assert (told.accession, told.study, told.patient, told.date) == ("ACC1", "1.2.3.1", "MRN1", "20210503")
    assert parse_sections(told.text) == {"findings": "The lungs are clear.", "impression": "No acute disease."}
    assert status_of(told) == "final"
    assert {"Doe^Jane Q", "MRN1", "555-66", "555-1234", "1 Main St", "Springfield", "1950-02-03", "Gregory House",
            "Welby^Marcus"} <= set(told.phi)  # fmt: skip


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({"presentedForm": [form("<p>No <b>mass</b>.</p>", "text/html")]}, "No mass."),
        ({"presentedForm": [form("# Chest\n\nNo mass.", "text/markdown; charset=utf-8")]}, "# Chest\n\nNo mass."),
        ({"presentedForm": [form(), form("%PDF", "application/pdf")], "conclusion": "No acute disease."}, WORDS),
        ({"presentedForm": None, "conclusion": "No fracture."}, "No fracture."),
        ({"presentedForm": [form("Clear.")], "conclusion": "No fracture."}, "Clear.\n\nIMPRESSION: No fracture."),
        ({"presentedForm": None, "text": {"div": "<div xmlns='x'>Normal <i>chest</i>.</div>"}}, "Normal chest."),
        ({"presentedForm": None, "result": [{"reference": "#o"}], "conclusion": "Normal.", "contained": [
            {"resourceType": "Observation", "id": "o", "code": {"text": "Findings"}, "valueString": "Clear lungs."}]},
         "FINDINGS: Clear lungs.\n\nIMPRESSION: Normal."),
        ({"presentedForm": [{"contentType": "text/plain", "url": "#b"}], "contained": [
            {"resourceType": "Binary", "id": "b", **form("From elsewhere.")}]}, "From elsewhere."),
    ],
)  # fmt: skip
def test_where_the_words_stand(more: Resource, text: str, tmp_path: Path) -> None:
    (tmp_path / "b.json").write_text(json.dumps(bundle([report(**more), *others()])))
    (told,) = read(tmp_path)
    (tmp_path / "b.json").unlink()
    (tmp_path / "b.xml").write_text(as_xml(bundle([report(**more), *others()])))
    (again,) = read(tmp_path)
    assert (again.text, again.phi, again.accession) == (told.text, told.phi, told.accession)
    assert told.text.strip() == text and told.reason is None


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"presentedForm": [form("%PDF", "application/pdf")]}, Reason.UNREAD_DOCUMENT),
        ({"presentedForm": [{"contentType": "text/plain", "data": "no base64!"}]}, Reason.BROKEN_ROW),
        ({"presentedForm": None}, Reason.EMPTY_REPORT),
    ],
)
def test_a_report_without_readable_words_says_why(more: Resource, reason: Reason, tmp_path: Path) -> None:
    (tmp_path / "b.json").write_text(json.dumps(bundle([report(**more), *others()])))
    (told,) = read(tmp_path)
    assert told.reason is reason and told.accession == "ACC1"


def test_what_breaks_off_or_is_no_json_is_counted(tmp_path: Path) -> None:
    whole = json.dumps(bundle([report(1), report(2), *others(1), *others(2)]))
    (tmp_path / "cut.json").write_text(whole[: whole.index('"r2"') + 40])
    (tmp_path / "l.ndjson").write_text(lines([report(3)]) + '{"resourceType": "Diagn\n' + lines([report(4)]))
    (tmp_path / "p.ndjson").write_text(lines(others()))
    got = [(r.row, r.reason) for r in read(tmp_path)]
    assert got == [
        ("cut.json#1", None), ("cut.json#2", Reason.BROKEN_ROW), ("l.ndjson#1", None),
        ("l.ndjson#2", Reason.BROKEN_ROW), ("l.ndjson#3", None), ("p.ndjson", Reason.NOT_A_REPORT)
    ]  # fmt: skip


def test_a_resource_without_an_end_does_not_fill_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fhir, "MAX_RESOURCE", 1 << 17)
    huge = report(2, presentedForm=[form("x" * (1 << 20))])
    (tmp_path / "b.json").write_text(json.dumps(bundle([report(1), huge, report(3)])))
    (tmp_path / "l.ndjson").write_text(lines([report(4), huge, report(5)]))
    got = [(r.row, r.reason) for r in read(tmp_path)]
    assert got[:3] == [("b.json#1", None), ("b.json", Reason.TOO_LARGE), ("l.ndjson#1", None)]
    assert {reason for _, reason in got[3:-1]} == {Reason.BROKEN_ROW} and got[-1][1] is None


def test_xml_of_another_kind_and_markdown_are_named(tmp_path: Path) -> None:
    (tmp_path / "b.xml").write_text('<?xml version="1.0"?><reports xmlns="urn:ris"><report/></reports>')
    (tmp_path / "b.md").write_text("# Findings")
    with pytest.raises(RecipeError, match=r"a document of Markdown.*; a document of XML, of which CDA and FHIR are"):
        read(tmp_path)


def test_resources_within_something_else_are_no_report(tmp_path: Path) -> None:
    """An Atom feed of the drafts of FHIR has entries, too; nobody says what its other elements mean."""
    entry = as_xml(report()).partition("?>")[2]
    (tmp_path / "b.xml").write_text(f"<feed><entry><content>{entry}</content></entry></feed>")
    assert [r.reason for r in read_reports(tmp_path, ReportColumns())] == [Reason.NOT_A_REPORT]


def test_xml_that_breaks_off_is_malformed(tmp_path: Path) -> None:
    (tmp_path / "b.xml").write_text(as_xml(bundle([report(), *others()]))[:-60])
    assert [r.reason for r in read(tmp_path)] == [Reason.BROKEN_ROW]
    (tmp_path / "b.xml").write_text(as_xml(report()).replace("?>", '?><!DOCTYPE x [<!ENTITY a "b">]>'))
    assert [r.reason for r in read(tmp_path)] == [Reason.TOO_LARGE]


def test_columns_asked_for_make_it_a_table_as_before(tmp_path: Path) -> None:
    (tmp_path / "l.ndjson").write_text(lines([report(conclusion="Of the column.")]))
    columns = ReportColumns(text="conclusion")
    assert [r.text for r in read_reports(tmp_path, columns)] == ["Of the column."]
    (tmp_path / "l.ndjson").write_text('{"a": "no resource"}\n')
    with pytest.raises(RecipeError, match=r"columns\.text"):
        check_columns(tmp_path, ReportColumns())
    assert [r.reason for r in read_reports(tmp_path, ReportColumns(), format="fhir")] == [Reason.NOT_A_REPORT]


def test_a_resource_that_is_none_is_its_own_fault_alone(tmp_path: Path) -> None:
    more = [{"resource": "x"}, {"resource": [1]}, {"resource": {"resourceType": ["Patient"], "id": "p1"}}]
    inside = report(1, contained=[{"resourceType": ["Patient"], "id": "c"}])
    entries = [*more, *({"resource": each} for each in (*others(), inside, report(1)))]
    (tmp_path / "a.json").write_text(json.dumps({"resourceType": "Bundle", "entry": entries}))
    (tmp_path / "b.json").write_text(json.dumps(report(1)))
    found = read(tmp_path)
    assert [r.reason for r in found] == [Reason.BROKEN_ROW, Reason.BROKEN_ROW, None, None, None]
    assert {r.patient for r in found[2:]} == {"MRN1"}


def test_bundles_that_give_their_resources_the_same_names_each_mean_their_own(tmp_path: Path) -> None:
    def own(n: int) -> list[Resource]:
        told = {"resourceType": "Observation", "id": "o", "valueString": f"Words of report {n}."}
        resources = [resource | {"id": resource["id"].rstrip("0123456789")} for resource in others(n)]
        subject, study = {"reference": "Patient/p"}, [{"reference": "ImagingStudy/i"}]
        words = {"result": [{"reference": "Observation/o"}], "presentedForm": None}
        return [*resources, told, report(n, subject=subject, imagingStudy=study, **words)]

    for n in (1, 2):
        (tmp_path / f"{n}.json").write_text(json.dumps(bundle(own(n), f"https://{n}.example")))
    known = [(r.patient, r.study, r.text) for r in read(tmp_path)]
    assert known == [(f"MRN{n}", f"1.2.3.{n}", f"Words of report {n}.") for n in (1, 2)]
    for n in (1, 2):
        (tmp_path / f"{n}.json").unlink()
    both = "\n".join(json.dumps(bundle(own(n))) for n in (1, 2))  # in one file nothing tells whose they are
    (tmp_path / "both.ndjson").write_text(both)
    assert {(r.patient, r.study, r.text) for r in read(tmp_path)} == {("", "", "")}


def test_a_link_that_is_not_followed_says_nothing_of_whose_a_report_is(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "x.json").write_text(json.dumps(bundle(others())))
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "l.json").symlink_to(tmp_path / "outside" / "x.json")
    (tmp_path / "in" / "r.json").write_text(json.dumps(report(1)))
    link, own = read_reports(tmp_path / "in", ReportColumns(), "fhir")
    assert (link.reason, own.patient) == (Reason.SYMLINK, "p1")
