"""Where mentions may begin and end, for every recogniser and every form of Unicode."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st

from biolink import (
    DictionaryRecogniser,
    Document,
    KnowledgeBase,
    Likelier,
    Link,
    Linker,
    LinkerOptions,
    Mention,
    SpacyRecogniser,
    load,
)
from biolink.documents import Passage
from biolink.infer.decide.nil import NAMES_NOTHING, UNLIKE_NAMES, NilEvidence
from biolink.infer.mentions.recognise import TrainedRecogniser
from biolink.infer.mentions.spans import like_names, pieces, segments, tidied
from biolink.infer.mentions.word_pieces import pieces_of, spans_of_labels
from biolink.infer.network.model import load_model
from biolink.kb import Concept
from tests.tiny_models import wordpiece

NAMES = [
    "asthma", "hypertension", "gout", "breast cancer", "fibrosis", "beta-carotene", "H2O2",
    "diabetes", "hepatitis B virus", "hepatitis", "Ca2+", "Ménière disease",
]  # fmt: skip


@pytest.fixture(scope="module")
def names() -> KnowledgeBase:
    return KnowledgeBase.from_concepts(
        Concept(str(number), name, types=("Disease",)) for number, name in enumerate(NAMES)
    )


class Marks:
    """A tagger that marks the whole of every text as one disease."""

    def recognise(self, documents: list[Document], *_: Any) -> list[Document]:
        return [
            document.with_mentions(
                [Mention(0, len(document.text), document.text, "Disease", probability=0.9)]
            )
            for document in documents
        ]


def whole(text: str) -> list[Mention]:
    return [Mention(0, len(text), text, "Disease")]


@pytest.mark.parametrize(
    "gap", ["\t", "\n", "\r\n", "   ", "\n\n", " \t ", "\u2028", "\x0b", "\x85", "      "]
)
def test_breaks_separate_mentions_for_every_recogniser(names: KnowledgeBase, gap: str) -> None:
    text = gap.join(["asthma", "hypertension", "gout"])
    expected = ["asthma", "hypertension", "gout"]
    nlp = spacy.blank("en")
    nlp.add_pipe("entity_ruler").add_patterns(
        [{"label": "Disease", "pattern": [{"IS_ASCII": True, "OP": "+"}]}]
    )
    dictionary = DictionaryRecogniser(names)
    trained = TrainedRecogniser(Marks(), dictionary)  # type: ignore[arg-type]
    recognisers = [dictionary, trained]
    if gap.isascii():
        recognisers.append(SpacyRecogniser(nlp))  # type: ignore[arg-type]
    for recogniser in recognisers:
        found = recogniser(Document("1", text))
        assert [m.text for m in found.mentions] == expected, recogniser
        assert all(text[m.start : m.end] == m.text for m in found.mentions)


@pytest.mark.parametrize("gap", ["\t", "\n", "    ", "\x00", "\x7f"])
def test_a_name_is_not_found_over_a_break(names: KnowledgeBase, gap: str) -> None:
    dictionary = DictionaryRecogniser(names)
    assert dictionary(Document("1", f"the breast{gap}cancer")).mentions == ()
    assert [m.text for m in dictionary(Document("1", "the breast  cancer")).mentions]


def test_the_end_of_a_passage_separates_mentions(names: KnowledgeBase) -> None:
    text = "of the breast cancer was"
    passages = (Passage(0, 13, "title"), Passage(14, 24, "abstract"))
    document = Document("1", text, passages)
    assert DictionaryRecogniser(names)(document).mentions == ()
    assert segments(document) == [(0, 13), (13, 14), (14, 24)] or len(segments(document)) == 2
    assert [m.text for m in tidied(document, [Mention(7, 20, text[7:20])])] == ["breast", "cancer"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("hepatitis B virus (HBV) infection", ["hepatitis B virus (HBV) infection"]),
        ("hepatitis B virus (HBV)", ["hepatitis B virus", "HBV"]),
        ("COVID-19 (SARS-CoV-2", ["COVID-19", "SARS-CoV-2"]),
        ("HBV) infection", ["HBV", "infection"]),
        ("(asthma),", ["asthma"]),
        ("[18F]FDG", ["[18F]FDG"]),
        ("(R)-warfarin.", ["(R)-warfarin"]),
        ("iron(III)", ["iron(III)"]),
        ("asthma).", ["asthma"]),
        ("“gout”", ["gout"]),
        ("- fever -", ["fever"]),
        ("TNF-α", ["TNF-α"]),
        ("cafe\u0301", ["cafe\u0301"]),
        ("H₂O₂,", ["H₂O₂"]),
        ("((", []),
        ("...", []),
        ("(" * 5000 + "a" + ")" * 5000, ["a"]),
    ],
)
def test_spans_are_balanced_and_end_with_letters(text: str, expected: list[str]) -> None:
    found = [m.text for m in tidied(Document("1", text), whole(text))]
    assert found == expected


def test_a_bracket_beside_a_span_is_included_if_it_belongs_to_the_word() -> None:
    text = "of poly(ethylene glycol) and (R)-warfarin"
    document = Document("1", text)
    cut = [Mention(3, 23, text[3:23]), Mention(30, 41, text[30:41])]
    assert [m.text for m in tidied(document, cut)] == ["poly(ethylene glycol)", "(R)-warfarin"]
    # It is not included if another mention begins with it.
    beside = [Mention(3, 23, text[3:23]), Mention(23, 28, text[23:28])]
    assert [m.text for m in tidied(document, beside)] == ["poly", "ethylene glycol", "and"]


def test_a_name_keeps_its_ends(names: KnowledgeBase) -> None:
    for written, kept in (("Ca2+", "Ca2+"), ("ca2+,", "ca2+"), ("K+", "K")):
        trained = TrainedRecogniser(Marks(), DictionaryRecogniser(names))  # type: ignore[arg-type]
        assert [m.text for m in trained(Document("1", written)).mentions] == [kept]


@given(st.text(alphabet="ab1()[]{} -+,.\t\nβ²\u0301", max_size=30))
@settings(max_examples=300, deadline=None)
def test_pieces_of_any_text(text: str) -> None:
    document = Document("1", text)
    found = tidied(document, whole(text)) if text else []
    last = 0
    for mention in found:
        assert text[mention.start : mention.end] == mention.text
        assert mention.start >= last
        last = mention.end
        assert "\t" not in mention.text and "\n" not in mention.text
        for opener, closer in ("()", "[]", "{}"):
            assert mention.text.count(opener) == mention.text.count(closer)
        # Mentions that are found stay unchanged.
        assert pieces(text, mention.start, mention.end) == [(mention.start, mention.end)]
        assert mention.text[0].isalnum() or mention.text[0] in "([{"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Lung ﬁbrosis here", "ﬁbrosis"),
        ("ｄｉａｂｅｔｅｓ is common", "ｄｉａｂｅｔｅｓ"),
        ("intake of β-carotene", "β-carotene"),
        ("intake of β–carotene, high", "β–carotene"),
        ("intake of Beta carotene", "Beta carotene"),
        ("by H₂O₂ and H2O", "H₂O₂"),
        ("in Me\u0301nie\u0300re disease", "Me\u0301nie\u0300re disease"),
        ("in Meniere’s Meniere disease", "Meniere disease"),
        ("as\u00adthma\u200b, gout", "as\u00adthma"),
        ("of breast\u00a0cancer", "breast\u00a0cancer"),
    ],
)
def test_the_dictionary_reads_every_form_of_unicode(
    names: KnowledgeBase, text: str, expected: str
) -> None:
    found = DictionaryRecogniser(names)(Document("1", text)).mentions
    assert found[0].text == expected
    assert all(text[m.start : m.end] == m.text for m in found)


def test_the_tagger_reads_the_folded_text(tmp_path: Path) -> None:
    tokenizer = wordpiece(tmp_path)
    text = "ﬁne ﬀ β-cold ﬀever"
    read = pieces_of(Document("1", text), tokenizer, ())
    plain = pieces_of(Document("1", "fine ff beta-cold ffever"), tokenizer, ())
    assert read.ids.tolist() == plain.ids.tolist()
    words = {text[start:end] for start, end in read.offsets.tolist()}
    assert {"β", "cold", "ﬁ"} <= words
    # A label begins and ends with the character that its pieces were made of.
    labels = [0] * len(read.ids)
    inside = [i for i, (start, _) in enumerate(read.offsets.tolist()) if text[start] == "β"]
    labels[inside[0]] = 1
    assert [text[a:b] for a, b, _ in spans_of_labels(labels, read.offsets, text)] == ["β"]


@pytest.mark.parametrize("method", ["combined", "generate", "candidates"])
@pytest.mark.parametrize("text", [" ", "?", "...", "!!!", "(+)", "\u0301"])
def test_a_given_mention_without_letters_is_nil(
    model_folder: Path, kb: KnowledgeBase, method: str, text: str
) -> None:
    linker = Linker(load_model(model_folder), kb, LinkerOptions(method=method))  # type: ignore[arg-type]
    linked = linker(f"fever {text} cold", spans=[(6, 6 + len(text)), (0, 5)])
    assert linked.mentions[0].best is None
    assert linked.mentions[0].nil_reason == NAMES_NOTHING
    assert linked.mentions[1].best is not None


@pytest.mark.parametrize("method", ["combined", "generate", "candidates"])
@pytest.mark.parametrize("text", ["12", "½", "0.05", "中", "рак", "中12"])
def test_a_given_mention_with_no_letter_of_any_name_is_nil(
    model_folder: Path, kb: KnowledgeBase, method: str, text: str
) -> None:
    linker = Linker(load_model(model_folder), kb, LinkerOptions(method=method))  # type: ignore[arg-type]
    linked = linker(f"fever {text} cold", spans=[(6, 6 + len(text)), (0, 5)])
    assert linked.mentions[0].best is None
    assert linked.mentions[0].nil_reason == UNLIKE_NAMES
    assert linked.mentions[1].best is not None


def test_mentions_that_resemble_the_names_of_a_base() -> None:
    kb = KnowledgeBase.from_concepts(
        [Concept("1", "Рак", ("糖尿病", "5-10")), Concept("2", "Δ9-THC", ("καρκίνος",))]
    )
    for text in ("рак", "糖", "5 10", "THC", "δ", "КАРКИНОС", "καρκινος"):
        assert like_names(kb, text), text
    for text in ("中", "5 11", "½", "العين"):
        assert not like_names(kb, text), text
    english = KnowledgeBase.from_concepts([Concept("1", "Cancer")])
    assert not like_names(english, "рак") and not like_names(english.subset(ids=[]), "12")
    assert english.subset(ids=[]).materialise().letters == frozenset()


def test_a_marked_name_is_linked_unless_nil_is_nearly_certain() -> None:
    link = Link("1", "Enbrel", -1.0, 0.3, 1)
    policy = Likelier()
    assert policy.reason(NilEvidence([link], 0.6)) is not None
    named = NilEvidence([link], 0.6, named=True)
    assert policy.reason(named) is None
    assert policy.reason(replace(named, span=0.8)) is None
    assert policy.reason(replace(named, span=0.2)) is not None
    assert policy.reason(replace(named, nil=0.99)) is not None


def test_names_of_a_users_own_base_are_linked(model_folder: Path) -> None:
    own = KnowledgeBase.from_concepts(
        [
            Concept("X:1", "ibuprofen", types=("Chemical",)),
            Concept("X:2", "acetylsalicylic acid", ("ASA",), types=("Chemical",)),
        ]
    )
    for linker in (load(model_folder, own), load().with_kb(own)):
        document = linker("She took ASA for pain.")
        assert [(m.text, m.best and m.best.concept_id) for m in document.mentions] == [
            ("ASA", "X:2")
        ]


def test_mentions_do_not_end_within_a_word() -> None:
    text = "lasix and Enbrel, 5HT"
    parts = [
        Mention(0, 5, "lasix", type="Chemical"),
        Mention(10, 12, "En", type="Chemical", probability=0.4),
        Mention(12, 16, "brel", type="Disease", probability=0.6),
        Mention(19, 20, "H", type="Chemical"),
    ]
    found = tidied(Document("", text), parts)
    assert [(m.text, m.type) for m in found] == [
        ("lasix", "Chemical"),
        ("Enbrel", "Disease"),
        ("HT", "Chemical"),
    ]
    assert all(text[m.start : m.end] == m.text for m in found)


def test_nested_mentions_are_kept() -> None:
    text = "lung cancer cells"
    nested = [Mention(0, 11, "lung cancer"), Mention(0, 4, "lung"), Mention(5, 11, "cancer")]
    found = tidied(Document("", text), nested)
    assert sorted(m.text for m in found) == ["cancer", "lung", "lung cancer"]
