"""The embedded default with its six kinds of entities."""

from __future__ import annotations

import inspect
import pickle
from pathlib import Path

import pytest

import biolink
from biolink import Document, Mention
from biolink.errors import ConfigError
from biolink.infer.linkers.kinds_linker import NOT_LINKED, KindsLinker
from biolink.infer.linkers.piping import OF_LOADING
from biolink.kb.types import KINDS
from biolink.kinds import chosen_kinds, embedded_bases, need_main_kinds
from biolink.scale.blocks import LinkSettings

TEXT = (
    "BRCA1 is normal in HeLa cells. The BRAF V600E mutation was found. Patients with breast cancer "
    "took aspirin."
)


@pytest.fixture(scope="module")
def linker() -> KindsLinker:
    linker = biolink.load()
    assert isinstance(linker, KindsLinker)
    return linker


def given(*mentions: tuple[str, str]) -> Document:
    spans = [(TEXT.index(text), text, kind) for text, kind in mentions]
    return Document(
        "1", TEXT, mentions=tuple(Mention(s, s + len(t), t, kind) for s, t, kind in spans)
    )


def curies(document: Document) -> dict[str, str | None]:
    return {m.text: m.best.curie if m.best else m.nil_reason for m in document.mentions}


def test_given_mentions_of_every_kind(linker: KindsLinker) -> None:
    document = given(
        ("BRCA1", "Gene"),
        ("HeLa", "CellLine"),
        ("Patients", "OrganismTaxon"),
        ("breast cancer", "Disease"),
        ("V600E", "SequenceVariant"),
        ("BRAF", "GeneOrGeneProduct"),
        ("aspirin", "Chemical"),
    )
    (linked,) = linker.pipe([document], recognise=False)
    assert curies(linked) == {
        "BRCA1": "NCBIGene:672",
        "HeLa": "cellosaurus:CVCL_0030",
        "Patients": "NCBITaxon:9606",
        "breast cancer": "mesh:D001943",
        "V600E": NOT_LINKED,
        "BRAF": "NCBIGene:673",
        "aspirin": "mesh:D001241",
    }
    assert [m.type for m in linked.mentions] == [m.type for m in document.mentions]
    gene = linked.mentions[0].best
    assert gene is not None
    assert gene.reason.startswith("taxon 9606: ")
    assert linked.mentions[3].best.reason == ""  # type: ignore[union-attr]


def test_the_text_says_whose_gene_it_is(linker: KindsLinker) -> None:
    document = linker("Trp53 was deleted in mice. Mice without Trp53 had lymphomas.")
    genes = [m.best for m in document.mentions if m.type == "Gene"]
    assert {(best.curie, best.reason.split(":")[0]) for best in genes if best} == {
        ("NCBIGene:22059", "taxon 10090")
    }


def test_mentions_of_every_kind_are_found(linker: KindsLinker) -> None:
    document = linker(TEXT)
    assert {m.text: m.type for m in document.mentions}.items() >= {
        "BRCA1": "Gene",
        "Patients": "Species",
        "breast cancer": "Disease",
        "aspirin": "Chemical",
        "V600E": "Variant",
    }.items()
    assert all(document.text[m.start : m.end] == m.text for m in document.mentions)
    # The same in another process, and whatever other documents there are.
    travelled = pickle.loads(pickle.dumps(linker))
    assert travelled(TEXT) == document
    several = linker.pipe(["Aspirin.", TEXT, "Rats."])
    assert [d.mentions for d in several][1] == document.mentions


def test_types_choose_kinds() -> None:
    genes = biolink.load(types="gene")
    assert isinstance(genes, KindsLinker)
    assert [m.type for m in genes(TEXT).mentions] == ["Gene"] * len(genes(TEXT).mentions)
    assert genes(TEXT).mentions
    assert curies(genes(given(("aspirin", "Chemical"), ("BRAF", "Gene")))) == {
        "aspirin": NOT_LINKED,
        "BRAF": "NCBIGene:673",
    }
    both = biolink.load(types=["Disease", "Chemical"])
    assert curies(both(given(("aspirin", "Chemical"), ("Patients", "Species")))) == {
        "aspirin": "mesh:D001241",
        "Patients": NOT_LINKED,
    }
    diseases = biolink.load(types="disease")
    assert curies(diseases(given(("aspirin", "Chemical"), ("BRAF", "Gene")))) == {
        "aspirin": NOT_LINKED,
        "BRAF": NOT_LINKED,
    }
    assert {m.type for m in both(TEXT).mentions} == {"Disease", "Chemical"}
    some = biolink.load(types="disease,cell-line")
    assert {m.type for m in some(TEXT).mentions} <= {"Disease", "CellLine"}
    assert chosen_kinds(None) == KINDS


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"types": "gene,planet"}, "no concept of the types 'planet'; expected types among Dis"),
        ({"types": "genes"}, r"'genes'; expected types among .*; did you mean 'gene'\?"),
        ({"types": " "}, "the list of types is empty; expected types among Disease, Chemical"),
        ({"types": "disease", "taxa": "9606"}, "taxa chooses species among the genes of"),
        ({"taxa": "human,9606"}, "taxa has 'human'; expected ids of NCBI Taxonomy such as 9606,1"),
        (
            {"taxa": 9606},
            r"taxa is 9606 \(int\); expected ids .*, as a string or as a list of them",
        ),
        ({"taxa": ()}, "the list of taxa is empty; expected ids of NCBI Taxonomy"),
        ({"types": []}, "the list of types is empty; expected types among Disease, Chemical"),
        (
            {"types": "gene", "branch": "D009369"},
            "branch limits diseases and chemicals, and no .*; expected types without Gene",
        ),
        (
            {"branch": "9606"},
            "branch has the id '9606', .*; branch limits diseases and chemicals on",
        ),
        ({"taxa": "10116,1"}, "no gene of the taxon 1; expected taxa among 10090, 10116, 7227"),
    ],
)
def test_mistakes(options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        biolink.load(**options)  # type: ignore[arg-type]


def test_arguments_of_load_are_told_apart_from_settings(linker: KindsLinker) -> None:
    for options, name in (({"taxa": "9606"}, "taxa"), ({"types": "gene"}, "types")):
        message = rf"{name} cannot be changed in a linker; .* biolink\.load\({name}=\.\.\.\)"
        with pytest.raises(ConfigError, match=message):
            linker.with_settings(**options)
        with pytest.raises(ConfigError, match=f"link was given {name}, .* biolink.load"):
            biolink.link(TEXT, **options)
    with pytest.raises(ConfigError, match="nested cannot be changed"):
        linker.main.with_settings(nested=True)
    arguments = set(inspect.signature(biolink.load).parameters) - {"nil", "options"}
    assert set(OF_LOADING) == arguments


def test_taxa_choose_and_order_species() -> None:
    text = "Expression of Tp53 was measured."
    start = text.index("Tp53")
    document = Document("1", text, mentions=(Mention(start, start + 4, "Tp53", "Gene"),))

    def taxon(taxa: str | None) -> str:
        linker = biolink.load(types="gene", taxa=taxa)
        best = linker(document).mentions[0].best
        assert best is not None
        return linker.bases.of("Gene")[best.concept_id].taxon

    assert taxon("10116") == "10116"
    assert taxon("10090,9606") == "10090"
    assert taxon("9606,NCBITaxon:10090") == "9606"
    assert taxon("NCBITaxon:10090") == "10090"


def test_a_mention_without_a_type_is_looked_for_in_every_base(linker: KindsLinker) -> None:
    spans = [(TEXT.index(t), TEXT.index(t) + len(t)) for t in ("BRCA1", "Patients", "aspirin")]
    found = linker(TEXT, spans=spans)
    assert curies(found) == {
        "BRCA1": "NCBIGene:672",
        "Patients": "NCBITaxon:9606",
        "aspirin": "mesh:D001241",
    }
    assert [m.type for m in found.mentions] == ["Gene", "Species", ""]


def test_each_kind_is_evaluated_in_its_own_base(linker: KindsLinker) -> None:
    document = given(("BRAF", "Gene"), ("Patients", "Species"), ("aspirin", "Chemical"))
    ids = ("NCBIGene:673", "9606", "MESH:D001241")
    gold = document.with_mentions(
        Mention(m.start, m.end, m.text, m.type, (i,))
        for m, i in zip(document.mentions, ids, strict=True)
    )
    report = biolink.evaluate(linker.pipe([gold], recognise=False), linker.bases)
    assert (report.mentions, report.in_kb, report.strict.recall_at_1) == (3, 3, 1.0)
    assert report.by_type == {"Gene": 1.0, "Species": 1.0, "Chemical": 1.0}


def test_all_formats_keep_the_kinds(linker: KindsLinker, tmp_path: Path) -> None:
    document = linker(Document("1", TEXT))
    for name in ("x.jsonl", "x.pubtator", "x.bioc.json", "x.bioc.xml", "x.csv", "x.html"):
        biolink.write([document], tmp_path / name)
    (again,) = biolink.read(tmp_path / "x.jsonl")
    assert again.mentions == document.mentions
    lines = (tmp_path / "x.pubtator").read_text(encoding="utf-8").splitlines()
    fields = {tuple(line.split("\t")[3:6]) for line in lines if line.count("\t") >= 5}
    assert fields >= {("BRCA1", "Gene", "672"), ("Patients", "Species", "9606")}


def test_species_are_rolled_up_in_their_own_hierarchy(linker: KindsLinker) -> None:
    document = given(("Patients", "Species"), ("BRCA1", "Gene"), ("breast cancer", "Disease"))
    (linked,) = linker.pipe([document], recognise=False)
    rolled = biolink.roll_up(linked, linker.bases, "NCBITaxon:40674,D009369")
    assert curies(rolled) == {
        "Patients": "NCBITaxon:40674",
        "BRCA1": "NCBIGene:672",
        "breast cancer": "mesh:D009369",
    }
    # The command has the same rule, and counts the kinds that are linked.
    block = LinkSettings(roll_up="taxonomy:40674").block_linker(linker, False)([document])
    assert curies(block.documents[0])["Patients"] == "NCBITaxon:40674"
    genes = LinkSettings(types="gene", roll_up="0")
    with pytest.raises(ConfigError, match="no concept of the knowledge base has a parent"):
        genes.block_linker(genes.linker(), False)


def test_what_holds_for_the_embedded_model_only_is_refused_for_other_kinds() -> None:
    need_main_kinds(None, "that count")
    need_main_kinds("disease", "that count")
    with pytest.raises(ConfigError, match=r"--types has Gene; expected Disease or Chemical, the k"):
        need_main_kinds("disease,gene", "that count")


@pytest.mark.parametrize("types", ["foo", "variant", "gene,variant"])
def test_only_kinds_with_a_base_can_be_searched(types: str) -> None:
    wanted = r"the types '\w+'; expected types among Disease, Chemical, Gene, Species, CellLine$"
    with pytest.raises(ConfigError, match=wanted):
        embedded_bases(types)
