"""The guards of the rules in `rules`, `dates`, `names`, `contacts` and `seasons`, in the order of their patterns."""

from __future__ import annotations

from curate.deid.text.glance import CODES, DIGITS_FIRST, guard

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
_OLD = "ninety hundred noventa quatre neunzig"

RULES = (
    guard(signs="@"),
    guard(signs=":// www. WWW. Www."),
    guard(signs=".c .o .n .e .g .i .h .u .a .f .j .l .C .O .N .E .G .I .H .U .A .F .J .L"),
    guard(numbers=r"\d\.\d+\.\d", led="digits"),
    guard(numbers=r"\d\.\d+\.\d", led="digits"),
    guard(numbers=r"\d[:-]"),
    guard(numbers=r"\d-\d\d-\d", led="digits"),
    guard(numbers=r"\d{4}[ -]\d{4}", led="digits"),
    guard(words=_IDS, led="words"),
    guard(signs="#"),
    CODES,
    guard(numbers=r"\d{6}", led="digits"),
    guard("phone tel telephone fax pager beeper mobile cell ext extension call contact reached whatsapp", led="words"),
    guard(numbers=r"\d\)?[\s.-]{1,2}\d{3}", led="digits"),
    guard(signs="+ (", numbers=r"\+", led="digits"),
    guard(numbers=r"\d{3}-\d{4}", led="digits"),
    guard(numbers=r"\d\d-\d\d+-\d", led="digits"),
    guard(numbers=r"\d:\d\d", led="digits"),
    DIGITS_FIRST,
    guard(numbers=r"\d{4}", led="digits"),
    DIGITS_FIRST,
    guard(_OLD, signs="neunzig NEUNZIG Neunzig"),
    DIGITS_FIRST,
    guard("age aged edad", led="words"),
    guard(signs="narian NARIAN Narian nari NARI"),
    guard("ninetieth", led="words"),
    guard("his her their patient", led="words"),
    guard("age aged edad", led="words"),
    DIGITS_FIRST,
    guard("apt apartment suite ste po p box"),
    guard(numbers=r"\d{5}"),
    guard(numbers=r"\d{5}"),
)
_TRIPLE = r"\d\s?[-/.]\s?\d{1,2}\s?[-/.]\s?\d"
DATES = (
    guard(numbers=_TRIPLE, led="digits"),
    guard(numbers=_TRIPLE, led="digits"),
    guard(numbers=r"\d\.\s?\d{1,2}\.\s?\d", led="digits"),
    guard(numbers=r"\d\d\.\d\d\.\d\d", led="digits"),
    guard(_MONTHS),
    guard(_MONTHS, led="words"),
    guard(_MONTHS),
    guard(numbers=r"\d{8}", led="digits"),
    guard(signs="年"),
    guard(signs="年"),
    guard(signs="年 月"),
    guard(_MONTHS, led="words"),
    guard(numbers=r"\d\s?[-/]\s?\d{4}", led="digits"),
    guard(numbers=r"\d{4}-\d", led="digits"),
)
BIRTH = guard(
    """d dob born birth birthdate birthday birthyear b bdate f nac fecha nacido nacida nacimiento nacio geb geboren
geburtsdatum ne nee
    naissance nato nata nascido nascida nascita nascimento fodt рождения рожд род родился родилась дата д""",
    signs="birth Birth BIRTH born Born nac NAC Nac geb Geb GEB ро РО Ро 生 出 생",
)  # fmt: skip
YEARLESS = (guard(_MONTHS, led="words"), guard(_MONTHS))
LED = guard(
    """on date dated from since of until through exam study film radiograph radiographs ct mr mri prior dob admitted
seen compared
    performed obtained done taken
    comparison comparisons compare compares comparing comparable comparative comparatively comparably""",
    led="words",
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
DEGREE = guard("m md d do mbbs mbchb ph phd r rn pa crnp arnp np frcr facr frcpc rdms rt dds dpm")
TITLE = guard("dr drs doctor doctors professor prof mr mrs ms miss mx sr sra dra nurse sister rev", led="words")
FACILITY = guard(
    """hospital hospitals medical clinic infirmary health healthcare imaging cancer hospice nursing surgery
university sanatorium polyclinic
    radiology med trauma diagnostics laboratory laboratories pharmacy"""
)

COPIED = guard("cc copies copy", led="words")
FIRM = guard("son sons daughter daughters bros brothers co company partners ltd llc llp gmbh pllc plc inc")

_PAGER = """pager pagers paged beeper bleep bleeps bleeped page ext extension extn vocera spectralink ascom dect voalte
phone tel telephone
fax cell mobile ph call called dial reach reached contact contacted ring text texted hotline line"""
CONTACTS = (
    guard(_PAGER, led="words"),
    guard("x", led="words"),
    guard(signs="* #", led="words"),
    guard(numbers=r"00", led="digits"),
    guard(numbers=r"0\d\d", led="digits"),
    guard(numbers=r"\d\)?[\s./-]{1,2}\d{3}", led="digits"),
    guard(numbers=r"\d{3}[ .-]\d{4}", led="digits"),
    guard(signs="+", led="words"),
    CODES,
    CODES,
    guard(
        """room rm bed bay cubicle ward suite ste apt apartment flat floor unit bldg building house pod station theatre
clinic
        zip postcode plz""",
        led="words",
    ),
    DIGITS_FIRST,
    DIGITS_FIRST,
    guard("at around by approximately about time since until till from to before after", signs="@", led="words"),
    guard(numbers=r"\d[.:]\d", led="digits"),
    guard("quarter half ten five twenty", led="words"),
    guard("a b c d e f g h i j k l m n o p q r s t u v w x y z", led="words"),
    guard(signs="/ :"),
    guard("initial initials typed transcribed tech rad signed initialled initialed", led="words"),
    DIGITS_FIRST,
    guard("""serial s sn lot model ref udi device batch asset implant pin badge employee license room""", led="words"),
    CODES,
    CODES,
)
_WEEKDAYS = ["mon", "tues", "wednes", "thurs", "fri", "satur", "sun"]
SEASONS = (
    guard(_MONTHS, led="words"),
    guard(_MONTHS, led="words"),
    guard("march may", led="words"),
    guard(_MONTHS, led="words"),
    guard(_MONTHS),
    guard(_MONTHS, led="words"),
    guard("q quarter half"),
    guard("spring summer fall autumn winter"),
    guard("spring summer fall autumn winter"),
    guard(
        """christmas xmas thanksgiving easter halloween hanukkah ramadan passover diwali eid epiphany pentecost boxing
labor labour
        memorial independence veterans presidents columbus canada australia anzac bank mother father new
valentine valentines
        patrick patricks good fourth th juneteenth martin mlk guy midsummer"""
    ),
    guard(" ".join(f"{day}day {day}days" for day in _WEEKDAYS), led="words"),
    guard(numbers=r"\d{4}", led="digits"),
    guard(signs="'"),
    guard(numbers=r"\d/\d", led="digits"),
    guard(numbers=r"\d[-/]\d", led="digits"),
    guard(numbers=r"\d/\d", led="digits"),
    guard(numbers=r"\d/\d", led="digits"),
)
