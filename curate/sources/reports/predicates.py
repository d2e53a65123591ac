"""English words by what they do in a closed question about a picture; see `curate.sources.reports.statements`."""

from __future__ import annotations

from collections.abc import Sequence


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


DETERMINERS = _words("a an the this that these those any both all his her their its some")
PREPOSITIONS = _words(
    "in on at within under above below near outside inside behind beneath beyond between along over around across "
    "with without near/in in/on from throughout via"
)
LINKS = _words("consistent compatible indicative suggestive suspicious concerning likely due related secondary able")
NEGATIVE = _words("not no never neither nor none cannot nothing")
QUANTIFIERS = _words("more less fewer at one two three four multiple several many much both all enough most")
PARTICIPLES = _words(
    "seen shown found identified visualized visualised viewed observed imaged noted appreciated demonstrated "
    "depicted located situated positioned centered used given administered taken done performed obtained captured "
    "involved affected displayed detected exhibited present visible pictured weighted shifted deviated displaced "
    "seated placed rotated tilted scanned included evident given lying confined limited preserved filled "
    "highlighted differentiated recognizable identifiable"
)
ADJECTIVES = _words(
    "normal abnormal enlarged clear absent intact midline symmetric symmetrical asymmetric asymmetrical dilated "
    "elevated depressed blunted sharp hyperinflated large larger small smaller big bigger wide wider narrow thick "
    "thicker thin high higher low lower bright brighter dark darker hyperdense hypodense isodense hyperintense "
    "hypointense isointense radiolucent radiopaque calcified cystic solid heterogeneous heterogenous homogeneous "
    "homogenous irregular regular smooth focal diffuse unilateral bilateral acute chronic benign malignant "
    "cavitary patent round oval lobulated multilobulated circular spiculated well-circumscribed circumscribed "
    "male female fractured broken compressed collapsed flattened inflated distended thickened narrowed widened "
    "increased decreased prominent obscured unremarkable adequate sufficient appropriate complete incomplete air- "
    "filled fluid-filled full empty old new young healthy visible present enhancing enhanced contrast-enhanced "
    "opacified hydropic edematous swollen inflamed infiltrated perforated obstructed tortuous straight curved "
    "uniform localized localised loculated aligned even equal hyperlucent opaque dense herniated ruptured effaced "
    "infarcted displaced deviated shifted elongated enhancing-ring ring-enhancing consolidated atrophied "
    "scoliotic kyphotic hyperexpanded expanded discrete distinct continuous single solitary pathologic "
    "pathological physiologic common hyperattenuated hypoattenuated attenuated hyperattenuating hypoattenuating "
    "well-defined ill-defined defined flat open closed engorged ischemic necrotic hemorrhagic cirrhotic intubated "
    "underexposed overexposed exposed complex wedge-shaped supine prone upright hyperechoic hypoechoic anechoic "
    "reversible mobile"
)
VERBS = _words(
    "have show appear demonstrate look contain involve extend cross suggest indicate exhibit represent include "
    "reveal seem enhance displace use depict illustrate lie occupy compress invade surround touch reach fill"
)
PLACES = _words(
    "lung lungs lobe lobes side sides image images view picture film scan abdomen chest thorax pelvis brain head "
    "neck hemisphere hemispheres ventricle ventricles liver kidney kidneys spleen pancreas colon bowel bowels "
    "stomach gallbladder lumen cavity space hemithorax base bases apex apices region area field fields zone zones "
    "plane position level section cut slice vasculature phase quadrant cortex cerebellum bone muscle skin line "
    "midline contrast center centre middle patient range limits"
)
RELATIVE = _words(
    "seen noted shown located visualized visualised found identified imaged depicted demonstrated present"
)
_ADVERBS = _words("well best too very more most only much less so quite still also ring hyper hypo iso")
_SINGULAR = ("ss", "us", "is", "ascites", "diabetes", "pancreas", "biceps", "lens", "series", "meniscus", "atlas")


def is_plural(phrase: Sequence[str]) -> bool:
    """Whether the noun that heads ``phrase`` is plural: the last word before a preposition or participle."""
    head: list[str] = []
    for word in (w.casefold() for w in phrase):
        if head and (word in PREPOSITIONS or word in PARTICIPLES or word in ("of", "that", "to")):
            break
        if word == "and":
            return True
        if word not in DETERMINERS:
            head.append(word)
    return bool(head) and head[-1].endswith("s") and not head[-1].endswith(_SINGULAR)


def third_person(verb: str) -> str:
    """have -> has, show -> shows, cross -> crosses, occupy -> occupies."""
    if verb.casefold() == "have":
        return "has"
    if verb.endswith(("ss", "sh", "ch", "x")):
        return verb + "es"
    return verb[:-1] + "ies" if verb.endswith("y") and verb[-2:-1] not in "aeiou" else verb + "s"


def is_adverb(word: str) -> bool:
    """Whether it belongs to the adjective behind it: "well", "abnormally"."""
    return word in _ADVERBS or (word.endswith("ly") and len(word) > 4 and not word.endswith(("galy", "maly", "mily")))
