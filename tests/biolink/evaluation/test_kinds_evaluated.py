"""Evaluations of some kinds: the same mentions on all sides, and kinds without a base."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from biolink import Concept, Document, KnowledgeBase, Link, Mention, evaluate, write
from biolink.cli.calibrate import linked_gold
from biolink.cli.evaluate import EvaluationJob, run_evaluate
from biolink.errors import ConfigError
from biolink.evaluation import Report
from biolink.evaluation.choosing import Chosen, without_base
from biolink.evaluation.found import FoundReport, evaluate_found
from biolink.evaluation.report import found_to_html, found_to_markdown, to_html, to_markdown
from biolink.kb.bases import KnowledgeBases
from biolink.places import EMBEDDED
from biolink.scale.blocks import LinkSettings

TEXT = "BRCA1 V600E in mice with asthma."
DISEASES = KnowledgeBase.from_concepts(
    [
        Concept("1", "disease", types=("Disease",)),
        Concept("2", "asthma", types=("Disease",), parents=("1",)),
    ]
)
GENES = KnowledgeBase.from_concepts([Concept("672", "BRCA1", types=("Gene",))])
BASES = KnowledgeBases([DISEASES, GENES])


def at(text: str, kind: str, gold: str = "", link: str = "") -> Mention:
    start = TEXT.index(text)
    links = (Link(link, link, 0.0, 0.5, 1),) if link else ()
    reason = None if link else "not linked"
    ids = (gold,) if gold else ()
    return Mention(start, start + len(text), text, kind, ids, links=links, nil_reason=reason)


def document(*mentions: Mention, name: str = "1") -> Document:
    return Document(name, TEXT, mentions=mentions)


def test_kinds_without_a_base_do_not_count() -> None:
    # The id of the variant happens to be one of a disease.
    linked = document(at("BRCA1", "Gene", "672", "672"), at("V600E", "SequenceVariant", "1"))
    report = evaluate(linked, BASES)
    assert (report.mentions, report.in_kb, report.without_base) == (1, 1, 1)
    assert (report.strict.recall_at_1, set(report.by_type)) == (1.0, {"Gene"})
    assert Report.from_json(report.to_json()) == report
    for page in (to_markdown({"biolink": report}), to_html({"biolink": report})):
        assert "1 more mention with a gold concept is of a kind without a knowledge base" in page
    with pytest.raises(ConfigError, match="given 1 mention with a gold id, all of kinds without"):
        evaluate(document(at("V600E", "Variant", "1")), BASES)
    # A base that has variants, or whose concepts have no types, may be right about them.
    variants = KnowledgeBase.from_concepts([Concept("1", "V600E", types=("Variant",))])
    plain = KnowledgeBase.from_concepts([Concept("1", "V600E")])
    for kb in (variants, plain, None):
        assert not without_base("Variant", kb)
        assert evaluate(document(at("V600E", "Variant", "1", "1")), kb).mentions == 1


def test_found_variants_count_as_spans_only() -> None:
    gold = document(at("BRCA1", "Gene", "672"), at("V600E", "SequenceVariant", "1"))
    found = document(at("BRCA1", "Gene", link="672"), at("V600E", "Variant", link="rs1"))
    report = evaluate_found([gold], [found], BASES)
    assert (report.spans.right, report.spans.annotated, report.spans.found) == (2, 2, 2)
    concepts = report.concepts
    assert (concepts.right, concepts.annotated, concepts.found) == (1, 1, 1)
    assert report.without_base == 1
    assert report.kinds["Variant"][0].right == 1 and report.kinds["Variant"][1] is None
    page = found_to_markdown({"biolink": report})
    assert "| spans of the type Variant |" in page
    assert "spans and concepts of the type Variant" not in page
    assert "1 more mention with a gold concept is of a kind" in page
    assert "1 more mention" in found_to_html({"biolink": report})
    alone = evaluate_found([gold.with_mentions([gold.mentions[1]])], [document()], BASES)
    assert "spans and concepts" not in found_to_markdown({"biolink": alone})
    assert alone.distances is None


def test_distances_need_a_hierarchy_of_the_types_that_count() -> None:
    gene = document(at("BRCA1", "Gene", "672", "672"))
    assert evaluate(gene, BASES).distances is None
    assert evaluate_found([gene], [gene], BASES).distances is None
    both = document(*gene.mentions, at("asthma", "Disease", "2", "1"))
    assert evaluate(both, BASES).distances == evaluate_found([both], [both], BASES).distances
    assert evaluate(both, BASES).distances["1 step (a parent or child)"] == 1  # type: ignore[index]


def test_types_choose_mentions() -> None:
    mentions = [at("BRCA1", "GeneOrGeneProduct"), at("asthma", "Disease"), at("mice", "ENTITY")]

    def chosen(types: list[str], kb: KnowledgeBase) -> list[str]:
        (of_types,) = Chosen.of(types, kb)([document(*mentions)])
        return [mention.text for mention in of_types.mentions]

    # What a type that is no kind means is not known.
    assert chosen(["gene"], DISEASES) == ["BRCA1", "mice"]
    assert chosen(["Disease"], DISEASES) == ["asthma", "mice"]
    types = [Concept("C1", "asthma", types=("T047",)), Concept("C2", "mice", types=("ENTITY",))]
    own = KnowledgeBase.from_concepts(types)
    # Kinds of entities say nothing about the types of another vocabulary.
    assert chosen(["T047"], own) == ["BRCA1", "asthma"]


@pytest.fixture
def corpus(tmp_path: Path) -> str:
    gold = (
        at("BRCA1", "Gene", "672"),
        at("V600E", "Variant", "rs1"),
        at("mice", "Species", "10090"),
        at("asthma", "Disease", "MESH:D001249"),
    )
    file = tmp_path / "gold.jsonl"
    write([document(*gold, name=str(number)) for number in range(2)], file)
    return str(file)


def test_all_sides_are_measured_on_the_types(corpus: str, tmp_path: Path) -> None:
    output = tmp_path / "r.json"
    job = EvaluationJob(
        (corpus,), types="gene", baselines=True, predictions=(corpus,), output=(str(output),)
    )
    reports = run_evaluate(job).reports
    assert {(r.mentions, r.without_base, *r.by_type) for r in reports.values()} == {  # type: ignore[union-attr]
        (2, 0, "Gene")
    }
    provenance = json.loads(output.read_text())["provenance"]
    genes = KnowledgeBase.open(EMBEDDED / "kinds" / "genes.kb")
    assert (provenance["types"], provenance["concepts"]) == ("Gene", len(genes))
    found = run_evaluate(
        EvaluationJob((corpus,), types="gene,variant", mentions="find", predictions=(corpus,))
    ).reports
    for report in found.values():
        assert isinstance(report, FoundReport)
        assert set(report.kinds) == {"Gene", "Variant"}
        assert (report.spans.annotated, report.concepts.annotated) == (4, 2)
    ours, theirs = found.values()
    assert isinstance(ours, FoundReport) and isinstance(theirs, FoundReport)
    assert ours.spans.found == theirs.spans.found == 4


def test_the_report_names_all_bases(corpus: str, tmp_path: Path) -> None:
    output = tmp_path / "r.json"
    run_evaluate(EvaluationJob((corpus,), output=(str(output),)))
    report = json.loads(output.read_text())
    assert (report["mentions"], report["without_base"]) == (6, 2)
    sizes = {name for name in report["provenance"] if name.startswith("concepts")}
    assert sizes == {f"concepts of {k}" for k in ("Disease", "Species", "Gene")}
    assert report["provenance"]["types"] == "Disease, Gene, Species, Variant"


def test_options_of_linking_are_measured(corpus: str, tmp_path: Path) -> None:
    output = tmp_path / "r.json"
    job = EvaluationJob((corpus,), types="gene", taxa="NCBITaxon:10090", output=(str(output),))
    run_evaluate(job)
    report = json.loads(output.read_text())
    # The human gene is not linked to.
    assert report["strict"]["recall_at_1"] == 0.0
    assert report["provenance"]["taxa"] == "NCBITaxon:10090"
    run_evaluate(EvaluationJob((corpus,), branch="D001982", output=(str(output),)))
    # With a branch, diseases and chemicals are linked.
    assert set(json.loads(output.read_text())["by_type"]) == {"Disease"}
    nested = EvaluationJob((corpus,), types="gene", nested=True, mentions="find")
    assert run_evaluate(nested).reports


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"nested": True}, "--nested goes with mentions that are found; expected --mentions find"),
        ({"branch": "D001249", "mentions": "find"}, "--branch goes with given mentions"),
        ({"types": "variant"}, "2 mentions with a gold id, all of kinds without a knowledge base"),
        ({"types": "cell-line"}, "no mention of .* has one of the types CellLine; expected other"),
    ],
)
def test_mistakes(corpus: str, options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        run_evaluate(EvaluationJob((corpus,), **options))  # type: ignore[arg-type]


def test_thresholds_and_calibrations_are_of_the_types_too(corpus: str) -> None:
    for types, kind in (("gene", "Gene"), (None, "Disease")):
        gold = linked_gold(LinkSettings(types=types), (corpus,), None)
        assert [m.type for d in gold.documents for m in d.mentions] == [kind, kind]
