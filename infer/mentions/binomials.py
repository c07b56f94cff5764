"""The names of species as they are written: scientific names, and viruses named after hosts."""

from __future__ import annotations

import re
from collections.abc import Container, Sequence
from dataclasses import replace

from biolink.documents import Mention
from biolink.infer.mentions.stop_words import STOP_WORDS
from biolink.kb import KnowledgeBase, normalise_name
from biolink.kb.types import type_name

__all__ = ["with_binomials", "with_viruses"]

#: What is written like "Escherichia coli" or "E. coli".
_BINOMIAL = re.compile(r"\b[A-Z](?:\. ?|[a-z]+ )[a-z]{3,}\b")
#: A symbol of capitals behind a name.
_SYMBOL = re.compile(r" [A-Z]{2,6}")
#: What makes a host the beginning of a virus's name: "mosaic virus" in "Tobacco mosaic virus".
_OF_A_VIRUS = re.compile(r"((?: [a-z]+){1,3}) virus(?:es)?\b")


def with_binomials(
    text: str, mentions: Sequence[Mention], kb: KnowledgeBase, stop_names: Container[str] = ()
) -> list[Mention]:
    """The mentions of a text with the scientific names of species that are not among them.

    A name takes the place of mentions within it. Where a mention goes beyond it, the name is left
    out, unless only the symbol of a gene follows (``Arabidopsis thaliana FLC``). The code of a
    strain has digits.

    Parameters
    ----------
    text
        The text.
    mentions
        The mentions that a recogniser found in it.
    kb
        The knowledge base of species.
    stop_names
        Normalised names that are no mentions, such as ordinary words. Default: none.

    Examples
    --------
    >>> from biolink.kb import Concept
    >>> kb = KnowledgeBase.from_concepts([Concept("562", "E. coli", types=("Species",))])
    >>> found = with_binomials("We grew E. coli.", [Mention(11, 15, "coli", "Species")], kb)
    >>> [(mention.text, mention.type) for mention in found]
    [('E. coli', 'Species')]
    """
    kept = list(mentions)
    for match in _BINOMIAL.finditer(text):
        start, end = match.span()
        name = normalise_name(match[0])
        near = [m for m in kept if m.start < end and start < m.end]
        if near and _has_a_symbol(near[-1], match[0], kb):
            kept = [m for m in kept if m is not near[-1]]
            near = near[:-1]
        within = all(start <= m.start and m.end <= end for m in near)
        same = any((m.start, m.end) == (start, end) for m in near)
        if within and not same and name not in stop_names and kb.name_id(name) is not None:
            kept = [m for m in kept if m not in near]
            kept.append(Mention(start, end, match[0], "Species"))
    return sorted(kept, key=lambda m: (m.start, m.end))


def with_viruses(text: str, mentions: Sequence[Mention]) -> list[Mention]:
    """Mentions of species, extended to the name of a virus where they are its first word.

    The mentions within the virus's name are left out.

    >>> with_viruses("Tobacco rattle virus", [Mention(0, 7, "Tobacco", "Species")])[0].text
    'Tobacco rattle virus'
    """
    kept: list[Mention] = []
    for mention in mentions:
        if kept and mention.start < kept[-1].end:
            continue
        match = _OF_A_VIRUS.match(text, mention.end)
        if (
            match is not None
            and type_name(mention.type) == "species"
            and STOP_WORDS.isdisjoint(match.group(1).split())
            and not any(m.start < match.end() < m.end for m in mentions)
        ):
            end = match.end()
            mention = replace(mention, end=end, text=text[mention.start : end])
        kept.append(mention)
    return kept


def _has_a_symbol(mention: Mention, name: str, kb: KnowledgeBase) -> bool:
    """Whether a mention is a name of the knowledge base with a symbol, and no name itself."""
    return (
        type_name(mention.type) == "species"
        and mention.text.startswith(name)
        and _SYMBOL.fullmatch(mention.text, len(name)) is not None
        and kb.name_id(mention.text) is None
        and kb.name_id(name) is not None
    )
