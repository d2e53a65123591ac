"""Sentences of our own making, to fit the decision per word and the tagger to beside marked texts.

Frames of words/names.txt and words/clinical.txt, whose slots are filled from the product's word lists and from lists of
names (faker's locales, MIT; a made-up name now and then), in several styles: as written, all capitals, all small,
capitals everywhere, full stops forgotten, letters mistaken. No sentence of a benchmark is among them.
"""

from __future__ import annotations

import ast
import random
import re
import string
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

from curate.deid.text import features
from curate.deid.text.fold import fold_value
from curate.deid.word_lists import word_sections
from curate.deid.words import vocabulary
from curate.deid.words.vocabulary import Kind, kind

HERE = Path(__file__).parent / "words"
_CHOICE = re.compile(r"\[([^\[\]]*\|[^\[\]]*)\]")
_SLOT = re.compile(r"\{([A-Z])\}")
_SPAN = re.compile(r"\x01(.*?)\x02|\x03(\w+)\|(.*?)\x04", re.DOTALL)  # a name; what a rule masks, with its label
ANATOMY = """lung|liver|spleen|left kidney|right kidney|pancreas|aorta|heart|mediastinum|brain|cerebellum|thalamus
brainstem|left femur|right tibia|distal radius|lumbar spine|cervical spine|thoracic spine|sacrum|pelvis|left hip
right knee|ankle|shoulder|rotator cuff|supraspinatus tendon|Achilles tendon|medial meniscus|gallbladder|common bile duct
stomach|duodenum|colon|rectum|appendix|bladder|uterus|left ovary|right ovary|prostate|left breast|thyroid|trachea
left upper lobe|right lower lobe|right middle lobe|lingula|left hilum|pleura|diaphragm|ribs|sternum|clavicle|humerus
scapula|orbit|maxillary sinus|mastoid|temporal bone|skull base|sella|pituitary|corpus callosum|basal ganglia|carotid
left MCA|portal vein|hepatic veins|inferior vena cava|renal artery|celiac axis|adrenal gland|ureter|testis|epididymis
placenta|fetal spine|cord|cauda equina|conus|disc|facet joints|ligamentum flavum|crista galli|foramen magnum|nasal bone
mandible|parotid gland|larynx|tongue base|oropharynx|esophagus|peritoneum|mesentery|omentum|retroperitoneum|psoas muscle
abdominal wall|soft tissues|subcutaneous fat|bone marrow|growth plate|scaphoid|lunate|metatarsal|calcaneus|navicular"""
FINDING = """effusion|pleural effusion|pneumothorax|consolidation|opacity|nodule|mass|cyst|calcification|fracture|oedema
edema|haemorrhage|hemorrhage|infarct|stenosis|aneurysm|dissection|thrombus|embolism|collection|abscess|ascites|stone
calculus|hydronephrosis|lymphadenopathy|atelectasis|fibrosis|emphysema|bronchiectasis|cardiomegaly|hernia|obstruction
perforation|free air|free fluid|metastasis|lesion|tumour|haemangioma|polyp|diverticulosis|wall thickening|fat stranding
tear|sprain|dislocation|subluxation|osteophytes|joint space narrowing|erosion|osteopenia|scoliosis|disc bulge|herniation
canal stenosis|cord compression|midline shift|mass effect|hydrocephalus|atrophy|gliosis|demyelination
white matter change|enhancement|restricted diffusion|signal abnormality|dilatation|reflux|fibroid|adenomyosis
fetal heart motion|acute disease|foreign body|scarring|granuloma|pneumonia|infiltrate|congestion
pericardial effusion|valve calcification|varices
cirrhosis|steatosis|pancreatitis|appendicitis|cholecystitis|colitis|sinusitis|mucosal thickening|air-fluid level"""
ADJECTIVE = """small|large|mild|moderate|severe|acute|chronic|focal|diffuse|stable|new|old|healed|subtle|left|right
bilateral|displaced|comminuted|simple|complex|calcified|cystic|solid|enhancing|patchy|basal|peripheral|subsegmental|trace
tiny|lobulated|spiculated|loculated|layering|nonspecific|degenerative|postsurgical|hypodense|hyperintense|echogenic"""
EXAMS = """CT|MRI|MR|X-ray|XR|CXR|Ultrasound|US|USG|CT Chest|CT Head|CT Abdomen|CT Pelvis|MRI Brain|MRI Spine|MRI Knee
Chest X-ray|PET CT|HRCT|CTA|MRA|MRCP|Mammogram|DEXA|Fluoroscopy|Barium swallow|Doppler|Bone scan|Echo|CT Angio|MR Hip"""
SITES = """Tree|Hill|Park|Grove|Meadow|Lane|Street|Road|Bridge|Court|House|Valley|Creek|Bay|Point|Cross|Gate|Field|Water
Wood|Brook|View|Ridge|Lake|Harbour|Harbor|Springs|Green|Oaks|Moor|Falls|Farm|Place|Square|Gardens|Corner|Heights|Coast"""
HEADS = """Hospital|General Hospital|Memorial Hospital|District Hospital|Medical Center|Medical Centre|Clinic
Health Centre|Surgery|Medical Practice|Family Practice|Family Medicine|Urgent Care|Walk-in Centre|Minor Injuries Unit
Imaging|Imaging Center|Radiology|Diagnostics|Diagnostic Centre|Scan Centre|X-ray|Breast Unit|Breast Clinic|Dental|ED
Infirmary|Cancer Centre|Cancer Center|Children's Hospital|Children's|Women's|Maternity|Nursing Home|Care Home|Hospice
Rehab|Physio|Pharmacy|Orthopaedics|Heart Centre|Dialysis|Dialysis Unit|ward|Ward|Unit|Wing|Suite|House|Lodge|Court
Primary School|High School|Middle School|School|College|University|Academy|Nursery|Daycare|Farm|Mill|Quarry|Works|Depot
Bakery|Logistics|Motors|Foods|Ltd|Inc|Shipyard|Dockyard|Prison|Barracks|Brewery|Leisure Centre|Rugby Club|Station|Hotel
Nagar|Road|Street|Lane|Close|Avenue|Village|Heights|Estate|Retirement Village|University Hospital of|Urology of
Hospice of|Health|Healthcare|Medical Group|Associates|NHS Trust|Regional|Memorial|General|Base Hospital|Polyclinic"""
STARTS = """No|Mild|Moderate|Severe|Small|Large|Minimal|Acute|Chronic|Left|Right|Bilateral|Stable|Possible|Probable
Multiple|Subtle|Trace|New|Old|Normal|Without|Focal|Diffuse|Suspected|Early|Late|Interval|Few|Several|Large right"""


def _list(text: str) -> list[str]:
    return [piece for line in text.splitlines() for piece in line.split("|")]


@dataclass(frozen=True)
class Names:
    """Where names are drawn from."""

    wordlike: list[str]  # surnames that are words as well
    common: list[str]
    given: list[str]
    foreign: list[str]  # of other countries, most in no list of ours


def load_names() -> Names:
    """The census's names by frequency, and those of the installed faker's locales in Latin letters."""
    folder = Path(str(files("faker")))
    surnames = list(vocabulary._list("surnames"))
    wordlike = [w for w in surnames if kind(w) & Kind.KNOWN and len(w) > 2 and w not in features.roles.PROTECTED]
    foreign: set[str] = set()
    for path in sorted(folder.glob("providers/person/*/__init__.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                for piece in re.split(r"[\s-]+", fold_value(node.value)):
                    if re.fullmatch(r"[A-Z][a-z]{2,}(?:'[A-Z][a-z]+)?", piece):
                        foreign.add(piece.lower())
    strange = sorted(w for w in foreign if not kind(w) & (Kind.KNOWN | Kind.EPONYM))
    return Names(wordlike, surnames[:20000], list(vocabulary._list("given")), strange)


class Maker:
    """Makes texts: `text` gives one and where its names stand."""

    def __init__(self, names: Names, seed: int) -> None:
        self.r, self.names = random.Random(seed), names
        read = [(HERE / f"{kind}.txt").read_text().splitlines() for kind in ("names", "clinical")]
        self.name_frames, self.clinical_frames = ([s for s in lines if s and s[0] != "#"] for lines in read)
        sections, eponyms = word_sections("radiology"), word_sections("eponyms")
        self.medical = sorted(w for w in sections["medical"] if len(w) > 3 and not kind(w) & Kind.NAME)
        self.large = sorted(w for w in vocabulary._list("medical") if len(w) > 4)
        self.short = sorted(w for w in sections["short"] if 1 < len(w) < 7)
        self.plain = sorted(w for w in vocabulary._list("general") if len(w) > 3)
        self.eponyms = sorted(eponyms["free"] | eponyms["bound"])
        self.places = sorted(features.roles.PLACES | word_sections("places")["places"])
        self.towns = [w for w in vocabulary._list("towns") if len(w) > 3]
        self.nouns = sorted(eponyms["nouns"])
        self.drugs = [
            w for w in self.large if re.search(r"(?:mab|ine|ol|ide|ate|in|one|pril|tan|azole|cillin|nib)$", w)
        ]

    # -- names
    def surname(self) -> str:
        r, x = self.r, self.r.random()
        if x < 0.33:
            word = r.choice(self.names.wordlike)
        elif x < 0.42:
            word = r.choice(self.medical if r.random() < 0.5 else self.plain)  # whatever it means
            if word in features.roles.PROTECTED or word in features.roles.HUMANS:
                word = r.choice(self.names.wordlike)
        elif x < 0.62:
            word = self.names.common[int(len(self.names.common) * r.random() ** 3)]
        elif x < 0.90:
            word = r.choice(self.names.foreign)
        else:
            word = self.invented()
        form = word.title().replace("'S", "'s")
        if r.random() < 0.06:
            form = f"{form}-{r.choice(self.names.common if r.random() < 0.5 else self.names.foreign).title()}"
        if r.random() < 0.02:
            form = r.choice(["O'", "Mc", "van ", "de ", "Al-", "D'"]) + form
        return form

    def invented(self) -> str:
        """A name that no list holds: the beginning of one and the end of another."""
        one, other = self.r.choice(self.names.foreign), self.r.choice(self.names.foreign)
        return one[: self.r.randint(2, 5)] + other[-self.r.randint(2, 4) :]

    def given(self) -> str:
        pool = self.names.given if self.r.random() < 0.6 else self.names.foreign
        name = self.r.choice(pool).title()
        if self.r.random() < 0.06:
            name += (
                "-"
                + self.r.choice(["en", "li", "wei", "ming", "marie", "hui", "jun", "anne", "luc", "yu", "chin"]).title()
            )
        return name

    def person(self) -> str:
        r, x = self.r, self.r.random()
        last = self.surname()
        if x < 0.5:
            form = last
        elif x < 0.62:
            form = self.given()
        elif x < 0.82:
            form = f"{self.given()} {last}"
        elif x < 0.88:
            form = f"{r.choice(string.ascii_uppercase)}. {last}"
        elif x < 0.91:
            form = f"{last} {r.choice(string.ascii_uppercase)}"
        elif x < 0.95:
            form = f"{last}, {self.given()}"
        elif x < 0.97:
            form = f"{self.given()} {r.choice(string.ascii_uppercase)}. {last}"
        else:
            form = f"{self.given()} {last} {self.surname()}"
        return f"\x01{form}\x02"

    def town(self) -> str:
        r, x = self.r, self.r.random()
        if x < 0.65:
            return r.choice(self.towns if x > 0.15 else self.places).title()
        place = self.surname().lower()
        endings = ["", "ville", "ton", "bury", "pur", "abad", "ham", "field", "burg", "combe", " Beach", " Hill"]
        before = r.choice(["", "", "", "Port ", "Mount ", "North ", "New ", "St ", "Fort ", "Lake "])
        return before + (place + r.choice(endings)).title()

    def site(self) -> str:
        """A named place as reports have it: of care, of learning, of work, of living."""
        r = self.r
        name = self.town() if r.random() < 0.45 else self.surname().split("-")[0]
        if r.random() < 0.25:
            name = (
                r.choice(["St ", "St. ", "Saint ", "Our Lady of ", "Mount ", "Royal ", "Sri ", "New ", "Old ", "The "])
                + name
            )
        elif r.random() < 0.2:
            name = f"{r.choice(self.plain).title()} {r.choice(_sites())}"  # "Holly Tree", "Patient Grove"
        name += "'s" if r.random() < 0.12 else ""
        head = r.choice(_heads())
        form = f"{head} {name}" if head.endswith(" of") else f"{name} {head}" if r.random() < 0.85 else name
        x = r.random()
        if x < 0.12:
            form += f", {self.town()}"
        elif x < 0.18:
            form += f" {r.choice(['ED', 'OPD', 'ICU', 'A&E', 'HDU', 'MAU', 'radiology', 'ward', 'theatre'])}"
        elif x < 0.22:
            form += f" {r.randint(1, 30)}"
        return f"the {form}" if x > 0.95 else form

    def masked(self, which: str) -> str:
        """What a rule masks: a place, a day or a time, a number; written out, or gone already."""
        r = self.r
        digits = "".join(r.choices(string.digits, k=8))
        if which == "Z":
            street = f"{digits[:3]} {self.surname()} {r.choice(['Street', 'Road', 'Ave', 'Nagar', 'Close'])}"
            label, form = r.choice([("ADDRESS", street), ("FACILITY", self.site()), ("ADDRESS", f"{digits[:2]}B")])
        elif which == "U":
            day = f"{r.randint(1, 12)}/{r.randint(1, 28)}"
            label, form = r.choice(
                [
                    ("DATE", day),
                    ("DATE", f"{day}/{r.randint(2009, 2024)}"),
                    ("DATE", f"{r.randint(1, 28)} March {r.randint(2009, 2024)}"),
                    ("TIME", f"{r.randint(10, 23)}{r.choice([':', '.', ''])}{r.randint(10, 59)}"),
                    ("AGE", str(r.randint(90, 104))),
                ]
            )
        else:
            forms = [f"{digits[:3]}-{digits[3:7]}", digits[:6], f"{digits[:4]}", f"A{digits}", f"x{digits[:4]}"]
            label, form = r.choice(["ID", "PHONE", "EMAIL"]), r.choice(forms)
        return f"\x03{label}|{form if r.random() < 0.6 else features.BARRIER}\x04"

    # -- what is no name
    def misspelt(self, word: str) -> str:
        r = self.r
        for _ in range(1 if r.random() < 0.75 else 2):
            i = r.randrange(1, len(word) - 1) if len(word) > 3 else 1
            how = r.random()
            if how < 0.3:
                word = word[:i] + word[i + 1 :]
            elif how < 0.5:
                word = word[:i] + word[i] + word[i:]
            elif how < 0.75:
                word = word[:i] + word[i + 1 : i + 2] + word[i] + word[i + 2 :]
            else:
                word = word[:i] + r.choice("aeiouymnrstl") + word[i + 1 :]
        return word

    def medical_word(self) -> str:
        return self.r.choice(self.medical if self.r.random() < 0.6 else self.large)

    def clipped(self) -> str:
        """A word of medicine as telegrams cut it: "hemang", "effus", "sten"."""
        r = self.r
        word = r.choice(_findings() if r.random() < 0.4 else _anatomy() if r.random() < 0.5 else self.medical)
        word = word.split()[-1]
        x = r.random()
        if x < 0.35:
            return word
        if x < 0.55:
            return self.abbreviation() if r.random() < 0.5 else self.abbreviation().lower()
        cut = word[: r.randint(3, max(3, min(7, len(word) - 1)))]
        return cut.capitalize() if r.random() < 0.15 else cut

    def abbreviation(self) -> str:
        r = self.r
        if r.random() < 0.5:
            return r.choice(self.short).upper()
        return "".join(r.choices("BCDFGHKLMNPQRSTVWXZ" * 3 + "AEIOU", k=r.choice([2, 3, 3, 4, 4, 5])))

    def finding(self) -> str:
        r = self.r
        if r.random() < 0.15:
            noun = self.misspelt(self.medical_word()) if r.random() < 0.4 else self.medical_word()
        else:
            noun = r.choice(_findings())
        return f"{r.choice(_adjectives())} {noun}" if r.random() < 0.6 else noun

    def slot(self, which: str, depth: int) -> str:
        r = self.r
        if which == "P":
            return self.person()
        if which == "L":
            return f"\x01{self.surname()}\x02"
        if which == "F":
            return f"\x01{self.given()}\x02"
        if which == "D":
            title = r.choice(["Dr.", "Dr", "DR", "Mr.", "Mrs.", "Ms", "Prof.", "Nurse", "Sister", "Dr. ", "Miss"])
            return f"{title} \x01{self.surname()}\x02"
        if which == "R":
            letters = "".join(r.choices(string.ascii_uppercase, k=r.choice([2, 3])))
            return f"\x01{'.'.join(letters) + '.' if r.random() < 0.3 else letters}\x02"
        if which == "H":
            return f"\x01{self.surname()} {r.choice(['General', 'Memorial', 'Community', 'Regional'])} Hospital\x02"
        if which == "X":
            return self.finding()
        if which == "A":
            form = r.choice(_anatomy()) if r.random() < 0.85 else self.medical_word()
            x = r.random()
            return form.title() if x < 0.12 else form.capitalize() if x < 0.2 else form
        if which == "E":
            return f"{r.choice(self.eponyms).title()}{r.choice(['', '', chr(39) + 's'])} {r.choice(self.nouns)}"
        if which == "O":
            return r.choice(self.eponyms).title()
        if which == "B":
            return self.abbreviation()
        if which == "M":
            return self.misspelt(self.medical_word())
        if which == "G":
            word = r.choice(self.drugs) if r.random() < 0.7 else self.misspelt(r.choice(self.drugs))
            return word.title() if r.random() < 0.4 else word
        if which == "T":
            return r.choice(_exams())
        if which == "W":
            return f"\x01{self.town()}\x02"
        if which in "ZUJ":
            return self.masked(which)
        if which == "K":
            return r.choice(
                ["SpR", "SHO", "reg", "cons", "radiology", "urology", "MD", "RN", "ED", "the wife", "mother", "ward 4"]
            )
        if which == "Q":
            return self.clipped()
        if which == "N":
            return r.choice(["{} mm", "{} cm", "{}mm", "{}.4 cm", "{} x 12 mm", "{}", "{} ml", "{}%", "{} HU"]).format(
                r.randint(1, 90)
            )
        if which == "V":
            return r.choice(_starts())
        return self.fill(r.choice(self.clinical_frames), depth + 1)

    def fill(self, frame: str, depth: int = 0) -> str:
        while (hit := _CHOICE.search(frame)) is not None:
            frame = frame[: hit.start()] + self.r.choice(hit[1].split("|")) + frame[hit.end() :]
        if depth > 2:
            frame = frame.replace("{C}", "{X} of the {A}.")
        text = _SLOT.sub(lambda hit: self.slot(hit[1], depth), frame)
        first = re.match(r"[a-z]", text)
        return text[:1].upper() + text[1:] if first else text

    def prose(self) -> str:
        """Plain English words, so that a word of no report is no name by that."""
        words = [self.r.choice(self.plain) for _ in range(self.r.randint(3, 7))]
        small = self.r.choice(["the", "a", "and", "of", "with", "was", "is", "to"])
        words.insert(self.r.randrange(len(words)), small)
        return " ".join(words).capitalize() + "."

    def text(self) -> tuple[str, list[tuple[int, int]], list[tuple[int, int, str]]]:
        """A text, the (start, end) of its names, and those of what is masked already, with their labels."""
        r = self.r
        parts = []
        for _ in range(r.randint(1, 5)):
            x = r.random()
            frames = self.name_frames if x < 0.42 else self.clinical_frames
            parts.append(self.prose() if x > 0.95 else self.fill(r.choice(frames)))
        text = r.choice([" ", " ", " ", "\n", "  "]).join(parts)
        style = r.random()
        if style < 0.22:
            text = text.upper()
        elif style < 0.44:
            text = text.lower()
        elif style < 0.47:
            text = re.sub(r"\b[a-z]{4,}", lambda hit: hit[0].capitalize(), text)
        elif style < 0.54:
            text = re.sub(r"\.(?=\s)", "", text)
        elif style < 0.57:
            text = re.sub(r"\. ", r.choice([".", " . ", ", ", "; "]), text)
        return marked(text)


def marked(text: str) -> tuple[str, list[tuple[int, int]], list[tuple[int, int, str]]]:
    """A text without its marks, and where they stood: its names, and what is masked already."""
    names: list[tuple[int, int]] = []
    masked: list[tuple[int, int, str]] = []
    plain: list[str] = []
    at = size = 0
    for hit in _SPAN.finditer(text):
        inside = hit[1] if hit[2] is None else hit[3]
        plain += [text[at : hit.start()], inside]
        size += hit.start() - at
        end = size + len(inside)
        if hit[2] is None:
            names.append((size, end))
        else:
            masked.append((size, end, hit[2].upper()))
        size, at = end, hit.end()
    return "".join([*plain, text[at:]]), names, masked


_anatomy, _findings, _adjectives, _exams, _starts, _sites, _heads = (
    cache(lambda text=text: _list(text)) for text in (ANATOMY, FINDING, ADJECTIVE, EXAMS, STARTS, SITES, HEADS)
)
