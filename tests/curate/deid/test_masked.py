"""The share of a text that was masked."""

import pytest

from curate.deid.replace.masked import masked_words, require_words_left
from curate.errors import DropRecord
from curate.record import Reason


@pytest.mark.parametrize(
    "source,scrubbed,expected",
    [
        ("The lungs are clear.", "The lungs are clear.", (0, 4)),
        ("Anna Maria Weber was seen.", "[NAME] was seen.", (3, 5)),  # one placeholder, three words
        ("Seen 12 March 2019 by Dr. Smith.", "Seen [DATE:2020-01-02] by Dr. [NAME].", (1, 3)),  # no date, no title
        ("Vista el 12 de marzo por la Dra. Leal.", "Vista el [DATE] por la Dra. [NAME].", (2, 6)),  # "de" and the name
        ("Montag, 3. März: Frau Klein.", "[DATE]: Frau [NAME].", (1, 1)),  # no weekday, no month, no title
        ("MRN QH77001, 5 mm nodule", "MRN [ID], 5 mm nodule", (0, 3)),
        ("[NAME] was seen.", "[NAME] was seen.", (0, 2)),  # what the source took out is nobody's
    ],
)
def test_words_gone_and_words_there(source, scrubbed, expected):
    assert masked_words(source, scrubbed) == expected


def test_the_limit_is_a_share_and_more_than_a_few_words():
    require_words_left(25, 100, 0.25)
    require_words_left(4, 6, 0.25)
    require_words_left(90, 100, 1.0)
    with pytest.raises(DropRecord) as dropped:
        require_words_left(26, 100, 0.25)
    assert dropped.value.reason is Reason.MASKED
