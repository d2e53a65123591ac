"""The names of the months and of the days of the week, folded, in the languages that reports are written in."""

from __future__ import annotations

NAMES = (
    "jan(?:uary|vier|uari|uar|eiro|v)?|ene(?:ro)?|janner|jaenner|genn?(?:aio)?",
    "feb(?:ruary|rero|ruari|ruar|braio|br|er|r)?|fevr(?:ier)?|fev(?:ereiro)?",
    "mar(?:ch|zo|co|s)?|marz|maerz|maart|mrt",
    "apr(?:ile|il)?|abr(?:il)?|avril|avr",
    "may(?:o)?|mai(?:o)?|mei|magg?(?:io)?",
    "june?|juni|junio|juin|junho|giu(?:gno)?",
    "july?|juli|julio|juillet|juill?|julho|lug(?:lio)?",
    "aug(?:ustus|ust)?|ago(?:sto)?|aout",
    "sept?(?:ember|iembre|embre)?|set(?:iembre|embro|t(?:embre)?)?",
    "oct(?:ober|ubre|obre)?|okt(?:ober)?|out(?:ubro)?|ott(?:obre)?",
    "nov(?:ember|iembre|embre|embro)?",
    "dec(?:ember|embre)?|dic(?:iembre|embre)?|dez(?:ember|embro)?",
)
MONTH = "|".join(NAMES)  # a month's name, or its beginning, in any of the languages
ENGLISH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?"
    r"|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)"
)
WEEKDAY = (
    r"(?:mon|tues?|wed|wednes|thu|thurs|fri|sat|satur|sun)(?:day)?|(?:mon|diens|donners|frei|sams|sonn)tag|mittwoch|sonnabend"
    r"|(?:lun|mar|mercre|jeu|vendre|same)di|dimanche|lunes|martes|miercoles|jueves|viernes|sabado|domingo"
    r"|(?:lun|marte|mercole|giove|vener)di|domenica|(?:maan|dins|woens|donder|vrij|zater|zon)dag|(?:segunda|terca|quarta"
    r"|quinta|sexta)-feira"
)
