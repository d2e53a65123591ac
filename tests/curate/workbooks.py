"""Small .xlsx files (ECMA-376) made on the fly: strings inline, numbers as numbers, None for no cell."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape

_SPREADSHEET = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_HEAD = '<?xml version="1.0" encoding="UTF-8"?>'
_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml"
Cell = str | float | int | None


def workbook(sheets: Mapping[str, Sequence[Sequence[Cell]]], last: str | None = None) -> bytes:
    """The workbook's bytes; ``last`` puts a stray cell ("XFD1048576") into the first sheet."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as parts:
        numbers = range(1, len(sheets) + 1)
        types = "".join(
            f'<Override PartName="/xl/worksheets/sheet{i}.xml" ContentType="{_TYPE}.worksheet+xml"/>' for i in numbers
        )
        types += f'<Override PartName="/xl/workbook.xml" ContentType="{_TYPE}.sheet.main+xml"/>'
        defaults = '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        parts.writestr(
            "[Content_Types].xml",
            f'{_HEAD}<Types xmlns="{_PACKAGE}/content-types">{defaults}'
            f'<Default Extension="xml" ContentType="application/xml"/>{types}</Types>',
        )
        parts.writestr("_rels/.rels", _relations({"rId1": ("officeDocument", "xl/workbook.xml")}))
        names = "".join(
            f'<sheet name="{escape(name)}" sheetId="{i}" r:id="rId{i}"/>' for i, name in enumerate(sheets, start=1)
        )
        parts.writestr(
            "xl/workbook.xml",
            f'{_HEAD}<workbook xmlns="{_SPREADSHEET}" xmlns:r="{_RELATIONS}"><sheets>{names}</sheets></workbook>',
        )
        links = {f"rId{i}": ("worksheet", f"worksheets/sheet{i}.xml") for i in numbers}
        parts.writestr("xl/_rels/workbook.xml.rels", _relations(links))
        for i, rows in enumerate(sheets.values(), start=1):
            parts.writestr(f"xl/worksheets/sheet{i}.xml", _sheet(rows, last if i == 1 else None))
    return out.getvalue()


def _relations(links: Mapping[str, tuple[str, str]]) -> str:
    each = "".join(f'<Relationship Id="{i}" Type="{_RELATIONS}/{t}" Target="{to}"/>' for i, (t, to) in links.items())
    return f'{_HEAD}<Relationships xmlns="{_PACKAGE}/relationships">{each}</Relationships>'


def _sheet(rows: Sequence[Sequence[Cell]], last: str | None) -> str:
    lines = ""
    for r, row in enumerate(rows, start=1):
        cells = (_cell(f"{chr(64 + c)}{r}", value) for c, value in enumerate(row, start=1) if value is not None)
        lines += f'<row r="{r}">{"".join(cells)}</row>'
    lines += f"<row>{_cell(last, 'x')}</row>" if last else ""
    return f'{_HEAD}<worksheet xmlns="{_SPREADSHEET}"><sheetData>{lines}</sheetData></worksheet>'


def _cell(place: str, value: Cell) -> str:
    if isinstance(value, str):
        return f'<c r="{place}" t="inlineStr"><is><t xml:space="preserve">{escape(value)}</t></is></c>'
    return f'<c r="{place}"><v>{value}</v></c>'
