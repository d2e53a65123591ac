"""The words that tell people and places from other things, by the side of which they stand; in lower case."""

from __future__ import annotations


def words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Before a name.
TITLES = words(
    """
    dr drs mr mrs ms miss mx prof professor doctor nurse sister rev fr sir madam dame rn pt
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
# What stands beside the name of a place as a part of it: kinds of house, department, road, firm, states in short.
PARTS_OF_PLACES = OF_PLACES | words(
    """
    hospitals clinics centers unit ward nhs ed er opd icu hdu nicu picu micu sicu ccu cvicu itu amu mau sau miu pacu
    resus school academy house home lodge nursing daycare nursery diagnostic diag dental ultrasound scan scans usg xray
    physio hospice convent residence associates healthcare family med saint st mount mt northeast northwest
    southeast southwest street road lane avenue drive square park gardens hill terrace rise crescent way row flats
    apartments farm yard shipyard dockyard refinery depot plant mill creamery works factory office warehouse prison
    barracks branch block wing floor tower suite room bay bed pod chair stepdown lounge theatre theater base inc ltd llc
    plc pty corp service services lab labs laboratory pharmacy airlines sheltered housing middle primary secondary
    elementary high junior hs jhs children's women's men's city town village nagar colony phase sector cantt dist po
    al az ca co ct fl ga ia il ks ky la ma md mi mn mo ms mt nc nd ne nh nj nm nv ny oh ok pa ri sc sd tn tx ut va vt wa
    wi wv wy bc mb nb nl ns qc sk nsw vic qld
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


# People that are no one in particular, as the subject of a sentence: with them it is no name that acts.
HUMANS = words(
    """
    patient patients pt pts he she they we i you it who someone somebody nobody everyone anyone mother father
    parent parents mom mum dad wife husband son daughter brother sister sibling siblings twin partner spouse
    family relative relatives grandmother grandfather grandparents aunt uncle cousin friend neighbour neighbor
    caregiver caretaker carer guardian child children infant baby toddler boy girl man woman men women adult
    teenager adolescent lady gentleman individual person people victim driver passenger pedestrian cyclist
    teacher coach employer coworker colleague bystander bystanders witness witnesses staff team teams nurse
    nurses doctor doctors physician physicians provider providers clinician clinicians radiologist radiologists
    resident residents fellow fellows intern consultant consultants registrar attending surgeon surgeons
    anesthesia anaesthesia anesthesiologist technologist technologists technician technicians tech techs
    sonographer sonographers radiographer radiographers therapist therapists pharmacist pharmacy paramedic
    paramedics police transport security ward floor clinic lab laboratory office hospital service department
    unit operator operators author authors reader readers interpreter secretary receptionist clerk volunteer
    volunteers student students manager management ortho neuro vascular interventional trauma nursing derm psych
    peds onc renal pulmonary cardiac thoracic plastics hospice transplant hospitalist dietician
    """
)
# Behind the subject of a sentence, what only people do: by itself ...
DOES = words(
    """
    tripped wishes wished says said refuses lives lived denies complains walked walks smokes thinks believes insists
    insisted claims claimed recalls remembers agrees disagrees asks knows knew hopes hoped wants wanted feels cried
    cries screamed slept sleeps smiled laughed drove drives ate drank sat spoke speaks travelled traveled travels swam
    jumped climbed sings apologised apologized promised forgot understands understood prefers preferred worries worried
    emailed texted wrote writes disagreed objected replied answered vomited coughed fainted consents concurs concurred
    """
)
# ... or to someone or something ("held the child"), where "held for now" may be said of a drug ...
DOES_TO = words(
    """
    held holds brought brings carried carries lifted lifts took gave fed feeds told tells asked asks signed signs wrote
    writes accompanied accompanies wheeled wheels moved pushed drove drives bought buys sold dropped picked met meets
    saw sees watched watches heard hears wanted wants loved loves liked likes visited visits thanked thanks translated
    translates interpreted explained explains restrained comforted calmed distracted positioned repositioned prepared
    assisted assists supervised supervises attended attends performed performs reviewed reviews read reads dictated
    dictates ordered orders requested requests injected injects inserted inserts placed sent sends shared shares faxed
    emailed uploaded mailed delivered delivers collected collects fetched joined noted recommended recommends discussed
    discusses confirmed reported informed informs notified notifies approved verified witnessed
    """
)
# Behind these stands who did it, if only by an initial: "image 3 is annotated A. More".
MARKING = words("annotated labelled labeled marked initialled initialed signed reads says by author initials tech")
# ... or is
MOODS = words(
    """
    unable unwilling willing afraid scared anxious upset cooperative uncooperative tearful combative happy agreeable
    reluctant nervous claustrophobic crying sobbing screaming told informed notified
    """
)
CALLED = words("called calls paged pages phoned telephoned rang")
OBJECTS = words(
    """
    the a an his her him them their us our me my this that these those it himself herself themselves everyone someone
    """
)
# ... and what they will do.
MODALS = words("will would can could may might must shall should did does")
ADVERBS = words("not also then now probably soon later still always never only")
DO = words(
    """
    bring call tell ask sign write accompany wheel drive buy pick meet watch hear know want visit thank translate
    interpret restrain comfort attend dictate order request share fax email upload mail deliver collect fetch walk speak
    talk phone telephone page text contact inform notify discuss join wait sleep eat drink try agree decline refuse
    consent decide
    """
)
VERBS = DOES | DOES_TO | CALLED | MODALS | words("was is has had cannot")
DO_TO = words("hold carry lift take give feed help move push send drop leave explain")
# Words of grammar that may stand before a verb at the head of a sentence; others before one are names: "Per held the".
BEFORE_VERBS = words(
    """
    this that these those and or nor but so if as than then to too not none it he she they we you i who whom which what
    when where why how there here also both each either neither every any some all such same other another more most
    less least few many much very only just still yet again once now because before after since though until unless
    whereas whether while next past one two three however therefore thus hence although already always never often yes
    ok okay ever even further otherwise perhaps quite rather really please
    """
)
# Written with a capital in the middle of sentences, and no one: sides and numbered things, peoples, makes, products.
LICENSED = words(
    """
    left right medial image images figure fig table series contrast stable grade stage type class female male
    african american asian caucasian hispanic latino latina european english spanish roman medicare medicaid
    internet italian scottish british canadian mexican chinese japanese korean indian filipino vietnamese thai
    samoan tongan maori polynesian somali ethiopian nigerian egyptian iranian iraqi afghan turkish greek polish
    russian ukrainian jewish arab aboriginal hindi urdu tamil telugu kannada malayalam marathi gujarati punjabi
    bengali bangla odia assamese konkani sinhala nepali dari pashto farsi persian kurdish arabic hebrew
    cantonese mandarin hakka tagalog ilocano indonesian khmer burmese swahili amharic tigrinya yoruba igbo hausa
    zulu xhosa afrikaans portuguese danish swedish norwegian finnish hungarian romanian bulgarian serbian
    croatian albanian gaelic auslan doppler gram onyx gelfoam amplatzer watchman pleurx pleurovac permacath
    mediport infusaport powerport portacath hemovac dobhoff dobbhoff corpak hickman broviac groshong foley
    malecot omnipaque isovue visipaque optiray ultravist gadavist dotarem magnevist multihance prohance eovist
    omniscan feraheme gastrografin gastroview cystografin kinevac lexiscan definity lumason cardiolite myoview
    plavix lasix coumadin eliquis xarelto lovenox pradaxa tylenol advil motrin aspirin benadryl valium ativan
    versed zofran protonix lipitor synthroid humira keytruda opdivo avastin gleevec herceptin tamiflu botox
    mirena essure zometa fosamax
    """
)
# What begins a sentence or goes on with it, and is hardly ever someone's name: where a full stop was forgotten.
GRAMMAR = words(
    """
    the a there this that these those it its he she they we you i his her their my your in at with within without is
    are was were has have had be been and or but if for from of to by as not
    """
)
DEPARTMENTS = ("ology", "surgery", "medicine", "therapy", "care", "graphy", "diatrics", "pedics", "trics")
# What a report means stands and falls with these: negation and doubt, side, severity, number, change, its sections and
# units. They go only as part of a name that a cue gives away.
PROTECTED = words(
    """
    no not none nor neither never without negative absent absence denies denied excluded exclude excludes cannot
    yes possible possibly probable probably likely unlikely suspicious suspected questionable equivocal doubtful might
    left right bilateral unilateral bilaterally lt rt l r both either midline ipsilateral contralateral
    mild mildly moderate moderately severe severely marked markedly minimal minimally slight slightly trace tiny small
    large massive extensive subtle gross grossly mildto
    normal abnormal unremarkable clear intact patent present free stable unchanged improved worsened increased decreased
    increasing decreasing resolved new old acute subacute chronic interval enlarged
    upper lower middle mid superior inferior anterior posterior lateral medial proximal distal central peripheral apical
    basal
    one two three four five six seven eight nine ten single multiple several few first second third
    mm cm m ml cc mg g kg hu ms bpm mmhg percent degrees degree grade stage type class category level segment zone
    impression findings finding indication indications technique comparison history conclusion opinion recommendation
    recommendations clinical examination procedure exam
    mrn uhid aadhaar nhs chi medicare acc accession bleep pager ext tel fax whatsapp dob mr mrs ms dr ref
    period comma colon semicolon paragraph paren bracket slash
    is are was were has have had the a an of in on at to for with and or but by from there this that
    """
)
NUMBERS = words("one two three four five six seven eight nine ten")
# What the names of towns begin with.
BEFORE_PLACES = words("port lake fort mount saint st new san santa los las el la north south east west upper lower")
# Before a facility's kind these name none: "our local hospital".
COMMON = words(
    """
    the this that these those an a outside in at from to by of and or for with on same other another no prior
    previous our local referring emergency outpatient inpatient home day any acute during per via followup follow-up
    clinical general patient hospital clinic his her their seen transferred admitted discharged discharge my your its
    hospitalized is was physical exam examination history vitals labs blood tests results findings data which each every
    visited attended called phoned rang left next last new old main walk drop side open first second near nearest
    """
)
# Who is told, calls and reads, as telegrams write it; and what someone is to the patient or the department.
POSTS_SHORT = words(
    """
    rn np pa sho spr reg ho rmo hmo cns anp gp pcp mo fy1 fy2 f1 f2 st3 st4 st5 st6 st7 rad tech sono cons con surg nsgy
    neurosurg ortho uro urol omfs ent onc cards cardio gi ir icu ed er or ob obgyn gyn peds paeds med res attg attd
    fellow intern intensivist hospitalist secretary typist clerk radiographer sonographer midwife sister matron carer
    """
)
# Before a place: where someone lives, comes from and was.
LIVES = words(
    """
    lives live living lived resides residing resident born works worked working from near in at to transferred transfer
    tx moved flew flown came travelled traveled visiting retrieved imported referred outside address of via
    """
)
# Before who is spelled or called something.
CALLED_BY = words("named name called spelled spelt surname alias aka nee mister missus madam lady baby")
# Whom one works with or goes to: before a name or behind it ("pharmacist Ode", "Ode, physicist").
POSTS = words(
    """
    radiologist radiographer sonographer technologist technician tech techs physicist dosimetrist pharmacist
    nurse sister matron midwife physio physiotherapist therapist dietitian dietician psychologist psychiatrist
    physician surgeon anaesthetist anesthetist anesthesiologist intensivist hospitalist cardiologist neurologist
    urologist oncologist haematologist hematologist nephrologist pulmonologist gastroenterologist
    endocrinologist rheumatologist dermatologist gynaecologist gynecologist obstetrician paediatrician
    pediatrician geneticist pathologist neurosurgeon orthopod dentist orthodontist optometrist optician
    audiologist podiatrist chiropractor osteopath perfusionist embryologist registrar resident fellow intern
    consultant attending houseman locum trainee student observer coordinator coord manager navigator secretary
    typist transcriptionist clerk receptionist porter orderly attendant chaperone interpreter translator
    chaplain counsellor counselor advocate caseworker paramedic ambo emt medic officer constable sergeant
    detective coroner trooper warden guard inspector solicitor lawyer attorney adjuster insurer employer boss
    supervisor foreman coach trainer teacher principal tutor headmaster captain driver pilot caller reader
    operator injector scribe proctor examiner assessor adviser advisor rep representative agent visitor doctor
    prof professor gp pcp practitioner provider clinician specialist vet owner landlord tenant courier engineer
    rn lpn cna np crnp pa cnm rmo hmo mo sho spr reg res fy1 fy2 st4 smo vmo cns anp hca odp sr jr
    """
)
# Who someone is to the patient.
RELATIONS = KIN | words(
    """
    mum mom mam mama dad papa daddy mummy granny gran nan nana grandma grandpa grandad grandmother grandfather
    grandson granddaughter grandchild stepmother stepfather stepson stepdaughter stepdad stepmom niece nephew
    cousin sibling twin triplet fiance fiancee boyfriend girlfriend hubby bro sis cousins in-law inlaw guardian
    carer caregiver neighbour neighbor flatmate roommate housemate workmate coworker colleague mate nok relative
    kin next-of-kin godmother godfather foster widow widower ex baby infant toddler boy girl lady gentleman gent
    child newborn
    """
)
