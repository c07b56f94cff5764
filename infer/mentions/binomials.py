"""Scientific names of species that a knowledge base has and a recogniser missed."""

from __future__ import annotations

import re
from collections.abc import Container, Sequence

from biolink.documents import Mention
from biolink.kb import KnowledgeBase, normalise_name

__all__ = ["with_binomials"]

#: What is written like "Escherichia coli" or "E. coli".
_BINOMIAL = re.compile(r"\b[A-Z](?:\. ?|[a-z]+ )[a-z]{3,}\b")


def with_binomials(
    text: str, mentions: Sequence[Mention], kb: KnowledgeBase, stop_names: Container[str] = ()
) -> list[Mention]:
    """The mentions of a text with the scientific names of species that are not among them.

    A name takes the place of mentions within it, and is left out where a mention goes beyond it.

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
        within = all(start <= m.start and m.end <= end for m in near)
        same = any((m.start, m.end) == (start, end) for m in near)
        if within and not same and name not in stop_names and kb.name_id(name) is not None:
            kept = [m for m in kept if m not in near]
            kept.append(Mention(start, end, match[0], "Species"))
    return sorted(kept, key=lambda m: (m.start, m.end))
