"""Build the knowledge bases of genes, species and cell lines from openly licensed files.

    python examples/default_model/build_kinds.py --data ../shared/data --out build/kinds

The program writes ``genes.kb`` (ids of NCBI Gene), ``species.kb`` (NCBI Taxonomy) and
``cell_lines.kb`` (Cellosaurus). Names that no text uses are left out, because the bases are small
parts of an installed package; the program prints what the annotated training documents lose by it.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from biolink.kb import Concept, KnowledgeBase, normalise_name
from biolink.kb.build import united
from biolink.kb.files import sha256_of
from biolink.kb.readers import read_concepts

GENES = "kb/ncbi_gene/{}.gene_info.tsv.gz"
RAT = "kb/ncbi_gene/Rattus_norvegicus.rgd_2023-02-17.tsv.gz"
HGNC = "kb/hgnc/hgnc_complete_set_2024-10-18.tsv.gz"
SPECIES = "kb/species/uniprot_speclist_2021_03.tsv.gz"
TAXA = "kb/species/ncbitaxon_mondo_import_2026-08.tsv.gz"
CELLS = "kb/biolexica/cell.ssslm.tsv.gz"
#: File -> version and licence, for each base.
NCBI_GENE = "NCBI Gene, July 2021, U.S. National Library of Medicine"
SOURCES = {
    "genes": {
        **{
            GENES.format(species): NCBI_GENE
            for species in (
                "Homo_sapiens",
                "Mus_musculus",
                "Danio_rerio",
                "Drosophila_melanogaster",
            )
        },
        RAT: "Rat Genome Database, 2023-02-17, CC BY 4.0",
        HGNC: "HGNC, 2024-10-18, CC0 1.0",
    },
    "species": {
        SPECIES: "UniProt controlled vocabulary of species, release 2021_03, CC BY 4.0",
        TAXA: "NCBI Taxonomy (U.S. National Library of Medicine), as imported by MONDO 2026-08, "
        "CC BY 4.0",
    },
    "cell_lines": {CELLS: "Cellosaurus, through Biolexica 2025-08-06, CC BY 4.0"},
}

#: Genes without a name that a text would use: predicted ones and clones.
_UNNAMED = re.compile(
    r"LOC\d+|Gm\d+|RGD\d+|AABR\d+.*|\d{6}\w\d\dRik|[A-Z]{1,2}\d{5,6}|Mir\d+.*-ps.*|.*-ps\d*|"
    r"(?:RP|CT[ABCD]|XX|AC|AL|AP)\d*-?\d+[\w.]*\.\d+|"
    r"(?:si|zgc|im|wu|zmp|sb):.*|"
    r"CR\d+|.*:CR\d+|asRNA:.*|lncRNA:.*|tRNA:.*|.*rRNA.*:.*|snoRNA:.*|"
    r"ENS[A-Z]*\d+.*|n-[A-Z]\w+|Mt[a-z]|trna.*|tRNA.*|TR[A-Z]-.*"
)
#: Names of clones, transcripts and records, and empty phrases.
_NAMELESS = re.compile(
    r"(?:[A-Z]{1,2}\d{5,6}|[A-Za-z]+\\\w+.*|CG\d+-P[A-Z]+|.*-P[A-Z]{1,2}|EG:.*|"
    r"(?:RP|CT[ABCD]|XX)\d*-\d+\w+\.\d+|(?:si|zgc|im|wu|zmp|sb|id|etID|cb|fb|fc|fd|fe|fi|fj|fk)"
    r":?\w*\d\w*(?:\.\d)?|LOC\d+|\d{6}\w\d\dRik|[a-z]{2}\d{2}[a-z]\d{2}|EC \d+.*|"
    r"RIKEN cDNA.*|expressed sequence .*|cDNA sequence .*|DNA segment,.*|hypothetical.*|"
    r"predicted gene.*|.*uncharacteri[sz]ed.*|novel protein.*|similar to .*|.*LOC\d+.*|"
    r"epididymis (?:secretory|luminal|tissue).*|testicular tissue.*|HEL-[\w-]+|HEL-S-\w+|"
    r"BC\d{6}|DKFZ\w+|BG\d{5}|BEST:\w+|l\(\d\)\w+|anon-.*|clone .*|MGC:?\d+|"
    r".*\(pseudogene\).*|.*Drosophila melanogaster.*|.*(?:isoform|transcript) .*)",
    re.IGNORECASE,
)
#: The greatest length of a name in characters; longer ones are definitions.
_LONGEST = 90


def of_genes(data: Path) -> Iterator[Concept]:
    """Yield the genes of all species, with HGNC's names added to the human ones."""
    hgnc = {concept.id: concept for concept in read_concepts(data / HGNC, ids="ncbi")}
    for name in ("Homo_sapiens", "Mus_musculus"):
        for concept in read_concepts(data / GENES.format(name)):
            if concept.id in hgnc:
                # HGNC is newer, so its symbol is the preferred name.
                concept = replace(united(hgnc[concept.id], concept), source=concept.source)
            yield concept
    table = {"id": "GeneID", "name": "symbol"}
    rats: dict[str, Concept] = {}
    for synonyms in ("name", "synonyms"):
        for concept in read_concepts(data / RAT, "table", synonyms=synonyms, **table):
            before = rats.get(concept.id)
            rats[concept.id] = concept if before is None else united(before, concept)
    for concept in rats.values():
        yield replace(concept, types=("Gene",), source="RGD", taxon="10116")
    for name in ("Danio_rerio", "Drosophila_melanogaster"):
        yield from read_concepts(data / GENES.format(name))


def distinct(names: Iterable[str]) -> tuple[str, ...]:
    """Leave out names that differ from an earlier one only in case and punctuation."""
    kept: dict[str, str] = {}
    for name in names:
        if key := normalise_name(name):
            kept.setdefault(key, name)
    return tuple(kept.values())


def pruned_gene(concept: Concept) -> Concept | None:
    """Return a gene with the names that texts use, or None if it has none."""
    if _UNNAMED.fullmatch(concept.name):
        return None
    if re.search(r"(?<![/])pseudogene", " ".join(concept.synonyms[:1])):
        return None
    names = distinct(
        name
        for name in concept.names
        if name == concept.name or not (_NAMELESS.fullmatch(name) or len(name) > _LONGEST)
    )
    return replace(concept, name=names[0], synonyms=names[1:], xrefs=(), definitions=(), source="")


def of_species(data: Path) -> Iterator[Concept]:
    """Yield the species of UniProt's list, and the taxa that MONDO imports."""
    table = {"id": "taxid", "name": "scientific_name"}
    for concept in read_concepts(data / TAXA, id="taxid", name="name"):
        # A genus that shares its name with another taxon carries its rank: "Mus <genus>".
        written = re.sub(r"\s*<.*>$", "", concept.name)
        yield replace(concept, name=written, types=("Species",))
    for synonyms in ("common_name", "synonym"):
        for concept in read_concepts(data / SPECIES, "table", synonyms=synonyms, **table):
            yield replace(concept, types=("Species",))


def of_cell_lines(data: Path) -> Iterator[Concept]:
    """Yield the cell lines of Cellosaurus."""
    for concept in read_concepts(data / CELLS, vocabularies="cellosaurus"):
        accession = "CVCL_" + concept.id.partition(":")[2]
        yield replace(concept, id=accession, types=("CellLine",), source="")


def built(data: Path, kind: str, concepts: Iterable[Concept], prefix: str) -> KnowledgeBase:
    return KnowledgeBase.from_concepts(
        concepts,
        prefix=prefix,
        sources=[
            {"file": name, "licence": licence, "sha256": sha256_of(data / name)}
            for name, licence in SOURCES[kind].items()
        ],
        options={"recipe": "examples/default_model/build_kinds.py"},
    )


def genes(data: Path) -> KnowledgeBase:
    """The genes, under ids of NCBI Gene."""
    return built(data, "genes", filter(None, map(pruned_gene, of_genes(data))), "NCBIGene")


def species(data: Path) -> KnowledgeBase:
    """The species, under ids of NCBI Taxonomy."""
    return built(data, "species", of_species(data), "NCBITaxon")


def cell_lines(data: Path) -> KnowledgeBase:
    """The cell lines, under accessions of Cellosaurus."""
    return built(data, "cell_lines", of_cell_lines(data), "cellosaurus")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    for build in (genes, species, cell_lines):
        kb = build(arguments.data)
        kb.save(arguments.out / f"{build.__name__}.kb")
        print(build.__name__, kb)
