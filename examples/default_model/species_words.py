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
#: Adjectives and plurals that the list of species lacks, and species that it has under other names.
ALSO = {
    "7227": "flies, fruit flies",
    "6239": "worms",
    "8355": "xenopus, frog, frogs",
    "9031": "chicken, chickens, chick, chicks, hen, hens",
    "8782": "avian, bird, birds",
    "9544": "macaque, macaques, monkey, monkeys, rhesus monkey, rhesus monkeys, rhesus",
    "9598": "chimpanzee, chimpanzees",
    "9615": "canine, canines, dog, dogs, beagle, beagles",
    "9685": "feline, felines, cat, cats, felis catus",
    "9796": "equine, equines, horse, horses, equus caballus",
    "9823": "porcine, pig, pigs, piglet, piglets, minipig, minipigs, swine",
    "9913": "bovine, bovines, cattle, cow, cows, heifers",
    "9925": "caprine, goat, goats, capra hircus",
    "9940": "ovine, sheep, ewe, ewes, lamb, lambs",
    "9986": "rabbit, rabbits, leporine",
    "10029": "chinese hamsters",
    "10036": "hamster, hamsters, syrian hamster, syrian hamsters",
    "10090": "mouse, mice, murine",
    "10141": "guinea pig, guinea pigs, cavia porcellus",
    "10116": "rat, rats",
}
#: Names of species that mean something else: a microRNA of the fly, and an abbreviation.
NOT_NAMES = {"bantam", "b strain"}
#: Strains of animals.
STRAINS = {
    "10090": "C57BL/6, C57BL/6J, C57BL/6N, C57BL6, C57BL/10, C57, BALB/c, BALB/cJ, DBA/1, DBA/2, "
    "DBA/2J, C3H/HeJ, C3H/HeN, CBA/J, SJL/J, FVB, FVB/N, 129/Sv, 129SvEv, 129X1/SvJ, MRL/lpr",
    "10116": "Sprague-Dawley, Wistar, Wistar-Kyoto, WKY, Long-Evans, F344, Fischer 344, ZDF, SHR",
    "7227": "Oregon-R, Canton-S",
}
#: Cell lines of animals that are not human, or that DepMap lacks; common knowledge of the field, as
#: Cellosaurus and the suppliers state it.
CELLS = {
    "9606": "HeLa, HUVEC, HUVECs, MCF10A, MCF-10A, IMR90, IMR-90, WI-38, "
    "LX-2, HaCaT, Jurkat, Raji, Daudi, Ramos, Ishikawa, LNCaP, RPE1, hTERT-RPE1, HAP1, SH-SY5Y, "
    "HL-60, U937, THP-1, K562, BEAS-2B, ARPE-19, HK-2, HFF, BJAB, LoVo, SiHa, CaSki, PBMC, PBMCs",
    "10090": "NIH3T3, NIH/3T3, 3T3-L1, 3T3, C2C12, C3H10T1/2, RAW264.7, RAW 264.7, J774, J774A.1, "
    "J774.1, MEF, MEFs, Ba/F3, BaF3, 32D, 4T1, EMT6, B16, B16F10, B16-F10, HT22, Neuro-2a, "
    "Neuro2a, N2a, P19, MC3T3-E1, MC3T3, L929, BV-2, BV2, MIN6, AML12, EL4, CT26, MC38, Hepa1-6, "
    "Hepa-1c1c7, NSC-34, F9, mIMCD-3, NMuMG, TM3, TM4, MLTC-1, MA-10, LbetaT2, AtT-20, WEHI-231, "
    "WEHI-3, A20, P388D1, ST2, ATDC5, HC11, mESC, mESCs, TRAMP-C1, M1, 10T1/2, BMDM, BMDMs, BMDC, "
    "BMDCs",
    "10116": "PC12, PC-12, H9c2, IEC-6, IEC6, IEC-18, INS-1, INS-1E, INS1, GH3, GH4C1, RBL-2H3, "
    "NRK, NRK-52E, NRK-49F, L6, Rat-1, Rat1, Rat-2, B35, A7r5, FRTL-5, PCCl3, AR42J, McA-RH7777, "
    "H4IIE, FAO, RIN-m5F, RINm5F, C6, HSC-T6, B104, R28, REF52, PC Cl3",
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
    for taxon, names in ALSO.items():
        words |= dict.fromkeys(names.split(", "), taxon)
    return {word: taxon for word, taxon in words.items() if word not in NOT_NAMES}


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
    return words | strain_words()


def strain_words() -> dict[str, str]:
    """Return the names of strains, without spaces and punctuation -> species."""
    return {key_of(name): taxon for taxon, names in STRAINS.items() for name in names.split(", ")}
