"""Times of the day, in digits and in words."""

from __future__ import annotations

import re

from curate.deid.patterns.prefilter import Rule, cued, guard, rule

_I = re.IGNORECASE
_HOUR = r"(?:[01]\d|2[0-3])"
_BARE = rf"{_HOUR}[.:]?[0-5]\d"
_YEAR = r"(?!(?:19[3-9]|20[0-4])\d(?!\d))"
_END = (
    r"(?![\w/-]|[.,]\d)(?!\s?(?:mm|cm|ml|mg|mcg|hu|mgy|cc|kg|lb|ng|pg|iu|u/|units?|images?|slices?|views?|weeks?|days?"
    r"|years?|months?|mhz|msec|ms|sec|x\s?\d|%))"
)
_HOURS = "one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve"
_LATE = "thirteen|fourteen|fifteen|sixteen|seventeen|eighteen|nineteen|twenty(?:[ -](?:one|two|three))?"
_LATE_WORDS = "thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty"
_ONES = "one|two|three|four|five|six|seven|eight|nine"
_MINUTES = (
    rf"(?:(?:oh|zero|o)[ -](?:{_ONES})|ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|seventeen|eighteen|nineteen"
    rf"|(?:twenty|thirty|forty|fifty)(?:[ -](?:{_ONES}))?)"
)
_HALF = (
    r"(?:[ap][ .]{0,2}m\b\.?|in the (?:morning|afternoon|evening)|at night|tonight|this (?:morning|afternoon|evening))"
)
_DAY_OF_CALL = """called|phoned|telephoned|rang|rung|told|informed|notified|paged|attended|seen|arrived|relayed|conveyed
discussed|bleeped|texted|aware|spoke|contacted""".replace("\n", "|")

SURE: tuple[Rule, ...] = (
    rule(
        "TIME",
        guard(shapes="0:00", led="digits"),
        r"(?<![\w:./])(?:[01]?\d"
        r"|2[0-3]):[0-5]\d(?::[0-5]\d(?:[.,]\d+)?)?(?:\s?[ap]\.?m\b\.?)?(?:\s?(?:h(?:ou)?rs?|h|[ECMP][SD]T"
        r"|UTC|GMT|Z)\b)?"
        r"(?!\s?(?:o'?clock|position)|[:/]?\d)",
        _I,
    ),
    rule("TIME", guard("am pm m", led="digits"), r"(?<![\w.:])(?:1[0-2]|0?[1-9])\s?[ap]\.?m\b\.?(?!\w)", _I),
    rule(
        "TIME",
        guard("h hr hrs hour hours", led="digits", also=r"\d{4}"),
        r"(?<![\w.:])(?:[01]\d|2[0-3])[0-5]\d\s?(?:h(?:ou)?rs?|h)\b",
        _I,
    ),
)
STRICT: tuple[Rule, ...] = (
    rule(
        "TIME",
        guard(_DAY_OF_CALL.replace("|", " "), led="words", also=r"\d\d\.\d\d|\d{4}"),
        rf"\b(?:{_DAY_OF_CALL})\b[^.\n]{{0,60}}[,(;][ ]?({_BARE})(?=\s*(?:[.;,)]?\s*(?:$|\n|[A-Z])|[.;,)]\D|[.;,)]$))",
        _I,
        group=1,
    ),
    # behind someone, a day or a place that went: "rn [NAME] 15.20"
    rule(
        "TIME",
        guard(signs="\0", also=r"\d\d[.:]?\d\d"),
        rf"(?<=\0)[,;:]?[ ](?:@ ?|at )?({_YEAR}{_BARE}){_END}",
        group=1,
    ),
    # behind who was told, at the end: "d/w Roe 2226"
    rule(
        "TIME",
        guard(
            "d told informed paged called notified rang rung seen tel bleeped spoke", led="words", also=r"\d\d[.:]?\d\d"
        ),
        r"(?:d/w|(?:told|informed|paged|called|notified|rang|rung|seen by|tel'd|bleeped|spoke to|spoke with))[ ]"
        rf"(?:[^\W\d_][\w'-]*[ ]){{1,2}}({_YEAR}{_BARE})(?=[.;,)]?(?:\s*\n|\s*$)|[.;)](?!\d))",
        _I,
        group=1,
    ),
    # the last of a clause: ", 08.13."
    rule(
        "TIME",
        guard(signs=", ; ( /", also=r"\d\d\.\d\d|\d{4}"),
        rf"(?<=[,;(/])[ ]?({_YEAR}{_HOUR}\.?[0-5]\d)(?=[.;,)/]?(?:\s*\n|\s*$)|[.;)](?!\d))",
        group=1,
    ),
    # the first of a line or note: "0830: ..."
    rule(
        "TIME",
        guard(shapes="00.00 0000 00:00", led="digits", also=r"\d\d[.:]?\d\d"),
        rf"(?:(?<=\n)|(?<!.)){_YEAR}{_BARE}(?=(?:[:;,-]|\s-)\s|[ ](?=[A-Za-z])){_END}",
    ),
    rule("TIME", guard(signs="("), r"(?<=\()(?:[01]\d|2[0-3])\.[0-5]\d(?=\))"),
    rule("TIME", guard("h", led="digits"), r"(?<![\w.:/])(?:[01]?\d|2[0-3])\s?h\s?[0-5]\d(?:\s?(?:min|m))?(?!\w)", _I),
    rule(
        "TIME",
        guard(
            "at around by approximately about time since until till from to before after",
            signs="@",
            led="words",
            also=r"\d\d[.:]?\d\d",
        ),
        r"\b(?:at|@|time|(?:around|by|approximately|about|since|until|till|from|to|before|after)(?![ ](?:199\d"
        rf"|20[0-4]\d)(?![ ]?h)))[ :]{{1,2}}({_BARE}){_END}",
        _I,
        group=1,
    ),
    rule("TIME", guard(signs="@", also=r"\d\d[.:]?\d\d"), rf"@[ ]?({_BARE}){_END}", group=1),
    cued(
        "TIME",
        """start|started|starts|finish|finished|ended|end|begin|began|commenced|completed|scanned|arrived|arr|departed
        |notified|told|informed|aware|paged|called|rung|rang|tel'd|ph'd|phoned|telephoned|bleeped|texted|discussed|d/w
        |seen|signed|verified|reported|rptd|dictated|read|done|performed|taken|acquired|time|timed|injected|given|due
        |updated|notif|inf|call|collected|admitted|reviewed""",
        rf"{_YEAR}{_BARE}{_END}",
        joint=r"(?:[ ]?[:=@-]|[ ]at)?[ ]",
        also=r"\d\d[.:]?\d\d",
    ),
    rule(
        "TIME",
        guard("am pm m hr hrs hours h uhr z", led="digits", also=r"\d[.:]\d"),
        r"(?<![\w.:])(?:[01]?\d|2[0-3])[.:][0-5]\d\s?(?:[ap]\.?m\b\.?|hrs?\b|hours\b|h\b|uhr\b|z\b)",
        _I,
    ),
    rule(
        "TIME",
        guard("quarter half ten five twenty", led="words"),
        r"\b(?:quarter|half|ten|five|twenty)\s(?:past|to|after|before)\s(?:one|two|three|four"
        r"|five|six|seven|eight|nine|ten|eleven|twelve|\d{1,2})\b",
        _I,
    ),
    # spoken: "seven forty two p m", "fourteen thirty hours", "at oh nine fifteen"
    rule(
        "TIME",
        guard(_HOURS.replace("|", " "), led="words"),
        rf"\b(?:{_HOURS})(?:[ -]{_MINUTES}|[ ]o'?clock)?[ ]{_HALF}",
        _I,
    ),
    rule(
        "TIME",
        guard(f"oh zero o {_HOURS} {_LATE_WORDS}".replace("|", " "), led="words"),
        rf"\b(?:(?:oh|zero|o)[ -](?:{_ONES})|{_HOURS}|{_LATE})[ -](?:hundred|{_MINUTES})[ ](?:hours|hrs)\b",
        _I,
    ),
    cued(
        "TIME",
        "at|time|around|before|after|until|since",
        rf"(?:(?:oh|zero)[ -](?:{_ONES})|{_HOURS}|{_LATE})[ -]{_MINUTES}"
        r"(?=[ ](?:on|today|and|about|the|with|for|by|period|comma|to|it)\b|[.,;]|$)",
        also="",
    ),
)
