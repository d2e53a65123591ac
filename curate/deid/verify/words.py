"""The second reader's idea of a word that names no one: English, the standard's vocabulary, medicine by its endings.

A word it does not know is not therefore a name; but one that stands capitalised in a source and again in what is
written of it has not been proven to be none.
"""

from __future__ import annotations

import gzip
import re
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any

from pydicom.datadict import DicomDictionary  # type: ignore[attr-defined]
from pydicom.sr.codedict import codes

# Endings that make a word of anatomy, disease, procedure, drug or chemistry, whatever comes before.
_MEDICAL = re.compile(
    r".{2,}(?:itis|itid(?:es|al)|os[ie]s|otic|ectom(?:y|ies)|ostom(?:y|ies)|otom(?:y|ies)|plast(?:y|ies|ic)|graph(?:y|ic|ies|ically)?"
    r"|gram(?:s|me)?|grams?|scop(?:y|ic|ies|e)|oma(?:s|ta|tous)?|ology|ological(?:ly)?|ologic|ologists?|path(?:y|ic|ies)|emi[ac]"
    r"|uri[ac]|algi[ac]|penia|plasi[ac]|plastic|troph(?:y|ic|ied|ies)|ectas(?:is|es)|ectatic|cele|edema|stenos[ei]s|stenotic|megaly|megalic"
    r"|plegi[ac]|pleural|cardia[cl]?|pulmonary|vascular|vertebr(?:a|ae|al)|lumbar|sacral|thora(?:x|cic)|cost(?:al|o\w+)"
    r"|phren\w+|cranial|cephal(?:ic|y|us)|ventric\w+|arter(?:y|ies|ial)|ven(?:ous|ography)|arthr\w+|chondr\w+|osseous|oste\w+|genic"
    r"|genesis|trop(?:ic|y)|lysis|lytic|listhesis|lithiasis|phyt(?:e|es|ic)|lucen(?:cy|cies)|desis|pexy|rrh[ao]g(?:e|ic|es)|rrhea|pnea|phagi[ac]|phasi[ac]|opi[ac]"
    r"|ation(?:al|s)?|[st]ions?|itic|isms?|abl[ey]|ibl[ey]|ally|edly|ous(?:ly)?|ness|ized?|ised?|like|oid(?:al|s)?|ular(?:ity|ly)?"
    r"|ferous|form|mab|nib|statin|olol|pril|sartan|azole|mycin|cillin|oxacin|azepam|cycline|vir|prazole|parin|caine|ide|ine|ium|ase)"
)  # fmt: skip
_STARTS = re.compile(
    r"(?:sub|supra|infra|peri|para|retro|inter|intra|trans|hyper|hypo|multi|bi|tri|uni|non|pre|post|anti|pseudo|pneumo|cardio"
    r"|broncho|cholecyst|hepato|nephro|neuro|osteo|spondyl|thoraco|gastro|entero|angio|cyst|chole|micro|macro|hemi|poly|para"
    r"|mid|over|under|un|re|de|dis|extra|electro|echo|radio|ultra|endo|epi|mammo|mal|fluoro|tomo|ortho|out|hemo|hydro"
    r"|myelo|costo|acromio|glen|tibio|femoro|humero|ulno|radio|sterno|clav|atelect|tortu|calc|emphys|pneum)\w{3,}"
)
# Words of medicine that neither list has, capitalised or not: eponyms, devices, makers, drugs, jargon of scanners.
_JARGON = """
achilles addison alzheimer arnold asherman baastrup babcock baker bankart barrett barton behcet bennett billroth
blalock bochdalek boerhaave bosniak bouchard boyd brodie broca brown buerger burkitt caroli castleman chagas chance
charcot chiari chilaiditi chopart cobb codman colles conn cooper courvoisier crohn crohns cushing dandy deforme dercum
dieulafoy dobhoff dobbhoff doppler dorsalis down dressler dupuytren ebstein eisenmenger eisenmengers essex evans ewing
fabry fallot felty foley fontan forestier frank freiberg galeazzi gamna garre gartland gaucher ghon giant glenn
gleason goodpasture gorham graves grashey gustilo guyon hageman haglund hamman hampton harrington harris hartmann
hashimoto heberden heimlich henoch hermann hickman hill hirschsprung hodgkin hodgkins hoffa hoffman holstein homan
horner hounsfield huntington hurthle infuse insall jackson jefferson jones jude kaposi kartagener kawasaki kerley
kienbock killian klatskin klippel kohler krukenberg kussmaul langerhans larsen lauren legg lenke leriche lisfranc
ludloff luschka lyme maisonneuve malgaigne mallory marfan mckee meckel meniere merkel mirizzi mondor monteggia morel
morgagni morison morton murphy neer ogilvie ollier osgood osler paget pagets pancoast panner parkinson parona
pellegrini perthes peyer peyronie pott potts poupart preiser purkinje putti ranson rathke raynaud reiter retzius
riedel rieux rokitansky rolando rotter roux sachs salter savage scarpa schatzki schatzker scheuermann schlatter
schmorl schmorls schwann segond seldinger sever sjogren smith spigelian stafne stieda still sudeck swan swyer takayasu
tarlov taussig tillaux tietze todani treitz turner valsalva virchow wallenberg wartenberg weber wegener wegeners
whipple wilms wilson wolff zenker zollinger ganz port portacath portocath mediport permacath groshong broviac quinton
pigtail dobhof jejunal orogastric nasogastric picc kirschner steinmann medtronic biotronik amplatzer greenfield denver
zephyr impella bjork starr sorin omnipaque isovue visipaque optiray ultravist gadavist magnevist multihance dotarem
prohance lasix lovenox heparin coumadin tylenol motrin aspirin avastin plavix keytruda ecchymosis afebrile xxxx xray
xrays topogram scout flair mprage tirm haste dixon vibe trufi fiesta fspgr lava propel propeller blade space cube
resolve tracew trace adc dwi swi fgre fse tse stir spair fatsat thorax abdomen kopf hals becken wirbelsaule schadel
lunge herz bauch reformat recon recons coronals sagittals axials mip mips minip volumen smartprep caredose fluoro
portable decub siemens philips toshiba canon hitachi fujifilm agfa carestream kodak hologic samsung shimadzu elscint
picker marconi esaote aloka konica minolta varian mindray acuson lorad trex planmed vidar lumisys romberg babinski
sylvian sylvius galen rosenmueller rosenmuller rosenthal goldenhar patau edwards mcburney hoffmann wernicke korsakoff
lachman stener rovsing lhermitte dawson canavan creutzfeldt jakob devic leigh hallervorden spatz cowden peutz jeghers
fraumeni bertin probst budd ledderhose kager meyenburg minor hoeffel monro vater oddi treves gerota denonvilliers
douglas buck camper tenon bowman bruch descemet wharton stensen santorini wirsung cantlie couinaud morrison langer
gerdy lister pirani graf mirels garden pauwels sanders bohler mueller muller toennis tonnis crowe perkin shenton klein
bryant haas thiemann kienboeck mauclaire marcus gunn argyll robertson bell guillain barre duchenne becker klebsiella
cryptococcus cryptococcal pneumocystis jirovecii carinii staphylococcus streptococcus staph strep enterococcus
pseudomonas haemophilus legionella mycoplasma chlamydia aspergillus candida histoplasma coccidioides blastomyces
nocardia actinomyces mycobacterium tuberculosis clostridium bacteroides salmonella shigella toxoplasma toxocara
echinococcus entamoeba taenia citrobacter proteus serratia acinetobacter fusobacterium bartonella rickettsia borrelia
treponema doxorubicin cisplatin carboplatin isoniazid rifampin cytoxan gleevec humira enbrel remicade decadron
prednisone amiodarone ceftriaxone zocor zoloft lipitor synthroid albuterol claritin zyrtec advair spiriva eliquis
xarelto pradaxa gadolinium gadobutrol iohexol iodixanol iopamidol technetium thallium fluorodeoxyglucose sestamibi
sulfur xenon eosinophils lymphocytes neutrophils craniocaudal mediolateral pilocytic optica acromiale intermedius
vitrea tbili creat afib coags empyema covid sars preop postop hypoxia hypoxic rales sequela sequelae ascites emboli
thromboemboli aicd veriphy powerscribe nuance radiopaedia pubmed english spanish american african asian european
caucasian hispanic french german chinese japanese korean vietnamese christmas easter monday tuesday wednesday thursday
friday saturday sunday january february march april june july august september october november december ucum snomed
radlex loinc icdo nlm mdc scpecg umls fma srt iso ecg jpeg neuro cont comp misc prev proc abdo thor abdomenpelvis
omniscan gadovist primovist eovist ablavar iomeron imeron iopamiro solutrast xenetix lightspeed highspeed brightspeed
revolution optima discovery signa excite achieva ingenia intera panorama gyroscan brilliance iqon mx8000 aquilion
activion asteion vantage titan somatom sensation emotion definition volume zoom perspective symphony avanto espree
verio skyra aera prisma trio vida magnetom biograph ecam symbia infinia millennium precedence allegro gemini ecat
axiom artis multix ysio digitaldiagnost definium innova allura integris logiq voluson vivid sequoia epiq iu22 envisor
sonos aplio xario nemio mammomat inspiration selenia dimensions senographe mammodiagnost microdose fcr drx directview
gerd copd chf cabg aids hiv mrsa cva ards pcp bph esrd lmp iud nstemi stemi osa hcc rcc aml cml cll nhl lithiasis
"""


@cache
def known_words() -> frozenset[str]:
    """English words of four and more letters, those of the standard's attributes and codes, and jargon; lower case."""
    packed = (files("curate.deid.verify") / "data" / "english.txt.gz").read_bytes()
    english = {line for line in gzip.decompress(packed).decode().splitlines() if not line.startswith("#")}
    return frozenset(english | _standard() | set(_JARGON.split()))


@cache
def _standard() -> frozenset[str]:
    """The words of the standard's attribute names and code meanings (PS3.6, PS3.16)."""
    spoken = " ".join(str(entry[2]) for entry in DicomDictionary.values())
    for scheme in ("SCT", "DCM", "UCUM", "FMA", "UMLS", "NEU", "LN"):
        dictionary: Any = getattr(codes, scheme)
        spoken += " " + " ".join(re.findall(r"[A-Z]?[a-z]{2,}|[A-Z]{2,}", " ".join(dictionary.dir())))
    return frozenset(word.lower() for word in re.findall(r"[A-Za-z]{3,}", spoken))


def is_standard(word: str) -> bool:
    """True for a word of the standard's own vocabulary, or of medicine by its form; ``word`` in lower case."""
    return word in _standard() or _MEDICAL.fullmatch(word) is not None


@lru_cache(maxsize=65536)
def is_known(word: str) -> bool:
    """True for a word of three letters and less, a known one, its plural or possessive, a compound of known words, or
    one of medicine by its form. ``word`` in any case, of letters, hyphens and apostrophes."""
    plain = word.lower().replace("’", "'")
    for ending in ("'s", "'"):
        plain = plain.removesuffix(ending)
    if "-" in plain or "'" in plain:
        return all(is_known(part) for part in re.split(r"[-']", plain))
    if len(plain) < 4 or plain in known_words() or _MEDICAL.fullmatch(plain):
        return True
    stems = (
        plain.removesuffix(s) for s in ("s", "es", "ed", "ing", "ly", "al", "ic", "d", "r", "er", "ies", "ae", "x")
    )
    if any(
        len(stem) > 3 and stem != plain and (stem in known_words() or f"{stem}e" in known_words()) for stem in stems
    ):
        return True
    return _STARTS.fullmatch(plain) is not None and any(plain[n:] in known_words() for n in range(2, len(plain) - 3))
