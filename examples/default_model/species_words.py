"""The words by which a text names the species of its genes: names of species and of cell lines."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from biolink.documents import Document
from biolink.infer.names.view import key_of
from biolink.kb import KnowledgeBase, normalise_name
from biolink.kb.readers import read_concepts

DEPMAP = "kb/celllines/depmap.synonyms.tsv.gz"
#: Species whose names are known: those of the base of genes, and others that texts name often.
NAMED = (
    *("9606", "10090", "10116", "7955", "7227", "4932", "9031", "6239", "8355", "3702", "9913"),
    *("9823", "9986", "562", "9544", "9615", "9940", "4896", "44689", "10036", "10029"),
)
#: Cell lines and strains of animals that are not human, or that DepMap lacks; common knowledge of
#: the field, as Cellosaurus and the suppliers state it.
CELLS = {
    "9606": "HeLa, HUVEC, HUVECs, MCF10A, MCF-10A, IMR90, IMR-90, WI-38, "
    "LX-2, HaCaT, Jurkat, Raji, Daudi, Ramos, Ishikawa, LNCaP, RPE1, hTERT-RPE1, HAP1, SH-SY5Y, "
    "HL-60, U937, THP-1, K562, BEAS-2B, ARPE-19, HK-2, HFF, BJAB, LoVo, SiHa, CaSki, PBMC, PBMCs",
    "10090": "NIH3T3, NIH/3T3, 3T3-L1, 3T3, C2C12, C3H10T1/2, RAW264.7, RAW 264.7, J774, J774A.1, "
    "J774.1, MEF, MEFs, Ba/F3, BaF3, 32D, 4T1, EMT6, B16, B16F10, B16-F10, HT22, Neuro-2a, "
    "Neuro2a, N2a, P19, MC3T3-E1, MC3T3, L929, BV-2, BV2, MIN6, AML12, EL4, CT26, MC38, Hepa1-6, "
    "Hepa-1c1c7, NSC-34, F9, mIMCD-3, NMuMG, TM3, TM4, MLTC-1, MA-10, LbetaT2, AtT-20, WEHI-231, "
    "WEHI-3, A20, P388D1, ST2, ATDC5, HC11, mESC, mESCs, TRAMP-C1, M1, 10T1/2, C57BL/6, C57BL/6J, "
    "C57BL6, C57, BALB/c, DBA/2, C3H/HeJ, FVB, FVB/N, 129/Sv, BMDM, BMDMs, BMDC, BMDCs, ApoE-/-",
    "10116": "PC12, PC-12, H9c2, IEC-6, IEC6, IEC-18, INS-1, INS-1E, INS1, GH3, GH4C1, RBL-2H3, "
    "NRK, NRK-52E, NRK-49F, L6, Rat-1, Rat1, Rat-2, B35, A7r5, FRTL-5, PCCl3, AR42J, McA-RH7777, "
    "H4IIE, FAO, RIN-m5F, RINm5F, C6, HSC-T6, B104, R28, REF52, PC Cl3, Sprague-Dawley, Wistar, "
    "Long-Evans, ZDF, SHR",
    "7227": "S2, Kc167",
    "10029": "CHO, CHO-K1",
    "9534": "COS-7, COS7, COS-1, COS1, Vero",
    "9615": "MDCK",
}


def species_words(kb: KnowledgeBase, documents: Iterable[Document]) -> dict[str, str]:
    """Return the words and pairs of words that name a species -> its id.

    Parameters
    ----------
    kb
        The knowledge base of species.
    documents
        Training documents, whose mentions add words such as "mice" and "patients".
    """
    words: dict[str, str] = {}
    for taxon in NAMED:
        concept = kb.get(taxon)
        for name in () if concept is None else map(normalise_name, concept.names):
            parts = name.split()
            if len(parts) <= 2 and re.fullmatch("[a-z ]{3,}", name):
                words[name] = taxon
            if len(parts) == 2:
                words[f"{parts[0][0]} {parts[1]}"] = taxon
    counts: dict[str, Counter[str]] = {}
    for document in documents:
        for mention in document.mentions:
            name = normalise_name(mention.text)
            if len(name.split()) <= 2 and re.fullmatch("[a-z ]{3,}", name):
                counts.setdefault(name, Counter()).update(mention.concept_ids)
    for name, taxa in counts.items():
        taxon, count = taxa.most_common(1)[0] if taxa else ("", 0)
        if taxon in NAMED and count >= 2 and count > 0.7 * sum(taxa.values()):
            words[name] = taxon
    return words


def cell_words(data: Path) -> dict[str, str]:
    """Return the names of cell lines and strains, without spaces and punctuation -> species.

    All lines of DepMap are human. A name without a digit could be an ordinary word, so it counts
    only where it is listed above.
    """
    words = {
        key: "9606"
        for concept in read_concepts(data / DEPMAP)
        for name in concept.names
        if re.search(r"\d", name) and re.search("[A-Za-z]", name) and len(key := key_of(name)) >= 4
    }
    # Genes of every species are put into these cells.
    words = {key: taxon for key, taxon in words.items() if "hek" not in key and "293" not in key}
    for taxon, names in CELLS.items():
        words |= {key_of(name): taxon for name in names.split(", ")}
    return words
