"""What a partition's records share is worked out once, changes no record, and is forgotten with the partition."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.deid.known.values import without_absent
from curate.deid.pseudonym import Pseudonymizer
from curate.deid.rules import PixelPolicy, TextRules
from curate.deid.text.scrub import scrub
from curate.deid.vault import SecretSource, write_sealed
from curate.deid.verify import text as verify_text
from curate.deid.words import language, language_votes
from curate.errors import DropRecord
from curate.ingest import texts
from curate.ingest.chain import IngestTask, ingest_parts
from curate.ingest.rules import PictureRules, ReportRules
from curate.ingest.sealed import NAMES, sealed_part
from curate.ingest.sealed import WORDS as SHARED
from curate.ingest.texts import ReportStage
from curate.memory import once, once_for, remembering
from curate.record import INDEX, Reason
from curate.sources.dicom.read import identity_of
from tests.curate.dicomfiles import gradient, write

UID = "1.2.826.0.1.3680043.9.7433"
REPORTS = (
    "FINDINGS: Lungs are clear, compared with 03/02/2019. No effusion in Mr. Quillfeather.\nIMPRESSION: Normal chest.",
    f"FINDINGS: Small nodule on image {UID}.1, left lower lobe, 4 mm. Discussed with Dr. Abiodun.",
    "Le poumon gauche est clair, pas d'épanchement pleural, la silhouette cardiaque est normale.",
)


class Asked:
    def __init__(self) -> None:
        self.values: list[str] = []

    def __call__(self, value: str) -> int:
        self.values.append(value)
        if value == "bad":
            raise DropRecord(Reason.LANGUAGE)
        return len(value)


def test_a_value_is_worked_out_once_in_a_block_and_not_remembered_after_it() -> None:
    asked = Asked()
    with remembering():
        assert [once(asked, "ab"), once(asked, "ab"), once(asked, "abc")] == [2, 2, 3]
        with remembering():
            assert once(asked, "ab") == 2
        for _ in range(2):
            with pytest.raises(DropRecord) as dropped:
                once(asked, "bad")
            assert dropped.value.reason is Reason.LANGUAGE
    assert asked.values == ["ab", "abc", "ab", "bad"]
    for _ in range(2):
        assert once(asked, "ab") == 2  # of no block: asked again
    assert asked.values[4:] == ["ab", "ab"]


def test_none_and_nothing_are_remembered_too() -> None:
    asked: list[int] = []
    with remembering():
        assert once(asked.append, 1) is None and once(asked.append, 1) is None
    assert asked == [1]


def partition(folder: Path, secret: SecretSource) -> IngestTask:
    """A series of four pictures a report, and the reports without pictures."""
    rows = []
    for n, report in enumerate(REPORTS):
        for i in range(4):
            path = folder / f"{n}-{i}.dcm"
            header = {"PatientName": "Quillfeather^Amos", "PatientID": f"MRN{n}5521", "SOPInstanceUID": f"{UID}.{i}"}
            write(path, gradient(top=900 + i), StudyDate="20190302", StudyInstanceUID=f"{UID}.{n}.77", **header)
            of_file = {"kind": "dicom", "path": bytes(path), "size": path.stat().st_size, "frame": 0}
            identity = "\\".join(identity_of(pydicom.dcmread(path)))
            phi = [f"MRN{n}5521", "Quillfeather^Amos", f"{UID}.{i}", f"{UID}.{n}.77"]
            told = {"phi": phi, "patient_id": f"MRN{n}5521", "meta": [("sex", "M"), ("note", "Quillfeather")]}
            rows.append(
                {**of_file, **told, "key": f"{n}{i:031x}", "source": "pacs", "text": report, "identity": identity}
            )
    sealed = folder / "index"
    pseudo = secret.pseudonymizer()
    write_sealed(sealed_part(sealed, 0), pa.Table.from_pylist(rows, INDEX), pseudo)
    write_sealed(sealed / SHARED, pa.table({"word": pa.array([], pa.string())}), pseudo)
    picture = PictureRules(policy=PixelPolicy("trust"))
    return IngestTask(str(sealed), ingest_parts(picture, ReportRules(), secret, str(sealed)), secret)


def test_a_partition_gives_what_its_records_give_alone(secret_file, tmp_path, monkeypatch) -> None:
    task = partition(tmp_path, SecretSource(str(secret_file)))
    scrubs: list[str] = []

    def counted(text: str, *rest: object) -> str:
        scrubs.append(text)
        return scrub(text, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(texts, "scrub", counted)
    together = task.run(0)
    shared = len(scrubs)
    alone = pa.concat_tables([task.run(0, only=range(i, i + 1)) for i in range(together.num_rows)])
    assert together.equals(alone)
    reasons = together["drop_reason"].to_pylist()
    assert reasons == [None] * 8 + [Reason.LANGUAGE.value] * 4
    text = together["text"].to_pylist()
    assert text[0] == text[3] and "Quillfeather" not in text[0] and len(set(text[4:8])) == 1
    assert f"{UID}.1" not in "".join(text[4:8])  # of all pictures of the series, also the one that it names
    # two sections and two columns of one study's record; of the other its one section four times, for it has room for
    # a UID, and the columns once
    assert (shared, len(scrubs) - shared) == (4 + 4 + 2, 4 * 4 + 4 * 3)


UIDS = st.lists(st.integers(0, 99999), min_size=4, max_size=8).map(lambda n: "1." + ".".join(map(str, n)))
WORDS = st.sampled_from(["Lungs", "are", "clear", "of", "Mr", "Quill", "12/03/2019", "5521", "no", "4", "mm", "nodule"])


@given(st.lists(UIDS, max_size=3), st.lists(WORDS, max_size=12), st.booleans(), st.sampled_from(["", "é", "４"]))
def test_uids_that_a_text_has_no_room_for_are_not_missed(uids, words, named, more) -> None:
    text = " ".join([*words, *(uids[:1] if named else []), *([more] if more else [])])
    phi = ("Quill^Ann", "5521", *uids, "0.12.34.56")
    pseudo = Pseudonymizer(b"s" * 32)
    rules = TextRules(vocabulary=False)
    assert scrub(text, without_absent([text], phi), "p", pseudo, rules) == scrub(text, phi, "p", pseudo, rules)
    found = verify_text.findings([text], phi, [text])
    assert found == verify_text.sorted_unique(verify_text.text_findings(verify_text._readings(text), phi, [text]))


IDS = st.sampled_from(["P000123", "00123", "ab12", "20190312", "AB-4431", "4431778", "AB0000123", "7"])
BROKEN = st.sampled_from(
    ["{}", "{}x", "x {}", "{}'s", "P000 123", "P-000-123", "p000\n123", "P000's 123", "00-00.123", "12/03/2019"]
)


@given(st.lists(IDS, min_size=1, max_size=4), st.lists(BROKEN, max_size=3), st.lists(WORDS, max_size=8), st.data())
def test_ids_that_no_text_holds_change_nothing(ids, broken, words, data) -> None:
    text = " ".join(data.draw(st.permutations([*words, *(form.format(ids[0]) for form in broken)])))
    pseudo, rules = Pseudonymizer(b"s" * 32), TextRules(vocabulary=False)
    assert scrub(text, without_absent([text], tuple(ids)), "p", pseudo, rules) == scrub(text, ids, "p", pseudo, rules)
    whole = [*ids, "Quill"]
    found = verify_text.findings([text], ids, [], whole)
    assert found == verify_text.sorted_unique(verify_text.text_findings(verify_text._readings(text), ids, [], whole))


def test_what_is_the_same_for_all_is_worked_out_once_and_what_is_someones_own_for_each() -> None:
    asked = []

    def fn(text: str, who: str) -> str:
        asked.append(who)
        return f"{text} {who}" if "own" in text else text

    with remembering():
        assert [once_for(who, lambda made: "own" in made, fn, "all") for who in ("a", "b", "", "")] == ["all"] * 4
        assert asked == ["a", ""]
        assert [once_for(who, lambda made: "own" in made, fn, "own") for who in "aba"] == ["own a", "own b", "own a"]
    assert asked == ["a", "", "a", "b"] and once_for("b", bool, fn, "all") == "all" and len(asked) == 5


@pytest.mark.parametrize(
    ("rules", "several"),
    [({}, (1, 3, 3)), ({"dates": "mask"}, (1, 1, 1)), ({"replace": "surrogates"}, (3, 3, 3))],
)
def test_equal_reports_of_several_patients_become_what_each_becomes_alone(
    rules, several, secret_file, tmp_path
) -> None:
    secret = SecretSource(str(secret_file))
    for name in (SHARED, NAMES):
        write_sealed(tmp_path / name, pa.table({"word": pa.array([], pa.string())}), secret.pseudonymizer())
    stage = ReportStage(ReportRules(text=TextRules(**rules)), secret, str(tmp_path))
    plain = "Lungs are clear, no effusion. Seen by Dr. Abiodun."
    some = [(plain, None), (f"{plain} Since 12 March 2019 unchanged.", None), (plain, [("when", "2019-03-12")])]
    patients = ("MRN15521", "MRN25521", "")
    rows = [
        {**dict.fromkeys((*INDEX.names, *texts.ATTRIBUTES, "actions")), "text": text, "meta": meta, "patient_id": who}
        for text, meta in some
        for who in patients
    ]
    alone = [stage(row) for row in rows]
    with remembering():
        assert [stage(row) for row in rows] == alone
    written = [repr((row["text"], row["meta"])) for row in alone]
    assert tuple(len(set(written[i : i + 3])) for i in (0, 3, 6)) == several


def test_uids_that_no_text_of_a_series_has_are_not_asked_for() -> None:
    phi = ("Quill^Ann", f"{UID}.1", f"{UID}.2")
    assert without_absent(["Clear lungs, 12/03/2019."], phi) == ("Quill^Ann",)
    assert without_absent([f"See {UID}.2"], phi) == phi
    assert without_absent(["Clear lungs, é"], phi) == phi
    assert verify_text.findings([f"See {UID}.2"], phi) and not verify_text.findings(["See image 2"], phi)


@given(
    st.lists(st.sampled_from([*REPORTS, "The lungs are clear.", "Keine Stauung.", "xq zzv"]), min_size=1, max_size=4)
)
def test_a_language_is_judged_alike_where_sentences_are_remembered(parts) -> None:
    text = "\n".join(parts)
    language._read.cache_clear()
    plain = [language._read(each) for each in (text, *parts)]
    language._read.cache_clear()
    with remembering():
        assert [language._read(each) for each in (text, *parts)] == plain
    language._read.cache_clear()


def test_a_words_ranks_are_those_of_the_lists() -> None:
    for code, words in language_votes.frequent_words().items():
        for rank in (0, 1, 40, len(words) - 1):
            value = max(-language_votes.math.log(rank + language_votes._OFFSET) - 1.5, language_votes.FLOOR + 1)
            said = language_votes.word_ranks(words[rank])[code]
            assert said >= value if words.count(words[rank]) == 1 else said is not None
    assert (
        language_votes.word_ranks("thorax")["de"] >= language_votes._BY_HAND and language_votes.word_ranks("zzqv") == {}
    )
