"""Markup and escapes: the text that they stand for, and nothing changed that only looks like them."""

from __future__ import annotations

import html
import json
import quopri

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.deid.pseudonym import Pseudonymizer
from curate.deid.rules import TextRules
from curate.deid.text.scrub import scrub
from curate.deid.verify.text import findings
from curate.sources.reports.text.markup import plain_text, report_text
from curate.sources.reports.text.section import parse_sections

LINES = [
    "FINDINGS:", "The heart is normal in size.", "mild atelectasis at the left base.", "No pleural effusion.",
    "IMPRESSION:", "1. No acute disease.",
]  # fmt: skip
SECTIONS = {"findings": " ".join(LINES[1:4]), "impression": LINES[5]}


def told(text: str) -> dict[str, str]:
    return {name: " ".join(part.split()) for name, part in parse_sections(plain_text(text)).items()}


@pytest.mark.parametrize(
    "end",
    [
        "\\n", "\\r\\n", "\\r", "\\\\n", "\\\\r\\\\n", "\\n\\n", " \\n ", "\\n\\t", "\\.br\\", "\\.BR\\", "\\\\.br\\\\",
        "\\.br\\\\.br\\", "\\.sp\\", "\\.sp2\\", "\\.ce\\", "\\.br\\\\.in+4\\", "\\X0A\\", "\\X0D0A\\", "\\x0d\\",
        "\\E\\.br\\E\\",
        "_x000D_\n", "_x000D__x000A_", "_x000a_", "&#xD;", "&#10;", "&#x0D;&#x0A;", "&amp;#13;", "<br>", "<BR />",
        "<br/>\r\n",
        "&lt;br&gt;", "&amp;lt;br/&amp;gt;", "</p><p>", "</div>\n<div class=\"x\">", "</li><li>",
        "</td></tr><tr><td>", "\\u000a",
        "\\par ", "\\line\n", "~", "=0A", "%0A", "%0D%0A", "<br / >", "</br>", "=0D=0A", "=\n\n", "\u200b\n", "\r",
    ],
)  # fmt: skip
def test_a_line_break_however_it_is_written(end: str) -> None:
    text = "\ufeff" + end.join(LINES)
    if end.startswith("\\par") or end.startswith("\\line"):
        text = "{\\rtf1\\ansi{\\fonttbl{\\f0 Arial;}}\\pard " + text.lstrip("\ufeff") + "\\par}"
    if end.startswith("</"):
        text = "<p><div><ul><li><table><tr><td>" + text
    assert told(text) == SECTIONS


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("nodule &lt; 5&nbsp;mm &amp; stable", "nodule < 5 mm & stable"),
        ("caf&eacute; &#233; &#xE9; &NBSP;x", "café é é  x"),
        ("H\\T\\P, 5\\S\\2, a\\R\\b, x\\F\\y, p\\E\\d", "H&P, 5^2, a~b, x|y, p\\d"),
        ("see C:\\E\\new\\E\\x \\T\\ y", "see C:\\new\\x & y"),
        ("\\H\\bold\\N\\ and \\X51\\uill", "bold and Quill"),
        ('he said \\"no\\" and \\"yes\\"', 'he said "no" and "yes"'),
        ("Qu\\u0069ll \\ud83d\\ude00", "Quill 😀"),
        ("x_x005F_x000D_y", "x\ry"),
        ("{\\rtf1\\ansi caf\\'e9 \\u8211?\\u-10179?\\u-8704? \\{x\\}}", "café –😀 {x}"),
        ("{\\rtf1\\ansi\\ansicpg1251\\'cd\\'e5\\'f2}", "Нет"),
        ("{\\rtf1{\\pict\\bin5 }}\\{x}a\\par{\\bin0 b}}", "a\nb"),  # its bytes may be braces
        ("{\\rtf1 No mass.{\\pict\\bin99 ab}\\par No fracture.}", "No mass.\nNo fracture."),  # and fewer than it says
        ("{\\rtf1 of C:\\\\bin3 No acute fracture.}", "of C:\\bin3 No acute fracture."),
        ("{\\rtf1 a}\nADDENDUM: \\bin3 No fracture.", "a\nADDENDUM: \\bin3 No fracture."),
        ("{\\rtf1 a\\par}\nADDENDUM: b", "a\nADDENDUM: b"),
        ("{\\rtf1 a\\cell b\\cell\\row c", "a\tb\t\nc"),
        ("\\pard\\b FINDINGS:\\b0\\par clear", "FINDINGS:\nclear"),
        ("{\\E\\rtf1\\E\\ansi a\\E\\par b}", "a\nb"),
        ("caf=C3=A9 is=\n long=20", "café is long "),
        ("<![CDATA[<p>clear</p>]]>", "\nclear\n"),
        ("&lt;p&gt;clear&lt;/p&gt;", "\nclear\n"),
        ("\ufeffFIND\u00adINGS\u200b:", "FINDINGS:"),
        ("No \u200emass\u200f\x07 at T12\u2011L1.\vClear", "No mass at T12-L1.\nClear"),
        ("the patient\u00e2\u20ac\u2122s heart, 5 \u00c2\u00b5m", "the patient\u2019s heart, 5 \u00b5m"),
        ("M\u00c3\u0192\u00c2\u00bcller", "M\u00fcller"),
        ("aqu\u00c3\u00ad, Ergu\u00c3\x9f", "aqu\u00ed, Ergu\u00df"),
        ("patient''s, O''Brien, 5''", "patient's, O'Brien, 5''"),
        (
            "{\\rtf1\\ansi{\\fonttbl{\\f0 Arial;}{\\f1\\fnil\\fcharset2 Symbol;}}\\f0 {\\f1 \\'b3}3 {\\f1 m}m\\par}",
            "\u22653 \u03bcm",
        ),
        (
            '{\\rtf1 {\\field{\\*\\fldinst SYMBOL 163 \\\\f "Symbol" \\\\s 10}{\\fldrslt\\f3\\fs20}}3 \\u-3917?4}',
            "\u22643 \u22654",
        ),
        (
            "{\\rtf1 {\\upr{No M?ller {\\b x}}{\\*\\ud{No M\\u252?ller}}} seen, {\\upr{clear}}.",
            "No Müller seen, clear.",
        ),
        ("{\\rtf1\\pc caf\\'82}", "caf\u00e9"),
        ("{\\rtf1\\mac caf\\'8e\\softline x}", "caf\u00e9\nx"),
        ("{\\rtf1{\\pntext 1.\\tab}No 10{\\super -3} mm\\super 2\\nosupersub /s}", "1.\tNo 10^-3 mm2/s"),
        ("3 x 10<sup>3</sup> mm<sup>2</sup>", "3 x 10^3 mm2"),
    ],
)
def test_what_is_meant(text: str, plain: str) -> None:
    assert plain_text(text) == plain


@pytest.mark.parametrize(
    "text",
    [
        "nodule < 5 mm and > 3 mm", "5<6 & 7>3", "a<b and c>d", "R&D, H&P;", "AT&T; 3&4",
        "see C:\\new\\table\\report.txt",
        "\\\\nas01\\share\\new\\x", "C:\\X51\\T\\N", "seen at <TIME> by <NAME> on [DATE]", "~5 mm, then ~3 mm",
        "1.5 \\times 2 cm, \\nu \\neq 0",
        "EF=55, FEV1=80, a=b", "\\T2 axial\\", "and/or \\ either", "T2*-weighted _x_ _x00_", "{curly} \\a",
        "x <- y -> z", "nodule --> mass < 5 mm", "a ]]> b < c", "p<0.05; r>0.9",
        "\tindented\r\nlines\x0b", "", "a & b", "&unknown; &;", "3 = 2 + 1 =", "100% =AB", "of 80%, 0A",
        "the 5\" film",
        "email <a@b.org>", "\u00c3 alone, caf\u00e9", "\u201cTH\u00c9\u201d NAH\u00c9\u2026", "\u00c2ge",
    ],
)  # fmt: skip
def test_what_only_looks_like_markup_stays(text: str) -> None:
    assert plain_text(text) == text


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("%0ANo effusion", "\nNo effusion"), ("50% clear.%0D%0ANo effusion", "50% clear.\nNo effusion"),
        ("FINDINGS%3A%20No%20effusion%2C%205%25", "FINDINGS: No effusion, 5%"),
        ("No%20mass in 20%20 of", "No mass in 20%20 of"),
        ("5%20 of them, 100%", "5%20 of them, 100%"), ("\\b No acute fracture.", "No acute fracture."),
        ("FINDINGS: \\b No\\b0 fracture.\\par \\i Clear\\i0 .", "FINDINGS: No fracture.\nClear."),
        ("\\pard\\plain\\f0\\fs20 No m\\'e9nisque", "No m\u00e9nisque"), ("\\v Quill\\v0 clear", "clear"),
        ("C:\\b \\b No", "C:\\b \\b No"), ("a \\bad word", "a \\bad word"),
    ],
)  # fmt: skip
def test_escapes_of_addresses_and_marks_of_print_alone(text: str, plain: str) -> None:
    assert plain_text(text) == plain


@pytest.mark.parametrize(
    ("text", "apart"),
    [
        ("1.No acute fracture. 2.CT CHEST", "1. No acute fracture. 2. CT CHEST"), ("#1No mass", "#1 No mass"),
        ("IMPRESSION:1.NO MASS\n2.\u00d8 shift", "IMPRESSION:1. NO MASS\n2. \u00d8 shift"),
        ("(2.no mass)", "(2. no mass)"),
        ("12.Jan.2024 12.MAR 24 3.M\u00e4rz 2024", None), ("1.Marked shift", "1. Marked shift"),
        ("T1.L4 2.L4 3.5cm", None),
        ("1.2.840.10008 A1.Smith 12.345", None), ("#1 No mass #12a", None), ("2.x-ray", None),
    ],
)  # fmt: skip
def test_the_number_of_an_item_stands_apart_from_its_word(text: str, apart: str | None) -> None:
    assert report_text(text) == (apart or text) == report_text(report_text(text))


@pytest.mark.parametrize(
    "text",
    [
        "clear<!-- Quill -->.", "clear<span style='display:none'>Quill <span>A</span> Quill</span>.",
        "clear<script>var n='Quill'</script>.",
        "<html><head><title>Quill</title></head><body>clear.</body></html>", "<p title='Quill'>clear.</p>",
        "clear<img alt=\"Quill\">.",
        "{\\rtf1{\\info{\\author Quill}}{\\*\\generator Quill;}clear.}", "{\\rtf1 clear\\v Quill\\v0 .}",
        "<style>.Quill{}</style>clear.", "<del>No <b>Quill</b></del>clear.", "<p><s>Quill</s>clear.</p>",
        "<span style='text-decoration: line-through'>Quill</span>clear.", "{\\rtf1 {\\strike No \\b Qu\\'e9ill}clear.}",
        "{\\rtf1\\strike Quill \\i x\\strike0 clear.}",
        "&lt;!-- Quill --&gt;clear.", "{\\rtf1{\\header Quill}clear.}", "<p hidden>Quill</p>clear.",
    ],
)  # fmt: skip
def test_what_no_reader_sees_is_no_text(text: str) -> None:
    assert plain_text(text).strip() == "clear."


def test_nothing_is_lost_where_markup_breaks_off() -> None:
    for text in (
        "<p>clear <b>lungs",
        "{\\rtf1 clear \\b lungs",
        "clear <!-- lungs",
        "clear lungs<style>",
        "clear lungs <p class='x",
    ):
        assert "clear" in plain_text(text) and "lungs" in plain_text(text)


WORDS = st.text(st.sampled_from("abc XYZ12.,:;()<>&\\~_=\"'{}\n-/xnrtuTE"), max_size=40)


@given(WORDS)
def test_decoding_again_changes_nothing(text: str) -> None:
    assert plain_text(plain_text(text)) == plain_text(text)


@given(st.text(st.sampled_from('abcXYZ 12.,:;()-/é肺<>&"'), max_size=60))
def test_what_a_known_writer_escaped_comes_back(text: str) -> None:
    assert plain_text(text) == text or "&" in text or "<" in text
    escaped = html.escape(f"<p>{html.escape(text)}</p>")
    if plain_text(text) == text:
        assert plain_text(escaped).strip() == text.strip()
        rtf = "".join(c if c.isascii() else f"\\u{ord(c)}?" for c in text)
        assert plain_text("{\\rtf1\\ansi " + rtf + "}").strip() == text.strip()
        assert plain_text(json.dumps(text + '\n"a" "b"')[1:-1]).rstrip('ab "\n') == text.rstrip('ab "\n')
        printable = quopri.encodestring((text + "x" * 90).encode()).decode()
        assert plain_text(printable) == text + "x" * 90


NAMES = (
    "<b>Qu</b>illermark", "Qu&#105;llermark", "\\X51\\uillermark", "Qu\\u0069llermark", "Qu_x0069_llermark",
    "Qu=\nillermark =C3=A9",
    "{\\rtf1 Qu\\b illermark\\b0}", "{\\rtf1 Qu\\'69llermark}", "Qu\u200billermark", "Qu&amp;#105;llermark",
    "&lt;i&gt;Qu&lt;/i&gt;illermark",
    "Qu<!-- x -->illermark", "<![CDATA[Quillermark]]>", "Quiller\\H\\mark\\N\\",
)  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_name_in_markup_is_scrubbed_and_the_verifier_sees_it(name: str) -> None:
    raw, phi = f"The lungs are clear. Seen with {name} in clinic.", ["Quillermark^Ada"]
    clean = scrub(plain_text(raw), phi, "P1", Pseudonymizer(b"m" * 32), TextRules())
    assert "illermark" not in clean and "The lungs are clear." in clean
    assert findings([clean], phi, [raw, plain_text(raw)]) == ()
    assert findings([plain_text(raw)], phi)
    if "rtf" not in name and "=" not in name and "\\H" not in name:
        assert findings([raw], phi)  # even where nothing had decoded it
