"""The partial-KB benchmark: counting, predictions, settings, reports."""

from __future__ import annotations

import gzip
import json
import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from biolink import (
    Concept,
    Document,
    KnowledgeBase,
    Link,
    Linker,
    LinkerOptions,
    Margin,
    Mention,
    NoNil,
    PostPruning,
    read,
    write,
)
from biolink.bench.partial_kb import Corpus, Setup, best_threshold, evidence_in, run_benchmark
from biolink.bench.predictions import predictions
from biolink.bench.published import PUBLISHED
from biolink.bench.report import is_published_test, to_html, to_json, to_markdown
from biolink.bench.scoring import Guess, Part, gold_of, score
from biolink.errors import ConfigError
from biolink.infer.decide.calibration import Calibration
from biolink.infer.decide.nil import Combination, NilPolicy
from biolink.infer.mentions.recognise import DictionaryRecogniser
from biolink.infer.network.model import load_model
from tests.commands import run
from tests.recording import check_evidence_of_benchmark

TEXT = "spinal and bulbar muscular atrophy and fever and breast tumors with aspirin and a cold"


def mention(text: str, word: str, *ids: str, kind: str = "Disease") -> Mention:
    start = text.index(word)
    return Mention(start, start + len(word), word, kind, ids)


def gold_document(name: str = "1", text: str = TEXT) -> Document:
    return Document(
        name,
        text,
        mentions=(
            mention(text, "spinal and bulbar muscular atrophy", "D6"),
            mention(text, "fever", "D1"),
            mention(text, "breast tumors", "D3", "D9"),
            mention(text, "aspirin", "D2", kind="Chemical"),
            mention(text, "cold", kind="Chemical"),
        ),
    )


@pytest.fixture(scope="module")
def linker(model_folder: Path, kb: KnowledgeBase) -> Linker:
    options = LinkerOptions(method="combined", abbreviations="none")
    return Linker(load_model(model_folder), kb, options, recogniser=DictionaryRecogniser(kb))


@pytest.fixture(scope="module")
def parts(kb: KnowledgeBase) -> tuple[Part, Part]:
    return Part.of("diseases", kb, ["D1", "D3", "D4", "D5", "D6", "D9"])


def test_each_annotation_belongs_to_one_part(parts: tuple[Part, Part], kb: KnowledgeBase) -> None:
    part, complement = parts
    assert len(part.kb) + len(complement.kb) == len(kb)
    # D9 is in the list but not in the knowledge base, so it counts. D8 is in neither.
    assert part.holds("D9") and not complement.holds("D9")
    assert complement.holds("D8") and complement.holds("D2") and not part.holds("D2")
    gold = {TEXT[a:b]: ids for (a, b), ids in gold_of(gold_document(), part).items()}
    assert gold == {
        "spinal and bulbar muscular atrophy": {"D6"},
        "fever": {"D1"},
        "breast tumors": {"D3", "D9"},
    }  # fmt: skip
    assert len(gold_of(gold_document(), complement)) == 1


def test_scores_equal_those_counted_by_hand(parts: tuple[Part, Part]) -> None:
    document = gold_document()

    def guess(word: str, concept: str) -> Guess:
        start = TEXT.index(word)
        return Guess((start, start + len(word)), concept, 0.5)

    guesses = [
        guess("fever", "D1"),
        guess("breast tumors", "D4"),  # wrong concept
        guess("bulbar muscular atrophy", "D6"),  # wrong span
        guess("aspirin", "D1"),  # outside the part
        guess("with", "D1"),  # nothing there
        guess("cold", "D1"),  # annotated without a concept: nothing of the part
    ]
    found = score([document], [guesses], parts[0])
    assert (found.gold, found.guessed, found.right, found.missed) == (3, 6, 1, 1)
    assert found.precision == pytest.approx(1 / 6) and found.recall == pytest.approx(1 / 3)
    assert found.f1 == pytest.approx(2 / 9) and found.ner_f1 == pytest.approx(4 / 9)
    assert found.ned_accuracy == 0.5
    assert found.errors == {
        "wrong concept": 1, "wrong span": 1, "outside": 1, "nothing there": 2,
    }  # fmt: skip
    assert found.guessed == found.right + sum(found.errors.values())
    assert found.interval == (found.f1, found.f1)  # one document


def test_linking_to_several_parts_at_once_equals_each_alone(
    linker: Linker, parts: tuple[Part, Part]
) -> None:
    """One pass over several parts gives the links of a linker over each part."""
    documents = [gold_document(), gold_document("2", TEXT.replace(" and a cold", ", cold"))]
    kbs = [linker.kb, *(part.kb for part in parts)]
    together = linker.link_under(documents, kbs)
    for kb, found in zip(kbs, together, strict=True):
        alone = linker.with_kb(kb).with_settings(nil=NoNil())
        for one, other in zip(alone.link_documents(documents), found, strict=True):
            assert [[link.concept_id for link in m.links] for m in one.mentions] == [
                [link.concept_id for link in m.links] for m in other.mentions
            ]
            assert np.allclose(
                [link.probability for m in one.mentions for link in m.links],
                [link.probability for m in other.mentions for link in m.links],
                atol=1e-5,
            )


@pytest.mark.parametrize(
    "policy", [PostPruning(), Margin(0.5), Combination((0.1, 0.5, 0.2, -0.3, 0.1, 0.2), 0.6)]
)
def test_policies_decide_the_same_over_stored_predictions(
    linker: Linker, parts: tuple[Part, Part], policy: NilPolicy
) -> None:
    """A policy over stored links of the whole decides the same as a linker over the part."""
    wide = linker.with_settings(top_k=20, nil=NoNil())
    (of_whole,) = wide.link_documents([gold_document()])
    for part in parts:
        narrow = linker.with_kb(part.kb).with_settings(nil=policy)
        (direct,) = narrow.link_documents([gold_document()])
        expected = {m.start: m.best.concept_id for m in direct.mentions if m.best}
        kept = {
            m.start: evidence.links[0].concept_id
            for m, evidence in evidence_in(of_whole, part)
            if policy.reason(evidence) is None
        }
        assert kept == expected


def test_the_benchmark_gives_a_policy_the_evidence_of_a_linker(
    linker: Linker, parts: tuple[Part, Part]
) -> None:
    """A policy gets the same evidence in the benchmark and in a linker over the part."""
    document = gold_document().with_mentions(())
    calibrated = linker.with_settings(calibration=Calibration("platt", (0.5,), (0.3,)), top_k=20)
    for each in (linker.with_settings(top_k=20), calibrated):
        assert sum(check_evidence_of_benchmark(each, part, [document]) for part in parts) > 2


def test_best_threshold() -> None:
    values, right = [0.9, 0.8, 0.8, 0.3], [True, True, False, False]
    assert best_threshold(values, right, 2) == pytest.approx(0.55)
    assert best_threshold(values, [True] * 4, 4) == 0.0
    assert best_threshold([], [], 3) == 0.0


def test_predictions_are_stored_and_resumed(tmp_path: Path) -> None:
    documents = [gold_document(str(i)) for i in range(40)]
    asked: list[int] = []

    def predict(block: Sequence[Document]) -> list[list[Document]]:
        assert not any(d.mentions for d in block)
        asked.append(len(block))
        if len(asked) == 2:
            raise KeyboardInterrupt
        return [list(block), [d.with_mentions([mention(TEXT, "fever")]) for d in block]]

    def result() -> list[list[Document]]:
        return predictions(tmp_path, ["a", "b"], documents, predict, lambda *_: None)

    with pytest.raises(KeyboardInterrupt):
        result()
    assert not list(tmp_path.glob("*.jsonl"))
    # An incomplete line is written again.
    with (tmp_path / "a.part").open("a") as stream:
        stream.write('{"id": "torn')
    first = result()
    assert asked == [16, 16, 16, 8]
    assert [d.id for d in first[0]] == [d.id for d in first[1]] == [d.id for d in documents]
    assert all(d.mentions[0].text == "fever" for d in first[1])
    assert result() == first and asked == [16, 16, 16, 8]


def test_a_prediction_without_a_score_is_valid_json(tmp_path: Path) -> None:
    link = Link("D1", "fever", float("nan"), 0.5, 1)
    predicted = gold_document().with_mentions([replace(mention(TEXT, "fever"), links=(link,))])
    (again,) = predictions(
        tmp_path, ["a"], [gold_document()], lambda _: [[predicted]], lambda *_: None
    )
    assert "NaN" not in (tmp_path / "a.jsonl").read_text()
    assert math.isnan(again[0].mentions[0].links[0].score)


def test_every_setting(linker: Linker, parts: tuple[Part, Part], tmp_path: Path) -> None:
    whole = Part("whole", linker.kb)
    development = [gold_document(str(i)) for i in range(3)]
    test = [gold_document("t", "aspirin " + TEXT)]
    setup = Setup("NER-NED", "tiny", linker, in_part={"diseases": linker})
    results = run_benchmark([setup], Corpus(development, test), whole, parts, tmp_path)
    found = {(r.part, r.setting): r.scores for r in results}
    settings = (
        "direct", "thresholding", "post-pruning", "ours: margin", "ours: calibrated combination",
    )  # fmt: skip
    assert {part.name for part in parts} == {p for p, s in found if s == "direct"}
    assert {s for p, s in found if p == "diseases"} == {*settings, "in-KB training"}
    direct, pruned = found["diseases", "direct"], found["diseases", "post-pruning"]
    # The finding of the paper: direct inference links everything to the part.
    assert direct.errors["outside"] > pruned.errors["outside"] == 0
    assert pruned.precision > direct.precision
    assert all(s.gold == found["diseases", "direct"].gold for (p, _), s in found.items()
               if p == "diseases")  # fmt: skip
    files = sorted(file.name for file in tmp_path.iterdir())
    again = run_benchmark([setup], Corpus(development, test), whole, parts, tmp_path)
    assert again == results and sorted(file.name for file in tmp_path.iterdir()) == files
    text = to_markdown(results, [whole, *parts], comparable=True)
    assert "KeBioLM + CODER (published)" in text and "81.41" in text
    assert "not comparable" in to_markdown(results, [whole, *parts], comparable=False)
    page = to_html(results, [whole, *parts], comparable=True)
    assert page.count("<svg") == 3 and "GENRE (published)" in page
    record = json.loads(to_json(results, False, {"a": 1}))
    assert len(record["results"]) == len(results) and record["published"] == {}


def test_published_rows_are_complete() -> None:
    for rows in PUBLISHED.values():
        assert len(rows) == 11
        for row in rows:
            f1 = 2 * row.precision * row.recall / (row.precision + row.recall)
            assert f1 == pytest.approx(row.f1, abs=0.03), row


def test_from_the_shell(model_folder: Path, kb: KnowledgeBase, tmp_path: Path) -> None:
    kb.save(tmp_path / "small.kb")
    write([gold_document(str(i)) for i in range(3)], tmp_path / "dev.PubTator")
    write([gold_document("9", "a cold and " + TEXT)], tmp_path / "test.PubTator")
    (tmp_path / "ids.txt").write_text("D1\nD3\nD4\nD5\nD6\n")
    common = ("--kb", tmp_path / "small.kb", "--ids", tmp_path / "ids.txt")
    command = (
        "bench", "partial-kb", *common, "--model", model_folder, "--dev", tmp_path / "dev.PubTator",
        "--test", tmp_path / "test.PubTator", "--work", tmp_path / "work",
    )  # fmt: skip
    outputs = [tmp_path / f"r{suffix}" for suffix in (".md", ".json", ".html")]
    done = run(*command, "-o", tmp_path / "none" / "r.md")
    assert done.returncode == 1 and "none does not exist" in done.stderr
    assert not (tmp_path / "work").exists()
    done = run(*command, "-o", tmp_path / "ids.txt")
    assert (
        done.returncode == 1 and "expected a name that ends in .md, .json or .html" in done.stderr
    )
    done = run(*command, *(x for file in outputs for x in ("-o", file)))
    assert done.returncode == 0, done.stderr
    assert "ours: calibrated combination" in done.stdout and all(f.is_file() for f in outputs)
    done = run(*command[:-3], tmp_path / "dev.PubTator", "--work", tmp_path / "work")
    assert (
        done.returncode == 1
        and "left out, with the id or the first line of a test document" in done.stderr
    )
    assert "none in --dev that are not in --test as well" in done.stderr
    done = run(*command, "-o", "table.xls")
    assert done.returncode == 1 and "expected a name that ends in" in done.stderr
    (tmp_path / "ids.txt").write_text("D1\ntwo words\n")
    done = run(*command)
    assert (
        done.returncode == 1 and "ids.txt:2: the line 'two words'; expected one id" in done.stderr
    )
    (tmp_path / "ids.txt").write_text("D1\nD3\nD4\nD5\nD6\n")
    done = run("bench", "split", tmp_path / "dev.PubTator", *common, "-o", tmp_path / "split")
    assert done.returncode == 0, done.stderr
    counts = {
        name: sum(len(d.mentions) for d in read(tmp_path / "split" / f"{name}.jsonl"))
        for name in ("part", "complement")
    }
    assert counts == {"part": 9, "complement": 6}
    kbs = {name: KnowledgeBase.open(tmp_path / "split" / f"{name}.kb") for name in counts}
    assert [c.id for c in kbs["part"]] == ["D1", "D3", "D4", "D5", "D6"]
    assert not set(kbs["part"]) & set(kbs["complement"])


def test_only_bc5cdr_is_compared_with_published_results() -> None:
    assert not is_published_test([gold_document()])


@pytest.mark.corpus
def test_bc5cdr_test_documents_are_known(corpora: Path) -> None:
    documents = list(read(corpora / "bc5cdr" / "CDR_TestSet.PubTator.txt.gz"))
    assert is_published_test(documents) and not is_published_test(documents[1:])


def test_parts_of_another_base_are_refused(linker: Linker, kb: KnowledgeBase) -> None:
    other = KnowledgeBase.from_concepts(list(kb)[:2])
    with pytest.raises(ConfigError, match="subsets of the linker's own"):
        linker.link_under([gold_document()], [other])


@pytest.mark.corpus
@pytest.mark.parametrize("subset", ["T038", "T058"])
def test_the_command_runs_on_medmentions(
    data_folder: Path, model_folder: Path, tmp_path: Path, subset: str
) -> None:
    """The command runs on the derived MedMentions, and says that figures are not comparable."""
    folder = data_folder / "corpora" / "medmentions"
    names: dict[str, list[str]] = {}
    with gzip.open(folder / "st21pv_trng_mentions.tsv.gz", "rt", encoding="utf-8") as stream:
        for line in islice(stream, 20_000):
            _, cui, name = line.rstrip("\n").split("\t")
            names.setdefault(cui, []).append(name)
    concepts = [Concept(cui, known[0], tuple(known[1:])) for cui, known in names.items()]
    KnowledgeBase.from_concepts(concepts).save(tmp_path / "mentions.kb")
    documents = islice(read(folder / "st21pv_trng_reconstructed.PubTator.gz"), 6)
    write(documents, tmp_path / "dev.PubTator")
    write(
        islice(read(folder / "st21pv_test_reconstructed.PubTator.gz"), 4),
        tmp_path / "test.PubTator",
    )
    done = run(
        "bench", "partial-kb", "--kb", tmp_path / "mentions.kb", "--name", subset,
        "--ids", data_folder / "kb" / "partial" / f"umls_{subset}_cuis.txt.gz",
        "--model", model_folder, "--dev", tmp_path / "dev.PubTator",
        "--test", tmp_path / "test.PubTator", "--work", tmp_path / "work",
        "-o", tmp_path / "r.json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "not comparable with published ones" in done.stdout and "(published)" not in done.stdout
    results = json.loads((tmp_path / "r.json").read_text())["results"]
    scores = {(r["part"], r["setting"]): r["scores"] for r in results}
    gold = {part: scores[part, "direct"]["gold"] for part in (subset, f"complement of {subset}")}
    assert all(gold.values())
    assert sum(gold.values()) == scores["whole", "full"]["gold"]
    assert scores["whole", "full"]["ner_recall"] > 0.2
