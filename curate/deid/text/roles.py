"""The words that tell people and places from other things, by the side of which they stand; in lower case."""

from __future__ import annotations


def words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Before a name.
TITLES = words(
    """
    dr drs mr mrs ms miss mx prof professor doctor nurse sister rev fr sir madam dame rn
    """
)
# What people do: the verb behind a name.
ACTS = words(
    """
    feels thinks believes notes noted saw sees agree agrees agreed call calls called notified aware state states
    stated say says said inform informed page paged confirm confirms confirmed acknowledge acknowledges acknowledged
    verbalized requested requests ordered orders ask asks asked performed reviewed read signed dictated interpreted
    concur concurs concurred discussed spoke attended accompanied visited brought told telephoned phoned wrote
    recommends recommended felt wants wanted drove acknowledging assisted supervised reported verified approved
    consented declined mentioned answered arrived
    """
)
# What people are, behind one of IS.
STATES = words(
    """
    aware notified called informed present contacted paged told advised consulted available updated reached asked
    phoned unavailable happy satisfied unable able sure away off covering scrubbed here there made given seen by
    follow arrange call review discuss see contact inform notify order request speak sign email dictate attend
    """
)
IS = words(
    """
    is was were has had will and be been are from at who also then to wants
    """
)
# Of these, only people are the subject: "Stone asked", though a stone may be "reported".
TOLD_OF = words(
    """
    notified informed told contacted paged aware phoned advised unavailable
    """
)
BELONGINGS = words(
    """
    note notes request film films report office clinic team exam opinion review question practice
    """
)
SURELY = ACTS - words(
    """
    read performed reviewed reported discussed requested ordered confirmed confirms approved verified supervised felt
    state states acknowledged call calls page paged signed notified dictated attended wrote interpreted
    """
)
# Cities that are words of reports, masked wherever they are capitalised inside a sentence.
PLACES = words(
    """
    mobile reading bath orange cork nice split buffalo phoenix boulder aurora surprise independence champaign flint
    deal sandwich rugby hull derby bend concord salem media normal nome erie troy mesa corona buckeye defiance union
    enterprise paradise eden plains rapids falls hot springs poole rhyl crewe ware wells cupar ayr perth lima fargo
    """
)
# What the names of hospitals and towns are made of.
OF_PLACES = words(
    """
    general united memorial regional community royal university central national county district city valley northern
    southern eastern western north south east west sacred heart trust college infirmary institute centre center group
    partners associates clinic hospital practice surgery imaging radiology diagnostics medical health care foundation
    """
)
# What is done with, by or to someone, before one of LINKS.
TOLD = words(
    """
    discussed spoke spoken called paged reviewed reported communicated relayed conveyed faxed signed read dictated
    ordered requested performed interpreted told phoned verified approved seen examined referred accompanied sent
    given conferred consulted placed obtained up asked attended supervised assisted brought notified texted emailed
    """
)
LINKS = words(
    """
    with to by per from for via cc attn and of
    """
)
# Before a name, at the head of a sentence too.
LEADS = words(
    """
    per by from with via as
    """
)
KIN = words(
    """
    mother father wife husband son daughter brother sister spouse partner aunt uncle friend
    """
)


# Words of reports that are often capitalised inside a sentence.
CAPITALS = words(
    """
    impression findings finding indication indications technique comparison clinical history exam examination study
    report image images series figure table grade stage type department emergency room intensive care unit operating
    service radiologist physician attending resident surgeon nurse patient reason information recommendation
    recommendations conclusion addendum procedure protocol contrast dose view views section page note order diagnosis
    result results part parts name date time sign signs score classification category level class left right upper
    lower middle anterior posterior lateral medial superior inferior frontal portable single two three normal none
    unchanged stable mild moderate severe small large acute chronic old new prior current total north south male
    female
    """
)
# Before a number these are no one: "Day 9".
COUNTED = words(
    """
    day days group phase figure fig chem film week level point part panel case zone row
    """
)
# Between the parts of a name, in small letters.
PARTICLES = words(
    """
    van von der den ter ten de di da do dos das du del della la le las los san st al el bin ibn ben abu ap af av zu
    zur
    zum y e mac mc ni nic ui ua bint
    """
)
# Behind a name at the head of a sentence: what only people do.
HUMANLY = words(
    """
    tripped fell wishes wished says said tolerated tolerates refused refuses declined declines lives lived denies
    denied
    complains complained drove walked slipped smokes smoked thinks believes asked asks agreed agrees insisted insists
    claims claimed recalls remembers consented admits
    """
)
# Behind one of HAVING: what only people are, or are able to.
HAVING = words("was is has had will could cannot can would")
HUMAN_STATES = words(
    """
    unable able unwilling willing afraid scared anxious calm upset cooperative uncooperative confused tearful pleasant
    combative aware happy satisfied agreeable reluctant nervous tired told informed bring return drive come attend
    agreed
    declined refused consented walked fallen complained accompanied dizzy asleep awake claustrophobic hesitant lie
    hold
    tolerate sit stand remember speak recall breathe travelled traveled
    """
)
# Words that begin a sentence before a name without being its first half.
OPENERS = words(
    """
    per patient called told spoke discussed seen read by from with via as dear thanks thank attending coach
    interpreter
    technologist radiographer sonographer teacher driver employer neighbor neighbour friend cousin uncle aunt niece
    nephew
    grandmother grandfather son daughter brother sister mother father husband wife partner colleague consultant fellow
    resident registrar surgeon physician pharmacist midwife nurse doctor professor dictated signed reviewed approved
    verified transcribed prior previous outside compared comparison note history regards best sincerely cc attn
    attention
    sent requested referred performed dr mr mrs ms miss prof sir madam known transferred images films film study scan
    chest clinic hospital practice office copy copies fax call page paged contact address now please also only both
    same
    """
)
