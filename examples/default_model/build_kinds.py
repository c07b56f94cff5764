"""Build the knowledge bases of genes, species and cell lines from openly licensed files.

    python examples/default_model/build_kinds.py --data ../shared/data --out build/kinds

The program writes ``genes.kb`` (ids of NCBI Gene), ``species.kb`` (NCBI Taxonomy) and
``cell_lines.kb`` (Cellosaurus). Names that no text uses are left out, because the bases are small
parts of an installed package; the program prints what the annotated training documents lose by it.
"""

from __future__ import annotations

import argparse
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from corpora_of_kinds import corpora_of
from species_words import DEPMAP

from biolink.documents import Document
from biolink.infer.mentions.abbreviations import may_be_short
from biolink.infer.names.view import key_of
from biolink.kb import Concept, KnowledgeBase, normalise_name
from biolink.kb.build import united
from biolink.kb.files import sha256_of
from biolink.kb.readers import read_concepts

GENES = "kb/ncbi_gene/{}.gene_info.tsv.gz"
RAT = "kb/ncbi_gene/Rattus_norvegicus.rgd_2023-02-17.tsv.gz"
HGNC = "kb/hgnc/hgnc_complete_set_2024-10-18.tsv.gz"
SPECIES = "kb/species/uniprot_speclist_2021_03.tsv.gz"
MONDO_TAXA = "kb/species/ncbitaxon_mondo_import_2026-08.tsv.gz"
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
        MONDO_TAXA: "NCBI Taxonomy (U.S. National Library of Medicine), as MONDO imported it in "
        "2026-08, CC BY 4.0",
    },
    "cell_lines": {
        CELLS: "Cellosaurus, through Biolexica 2025-08-06, CC BY 4.0",
        DEPMAP: "DepMap 25Q3, CC BY 4.0",
    },
}

#: Genes without a name that a text would use: predicted ones, clones, and the hundreds of receptors
#: of smell.
_UNNAMED = re.compile(
    r"LOC\d+|Gm\d+|RGD\d+|AABR\d+.*|[A-Z0-9]{7,10}Rik|[A-Z]{1,2}\d{5,6}|Mir\d+.*-ps.*|.*-ps\d*|"
    r"(?:RP|CT[ABCD]|XX|AC|AL|AP)\d*-?\d+[\w.]*\.\d+|(?:si|zgc|im|wu|zmp|sb|cb):.*|"
    r"CG\d+|CR\d+|.*:CR\d+|asRNA:.*|lncRNA:.*|tRNA:.*|.*rRNA.*:.*|snoRNA:.*|LINC\d+|"
    r"ENS[A-Z]*\d+.*|n-[A-Z]\w+|Mt[a-z]|trna.*|tRNA.*|TR[A-Z]-.*|"
    r"Olr\d+|Olfr\d+|Or\d+\w*|or\d+\w*|Vom\d?r\d+|Vmn\dr\d+|Zfp\d+-ps\d*"
)
#: Names of clones, transcripts and records, and empty phrases.
_NAMELESS = re.compile(
    r"(?:[A-Z]{1,2}\d{5,6}|[A-Za-z]+\\\w+.*|Dmel_.*|Dm_.*|CG\d+|CG\d+[-/].*|.*-P[A-Z]{1,2}|EG:.*|"
    r"(?:RP|CT[ABCD]|XX)\d*-\d+\w+\.\d+|LOC\d+|RGD\d+|[A-Z0-9]{7,10}Rik|EC \d+.*|Olr\d+|"
    r"RIKEN cDNA.*|expressed sequence .*|cDNA sequence .*|DNA segment,.*|hypothetical.*|"
    r"predicted gene.*|.*uncharacteri[sz]ed.*|novel protein.*|similar to .*|.*LOC\d+.*|"
    r"epididymis (?:secretory|luminal|tissue).*|testicular tissue.*|HEL-[\w-]+|HEL-S-\w+|"
    r"BC\d{6}|DKFZ\w+|FLJ\d+|BG\d{5}|BEST:\w+|BcDNA.*|l\(\d\)\w+|anon-.*|clone .*|MGC:?\d+|"
    r"long intergenic non-protein.*|.*antisense RNA(?: \d+)?(?: \(.*)?|NCRNA\d+|TCONS_\d+|"
    r".*\(pseudogene\).*|.*Drosophila melanogaster.*|.*(?:isoform|transcript) .*|"
    r"olfactory receptor.*|.* homolog \(\w.*\)|(?:protein|gene) \w+ homolog)",
    re.IGNORECASE,
)
#: The names of clones of the zebrafish.
_CLONE = re.compile(
    r"(?:si|zgc|im|wu|zmp|sb|id|hm|cb|etID|cssl):?.*\d.*|f[a-z]\d{2}[a-z]\d{2}|[a-z]{2}\d{2}[a-z]\d{2}|"
    r"cb\d+|sr:.*"
)
#: Codes of cells in repositories, and lines that were made from another one by editing a gene.
_REPOSITORY = re.compile(r"(?:GM|HG|NA|AG|ND|WG|IMR-|CS|CW|HVRDe|RRS|RST|BGA)\d{4,}\w*")
_DERIVED = re.compile(
    r"\(-\)|\bKO\b|-KO-|BayGenomics|Abcam|Ubigene|clone ?\d|^HPSI\d|^SEES3|i\d{3}-\w+$|^PPMI|"
    r"^(?:DSHB|PCRP|PAb|PMab)|eGFP-"
)
#: Species -> the greatest length of a name in characters. Longer names take much space and are
#: rarely written, the less so the less a species is studied; training documents spell out the full
#: names of 4 genes of zebrafish. A gene of another species is also found by the names of the human
#: gene of the same symbol.
_LONGEST = {"9606": 55, "10090": 50, "10116": 40, "7955": 10, "7227": 30}
#: The types of genes that texts name. Pseudogenes, loci of traits and genes of transfer RNA make
#: up half of the files and 1 % of the annotated mentions.
_NAMED_TYPES = {"protein-coding", "ncRNA", "other"}
#: The species, in the order of preference where a text names none.
TAXA = ("9606", "10090", "10116", "7955", "7227")


def of_genes(data: Path) -> Iterator[Concept]:
    """Yield the genes of all species, with HGNC's names added to the human ones."""
    hgnc = {concept.id: concept for concept in read_concepts(data / HGNC, ids="ncbi")}
    former = {
        concept.id: set(hgnc[concept.id].names) - set(concept.names)
        for concept in read_concepts(data / HGNC, ids="ncbi", previous=False)
    }
    for name in ("Homo_sapiens", "Mus_musculus"):
        for concept in read_concepts(data / GENES.format(name)):
            if concept.id in hgnc:
                # HGNC is newer, so its symbol is the preferred name. Previous symbols come last.
                concept = united(hgnc[concept.id], concept)
                last = former[concept.id]
                names = sorted(concept.synonyms, key=last.__contains__)
                concept = replace(concept, synonyms=tuple(names))
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
    kinds = set(concept.types) - {"Gene"}
    named = _NAMED_TYPES | ({"unknown"} if concept.taxon == "9606" else set())
    if _UNNAMED.fullmatch(concept.name) or (kinds and not kinds & named):
        return None
    if re.search(r"(?<![/])pseudogene", " ".join(concept.synonyms[:1])):
        return None
    longest = _LONGEST.get(concept.taxon, 0)
    clone = _CLONE if concept.taxon == "7955" else None
    names = distinct(
        name
        for name in concept.names
        if name == concept.name
        or not (
            _NAMELESS.fullmatch(name)
            or len(name) > longest
            or (clone is not None and clone.fullmatch(name))
        )
    )
    return replace(concept, name=names[0], synonyms=names[1:], types=("Gene",), xrefs=(), source="")


def taught(kb: KnowledgeBase, documents: Iterable[Document]) -> Iterator[Concept]:
    """Yield the concepts with the names that training documents give them.

    A name counts if documents use it mostly for one concept and it is no name of another one. A
    short form must occur twice, and a name of another concept three times. A concept that the base
    lacks is added if it has such a name.
    """
    counts: dict[str, Counter[str]] = {}
    written: dict[str, Counter[str]] = {}
    for document in documents:
        for mention in document.mentions:
            name = mention.text
            ids = {kb.resolve(i) or kb.bare_id(i) for i in mention.concept_ids}
            if (key := normalise_name(name)) and len(ids) == 1:
                counts.setdefault(key, Counter()).update(ids)
                written.setdefault(key, Counter())[name] += 1
    names: dict[str, dict[str, int]] = {}
    for key, linked in counts.items():
        (concept_id, count), *_ = linked.most_common(1)
        name = written[key].most_common(1)[0][0]
        owners = {concept.id for concept in kb.lookup(key)}
        least = 1 if owners <= {concept_id} and not may_be_short(name) else 2
        if not owners <= {concept_id}:
            least = 3
        if count >= least and count > 0.7 * linked.total():
            names.setdefault(concept_id, {})[name] = count
    (kind,) = kb.types
    for concept in kb:
        added = names.pop(concept.id, {})
        yield replace(concept, synonyms=distinct((*concept.names, *added))[1:])
    for concept_id, given in sorted(names.items()):
        # A short form or an adjective is not the preferred name if there is another one.
        first, *others = sorted(given, key=lambda name: (may_be_short(name), -given[name], name))
        yield Concept(concept_id, first, tuple(others), types=(kind,), source="documents")


def abbreviated(name: str) -> str | None:
    """Return the usual abbreviation of the name of a species, or None if it is not one.

    >>> abbreviated("Escherichia coli"), abbreviated("Human"), abbreviated("West Nile virus")
    ('E. coli', None, None)
    """
    match = re.fullmatch(r"([A-Z])[a-z]+ ([a-z]{3,})", name)
    return None if match is None or match[2] == "virus" else f"{match[1]}. {match[2]}"


def with_abbreviations(concept: Concept) -> Concept:
    """Add the abbreviations of a species' names of two words."""
    short = filter(None, map(abbreviated, concept.names))
    return replace(concept, synonyms=distinct((*concept.names, *short))[1:])


def of_species(data: Path) -> Iterator[Concept]:
    """Yield the species of UniProt's list, and the taxa that MONDO imports."""
    table = {"id": "taxid", "name": "scientific_name"}
    for concept in read_concepts(data / MONDO_TAXA, id="taxid", name="name"):
        # A genus that shares its name with another taxon carries its rank: "Mus <genus>".
        written = re.sub(r"\s*<.*>$", "", concept.name)
        yield replace(concept, name=written, types=("Species",))
    for synonyms in ("common_name", "synonym"):
        for concept in read_concepts(data / SPECIES, "table", synonyms=synonyms, **table):
            # A strain is rarely written as the list has it: "Erwinia tasmaniensis (strain Et1/99)".
            if not re.search(r"\((?:strain|isolate) ", concept.name):
                yield replace(concept, types=("Species",))


def of_cell_lines(data: Path) -> Iterator[Concept]:
    """Yield the cell lines of Cellosaurus, without those that were derived for one experiment.

    Lines that are also DepMap's are human; the species of the others is not in the files.
    """
    depmap = read_concepts(data / DEPMAP)
    from_depmap = {key_of(concept.name) for concept in depmap if len(concept.name) > 3}
    lines: dict[str, Concept] = {}
    for concept in read_concepts(data / CELLS, vocabularies="cellosaurus"):
        before = lines.get(concept.id)
        lines[concept.id] = concept if before is None else united(before, concept)
    for concept in lines.values():
        names = [name for name in distinct(concept.names) if not _REPOSITORY.fullmatch(name)]
        if not names or _DERIVED.search(names[0]):
            continue
        concept = replace(concept, name=names[0], synonyms=tuple(names[1:]))
        accession = "CVCL_" + concept.id.partition(":")[2]
        human = any(key_of(name) in from_depmap for name in concept.names)
        # Lines that are in wide use are written in several ways.
        if len(names) == 1 and not human:
            continue
        yield replace(
            concept,
            id=accession,
            types=("CellLine",),
            source="",
            taxon="9606" if human else "",
        )


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
    kept = [gene for gene in map(pruned_gene, of_genes(data)) if gene and gene.taxon in TAXA]
    # Genes of the same symbol stand side by side, so that the files can be compressed well.
    kept.sort(
        key=lambda gene: (
            normalise_name(gene.name),
            TAXA.index(gene.taxon) if gene.taxon in TAXA else len(TAXA),
            gene.id,
        )
    )
    return built(data, "genes", kept, "NCBIGene")


def species(data: Path) -> KnowledgeBase:
    """The species, under ids of NCBI Taxonomy."""
    kb = built(data, "species", of_species(data), "NCBITaxon")
    return built(data, "species", map(with_abbreviations, kb), "NCBITaxon")


def cell_lines(data: Path) -> KnowledgeBase:
    """The cell lines, under accessions of Cellosaurus."""
    return built(data, "cell_lines", of_cell_lines(data), "cellosaurus")


#: Name of a base -> its kind, the function that builds it, and the prefix of its ids.
BASES = {
    "genes": ("Gene", genes, "NCBIGene"),
    "species": ("Species", species, "NCBITaxon"),
    "cell_lines": ("CellLine", cell_lines, "cellosaurus"),
}


def with_taught_names(data: Path, name: str, kb: KnowledgeBase) -> KnowledgeBase:
    """Return a base with the names and concepts of training documents; genes stay as they are.

    A gene that is known from a document alone has no species, so it could not be told from others.
    """
    kind, _, prefix = BASES[name]
    if kind == "Gene":
        return kb
    corpora = corpora_of(data, kind).training.values()
    documents = [document for corpus in corpora for document in corpus]
    return built(data, name, taught(kb, documents), prefix)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    for base, (_, build, _) in BASES.items():
        kb = with_taught_names(arguments.data, base, build(arguments.data))
        kb.save(arguments.out / f"{base}.kb")
        print(base, kb)
