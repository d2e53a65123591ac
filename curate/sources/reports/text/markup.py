"""Markup and escapes as the plain text they stand for: a pure function, decided by what the text itself proves.

Reports come out of message queues, spreadsheets, web pages and word processors with the marks of each still on them.
Whatever looks at words (sections, scrubbing) is given `plain_text`. A mark is decoded only where nothing else can be
meant: "5 < 6", "R&D", "C:\\new" and "~5 mm" stay. What is decoded may hold further marks, so decoding goes on until
nothing changes: HTML escaped in XML escaped in HL7 comes out as words. Comments, attributes, scripts, document
properties and what is marked as hidden are not text and are left out.
"""

from __future__ import annotations

import quopri
import re
from collections.abc import Callable
from functools import cache
from urllib.parse import unquote_to_bytes

from ftfy import TextFixerConfig, fix_encoding
from ftfy.fixes import fix_surrogates
from striprtf.striprtf import rtf_to_text

from curate.sources.reports.text.tags import entities, without_tags

_DEEPEST = 24  # decodings one inside another; a text that needs more is left at that
# marks of byte order, width, hyphenation and direction, and controls: never of a word
_INVISIBLE = "\ufeff\u00ad\u200b-\u200f\u202a-\u202e\u2060\u2066-\u2069\x00-\x08\x0e-\x1b\x1d\x1f\x7f"
_ENDS = "\v\f\x1c\x1e\x85\u2028\u2029"  # of a line or a page, as others write them
_LINE_END = re.compile(rf"[{_ENDS}](?=\s*\S)")
_SIGNS = _INVISIBLE + _ENDS + "\u2010\u2011\uf020-\uf0ff"
_SUSPECT = re.compile(
    rf"[\\<&~{_SIGNS}]|[ÂÃÅÎâï][\x80-\xbf\u0152-\u2122]|''|(?<=[.:;!?)])[|^\xb6]|_x[0-9A-Fa-f]{{4}}_|=\r?\n|[=%]0[AaDd]|%20"
)
# "1.No fracture", "#2No mass": the number of a list's item, whose word is no part of an identifier or a day
_MONTH = r"(?i:jan|feb|m[a\u00e4]r|apr|ma[iy]|jun|jul|aug|sep|o[ck]t|nov|de[cz])[^\W\d_]*[. ]{0,2}\d"
_ITEM = re.compile(
    rf"(?:^|(?<=[\s.:;(]))(?P<number>\d{{1,2}}\.|#\d{{1,2}}(?=[A-Z]))(?!{_MONTH})(?=(?:[^\W\d_]{{2,}}|\u00d8)(?![\w-]))",
    re.MULTILINE,
)


def plain_text(text: str) -> str:
    """``text`` without markup and escapes, line breaks where they said so. Idempotent; a text without any is unchanged.

    Decoded: RTF, HTML and XML tags, CDATA, entities, HL7 v2 escapes (chapter 2.7), Excel's _x000D_, written-out escapes
    of JSON, C and SQL, quoted-printable (RFC 2045), HL7 repetitions, invisible characters, signs of the Symbol font,
    UTF-8 that was read as Windows-1252. What is struck out goes.
    """
    for _ in range(_DEEPEST):
        if _SUSPECT.search(text) is None:
            return text
        after = next((new for decode in _DECODERS if (new := decode(text)) != text), text)
        if after == text:
            return text
        text = after
    return text


def report_text(raw: str) -> str:
    """The `plain_text` of a report's words, with the number of a list's item apart from the word glued to it."""
    return _ITEM.sub(r"\g<number> ", plain_text(raw))


# -- RTF ---------------------------------------------------------------------------------------------------------------

_RTF = re.compile(r"\{\s*\\rtf\d?(?![a-z])")
_RTF_TOKEN = re.compile(r"\\bin(?P<bytes>\d{1,9})(?!\d) ?|\\[^A-Za-z]|[{}]")
_RTF_GROUP_ENDS = re.compile(r"\s*\}")
# of a document cut to its body: control words that nothing else writes, a paragraph among them
_RTF_WORD = re.compile(r"\\(pard?|plain|fs\d+|f\d+|cf\d+|b0|i0|ul0|ulnone|ql|lang\d+|viewkind\d|line)(?![a-z])")
# marks alone, of a document whose braces are gone
_RTF_MARK = re.compile(
    r"\\(?:'(?P<hex>[0-9a-f]{2})|(?P<word>pard?|plain|line|tab|[biv][01]?|ul[01w]?|ulnone|strike0?|sub|super|nosupersub"
    r"|q[lrcj]|(?:fs|f|cf|cb|highlight|li|ri|fi|sa|sb|sl|lang|viewkind)-?\d{1,5})(?![A-Za-z0-9])[ ]?)"
)
# hidden or struck out, to the mark's end or the group's
_RTF_HIDDEN = re.compile(
    r"\\(?P<mark>v|deleted|striked?)1?(?![a-z0-9])[ ]?(?:[^{}\\]|\\'..|\\(?!(?P=mark)0)[a-z]+-?\d*)*(?=\\(?P=mark)0|\})"
)
_RTF_CHARSETS = {"mac": "mac_roman", "pc": "cp437", "pca": "cp850"}  # in place of \ansi
_RTF_CHARSET = re.compile(r"\{\s*\\rtf\d?\s*\\(mac|pca?)(?![a-z])")
_RTF_SYMBOL = re.compile(
    r'\{\\field[^{}]*\{\\\*\\fldinst[^{}]*?SYMBOL (\d{1,3}) \\\\f "Symbol"[^{}]*\}(?:\}|\{[^{}]*\})*'
)
_RTF_SYMBOL_FONT = re.compile(r"\\f(\d+)(?:\\[a-z]+\d*)*\\fcharset2(?!\d)[^{};]*Symbol")
_RTF_POWER = re.compile(r"(?<=\d)(\{)?\\super(?![a-z\d])[ ]?(?=[-+]?\d)")  # 10 to the power of 3 is not 103

_RTF_TWICE = re.compile(r"\\upr(?![a-z])\s*(?=\{)")
_RTF_UNICODE = re.compile(r"\s*\{\s*\\\*\s*\\ud(?![a-z])")


def _rtf(text: str) -> str:
    if "\\" not in text:
        return text
    start = _RTF.search(text)
    if start is not None:
        document, end = _rtf_group(text, start.start())
        parts = (text[: start.start()].rstrip(), _of_rtf(document), text[end:].strip(" \t\r\n\0"))
        return "\n".join(part for part in parts if part)
    if "\\" not in _RTF_MARK.sub("", text) and _PATH.search(text) is None:  # nothing but marks of print
        return _RTF_MARK.sub(_rtf_meaning, _RTF_HIDDEN.sub("", text))
    words = set(_RTF_WORD.findall(text)) if "\\par" in text else set()
    return _of_rtf("{\\rtf1\\ansi " + text + "}") if len(words) > 1 and words & {"par", "pard"} else text


def _rtf_meaning(found: re.Match[str]) -> str:
    if found["hex"]:
        return _bytes(bytes.fromhex(found["hex"]))
    if found["word"] in ("par", "line"):
        return "\n"
    if found["word"] == "tab":
        return "\t"
    return " " if found["word"] in ("b0", "i0", "ul0", "ulnone", "strike0") and _is_within(found) else ""


def _is_within(found: re.Match[str]) -> bool:
    """Does a word end before the mark and one begin behind its blank? The blank is then the words' own, too."""
    before, behind = found.string[: found.start()], found.string[found.end() :]
    blank = found[0].endswith(" ") and behind[:1].isalnum()
    return blank and before[-1:].isalnum() and not re.search(r"\\[a-z]+-?\d*$", before[-12:])


def _rtf_group(text: str, start: int) -> tuple[str, int]:
    """The group that begins at ``start``, without the bytes of \\bin, and where it ends; behind a document is text of
    its own. Braces among such bytes are none; where no group ends behind as many, their number is wrong."""
    kept, depth, at = list[str](), 0, start
    while (token := _RTF_TOKEN.search(text, at)) is not None:
        kept.append(text[at : token.start()])
        at = token.end()
        if token["bytes"] is None:
            kept.append(token[0])
            depth += {"{": 1, "}": -1}.get(token[0], 0)
            if depth == 0:
                return "".join(kept), at
        elif _RTF_GROUP_ENDS.match(text, behind := at + int(token["bytes"])):
            at = behind
    return "".join(kept) + text[at:], len(text)


def _in_unicode(rtf: str) -> str:
    """Of what is written twice, {\\upr{bytes}{\\*\\ud{Unicode}}}, the second."""
    kept, at = list[str](), 0
    while (twice := _RTF_TWICE.search(rtf, at)) is not None:
        unicode = _RTF_UNICODE.match(rtf, _rtf_group(rtf, twice.end())[1])
        kept += [rtf[at : twice.start()], "{" if unicode else ""]
        at = (unicode or twice).end()
    return "".join(kept) + rtf[at:]


def _of_rtf(rtf: str) -> str:
    rtf = _in_unicode(rtf)
    rtf = re.sub(r"\\(?:nest)?cell(?![a-z])", r"\\tab", _RTF_HIDDEN.sub("", rtf)).replace("\\softline", "\\line")
    rtf = _RTF_POWER.sub(r"\1^", rtf.replace("{\\pntext", "{\\listtext"))
    rtf = _RTF_SYMBOL.sub(lambda found: f"\\u{0xF000 + int(found[1])}?", rtf)
    for font in dict.fromkeys(_RTF_SYMBOL_FONT.findall(rtf)):
        rtf = re.sub(rf"(?<=\\f{font} )[^{{}}]*?(?=\}}|\\f\d|\\plain)", _of_symbol_font, rtf)
    charset = _RTF_CHARSET.match(rtf)
    encoding = _RTF_CHARSETS[charset[1]] if charset else "cp1252"
    try:
        plain: str = rtf_to_text(rtf, encoding, errors="replace")  # type: ignore[no-untyped-call]
    except (ValueError, LookupError, TypeError):  # a number where there is none, a code page that is none
        plain = re.sub(r"\\[a-z]+-?\d* ?|[{}]", " ", rtf)
    return fix_surrogates(plain).strip("\n ")  # characters beyond the first plane are written as two halves


def _of_symbol_font(run: re.Match[str]) -> str:
    """Characters of a run in that font as Unicode's private ones, as Word writes them; control words stay."""
    sign = re.compile(r"\\'([0-9a-f]{2})|(\\[a-z]+-?\d*[ ]?|\\.)|([!-~])", re.IGNORECASE)
    return sign.sub(lambda c: c[2] or f"\\u{0xF000 + (int(c[1], 16) if c[1] else ord(c[3]))}?", run[0])


# -- HL7 v2 ------------------------------------------------------------------------------------------------------------

_HL7 = re.compile(
    r"\\(?P<twice>\\)?\.(?P<format>(?i:br|sp|sk|in|ti|fi|nf|ce))[ ]?[+-]?\d{0,3}(?:\\(?(twice)\\?)|(?<=br)(?![a-z]))"
    r"|\\[Xx](?P<hex>(?:[0-9A-Fa-f]{2})+)\\|\\(?P<set>[CM](?:[0-9A-F]{2}){2,3})\\|\\(?P<letter>[EFHNPRST])\\|\\Z[0-9A-Za-z]{1,8}\\"
)
_FORMATS = {"in": "", "ti": "", "sk": " "}  # any other ends a line
_LETTERS = {"E": "\\", "F": "|", "H": "", "N": "", "P": "#", "R": "~", "S": "^", "T": "&"}
# of Windows; nothing in it is an escape
_PATH = re.compile(r"(?:(?<![^\W\d_])[A-Za-z]:\\(?!\\)|(?<!\S)\\\\[\w.$-]+\\(?!\\)|(?<!\S)\.{1,2}\\)[^\s\"<>|]*")


def _hl7(text: str) -> str:
    if "\\" not in text:
        return text
    if "\\E\\" in text and "\\" not in _HL7.sub("", text):  # all of the text was escaped, its paths too
        return _HL7.sub(_hl7_meaning, text)
    return _outside_paths(_HL7, _hl7_meaning, text)


def _hl7_meaning(found: re.Match[str]) -> str:
    if found["format"]:
        return _FORMATS.get(found["format"].lower(), "\n")
    if found["hex"]:
        return _bytes(bytes.fromhex(found["hex"]))
    return _LETTERS[found["letter"]] if found["letter"] else ""


def _bytes(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("cp1252", "replace")


def _repetitions(text: str) -> str:
    """HL7's ~ between repetitions of a field, and other marks in a line break's place, as lines: proven where one twice
    stands between two sentences."""
    for mark in "~|^\xb6":
        if mark not in text or len(_between_lines(mark).findall(text)) < 2:
            continue
        escaped = re.escape(mark)
        text = re.sub(rf"[ ]?{escaped}(?!\s?\d)|{escaped}(?=\d{{1,2}}[.)]\s)", "\n", text)
    return text


@cache
def _between_lines(mark: str) -> re.Pattern[str]:
    escaped = re.escape(mark)
    return re.compile(rf"(?<=[.:;!?)]){escaped}(?={escaped}*(?:[^\W\d_a-z]|\d{{1,2}}[.)]\s|[-*•]|$))")


# -- written-out characters --------------------------------------------------------------------------------------------

_EXCEL = re.compile(r"_x([0-9A-Fa-f]{4})_")  # ECMA-376 part 1, 22.4.2.4
_CODE_POINT = re.compile(r"\\{1,2}u([0-9A-Fa-f]{4})|\\x([0-9A-Fa-f]{2})")
_CRLF = re.compile(r"\\{1,2}r\\{1,2}n")
_NEXT = r"(?=$|[\s\\]|[^\W\d_a-z]|[-*•\[(\"<>=_#.,:;]|\d{1,2}[.)])"  # what a line begins with and no name goes on with
# before a small letter or a digit; not LaTeX's nu, ne, neq, nabla, not, newline
_WITHIN = r"\\{1,2}n(?=[^\W_])(?!(?:u|eq?|abla|ot|ewline|oindent)\b)"
_BREAK = re.compile(
    rf"\\{{1,2}}[nr]{_NEXT}|(?<=[\s.:;,!?)]){_WITHIN}|(?<=[.:;,!?)])\\{{1,2}}r(?=[^\W_])(?!ightarrow|ho\b|angle)"
)
_LOOSE_BREAK = re.compile(_WITHIN)  # in a text that has proven breaks
_TABULATOR = re.compile(rf"\\{{1,2}}t{_NEXT}|(?<=[.:]\n)\\{{1,2}}t(?!imes\b|heta\b|au\b)")
_JSON = re.compile(r"\\(?:([\"\\/bfnrt])|u([0-9A-Fa-f]{4}))")
_JSON_LETTERS = {"b": "", "f": "\n", "n": "\n", "r": "\r", "t": "\t"}
_DOUBLED_PATH = re.compile(r"(?<![^\W\d_])[A-Za-z]:\\\\(?!\\)")
_QUOTE = re.compile(r"\\([\"/])")
_SOFT_BREAK = re.compile(r"=\r?\n|=0D=0A|=0A")
_PERCENT = re.compile(r"%(?:0D%)?0A", re.IGNORECASE)
_SURE_PERCENT = re.compile(
    r"(?P<line>%(?:0D%)?0A)|(?<=[^\W\d_]|[.,;:)])%(?P<code>20|2C|2E|2F|3A|3B|28|29)(?=[^\W_]|[%(])", re.IGNORECASE
)
_NO_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_NO_QUOTED_PRINTABLE = re.compile(r"=(?!\r?\n|[0-9A-F]{2}|$)")


def _excel(text: str) -> str:
    return _EXCEL.sub(lambda found: _visible(int(found[1], 16)), text)


def _written_out(text: str) -> str:
    if "\\" not in text:
        return text
    if _is_all_escaped(text):  # its paths too
        return fix_surrogates(_JSON.sub(_json_meaning, text))
    text = fix_surrogates(_outside_paths(_CODE_POINT, lambda found: _visible(int(found[1] or found[2], 16)), text))
    broken = _outside_paths(_BREAK, "\n", _outside_paths(_CRLF, "\n", text))
    if broken != text:
        broken = _outside_paths(_LOOSE_BREAK, "\n", broken)
    broken = _outside_paths(_TABULATOR, "\t", broken)
    return _outside_paths(_QUOTE, r"\1", broken) if broken != text or len(_QUOTE.findall(text)) > 1 else broken


def _is_all_escaped(text: str) -> bool:
    """Every backslash is an escape of JSON's, and two quotes or a path are escaped as nothing else would be."""
    rest = _JSON.sub("", text)
    quoted = text.count('\\"') > 1 and '"' not in rest
    return "\\" not in rest and (quoted or bool(_DOUBLED_PATH.search(text) and _BREAK.search(text)))


def _json_meaning(found: re.Match[str]) -> str:
    return _visible(int(found[2], 16)) if found[2] else _JSON_LETTERS.get(found[1], found[1])


def _outside_paths(pattern: re.Pattern[str], instead: str | Callable[[re.Match[str]], str], text: str) -> str:
    """``text`` with ``pattern`` replaced, the paths of Windows left as they are."""
    out: list[str] = []
    at = 0
    for path in _PATH.finditer(text):
        out += [pattern.sub(instead, text[at : path.start()]), path[0]]
        at = path.end()
    return "".join([*out, pattern.sub(instead, text[at:])])


def _visible(code: int) -> str:
    return chr(code) if code >= 0x20 or code in (0x09, 0x0A, 0x0D) else ""


def _quoted_printable(text: str) -> str:
    """RFC 2045 6.7, proven by a line that ends in "=" or a written line break, and no "=" that means anything else."""
    if _SOFT_BREAK.search(text) is None or _NO_QUOTED_PRINTABLE.search(text):
        return text
    return _bytes(quopri.decodestring(text.encode("utf-8")))


def _percent(text: str) -> str:
    """RFC 3986 2.1, proven by a line break, or by blanks where none else is, and no "%" that means anything else; where
    one does, only what can mean nothing else."""
    proven = _PERCENT.search(text) or ("%20" in text and not re.search(r"\s", text))
    if proven and not _NO_PERCENT.search(text):
        return _bytes(unquote_to_bytes(text))
    return _SURE_PERCENT.sub(lambda found: "\n" if found["line"] else chr(int(found["code"], 16)), text)


_UNSEEN = re.compile(f"[{_INVISIBLE}]")
# Adobe's Symbol encoding, as word processors keep it in the private use area; hyphens that are one in type alone
_SYMBOLS = dict(zip(
    (*range(0xF041, 0xF05B), *range(0xF061, 0xF07B), *(0xF000 + ord(c) for c in " %()+,-./0123456789:;<=>[]"),
     0xF0A3, 0xF0A5, 0xF0AC, 0xF0AD, 0xF0AE, 0xF0AF, 0xF0B0, 0xF0B1, 0xF0B3, 0xF0B4, 0xF0B7, 0xF0B8, 0xF0B9, 0xF0BB,
     0xF0C6, 0x2010, 0x2011),
    "ΑΒΧΔΕΦΓΗΙϑΚΛΜΝΟΠΘΡΣΤΥςΩΞΨΖαβχδεφγηιϕκλμνοπθρστυϖωξψζ %()+,-./0123456789:;<=>[]≤∞←↑→↓°±≥×•÷≠≈∅--",
    strict=True,
))  # fmt: skip


def _invisible(text: str) -> str:
    return _LINE_END.sub("\n", _UNSEEN.sub("", text).translate(_SYMBOLS))


_ENCODINGS_ONLY = TextFixerConfig(
    unescape_html=False, restore_byte_a0=False, replace_lossy_sequences=False, uncurl_quotes=False
)


def _encoded_twice(text: str) -> str:
    """ "MÃ¼ller" was "Müller": UTF-8 that was read as another encoding."""
    return text if text.isascii() else fix_encoding(text, _ENCODINGS_ONLY)


_QUOTED_TWICE = re.compile(r"(?<=[^\W\d_])''(?=[^\W\d_])")  # patient''s, O''Brien: as SQL writes one


def _doubled(text: str) -> str:
    return _QUOTED_TWICE.sub("'", text)


# the first that changes anything is followed by all of them again: what one writes, another may have to read
_DECODERS: tuple[Callable[[str], str], ...] = (
    _encoded_twice, _invisible, _rtf, without_tags, entities, _hl7, _excel, _quoted_printable, _percent, _written_out,
    _repetitions, _doubled,
)  # fmt: skip
