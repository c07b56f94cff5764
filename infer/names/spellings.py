"""Other spellings of a mention under which a knowledge base may have it.

Names of genes and cell lines are written with and without spaces, hyphens and Greek letters
("NRG-1", "NRG1"; "TGF-beta 1", "TGFB1"), with a prefix for the species ("hMLH1"), and with words
that say what the name names ("p53 protein"). The spellings are made from the mention and looked up
in the trie of names, so that no further index is needed.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from itertools import product

from biolink.kb.names import normalise_name

__all__ = ["KINDS", "shorter_keys", "spellings"]

#: How a spelling differs from the mention, from the least to the greatest difference. Names that
#: begin with the mention are those of a ``member``, or of a ``cousin`` if a concept of another
#: species has a more similar name.
KINDS = ("exact", "spacing", "letters", "affix", "part", "member", "cousin")

#: Greek letters as names of genes write them, spelt out and as a Latin letter.
_LETTER = {
    "alpha": "a",
    "beta": "b",
    "gamma": "g",
    "delta": "d",
    "epsilon": "e",
    "zeta": "z",
    "eta": "h",
    "theta": "q",
    "iota": "i",
    "kappa": "k",
    "lambda": "l",
    "mu": "m",
    "sigma": "s",
    "omega": "o",
}
_GREEK = {
    letter: name for name, letter in _LETTER.items() if letter in ("a", "b", "g", "d", "e", "k")
}
_ROMAN = {"i": "1", "ii": "2", "iii": "3", "iv": "4", "v": "5", "vi": "6", "vii": "7", "viii": "8"}
_ARABIC = {digit: numeral for numeral, digit in _ROMAN.items()}
_ATOM = re.compile(r"[^\W\d_]+|\d+|\S")
_GREEK_WITHIN = re.compile(rf"({'|'.join(_LETTER)})")
#: Words around a name that say what it names.
_BEFORE = {
    *("human", "mouse", "murine", "rat", "bovine", "zebrafish", "drosophila", "yeast", "chicken"),
    *("anti", "wild", "type", "mutant", "recombinant", "the", "endogenous", "soluble", "total"),
    *("phospho", "phosphorylated", "activated", "active", "pro", "mrna", "gene", "protein"),
    *("xenopus", "c", "mammalian", "serum", "plasma", "wt", "p", "membrane", "cellular"),
}
_AFTER = {
    *("gene", "genes", "protein", "proteins", "mrna", "mrnas", "cdna", "cdnas", "peptide"),
    *("peptides", "polypeptide", "transcript", "transcripts", "allele", "alleles", "mutant"),
    *("mutants", "isoform", "isoforms", "antigen", "antigens", "molecule", "molecules", "family"),
    *("promoter", "locus", "loci", "complex", "enzyme", "subunit", "subunits", "homolog"),
    *("homologue", "ortholog", "cells", "cell", "line", "lines", "null", "ko", "hormone"),
    *("receptor", "receptors", "virus", "strain", "sp", "spp", "t", "fibroblasts", "cytokine"),
    *("gfp", "flag", "ha", "factor", "factors", "kinase", "channel", "channels", "histone"),
}
#: Letters before a symbol that name the species.
_SPECIES_LETTER = re.compile(r"(?:[hmrdzx]|hs|mm|dm|si|sh|mi|pro|p|c|v|n)(?=[A-Z]|\d)")
#: A Roman numeral at the end of a symbol: "BmprIA", "CaMKIIa".
_NUMERAL = re.compile(r"(\w+?[A-Za-z])(I{1,3}|IV)([a-zA-Z]?)")
_MICRO = re.compile(r"(?:mi|micro)[- ]?RNAs?[- ](?=\d)", re.IGNORECASE)
#: The letter that stands for "receptor" at the end of a word: "TNFR-associated".
_R = re.compile(r"\b([A-Z][A-Za-z0-9]+)R(?=-[a-z]| [a-z])")
#: What separates several names in one mention, and the end of a name that the others replace.
_BETWEEN = re.compile(r"\s*(?:/|,| and | or |&|;|:)\s*")
_END = re.compile(rf"(.*?)(\d+|[A-Z]|(?:{'|'.join(_LETTER)})|(?<=[- \d])[a-z])s?")
#: The most spellings of a mention, and those of one kind.
_MOST, _MOST_OF_A_KIND = 400, 160


@lru_cache(maxsize=8192)
def spellings(mention: str) -> tuple[tuple[str, str], ...]:
    """Return the spellings of a mention as (normalised name, kind), the most similar first.

    Each name stands there once, with the first of :data:`KINDS` by which it was made.

    >>> spellings("NRG-1")[:2]
    (('nrg 1', 'exact'), ('nrg1', 'spacing'))
    >>> dict(spellings("TGFb1"))["tgfbeta1"]
    'letters'
    >>> dict(spellings("p53 protein"))["p53"]
    'affix'
    """
    found: dict[str, str] = {}
    left = Counter(dict.fromkeys(KINDS, _MOST_OF_A_KIND))
    for name, kind in _made(mention):
        if name.strip() and name not in found and left[kind] and len(found) < _MOST:
            found[name] = kind
            left[kind] -= 1
    order = KINDS.index
    return tuple(sorted(found.items(), key=lambda item: order(item[1])))


@lru_cache(maxsize=8192)
def shorter_keys(mention: str) -> tuple[str, ...]:
    """Return the names within a mention, without spaces; the longest first.

    >>> shorter_keys("human p53 protein")[:2]
    ('humanp53', 'p53')
    """
    names = (*_stripped(mention), *_parts(mention))
    return tuple(dict.fromkeys(key for n in names if len(key := n.replace(" ", "")) > 2))


def _made(mention: str) -> Iterator[tuple[str, str]]:
    whole = normalise_name(mention)
    yield whole, "exact"
    # A genus may be abbreviated by more than one letter.
    if match := re.fullmatch(r"([A-Z])[a-z]{1,3}\.? ?([a-z]{3,})", mention):
        yield normalise_name(f"{match[1]} {match[2]}"), "letters"
    for name, letters in _spaced(whole):
        yield name, "letters" if letters else "spacing"
    for other in _rewritten(mention):
        for name, _ in _spaced(other):
            yield name, "letters"
    for stripped in _stripped(mention):
        yield stripped, "affix"
        for name, _ in _spaced(stripped):
            yield name, "affix"
    for part in _parts(mention):
        yield part, "part"
        for name, _ in _spaced(part):
            yield name, "part"
    for moved in _moved(whole):
        yield moved, "part"
    for stem in (whole, *_stripped(mention)):
        yield stem + " ", "member"
        yield stem, "member"


def _rewritten(mention: str) -> Iterator[str]:
    """Yield the mention with numerals in a symbol, "receptor" and "microRNA" written otherwise."""
    if match := _NUMERAL.fullmatch(mention):
        yield normalise_name(match[1] + _ROMAN[match[2].lower()] + match[3])
    if match := _MICRO.match(mention):
        yield normalise_name("mir " + mention[match.end() :])
    if len(mention) > 4 and _R.search(mention):
        yield normalise_name(_R.sub(r"\1 receptor", mention))


def _spaced(name: str) -> Iterator[tuple[str, bool]]:
    """Yield the name with other spaces, Greek letters and numerals, and whether letters differ."""
    atoms: list[str] = []
    before: list[bool] = []  # whether a space stands before the atom
    for token in name.split():
        for number, atom in enumerate(_ATOM.findall(token)):
            pieces = [p for p in _GREEK_WITHIN.split(atom) if p] if len(atom) > 4 else [atom]
            for piece in pieces:
                before.append(number == 0 and piece is pieces[0])
                atoms.append(piece)
    if not atoms or len(atoms) > 9:
        return
    forms = [_forms(atoms, i) for i in range(len(atoms))]
    gaps: list[tuple[str, ...]] = [("",)]
    for i in range(1, len(atoms)):
        sides = atoms[i - 1], atoms[i]
        here = " " if before[i] else ""
        free = any(len(side) <= 5 or side in _LETTER or side.isdigit() for side in sides)
        gaps.append((here, "" if before[i] else " ") if free else (here,))
    size = 1
    for options in (*forms, *gaps):
        size *= len(options)
    if size > 4 * _MOST:  # a long name: only its letters vary
        gaps = [options[:1] for options in gaps]
    count = 0
    for letters in product(*forms):
        changed = list(letters) != atoms
        for spaces in product(*gaps):
            count += 1
            if count > 4 * _MOST:
                return
            yield "".join(s + atom for s, atom in zip(spaces, letters, strict=True)), changed


def _forms(atoms: list[str], i: int) -> list[str]:
    atom = atoms[i]
    if atom in _LETTER:
        return [atom, _LETTER[atom]]
    if len(atoms) > 1:
        if atom in _ROMAN and i:
            return [atom, _ROMAN[atom], *([_GREEK[atom]] if atom in _GREEK else [])]
        if atom in _GREEK:
            return [atom, _GREEK[atom]]
        if atom in _ARABIC and i:
            return [atom, _ARABIC[atom]]
    last = i + 1 == len(atoms) or (i + 2 == len(atoms) and atoms[-1].isdigit())
    if len(atom) >= 3 and atom[-1] in "abg" and last:
        return [atom, atom[:-1] + _GREEK[atom[-1]], atom[:-1] + " " + _GREEK[atom[-1]]]
    if len(atom) > 5 and atom.endswith("uses"):
        return [atom, atom[:-2]]
    if len(atom) > 3 and atom.endswith("s") and not atom.endswith(("ss", "us")):
        return [atom, atom[:-1]]
    return [atom]


def _stripped(mention: str) -> list[str]:
    """The mention without the words and letters around the name itself, from less to more."""
    found: list[str] = []
    words = normalise_name(mention).split()
    while len(words) > 1 and words[-1] in _AFTER:
        words = words[:-1]
        found.append(" ".join(words))
    rest = words
    while len(rest) > 1 and rest[0] in _BEFORE:
        rest = rest[1:]
        found.append(" ".join(rest))
    for end in ("like", "associated", "encoded", "deficient", "positive", "negative"):
        if len(rest) > 1 and rest[-1] == end:
            found.append(" ".join(rest[:-1]))
    match = _SPECIES_LETTER.match(mention)
    if match and len(mention) - match.end() >= 2:
        found.append(normalise_name(mention[match.end() :]))
    # A variant of a transcript, a knock-out or a form after the symbol: "FLNBv4", "OCT4A".
    for most in ("", "?"):
        variant = re.fullmatch(rf"(.{{2,}}{most}[A-Z0-9])(?:[vV]\d+|KO|[a-zA-Z]|\d[a-z])", mention)
        if variant:
            found.append(normalise_name(variant[1]))
    match = re.match(r"(?:hum|DN|cyto|mito|act|[a-z])(?=[a-zA-Z]{2})", mention)
    if (match and not mention.islower()) or mention[:1] == "h":
        found.append(normalise_name(mention[match.end() if match else 1 :]))
    joined = normalise_name(mention)
    if len(joined) > 3 and joined[-1] in "sp" and " " not in joined:
        found.append(joined[:-1])
    return list(dict.fromkeys(found))


def _moved(name: str) -> Iterator[str]:
    """The name with one word at another place, and without one word."""
    words = name.split()
    if not 2 < len(words) <= 8:
        if len(words) == 2:
            yield " ".join(reversed(words))
        return
    for i in range(len(words)):
        rest = [*words[:i], *words[i + 1 :]]
        for j in range(len(rest) + 1):
            yield " ".join([*rest[:j], words[i], *rest[j:]])
        yield " ".join(rest)


def _several(mention: str) -> Iterator[str]:
    """Yield the names of a mention of several, each with the beginning or end that all share.

    >>> list(_several("Phb1/2")), list(_several("B1 and B2 receptors"))
    (['Phb1', 'Phb2'], ['B1 receptors', 'B1', 'B2 receptors'])
    """
    pieces = [piece for piece in _BETWEEN.split(mention) if piece]
    if len(pieces) < 2:
        return
    first, *others = pieces
    last = others[-1].split()
    for piece in (first, *others[:-1]):
        size = len(piece.split())
        if piece.endswith("-") and "-" in last[0]:
            yield " ".join((piece[:-1] + last[0][last[0].index("-") :], *last[1:]))
        elif not piece.startswith("-") and len(last) > size and not _END.fullmatch(others[-1]):
            yield " ".join((piece, *last[size:]))
    yield first
    start = _END.fullmatch(first)
    for piece in others:
        own = _END.fullmatch(piece.lstrip("-"))
        if start and start[1] and own and not own[1]:
            yield start[1] + own[2]
        elif len(piece) > 2 or not piece.isalpha():
            yield piece


def _parts(mention: str) -> Iterator[str]:
    """The parts of a mention of several names, or of a name with an explanation."""
    inner = re.search(r"\(([^()]+)\)", mention)
    if inner:
        yield normalise_name(mention[: inner.start()] + " " + mention[inner.end() :])
        yield normalise_name(mention[: inner.start()])
        yield normalise_name(inner[1])
    for piece in _several(mention):
        yield normalise_name(piece)
    words = normalise_name(mention).split()
    if 1 < len(words) <= 6:
        for count in range(len(words) - 1, 0, -1):
            for part in (" ".join(words[:count]), " ".join(words[-count:])):
                if len(part) > 2 or (len(part) == 2 and not part.isalpha() and not part.isdigit()):
                    yield part
