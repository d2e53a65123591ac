"""Tags and entities of HTML and XML in a text: a tag is known by a name that only HTML has, or by its partner in the
text; "<TIME>" and "a<b and c>d" are none."""

from __future__ import annotations

import html
import re

_INLINE_NAMES = """
b i u s a q em strong span font small big sub sup code tt mark abbr acronym label ins del strike cite kbd var samp bdo
wbr img input content linkhtml footnote nobr o:p st1:place st1:date script style template meta link col colgroup
"""
_BLOCK_NAMES = """
br hr p div li ul ol dl dt dd table tbody thead tfoot tr h1 h2 h3 h4 h5 h6 pre blockquote center html body head
"""
_SURE_NAMES = "strong em span font sub sup small big img input o:p wbr strike script style meta link col"
_INLINE, _CELLS = frozenset(_INLINE_NAMES.split()), frozenset(("td", "th"))
_VOID = frozenset(("br", "hr", "img", "input", "meta", "link", "col", "wbr"))
# names that prove a tag by themselves; any other one needs its partner: "<TIME>" is what some sources write for a time
_ALWAYS = frozenset(_BLOCK_NAMES.split()) | _CELLS | frozenset(_SURE_NAMES.split())
# elements of exports that are called as a report's sections are; names that HTML has are none
_HEADINGS = frozenset(("findings", "impression", "conclusion", "indication", "technique", "comparison",
                       "recommendation", "recommendations"))  # fmt: skip
_DROPPED = frozenset(("head", "script", "style", "template", "del", "s", "strike"))  # what is struck out, too
_ATTRIBUTE = r"""\s+[\w:.-]+\s*=\s*(?:"[^"]*"|'[^']*'|[^\s"'<>]+)"""
_FLAG = r"\s+(?:nowrap|noshade|checked|disabled|selected|hidden|compact|readonly)(?=[\s/>])"
_TAG = re.compile(
    r"<!--|<!\[CDATA\[|<!\[(?:if|endif)[^<>]{0,200}>|<!doctype[^<>]{0,500}>|<\?[a-z][^<>]{0,500}\?>"
    rf"|<(?P<close>/?)(?P<name>[a-z][a-z0-9]*(?:[:.-][\w.-]+)?)(?P<rest>(?:{_ATTRIBUTE}|{_FLAG})*)\s*(?P<empty>/?)\s*>",
    re.IGNORECASE | re.DOTALL,
)
_POWER = re.compile(r"[-+\u2212]?\d")
_HIDDEN = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*hidden|line-through|revised=.delete|(?<=\s)hidden(?=[\s/]|$)", re.IGNORECASE
)


def without_tags(text: str) -> str:
    """``text`` without tags, comments, declarations, CDATA's brackets, and elements that no reader sees."""
    if "<" not in text:
        return text
    text = _unbracketed(_unbracketed(text, "<!--", "-->", keep=False), "<![CDATA[", "]]>", keep=True)
    found = list(_TAG.finditer(text))
    closing = {tag["name"].lower() for tag in found if tag["close"]}
    opening = {tag["name"].lower() for tag in found if tag["name"] and not tag["close"]}
    tags = [tag for tag in found if tag["name"] is None or _is_tag(tag, opening if tag["close"] else closing)]
    if not tags:
        return text
    ends = _ends(tags)
    out: list[str] = []
    at = 0
    for i, tag in enumerate(tags):
        if tag.start() < at:  # inside of what was left out
            continue
        out += [text[at : tag.start()], _instead(tag)]
        if (
            tag["name"] in ("sup", "SUP")
            and not tag["close"]
            and _POWER.match(text, tag.end())
            and out[-2][-1:].isdigit()
        ):
            out.append("^")  # 10 to the power of 3 is not 103
        at = ends[i] if i in ends and _is_hidden(tag) else tag.end()
    return re.sub(r"\n[ \t]*\n[ \t\n]*\n", "\n\n", "".join([*out, text[at:]]))


def _unbracketed(text: str, opens: str, closes: str, keep: bool) -> str:
    """``text`` without what stands between the marks, or without the marks; one that is never closed is left."""
    parts, at = [], 0
    while (start := text.find(opens, at)) >= 0 and (end := text.find(closes, start + len(opens))) >= 0:
        parts += [text[at:start], text[start + len(opens) : end] if keep else ""]
        at = end + len(closes)
    return "".join([*parts, text[at:]])


def _is_tag(tag: re.Match[str], partners: set[str]) -> bool:
    name = tag["name"].lower()
    return name in _ALWAYS or name in partners or bool(tag["empty"])


def _instead(tag: re.Match[str]) -> str:
    """What stands for a tag: nothing, or the break that it makes between words or lines."""
    name = (tag["name"] or "b").lower()
    if name in _HEADINGS and not tag["close"] and not tag["empty"]:
        return f"\n{name.upper()}:\n"
    return "" if name in _INLINE else "\t" if name in _CELLS else "\n"


def _ends(tags: list[re.Match[str]]) -> dict[int, int]:
    """Where the element of each opening tag ends, of those that are closed."""
    ends: dict[int, int] = {}
    opened: dict[str, list[int]] = {}
    for i, tag in enumerate(tags):
        name = (tag["name"] or "").lower()
        if tag["close"] and opened.get(name):
            ends[opened[name].pop()] = tag.end()
        elif name and not tag["close"] and not tag["empty"] and name not in _VOID:
            opened.setdefault(name, []).append(i)
    return ends


def _is_hidden(tag: re.Match[str]) -> bool:
    return tag["name"].lower() in _DROPPED or _HIDDEN.search(tag["rest"]) is not None


_ENTITY = re.compile(
    r"&(?:#\d{1,7};|#x[0-9a-f]{1,6};|[a-z][a-z0-9]{1,31};|(?:nbsp|amp|lt|gt|quot|apos)(?![\w;])|nbsp(?=(?-i:[A-Z])))",
    re.IGNORECASE,
)


def entities(text: str) -> str:
    """``text`` with the characters that its entities stand for."""
    return _ENTITY.sub(_entity, text) if "&" in text else text


def _entity(found: re.Match[str]) -> str:
    written = found[0] if found[0].endswith(";") else found[0] + ";"
    meant = html.unescape(written)
    if meant == written:  # "&AMP;" is known as it stands, "&NBSP;" in small letters
        meant = html.unescape(written.lower())
    return found[0] if meant == written.lower() else " " if meant == "\xa0" else meant
