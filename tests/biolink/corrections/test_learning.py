"""Corrections that are learnt at once: the next link, and all other links, after them."""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterable
from pathlib import Path

import pytest

import biolink
from biolink import Document, Mention
from biolink.corrections.acts import Act, Meaning
from biolink.corrections.files import write_corrections
from biolink.corrections.learning import Learnt, learn, lessons_of, remembering
from biolink.errors import ConfigError, InputError, ModelError
from biolink.infer.remembered.applying import REMEMBERED_NIL, REMEMBERED_REASON
from biolink.infer.remembered.decisions import Decision, Remembered
from tests.commands import run

TEXT = "Women with hot spells and severe asthma took aspirin for woozle, not for cold."
FEVER = Meaning("D005334", "mesh:D005334", "Fever")
ASTHMA = Meaning("D001249", "mesh:D001249", "Asthma")


@pytest.fixture(scope="module")
def linker() -> biolink.pipeline.AnyLinker:
    return biolink.load()


def document(text: str, *mentions: tuple[str, str]) -> Document:
    """A document with mentions of texts and types."""
    return Document(
        "1",
        text,
        mentions=tuple(
            Mention(start := text.index(written), start + len(written), written, kind)
            for written, kind in mentions
        ),
    )


def act(doc: Document, name: str, written: str, *concepts: Meaning, text: str = "") -> Act:
    """An act on the mention that says something; with another text, its new offsets are there."""
    number = next((n for n, m in enumerate(doc.mentions) if m.text == written), len(doc.mentions))
    kind = doc.mentions[number].type if number < len(doc.mentions) else "Disease"
    start = doc.text.index(text or written)
    end = start + len(text or written)
    return Act(name, doc.id, number, start, end, text or written, kind, concepts)


def learnt(folder: Path, acts: Iterable[tuple[Document, list[Act]]], **options: object) -> Learnt:
    write_corrections(folder / "c.jsonl", acts)
    return learn([folder / "c.jsonl"], folder / "mine.model", **options)  # type: ignore[arg-type]


def meant(doc: Document) -> dict[str, str | None]:
    return {m.text: m.best.curie if m.best else None for m in doc.mentions}


def test_the_next_link_is_right_and_others_stay(
    tmp_path: Path, linker: biolink.pipeline.AnyLinker
) -> None:
    given = document(TEXT, ("hot spells", "Disease"), ("aspirin", "Chemical"))
    (linked,) = linker.pipe([given], recognise=False)
    assert meant(linked)["hot spells"] != "mesh:D005334"
    result = learnt(tmp_path, [(linked, [act(linked, "choose", "hot spells", FEVER)])])
    assert (result.corrected, result.documents, result.unknown) == (1, 1, {})

    def building(*_: object) -> None:
        raise AssertionError("an index is built again")

    mine = biolink.load(model=result.folder, progress=building)
    mine.prepare()
    assert mine.linked_bases.kinds == linker.linked_bases.kinds  # genes and species, too
    text = "Hot-spells in BRCA1 carriers; a hot spell; hot spells of Drosophila, and asthma."
    written = ("Hot-spells", "BRCA1", "hot spell;", "hot spells", "Drosophila", "asthma")
    spans = [(text.index(w), text.index(w) + len(w.rstrip(";"))) for w in written]
    before, after = (list(each(text, spans=spans).mentions) for each in (linker, mine))
    for number in (0, 2, 3):
        assert after[number].best is not None
        assert after[number].best.curie == "mesh:D005334"
        assert after[number].best.reason == REMEMBERED_REASON
        assert after[number].best.probability == 1.0
    assert [after[n] for n in (1, 4, 5)] == [before[n] for n in (1, 4, 5)]


def test_nil_removals_additions_and_spans(
    tmp_path: Path, linker: biolink.pipeline.AnyLinker
) -> None:
    linked = linker(Document("1", TEXT))
    known = {m.text for m in linked.mentions}
    assert {"Women", "aspirin"} <= known
    assert "woozle" not in known
    acts = [
        act(linked, "nil", "aspirin"),
        act(linked, "remove", "Women"),
        act(linked, "add", "woozle"),
        act(linked, "choose", "woozle", FEVER),
    ]
    mine = linker.with_settings(remembered=remembering(_lessons(tmp_path, linked, acts)))
    after = mine("Women with the woozle had Aspirin. Women were men.")
    assert meant(after) == {"woozle": "mesh:D005334", "Aspirin": None, "men": meant(after)["men"]}
    aspirin = next(m for m in after.mentions if m.text == "Aspirin")
    assert (aspirin.nil_reason, aspirin.nil_probability) == (REMEMBERED_NIL, 1.0)
    # Given mentions are never taken away.
    given = mine("Women with the woozle.", spans=[(0, 5)])
    assert meant(given) == {"Women": "NCBITaxon:9606"}


def _lessons(folder: Path, linked: Document, acts: list[Act]):  # type: ignore[no-untyped-def]
    from biolink.corrections.files import read_corrections

    write_corrections(folder / "lessons.jsonl", [(linked, acts)])
    return lessons_of(read_corrections(folder / "lessons.jsonl"))


def test_a_span_that_is_cut_and_one_that_is_widened(
    tmp_path: Path, linker: biolink.pipeline.AnyLinker
) -> None:
    given = document(TEXT, ("severe asthma", "Disease"), ("cold", "Disease"))
    lessons = _lessons(tmp_path, given, [
        act(given, "span", "severe asthma", text="asthma"),
        act(given, "span", "cold", text="not for cold"),
    ])  # fmt: skip
    of = {(d.text, d.mention, d.added) for d in lessons[0].decisions}
    assert of == {
        ("severe asthma", False, False), ("asthma", True, True), ("not for cold", True, True),
    }  # fmt: skip
    mine = linker.with_settings(remembered=remembering(lessons))
    found = [m.text for m in mine("It was severe asthma, not for cold.").mentions]
    assert found == ["asthma", "not for cold"]


def test_counts_decide_and_the_latest_act_wins(linker: biolink.pipeline.AnyLinker) -> None:
    def decided(*ids: str | None) -> Remembered:
        remembered = Remembered()
        for number, concept in enumerate(ids):
            concepts = () if concept is None else (concept,)
            decision = Decision("qwzx", 0, ("Disease",), concepts, meant="corrected")
            remembered = remembered.with_document(f"qwzx {number}", [decision])
        return remembered

    def answer(remembered: Remembered) -> biolink.Mention:
        return linker.with_settings(remembered=remembered)(document("A qwzx", ("qwzx", "Disease"))
        ).mentions[0]  # fmt: skip

    fever, asthma = FEVER.curie, ASTHMA.curie
    assert meant_of(answer(decided(fever, asthma, asthma))) == asthma
    two = answer(decided(fever, None, fever))
    assert meant_of(two) == fever
    assert two.best is not None
    assert 0.5 < two.best.probability < 1
    # The same mention of the same document again: the later decision replaces the earlier one.
    again = decided(fever).with_document(
        "qwzx 0", [Decision("qwzx", 0, ("Disease",), (asthma,), meant="corrected")]
    )
    assert meant_of(answer(again)) == asthma


def meant_of(mention: Mention) -> str | None:
    return None if mention.best is None else mention.best.curie


def test_what_the_linker_sees_decides_between_meanings(linker: biolink.pipeline.AnyLinker) -> None:
    both = [
        Decision("asthma", n, ("Disease",), (concept,), meant="corrected")
        for n, concept in enumerate((FEVER.curie, ASTHMA.curie))
    ]
    mine = linker.with_settings(remembered=Remembered().with_document("x", both))
    assert meant_of(mine("It was asthma.").mentions[0]) == ASTHMA.curie


def test_types_long_forms_and_confirmations(linker: biolink.pipeline.AnyLinker) -> None:
    disease = Decision("MEN1", 0, ("Disease",), (FEVER.curie,), meant="corrected")
    short = Decision(
        "AD", 0, ("Disease",), (FEVER.curie,), long_form="atopic dermatitis", meant="corrected"
    )
    sure = Decision("asthma", 0, ("Disease",), (FEVER.curie,), meant="confirmed")
    remembered = Remembered().with_document("x", [disease]).with_document("y", [short])
    mine = linker.with_settings(remembered=remembered.with_document("z", [sure]))

    def one(text: str, written: str, kind: str) -> str | None:
        return meant_of(mine.link_documents([document(text, (written, kind))])[0].mentions[0])

    assert one("The MEN1 gene.", "MEN1", "Gene") == "NCBIGene:4221"
    assert one("MEN1 is rare.", "MEN1", "Disease") == FEVER.curie
    assert one("Alzheimer disease (AD) and more AD.", "AD", "Disease") == "mesh:D000544"
    assert one("An atopic dermatitis (AD).", "AD", "Disease") == FEVER.curie
    assert one("Only AD.", "AD", "Disease") == FEVER.curie
    # What was only confirmed is no rule for other texts.
    assert one("It was asthma.", "asthma", "Disease") == ASTHMA.curie


def test_a_gene_that_was_taken_for_a_disease(linker: biolink.pipeline.AnyLinker) -> None:
    gene = Decision("qwzx", 0, ("Disease",), ("NCBIGene:672",), meant="corrected")
    mine = linker.with_settings(remembered=Remembered().with_document("x", [gene]))
    (mention,) = mine.link_documents([document("A qwzx", ("qwzx", "Disease"))])[0].mentions
    assert (meant_of(mention), mention.type) == ("NCBIGene:672", "Gene")


def test_a_part_of_the_base_and_top_k(linker: biolink.pipeline.AnyLinker) -> None:
    fever = Decision("asthma", 0, ("Disease",), (FEVER.curie,), meant="corrected")
    mine = linker.with_settings(remembered=Remembered().with_document("x", [fever]), top_k=1)
    (mention,) = mine("asthma").mentions
    assert [link.curie for link in mention.links] == [FEVER.curie]
    part = mine.with_kb(mine.kb.subset(ids=["D001249"]))
    (mention,) = part("asthma", spans=[(0, 6)]).mentions
    assert mention.links == ()
    assert mention.nil_reason is not None
    assert "outside" in mention.nil_reason
    assert pickle.loads(pickle.dumps(mine.remembered)) == mine.remembered
    # A kind without a knowledge base has nothing that could be followed.
    variants = biolink.load(types="variant").with_settings(remembered=mine.remembered)
    (mention,) = variants("V600E in asthma").mentions
    assert (mention.text, mention.links) == ("V600E", ())


def test_learning_twice_and_reviewing_again(
    tmp_path: Path, linker: biolink.pipeline.AnyLinker
) -> None:
    given = document(TEXT, ("hot spells", "Disease"))
    (linked,) = linker.pipe([given], recognise=False)
    choose = act(linked, "choose", "hot spells", FEVER)
    once = remembering(_lessons(tmp_path, linked, [choose]))
    twice = remembering(_lessons(tmp_path, linked, [choose]), once)
    assert twice == once
    # Linked with what was learnt and accepted then, it remains a correction.
    (relinked,) = linker.with_settings(remembered=once).pipe([given], recognise=False)
    accepted = _lessons(tmp_path, relinked, [act(relinked, "accept", "hot spells", FEVER)])
    assert accepted[0].decisions[0].meant == "confirmed"
    (decision,) = remembering(accepted, once)
    assert decision.meant == "corrected"


def test_own_base_and_unknown_ids(tmp_path: Path, linker: biolink.pipeline.AnyLinker) -> None:
    kb = biolink.KnowledgeBase.from_concepts(
        [biolink.Concept("X1", "Asthma"), biolink.Concept("X2", "Fever")], prefix="own"
    )
    given = document(TEXT, ("asthma", ""), ("hot spells", ""))
    acts = [
        act(given, "choose", "hot spells", Meaning("X2", "own:X2")),
        act(given, "choose", "asthma", Meaning("X9", "own:X9")),
    ]
    result = learnt(tmp_path, [(given, acts)], kb=kb)
    assert result.unknown == {"own:X9": 1}
    mine = biolink.load(model=result.folder, kb=kb)
    linked = mine("hot spells of asthma", spans=[(0, 10), (14, 20)])
    assert meant(linked) == {"hot spells": "own:X2", "asthma": "own:X1"}


def test_the_model_knows_its_documents_and_its_stage(tmp_path: Path) -> None:
    given = document(TEXT, ("hot spells", "Disease"))
    result = learnt(tmp_path, [(given, [act(given, "choose", "hot spells", FEVER)])])
    from biolink.infer.seen_documents import SeenDocuments

    assert given in SeenDocuments(result.folder)
    settings = json.loads((result.folder / "biolink.json").read_text())
    stages = settings["training"]
    assert stages[-1]["stage"] == "corrections"
    done = run("info", result.folder)
    assert done.returncode == 0, done.stderr


def test_mistakes(tmp_path: Path) -> None:
    given = document(TEXT, ("hot spells", "Disease"))
    with pytest.raises(ConfigError, match="no decisions"):
        learnt(tmp_path, [(given, [])])
    choose = [(given, [act(given, "choose", "hot spells", FEVER)])]
    with pytest.raises(ConfigError, match="is not a folder"):
        learnt(tmp_path, choose, model=tmp_path / "absent")
    (tmp_path / "mine.model").mkdir()
    (tmp_path / "mine.model" / "photo.jpg").touch()
    with pytest.raises(InputError, match=r"mine\.model"):
        learnt(tmp_path, choose)
    (tmp_path / "mine.model" / "photo.jpg").unlink()
    folder = learnt(tmp_path, choose).folder
    form = '{"format": "biolink-remembered", "version": 1, "documents": '
    for wrong in ("[]", form.replace("bered", "red") + "{}}", form + '{"a": [{"text": 1}]}}'):
        (folder / "remembered.json").write_text(wrong)
        (folder / "seal.json").unlink(missing_ok=True)
        with pytest.raises(ModelError, match=r"remembered\.json is damaged"):
            Remembered.read(folder)


def test_the_command(tmp_path: Path) -> None:
    given = document(TEXT, ("hot spells", "Disease"))
    choose = act(given, "choose", "hot spells", FEVER)
    write_corrections(tmp_path / "c.jsonl", [(given, [choose])])
    done = run("learn", tmp_path / "c.jsonl", "-o", tmp_path / "mine.model")
    assert done.returncode == 0, done.stderr
    assert "1 corrected mention (0 to NIL)" in done.stderr
    model = tmp_path / "mine.model"
    given_file = tmp_path / "given.jsonl"
    biolink.write([document("A hot spell.", ("hot spell", "Disease"))], given_file)
    done = run("link", given_file, "--to", "tsv", "--curies", "--model", model)
    assert "mesh:D005334" in done.stdout, done.stderr
    done = run("learn", tmp_path / "given.jsonl", "-o", tmp_path / "other.model")
    assert done.returncode == 1
    assert "first line of a file of corrections" in done.stderr
    assert not (tmp_path / "other.model").exists()
