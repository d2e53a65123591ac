"""The guards of the rules in `dates`, in the order of their patterns."""

from __future__ import annotations

from curate.deid.text.needs import guard

MONTH_WORDS = """jan january janvier januar ene enero feb february febrero februar fevr fevrier fev mar march marzo mars
marz
maerz apr april abr abril avril avr may mayo mai jun june juni junio juin jul july juli julio juillet juil
aug august ago
agosto aout sep sept september septiembre septembre set setiembre oct october octubre octobre okt oktober nov
november
noviembre novembre dec december decembre dic diciembre dez dezember"""
_TRIPLE = "0-0- 0-00- 0/0/ 0/00/ 0.0. 0.00."
DATES = (
    guard(shapes=_TRIPLE, led="digits"),
    guard(shapes=_TRIPLE, led="digits"),
    guard(shapes="0.0.0 0.00.0", led="digits"),
    guard(shapes="00.00.00", led="digits"),
    guard(MONTH_WORDS, led="digits"),
    guard(MONTH_WORDS, led="words", also=r"\d"),
    guard(MONTH_WORDS, led="digits"),
    guard(shapes="00000000", led="digits"),
    guard(signs="年"),
    guard(signs="年"),
    guard(signs="年 月"),
    guard(MONTH_WORDS, led="words", also=r"\d{4}"),
    guard(shapes="0-0000 0/0000", led="digits"),
    guard(shapes="0000-0", led="digits"),
)
BIRTH = guard(
    """d dob born birth births birthdate birthday birthyear b bdate f date day year dt nac fecha nacido nacida
    nacimiento nacio geb geboren geburtsdatum ne nee naissance nato nata nascido nascida nascita nascimento fodt""",
    signs="ро РО Ро да Да ДА д. Д. др Др ДР 生 出 생",
    led="words",
    also=r"\d",
)
YEARLESS = (guard(MONTH_WORDS, led="words", also=r"\d"), guard(MONTH_WORDS, led="digits"))
LED = guard(
    """on date dated from since of until through exam study film radiograph radiographs ct mr mri prior previous dob
admitted comp cf vs
seen compared
    performed obtained done taken
    comparison comparisons compare compares comparing comparable comparative comparatively comparably""",
    led="words",
    also=r"\d[-/]\d",
)
