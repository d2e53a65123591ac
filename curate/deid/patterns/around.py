"""The words around a number, by which it is told what it counts."""

from __future__ import annotations

import re
from collections.abc import Container

from curate.deid.words.context_words import words

MEASURED = words(
    """
    score agatston dlp ctdi ctdivol dose volume mass weight efw platelets plt wbc wcc hb hgb psa ferritin troponin trop
    dimer ddimer ck alt ast alp ggt amylase lipase bilirubin bili crp bnp probnp hcg bhcg cea afp tsh ldh esr lactate
    creatinine creat urea glucose ph suv value te tr ti b matrix window level threshold hounsfield count length product
    ratio ana titer titre dilution epinephrine adrenaline rpr vdrl anca scale images image slices slice series se im
    fluoroscopy duration angle measures measuring measured diameter cortisol insulin heparin omnipaque isovue bmi
    size approximately calcium native ecv dap kap height
    mmol myoglobin procalcitonin albumin sodium evacuated aspirated output rate cells
    """
)  # behind these four digits are a finding
# of these, two numbers tell how much, how strong or which
COUNTED = words(
    """
    grade graded grading score scored scores scoring strength power pain node nodes image images img im series se
    ser slice slices ratio acuity vision va bp apgar apgars gcs nihss aspects curb wells timi mmt dtr dtrs reflexes
    reflex motor mrc murmur rated intensity severity vas nrs fr french gauge gleason stage ecog rib ribs level
    levels disc discs station view views tone muscle muscles eye eyes sensation pulses pulse edema oedema tenderness
    deltoid biceps triceps quadriceps hamstrings grip iliopsoas oxford involved core cores teeth digit digits toe
    toes finger fingers segment segments frame frames figure fig kellgren modic pfirrmann type class category
    bpp biophysical edss kps nyha ccs mrs nprs flacc braden waterlow pesi qsofa sofa ranson alvarado mirels
    beighton tanner
    bristol bbps pas iddsi fois pirani mallampati aldrete bishop ipss qol gds berg tug fim barthel norton lund koss
    tooth implants sessions fractions parts partial thirds quarters
    measured measuring measures estimated ranged ranging page titer titre inch inches asia phq moca mmse bid tid
    """
)
_BEFORE = re.compile(r"[a-z]+(?:/[a-z]+)?|[.;\n\0](?!\d)")
_BEHIND = re.compile(r"\s*([a-z]+)", re.IGNORECASE)
_REACH = 48  # characters
_ENDS = ".;\n"
_SHORT = 3  # letters of a word that has no plural


def words_before(text: str, at: int) -> list[str]:
    """The words that end before ``at`` in small letters, nearest last; ends of clauses and what went are words too."""
    return _BEFORE.findall(text[max(0, at - _REACH) : at].lower())


def word_behind(text: str, at: int) -> str:
    """The word that follows at once, in small letters; "" for none."""
    found = _BEHIND.match(text, at)
    return found[1].lower() if found else ""


def is_any_before(before: list[str], listed: Container[str], most: int = 4) -> bool:
    """Is one of the last words of the same clause, up to ``most``, ``listed``?"""
    for word in reversed(before[-most:]):
        if word in _ENDS:
            return False
        if word in listed or (len(word) > _SHORT and word.endswith("s") and word[:-1] in listed):
            return True
        if "/" in word and any(len(part) > 1 and part in listed for part in word.split("/")):
            return True  # "TR/TE"
    return False
