"""The MedMentions benchmark: splits by PMIDs, whether figures are comparable, reports."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest

from biolink import Document, KnowledgeBase, Link, Mention, read
from biolink.bench.medmentions import (
    Result,
    linked_untyped,
    split_by_ids,
    why_not_comparable,
)
from biolink.bench.medmentions_report import to_html, to_json, to_markdown
from biolink.bench.published import MEDMENTIONS
from biolink.errors import ConfigError
from biolink.evaluation import evaluate
from tests.commands import run

#: Documents as MedMentions ST21pv writes them: types are TUIs, and ids have the prefix UMLS.
CORPUS = """1|t|Fever and aspirin.
1|a|A cold was ill-defined, unlike lung tumor.
1\t0\t5\tFever\tT033\tUMLS:D1
1\t10\t17\taspirin\tT103\tUMLS:D2
1\t21\t25\tcold\tT103\tUMLS:D7
1\t50\t60\tlung tumor\tT038\tUMLS:D4

2|t|Kennedy disease.
2|a|Body heat.
2\t0\t15\tKennedy disease\tT038\tUMLS:D6
2\t17\t26\tBody heat\tT033\tUMLS:D1

3|t|Aspirin for fever.
3|a|No more.
3\t0\t7\tAspirin\tT103\tUMLS:D2
3\t12\t17\tfever\tT033\tUMLS:D1
"""


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    file = tmp_path / "corpus_pubtator.txt"
    file.write_text(CORPUS)
    return file


def perfect(documents: Iterable[Document]) -> list[Document]:
    """The documents with the gold concepts as links; the fever is taken for D7, which shares it."""

    def link(mention: Mention) -> Mention:
        concept = mention.concept_ids[0].removeprefix("UMLS:")
        best, also = ("D7", ("D1",)) if concept == "D1" else (concept, ())
        return replace(mention, links=(Link(best, mention.text, 0.0, 1.0, 1, also=also),))

    return [d.with_mentions(map(link, d.mentions)) for d in documents]


def result_of(corpus: Path, kb: KnowledgeBase, why_not: tuple[str, ...] = ()) -> Result:
    split = split_by_ids(read(corpus), ["1", "2"], ["3"])
    report = evaluate(linked_untyped(perfect, split.test), kb, training=split.training)
    return Result("biolink", report, why_not)


def test_lists_of_ids_choose_the_documents(corpus: Path) -> None:
    split = split_by_ids(read(corpus), ["2", "9"], ["3"])
    assert [d.id for d in split.test] == ["2"] and [d.id for d in split.training] == ["3"]
    assert split.missing == ("9",)
    with pytest.raises(ConfigError, match="the id 2 is both of a test and of a training document"):
        split_by_ids(read(corpus), ["1", "2"], ["2", "3"])
    with pytest.raises(ConfigError, match="none of the test documents"):
        split_by_ids(read(corpus), ["9"], ["3"])
    with pytest.raises(ConfigError, match="two documents with the id 1"):
        split_by_ids([*read(corpus), *read(corpus)], ["1"], [])


def test_types_are_hidden_from_the_linker(corpus: Path) -> None:
    told: list[str] = []

    def link(documents: Sequence[Document]) -> list[Document]:
        told.extend(mention.type for document in documents for mention in document.mentions)
        return perfect(documents)

    linked = list(linked_untyped(link, list(read(corpus))))
    assert set(told) == {""}
    assert [m.type for m in linked[0].mentions] == ["T033", "T103", "T103", "T038"]


def test_only_the_release_is_comparable(corpus: Path) -> None:
    reasons = why_not_comparable(list(read(corpus)), 18_506, 2)
    assert reasons == (
        "these 3 documents are not the 879 test documents",
        "they have 8 annotations, and the release of ST21pv has 40,157",
        "the knowledge base has 18,506 concepts, and ST21pv of UMLS 2017AA has 2,369,482",
        "the model was trained on 2 of the test documents",
    )
    # MedMentions counts 2,327,250 concepts in ST21pv.
    assert len(why_not_comparable(list(read(corpus)), 2_327_250, 0)) == 2


@pytest.mark.corpus
def test_the_test_documents_are_known_by_their_ids(corpora: Path) -> None:
    with gzip.open(corpora / "medmentions" / "corpus_pubtator_pmids_test.txt.gz", "rt") as stream:
        ids = stream.read().split()
    every = tuple(Mention(0, 1, "x") for _ in range(40_157))
    documents = [Document(i, "x", mentions=every if not n else ()) for n, i in enumerate(ids)]
    assert why_not_comparable(documents, 2_369_482, 0) == ()
    documents[1:] = documents[2:]
    assert why_not_comparable(documents, 2_369_482, 0) == (
        "these 878 documents are not the 879 test documents",
    )


def test_the_report_has_both_measures_by_type_and_training(corpus: Path, kb: KnowledgeBase) -> None:
    result = result_of(corpus, kb, ("these are too few",))
    assert result.report.strict.recall_at_1 == pytest.approx(4 / 6)
    assert result.report.lenient.recall_at_1 == 1.0
    markdown = to_markdown(result)
    assert "not comparable with published ones: these are too few." in markdown
    assert "(published)" not in markdown
    findings = "| T033 Finding | 2 | 2 | 0.00 | 0.00 to 0.00 | 100.00 | 100.00 to 100.00 |"
    assert findings in markdown
    assert "| T103 Chemical | 2 | 2 | 100.00 |" in markdown
    # Fever, aspirin and the concept of Body heat are in the training document.
    assert "| seen | 2 | 2 | 50.00 |" in markdown and "| unseen | 3 | 3 | 100.00 |" in markdown
    record = json.loads(to_json(result))
    assert record["comparable"] is False and record["why_not"] == ["these are too few"]
    assert record["published"] == {} and len(record["report"]["cases"]) == 6


def test_published_rows_stand_beside_comparable_figures(corpus: Path, kb: KnowledgeBase) -> None:
    result = result_of(corpus, kb)
    markdown = to_markdown(result)
    assert "the figures are comparable with the published ones" in markdown
    assert "| BELHD (published) | strict | 70.58 |" in markdown
    assert "| ANGEL (published) | lenient | 73.30 |" in markdown
    assert markdown.count("(published)") == sum(map(len, MEDMENTIONS.values()))
    assert json.loads(to_json(result))["published"] == MEDMENTIONS
    page = to_html(result)
    assert "<svg" in page and "BioBART-v2-large (published)" in page and "T038" in page


def test_from_the_shell(
    corpus: Path, model_folder: Path, kb: KnowledgeBase, tmp_path: Path
) -> None:
    kb.save(tmp_path / "small.kb")
    (tmp_path / "test.txt").write_text("1\n2\n9\n")
    with gzip.open(tmp_path / "train.txt.gz", "wt") as stream:
        stream.write("3\n")
    command = (
        "bench", "medmentions", corpus, "--test-ids", tmp_path / "test.txt",
        "--train-ids", tmp_path / "train.txt.gz", "--kb", tmp_path / "small.kb",
        "--model", model_folder,
    )  # fmt: skip
    done = run(*command, "-o", corpus)
    assert done.returncode == 1 and "expected a name that ends in .md" in done.stderr
    outputs = [tmp_path / f"r{suffix}" for suffix in (".md", ".json", ".html")]
    done = run(*command, *(x for file in outputs for x in ("-o", file)))
    assert done.returncode == 0, done.stderr
    assert "lacks 1 document of the lists of PMIDs (for example 9)" in done.stderr
    assert "these 2 documents are not the 879 test documents" in done.stdout
    assert outputs[0].read_text().strip() == done.stdout.strip()
    record = json.loads(outputs[1].read_text())
    assert record["report"]["mentions"] == 6 and record["report"]["provenance"]["seed"] == 0
    assert "mention in training" in record["report"]["slices"]
    assert "<svg" in outputs[2].read_text()
    (tmp_path / "test.txt").write_text("3\n")
    done = run(*command)
    assert done.returncode == 1 and "the id 3 is both" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.corpus
def test_the_derived_form_is_not_comparable(
    corpora: Path, model_folder: Path, tmp_path: Path
) -> None:
    """The documented commands run on the derived form, whose 879 ids are the official ones."""
    folder = corpora / "medmentions"
    with gzip.open(folder / "st21pv_trng_mentions.tsv.gz", "rt") as stream:
        (tmp_path / "mentions.tsv").write_text("".join(islice(stream, 5_000)))
    built = run(
        "kb", "build", tmp_path / "mentions.tsv", "-o", tmp_path / "mentions.kb",
        "--option", "id=cui", "--option", "name=name",
    )  # fmt: skip
    assert built.returncode == 0, built.stderr
    ids = gzip.decompress((folder / "corpus_pubtator_pmids_test.txt.gz").read_bytes()).split()
    (tmp_path / "test.txt").write_bytes(b"\n".join(ids[:3]))
    done = run(
        "bench", "medmentions", folder / "st21pv_test_reconstructed.PubTator.gz",
        "--test-ids", tmp_path / "test.txt", "--kb", tmp_path / "mentions.kb",
        "--model", model_folder, "-o", tmp_path / "r.json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "not comparable with published ones" in done.stdout and "(published)" not in done.stdout
    report = json.loads((tmp_path / "r.json").read_text())["report"]
    assert report["documents"] == 3 and 0 < report["in_kb"] < report["mentions"]
    whole = list(read(folder / "st21pv_test_reconstructed.PubTator.gz"))
    assert why_not_comparable(whole, 2_369_482, 0) == (
        "they have 40,069 annotations, and the release of ST21pv has 40,157",
    )
