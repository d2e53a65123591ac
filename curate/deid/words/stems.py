"""How English and medicine build words: stems of an inflected word, and words that are all Greek and Latin pieces."""

from __future__ import annotations

from collections.abc import Iterator

# (ending, what stands in its place in the stem)
_ENDINGS = (
    ("s", ("",)), ("es", ("", "is", "e")), ("ies", ("y",)), ("ed", ("", "e")), ("ied", ("y",)), ("ing", ("", "e")),
    ("er", ("", "e")), ("est", ("", "e")), ("ier", ("y",)), ("iest", ("y",)), ("ly", ("", "le")), ("ily", ("y",)),
    ("ally", ("al", "")), ("ness", ("",)), ("iness", ("y",)), ("less", ("",)), ("able", ("", "e")), ("ment", ("",)),
    ("ful", ("",)), ("ize", ("", "y")), ("ized", ("", "y")), ("izing", ("", "y")), ("ised", ("", "y", "ize")),
    ("ise", ("ize",)), ("ising", ("ize",)), ("isation", ("ize",)), ("ization", ("ize",)), ("ae", ("a",)),
    ("aemia", ("emia",)), ("our", ("or",)), ("ours", ("or",)), ("re", ("er",)), ("res", ("er",)), ("oid", ("",)),
    ("al", ("", "e")), ("ic", ("", "y", "e")), ("ically", ("ic",)), ("ation", ("e", "ate", "")), ("like", ("",)),
    ("or", ("e", "")), ("ability", ("able",)), ("ibility", ("ible",)), ("ata", ("a",)), ("omas", ("oma",)),
)  # fmt: skip
_DOUBLED = frozenset("bdfgklmnprstvz")
_BY_LETTER = {last: [row for row in _ENDINGS if row[0][-1] == last] for last in {ending[-1] for ending, _ in _ENDINGS}}


def stems(word: str) -> Iterator[str]:
    """What ``word`` (lower case) may be an inflection of, without asking whether it is a word: opacities -> opacity."""
    for ending, forms in _BY_LETTER.get(word[-1:], ()):
        if word.endswith(ending) and len(word) > len(ending) + 2:
            stem = word[: -len(ending)]
            for form in forms:
                yield stem + form
            if ending in ("ed", "ing", "er", "est") and stem[-1] == stem[-2] and stem[-1] in _DOUBLED:
                yield stem[:-1]


# Prefixes and combining forms that stand before a word of medicine or of English.
PREFIXES = frozenset(
    """
abdomino acetabulo acro adeno alveolo angio antero anti aorto arterio arthro athero atlanto atrio auto axillo bi bili
bio brachio bronchiolo broncho calcaneo calci capitato carcino cardio carpo caudo cavo cephalo cerebello cerebro
cervico chemo cholangio chole cholecysto choledocho chondro choroido circum cocco colo condylo contra coraco cortico
costo counter coxo cranio cryo cysto dacryo demi dermato derma dextro di dia dis dorso duodeno dys echo ecto electro
endo entero epi esophago ethmoido extra fascio femoro fibro fibulo fore fronto gangli gastro genito gingivo gleno glio
glomerulo glosso gluteo granulo gyneco haema haemato haemo hemato hemi hemo hepatico hepato hetero hidro histo homo
humero hydro hyper hypo hystero ileo ilio immuno in infero infra inguino inter intra intro intussus irido ischio iso
jejuno juxta kerato kypho labio laparo laryngo latero leio lepto leuko leuco levo lipo litho lumbo lympho macro malleo
mammo mandibulo masto maxillo medio mediastino mega meningo mero meso meta metacarpo metatarso micro mid mini mis mono
morpho muco multi musculo myelo myo myxo naso necro neo nephro neuro non normo occipito oculo odonto oesophago oligo
omento onco oophoro ophthalmo opto orbito orchi oro ortho osseo osteo ot oto out over pachy pan pancreato pancreatico
para parieto patello patho pelvi pelvo peri perineo petro pharyngo phlebo phono phreno physio platy pleuro pluri pneumo
pneumato poly porto post postero pre presby pro procto prostato proto pseudo psycho ptero pubo pulmo pyelo pyo quadri
quasi radiculo radio re recto reno retino retro rhino sacro salpingo sarco scapho scapulo schisto sclero semi septo
sero sialo sigmoido sino skeleto sono spheno sphero spino spleno spondylo staphylo stereo sterno steato sub super
supero supra sur syn syringo tachy talo tarso temporo teno tenosyno thalamo thermo thoraco thrombo thymo thyro tibio
tonsillo trabeculo tracheo trans tri tricho tubo tympano ulno ultra un under uni uretero urethro uro utero vagino
varico vaso veno ventriculo vertebro vesico vestibulo video viscero vitreo xantho xero zygomatico
""".split()  # noqa: SIM905  a table reads better as text
)
