"""A report's sections: its headings found by where they stand and what they say, its text sorted under fixed names.

No word is lost: what is not a heading is some section's text. A word that is also a heading's name ("the findings
are stable", "CLINICAL HISTORY of ...") is only a heading where one would be written: at a line's start before a colon,
a dash or the line's end, or, in a report flattened to one line, before a colon in capitals or after a full stop.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated

from pydantic import AfterValidator

from curate.deid.words.vocabulary import Kind, kind

# canonical name -> the headings that mean it, lower case without accents
HEADINGS = {
    "exam": "exam|examination|examination performed|exam type|study|procedure|procedures|type of exam|"
    "untersuchung|examen",
    "indication": "indication|indications|clinical indication|clinical indications|history|clinical history|"
    "patient history|history of present illness|brief history|clinical information|clinical data|clinical details|"
    "clinical question|clinical statement|clinical background|reason|reason for exam|reason for examination|"
    "reason for the exam|reason for the examination|reason for study|reason for this study|reason for test|"
    "indication for study|indication for exam|"
    "reason for request|reason for visit|symptoms|presenting complaint|"
    "indicacion|indicaciones|motivo de consulta|motivo de la consulta|motivo de ingreso|motivo del estudio|"
    "motivo del examen|antecedentes|datos clinicos|informacion clinica|historia clinica|historia actual|"
    "indikation|rechtfertigende indikation|klinische angaben|klinische angabe|klinik|anamnese|fragestellung|"
    "klinische fragestellung|renseignements cliniques|motif|motif de l'examen|contexte clinique|"
    "検査目的|依頼目的|臨床情報|臨床診断|主訴|既往歴",
    "technique": "technique|techniques|protocol|methods|method|examination technique|scan technique|contrast|"
    "imaging technique|procedure details|tecnica|tecnica de exploracion|protocolo|technik|methode|"
    "untersuchungstechnik|protocole|検査方法|撮影方法|検査条件|検査条件・使用機器|撮像シーケンス",
    "comparison": "comparison|comparisons|comparison study|comparison studies|compared to|prior|prior study|"
    "prior studies|prior exam|prior exams|previous study|previous studies|previous exam|"
    "comparacion|estudio previo|estudios previos|vergleich|voraufnahme|voraufnahmen|voruntersuchung|"
    "voruntersuchungen|comparaison|examen anterieur|examens anterieurs|比較|前回比較|前回検査との比較",
    "findings": "finding|findings|report|result|results|observation|observations|description|radiological findings|"
    "imaging findings|findings and impression|findings/impression|findings / impression|findings & impression|"
    "hallazgo|hallazgos|resultado|resultados|descripcion|informe|informe radiologico|"
    "befund|befunde|befundung|resultat|resultats|constatations|所見|画像所見|検査所見|血管造影所見",
    "impression": "impression|impressions|final impression|conclusion|conclusions|opinion|summary|interpretation|"
    "diagnosis|final diagnosis|radiological diagnosis|diagnostic impression|assessment|"
    "impression and recommendation|impression and recommendations|impression/recommendation|"
    "impression/recommendations|impresion|impresion diagnostica|impresion radiologica|conclusiones|diagnostico|"
    "juicio diagnostico|diagnostico principal|beurteilung|zusammenfassung|diagnose|diagnostic|synthese|"
    "診断|画像診断|印象|結論",
    "recommendation": "recommendation|recommendations|recommended follow up|recommended follow-up|follow up|follow-up|"
    "advice|recomendacion|recomendaciones|empfehlung|empfehlungen|procedere|recommandation|recommandations|推奨|推奨事項",
    "addendum": "addendum|addenda|addendum report|adenda|nachtrag|追記",
    "signature": "signature|signed by|electronically signed by|dictated by|interpreted by|reported by|read by|"
    "transcribed by|verified by|approved by|attending|attending radiologist|radiologist|radiologo|firma|firmado|"
    "firmado por|unterschrift|radiologue|dictated but not read|読影医|報告者",
    "notification": "notification|communication|critical result|critical results|critical findings|wet read|"
    "preliminary read",
    "other": "patient|patient name|name|patient id|mrn|medical record number|accession|accession number|accession no|"
    "date of birth|dob|date of exam|exam date|study date|date of service|referring physician|ordering physician|"
    "requesting physician|referring provider|ordering provider|cc|nombre|apellidos|nhc|nass|cipa|domicilio|"
    "fecha de nacimiento|fecha de ingreso|medico|remitido por|patientenname|geburtsdatum|uberweiser|"
    "nom|prenom|date de naissance|氏名|患者名|患者id|生年月日|住所|電話|検査依頼医",
    "body": "final report|preliminary report|body",
}  # fmt: skip
SECTIONS = (*(n for n in HEADINGS if n != "body"), "body")


def _section(name: str) -> str:
    if name not in SECTIONS:
        raise ValueError(f"no section '{name}'; there are {', '.join(SECTIONS)}")
    return name


Section = Annotated[str, AfterValidator(_section)]  # of a recipe
_NAMES = {heading: name for name, headings in HEADINGS.items() for heading in headings.split("|")}
_MAX_WORDS = max(len(heading.split()) for heading in _NAMES)
_LONGEST = max(map(len, _NAMES))

_MARK = r"[ \t\u3000>#*_=•·■【\[-]*"  # what may stand before a heading: markdown, bullets, brackets
_LEAD = re.compile(_MARK)
# ... and after: what closes it, and a line drawn under it
_CLOSE = re.compile(r"[ \t]*[*_】\]]{0,3}[ \t]*[:：]?(?:\*\*|__)?(?:[ \t]*\n[ \t]*[-=_~*]{3,}[ \t]*$)?", re.MULTILINE)
# a heading alone on its line, or before a dash, or in capitals before a sentence
_LINE = re.compile(
    rf"^(?P<mark>{_MARK})(?P<name>[^\W\d_][^\n:：]{{0,{_LONGEST}}}?)[ \t*_#】\]]*"
    r"(?P<end>$(?:\n[ \t]*[-=_~*]{3,}[ \t]*$)?|[ \t][-–—]{1,2}(?=[ \t]|$)|[ \t]+(?=[A-Z]?[a-z]|\d{1,2}[.)]))",
    re.MULTILINE,
)
_WORD = re.compile(r"[^\s.;!?,。:：>#*_=•·■【\[\]】]+")
_STOP = re.compile(r"[.;:!?)。：]")
# "CT CHEST FINDINGS:"; other words before a heading ("NO FINDINGS:") say something and are kept
_QUALIFIER = re.compile(
    r"\s*(?:(?:CT|CTA|MR|MRI|MRA|US|PET|XR|X-RAY|CHEST|HEAD|BRAIN|NECK|SPINE|CERVICAL|THORACIC|LUMBAR|ABDOMEN|ABDOMINAL|"
    r"PELVIS|PELVIC|BREAST|CARDIAC|EXTREMITY|AND|OF|THE|FINAL|OVERALL|PRELIMINARY|INCIDENTAL|ADDITIONAL|OTHER|PERTINENT|"
    r"KEY|RELEVANT|PRIOR|BRIEF|SCAN)\s+)+"
)
# "PA AND LATERAL VIEWS OF THE CHEST:": some hospitals head the findings with what was taken
_VIEWS = re.compile(r"^[ \t]*(?:[A-Z0-9&(),/-]+[ ]){0,9}(?:VIEWS?|RADIOGRAPHS?|FILMS?)(?:[ ][A-Z,()]+){0,6}$")


def canonical(heading: str) -> str | None:
    """The section a heading stands for ("Clinical history" -> "indication"); None for one that is not known."""
    plain = unicodedata.normalize("NFKD", heading).casefold() if not heading.isascii() else heading.lower()
    if not plain.isascii():
        plain = unicodedata.normalize("NFC", "".join(c for c in plain if not "\u0300" <= c <= "\u036f"))
    return _NAMES.get(" ".join(plain.split()))


def parse_sections(text: str) -> dict[str, str]:
    """The text under each canonical heading (`SECTIONS`), in order of appearance; empty sections are left out.

    Text before the first heading, or all of it where there is none, is "body". A heading that comes again continues
    its section after a line break. "Findings and impression" under one heading is "findings"; who and when ("MRN:",
    "Referring physician:") is "other". Headings are English, Spanish, German, French or Japanese.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    sections: dict[str, list[str]] = {}
    name, before, begin = "body", "body", 0
    for start, end, following in _headings(text):
        if start < begin:  # found both ways
            continue
        _add(sections, name, before, text[begin:start])
        before = before if name == "other" else name
        name, begin = following, end
    _add(sections, name, before, text[begin:])
    joined = {name: "\n".join(part for part in parts if part) for name, parts in sections.items()}
    return {name: part for name, part in joined.items() if part}


def _add(sections: dict[str, list[str]], name: str, before: str, text: str) -> None:
    """``text`` under ``name``; a field of the letterhead is one line long, and what follows goes on as ``before``."""
    line, rest = text, ""
    if name == "other":
        line, _, rest = text.partition("\n")
    sections.setdefault(name, []).append(line.strip())
    if rest.strip():
        sections.setdefault(before, []).append(rest.strip())


def wanted_text(sections: Mapping[str, str], wanted: Sequence[str]) -> str:
    """The ``wanted`` sections' text in that order, every run of white space one space; "" where there is none."""
    return " ".join(" ".join(sections[name].split()) for name in wanted if sections.get(name, "").strip())


def _headings(text: str) -> list[tuple[int, int, str]]:
    """(start, end, section) of every heading, by start; the section's text begins at ``end``."""
    return sorted([*_before_colons(text), *_on_lines(text)])


def _before_colons(text: str) -> Iterator[tuple[int, int, str]]:
    for colon in re.finditer(r"[:：]", text):
        line = text.rfind("\n", 0, colon.start()) + 1
        before = text[max(line, colon.start() - 2 * _LONGEST) : colon.start()].rstrip(" \t*_】]")
        offset = max(line, colon.start() - 2 * _LONGEST)
        found = _ending(before, offset == line)
        if found is not None and not (found[1] == "other" and _is_statement(before, text[colon.end() :])):
            close = _CLOSE.match(text, offset + len(before))
            yield offset + found[0], close.end() if close else colon.end(), found[1]


def _is_statement(before: str, after: str) -> bool:
    """Is "Patient: no acute distress." no field? All of what the patient is said to be, to the sentence's end, is words
    that are nobody's name."""
    value = re.split(r"[.;\n]", after.lstrip(), maxsplit=1)[0]
    words = re.findall(r"[^\W_]+", value.lower())
    bits = [kind(word) for word in words]
    known = bool(words) and all(b & Kind.KNOWN and (b & Kind.FUNCTION or not b & Kind.NAME) for b in bits)
    return known and before.rstrip(" \t*_").lower().endswith("patient")


def _ending(before: str, whole_line: bool) -> tuple[int, str] | None:
    """Where in ``before``, the line up to a colon, a heading begins that ends it, and the heading's section."""
    lead = _LEAD.match(before)
    words = list(_WORD.finditer(before))[-_MAX_WORDS:]
    for word in words:
        name = canonical(before[word.start() :])
        if name is None:
            continue
        ahead, heading = before[: word.start()], before[word.start() :]
        if whole_line and lead and word.start() <= lead.end():
            return 0, name
        if whole_line and before.isupper() and _QUALIFIER.fullmatch(ahead):
            return 0, name
        begins = ahead.rstrip(" \t*_#【[")
        apart = begins != ahead or _STOP.match(ahead[-1:])
        new_sentence = heading[:1].isupper() and _STOP.match(begins[-1:])
        return (len(begins), name) if apart and (heading.isupper() or new_sentence) else None
    return (0, "findings") if whole_line and _VIEWS.match(before) else None


def _on_lines(text: str) -> Iterator[tuple[int, int, str]]:
    for line in _LINE.finditer(text):
        heading, end = line["name"], line["end"]
        name = canonical(heading)
        if name is None or name == "other":
            continue
        if end and not end.strip() and not heading.isupper():
            continue
        if not heading[0].islower() or "#" in line["mark"] or "*" in line["mark"]:
            yield line.start(), line.end(), name
