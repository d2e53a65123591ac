"""The guards of the rules in `rules`, `dates`, `names`, `contacts` and `seasons`, in the order of their patterns."""

from __future__ import annotations

from curate.deid.text.needs import CODES, guard

_MONTHS = """jan january janvier januar ene enero feb february febrero februar fevr fevrier fev mar march marzo mars
marz
maerz apr april abr abril avril avr may mayo mai jun june juni junio juin jul july juli julio juillet juil
aug august ago
agosto aout sep sept september septiembre septembre set setiembre oct october octubre octobre okt oktober nov
november
noviembre novembre dec december decembre dic diciembre dez dezember"""
_IDS = """mrn m medical med mr accession acc patient pat pid ssn nhs chi nhc cip nass encounter account acct visit
order exam
study req requisition policy member license licence dea npi serial s passport unit chart file case hospital
record job
document doc dictation specimen badge insurance id i"""
_AGES = r"(?<![\d.])(?:9\d|1[0-4]\d)(?!\d)"
_GAPPED = r"\d\)?[\s./-]{1,2}\d{3}"
_GAPS = " ".join(f"0{end}{one}{other}000" for end in ("", ")") for one in ("", *"./-") for other in ("", *"./-"))
_OLD = "ninety hundred noventa quatre neunzig"
_STREETS = """street st avenue ave av road rd lane ln drive dr boulevard blvd court ct way place pl terrace ter parkway
pkwy highway hwy circle cir square sq trail trl close crescent cres mews row alley plaza"""
_WAYS = f"""{_STREETS} str gardens grove hill park green walk rise view quay wharf gate loop run pike bend ridge heights
end vale meadow meadows path crossing point landing"""
_STATES = """ak al ar az ca co ct dc de fl ga hi ia id il in ks ky la ma md me mi mn mo ms mt nc nd ne nh nj nm nv ny oh
ok or pa pr ri sc sd tn tx ut va vi vt wa wi wv wy"""

RULES = (
    guard(signs="@"),
    guard(signs=":// www. WWW. Www."),
    guard(signs=".", like=r"\.(?i:com|org|net|edu|gov|info|io|health|hospital|uk|ca|au|fr|nl|jp|lk|eu)\b"),
    guard(shapes="0.", also=r"\d\.\d+\.\d", led="digits"),
    guard(shapes="0.", also=r"\d\.\d+\.\d", led="digits"),
    guard(shapes="0: 0-", like=r"[:-]..[:-]..[:-]..[:-]..[:-]"),
    guard(shapes="0-00-0", led="digits"),
    guard(shapes="00000000 0000-0000", led="digits"),
    guard(words=_IDS, led="words", also=r"\d"),
    guard(signs="#"),
    CODES,
    guard(shapes="000000", led="digits", also=r"\d{6}"),
    guard(
        "phone tel telephone fax pager beeper mobile cell ext extension call contact reached whatsapp",
        led="words",
        also=r"\d",
    ),
    guard(shapes=_GAPS, led="digits", also=_GAPPED),
    guard(signs="+ (", led="digits"),
    guard(shapes="000-0000", led="digits"),
    guard(shapes="00-00", led="digits"),
    guard(shapes="0:00", led="digits"),
    guard("am pm m", led="digits"),
    guard("h hr hrs hour hours", led="digits", also=r"\d{4}"),
    guard(shapes="00", led="digits", also=_AGES),
    guard(_OLD, signs="neunzig NEUNZIG Neunzig"),
    guard(shapes="00", led="digits", also=_AGES),
    guard("age aged edad", led="words"),
    guard(signs="narian NARIAN Narian nari NARI"),
    guard("ninetieth", led="words"),
    guard("his her their patient", led="words"),
    guard("age aged edad", led="words", also=_AGES),
    guard(_STREETS, led="digits"),
    guard("apt apartment suite ste po p box", also=r"\d"),
    guard(_STATES, also=r"\d{5}", like=r",\s+[A-Z]{2}\s+\d"),
    guard(_STATES, led="words", also=r"\d{5}"),
)
_TRIPLE = "0-0- 0-00- 0/0/ 0/00/ 0.0. 0.00."
DATES = (
    guard(shapes=_TRIPLE, led="digits"),
    guard(shapes=_TRIPLE, led="digits"),
    guard(shapes="0.0.0 0.00.0", led="digits"),
    guard(shapes="00.00.00", led="digits"),
    guard(_MONTHS, led="digits"),
    guard(_MONTHS, led="words", also=r"\d"),
    guard(_MONTHS, led="digits"),
    guard(shapes="00000000", led="digits"),
    guard(signs="年"),
    guard(signs="年"),
    guard(signs="年 月"),
    guard(_MONTHS, led="words", also=r"\d{4}"),
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
YEARLESS = (guard(_MONTHS, led="words", also=r"\d"), guard(_MONTHS, led="digits"))
LED = guard(
    """on date dated from since of until through exam study film radiograph radiographs ct mr mri prior dob admitted
seen compared
    performed obtained done taken
    comparison comparisons compare compares comparing comparable comparative comparatively comparably""",
    led="words",
    also=r"\d[-/]\d",
)

SIGNED = guard(
    """electronically digitally preliminarily final finally signed esigned cosigned e co dictated transcribed
authenticated typed attested countersigned finalized finalised verified approved""",
    led="words",
)
BY = guard(
    """interpreted reported read reviewed performed ordered requested referred entered prepared released supervised
examined seen scanned
    acquired evaluated""",
    led="words",
)
USER = guard("marked annotated labeled labelled flagged uploaded saved edited entered logged", led="words")
FIELD = guard(
    """patient name surname first last referring ordering attending requesting primary reading interpreting
admitting family physician doctor
    provider radiologist technologist technician tech resident fellow consultant surgeon transcriptionist
clinician sonographer supervisor
    analyst nurse therapist paramedic cc attn attention dear from to nombre apellidos medico paciente report
initials""",
    led="words",
)
TOLD = guard(
    """discussed communicated conveyed relayed called spoke spoken speaking telephoned paged phoned reviewed faxed
reported notified informed
    contacted cc mother father wife husband son daughter brother sister spouse guardian caregiver named nurse
paramedic technician
    technologist attendant therapist sonographer radiographer physician supervisor""",
    led="words",
)
DEGREE = guard(
    "m md d do mbbs mbchb ph phd r rn pa crnp arnp np frcr facr frcpc rdms rt dds dpm", led="before", reach=5
)
TITLE = guard("dr drs doctor doctors professor prof mr mrs ms miss mx sr sra dra nurse sister rev", led="words")
FACILITY = guard(
    """hospital hospitals medical clinic infirmary institute health healthcare imaging cancer hospice nursing surgery
university sanatorium polyclinic
    radiology med trauma diagnostics laboratory laboratories pharmacy""",
    led="before",
    reach=7,
)

PATIENT = guard("pt patient", led="words")
COPIED = guard("cc copies copy", led="words")
FIRM = guard(
    "son sons daughter daughters bros brothers co company partners ltd llc llp gmbh pllc plc inc",
    led="before",
    reach=9,
)

_PAGER = """pager pagers paged beeper bleep bleeps bleeped page ext extension extn vocera spectralink ascom dect voalte
phone tel telephone
fax cell mobile ph call called dial reach reached contact contacted ring text texted hotline line"""
CONTACTS = (
    guard(_PAGER, led="words", also=r"\d"),
    guard("x", led="words", also=r"\d\d\d"),
    guard(signs="* #", led="words"),
    guard(shapes="00", led="digits", also=r"00"),
    guard(shapes="000", led="digits", also=r"(?<!\d)0\d\d"),
    guard(shapes=_GAPS, led="digits", also=_GAPPED),
    guard(shapes="0000000 000.0000 000-0000", led="digits", also=r"\d{3}[ .-]\d{4}"),
    guard(signs="+", led="words"),
    CODES,
    CODES,
    guard(
        """room rm bed bay cubicle ward suite ste apt apartment flat floor unit bldg building house pod station theatre
clinic
        zip postcode plz""",
        led="words",
        also=r"\d",
    ),
    guard(_WAYS, led="digits"),
    guard("h", led="digits"),
    guard(
        "at around by approximately about time since until till from to before after",
        signs="@",
        led="words",
        also=r"\d\d[.:]?\d\d",
    ),
    guard("am pm m hr hrs hours h uhr z", led="digits", also=r"\d[.:]\d"),
    guard("quarter half ten five twenty", led="words"),
    guard(signs=".", like=r"\.[ -]?[A-Z]\."),
    guard(signs="/ :", like=r"[/:]\s?[a-z]{2,4}\s*(?:$|[\n.;])"),
    guard("initial initials typed transcribed tech rad signed initialled initialed", led="words"),
    guard(shapes="00", led="digits", also=_AGES),
    guard(
        "serial s sn lot model ref udi device batch asset implant pin badge employee license room",
        led="words",
        also=r"\d",
    ),
    CODES,
    CODES,
)
_WEEKDAYS = ["mon", "tues", "wednes", "thurs", "fri", "satur", "sun"]
SEASONS = (
    guard(_MONTHS, led="words"),
    guard(_MONTHS, led="words"),
    guard("march may", led="words"),
    guard(_MONTHS, led="words"),
    guard(_MONTHS, led="digits"),
    guard(_MONTHS, led="words", also=r"\d"),
    guard("q quarter half", also=r"\d"),
    guard("early mid late spring summer fall autumn winter", led="words", also=r"\d"),
    guard("spring summer fall autumn winter"),
    guard(
        """christmas xmas thanksgiving easter halloween hanukkah ramadan passover diwali eid epiphany pentecost boxing
labor labour
        memorial independence veterans presidents columbus canada australia anzac bank mother father new
valentine valentines
        patrick patricks st good fourth juneteenth martin mlk guy midsummer""",
        signs="4th 4TH 4Th",
        led="words",
    ),
    guard(" ".join(f"{day}day {day}days" for day in _WEEKDAYS), led="words"),
    guard(shapes="0000", led="digits", also=r"19[2-9]\d|20[0-4]\d"),
    guard(signs="'", led="words", also=r"\d\d"),
    guard(shapes="0/0", led="digits"),
    guard(shapes="0-0 0/0", led="digits", also=r"[01]\d[-/][0-3]\d"),
    guard(shapes="0/0", led="digits"),
    guard(shapes="0/0", led="digits"),
)
