"""Mentions in the words of a knowledge base, for bases without training documents.

A model that was trained with another base does not know how texts vary the names of this one.
These rules help with any base:

- A mention with the words of a name in another form stands for the name
  (:class:`biolink.kb.word_sets.WordSets`).
- A mention of several items with one head, ``branchial and ear anomalies``, stands for its first
  item, ``branchial anomalies``. Corpora that mark each item mark the others as mentions of their
  own, within this one.
- A statement that somebody cannot do something stands for the name of what is absent
  (:func:`biolink.infer.mentions.inabilities.inabilities`).
- ``Manifestations`` and the like say that something is abnormal without saying how.
"""

from __future__ import annotations

import re
from functools import partial

from biolink.infer.mentions.inabilities import inabilities
from biolink.infer.mentions.loose_names import FREE
from biolink.infer.mentions.stop_words import QUALIFIERS
from biolink.kb.knowledge_base import KnowledgeBase
from biolink.kb.names import normalise_name
from biolink.kb.word_sets import WordSets

__all__ = ["first_item", "names_a_site", "reworded"]

#: ``A and B head``, ``A, B, and C head``; A has one or two words.
_LIST = re.compile(
    r"(?P<first>[^\W_]+(?:[ -][^\W_]+)?)(?:, [^,]+)*,? (?:and|or|and/or) (?P<rest>[^,]*)", re.I
)
#: At most so many names of a concept are tried in the place of one of them.
_SYNONYMS = 20
#: Words for something abnormal of any kind.
_ABNORMALITY = "abnormality"
_FINDING = re.compile(r"\b(manifestation|finding|involvement|problem|sign|symptom)s?$", re.I)


def reworded(text: str, kb: KnowledgeBase, sets: WordSets) -> str | None:
    """The text of a mention in the words of a knowledge base.

    Parameters
    ----------
    text
        The mention.
    kb
        The knowledge base.
    sets
        Its names as sets of words.

    Returns
    -------
    A name, or another text that says more clearly what the mention means; None if the mention is a
    name as it is, or nothing better is known.

    Examples
    --------
    >>> from biolink.kb import Concept
    >>> kb = KnowledgeBase.from_concepts([Concept("1", "Abnormality of the ear")])
    >>> reworded("ear and eye abnormalities", kb, WordSets.build(kb))
    'abnormality of the ear'
    """
    if kb.name_id(text) is not None:
        return None
    for start, end, names_of_it in inabilities(text):
        if (start, end) == (0, len(text)):
            known = [name for name in names_of_it if kb.name_id(name) is not None]
            if known:
                return known[0]
    wordings = _wordings(text, sets)
    rules = (
        partial(_plainly, sets),
        partial(_qualified, sets),
        partial(_with_synonym, kb, sets),
        partial(_of_site, sets),
    )
    for names_like in rules:
        for wording in wordings:
            names = [i for i in names_like(wording) if kb.name_mask[i]]
            if len({row for name_id in names for row in kb.owners(name_id)}) == 1:
                return kb.name_at(names[0])
    return wordings[-1] if len(wordings) > 1 else None


def _plainly(sets: WordSets, text: str) -> list[int]:
    """The names with the words of a text, or with those that say what is meant.

    In ``her ears were low-set``, these are "ears", "low" and "set".
    """
    plain = " ".join(word for word in normalise_name(text).split() if word not in FREE)
    return sets.names_of(text) or sets.names_of(plain)


def _wordings(text: str, sets: WordSets) -> list[str]:
    """The text and what it stands for by the rules, the clearest last."""
    item = first_item(text)
    wordings = [text] if item is None else [text, item]
    if sets.choices(_ABNORMALITY):
        abnormal = _FINDING.sub(_ABNORMALITY, wordings[-1])
        if abnormal != wordings[-1]:
            wordings.append(abnormal)
    return wordings


def names_a_site(text: str, sets: WordSets) -> bool:
    """Whether a base has an abnormality of what a text names, so that the text alone is no finding.

    >>> from biolink.kb import Concept
    >>> kb = KnowledgeBase.from_concepts([Concept("1", "Abnormality of the sella turcica")])
    >>> names_a_site("sella turcica", WordSets.build(kb))
    True
    """
    return bool(sets.choices(_ABNORMALITY) and sets.names_of(f"{text} {_ABNORMALITY}"))


def _of_site(sets: WordSets, text: str) -> list[int]:
    """The names for an abnormality of what a text says, or of what all words but the last say.

    ``Branchial`` is short for "Branchial abnormality", and ``gingival papules``, if no name has
    both words, are an abnormality of the gingiva.
    """
    if not sets.choices(_ABNORMALITY):
        return []
    words = normalise_name(text).split()
    if len(words) > 1 and not sets.together(words):
        words = words[:-1]
    return sets.names_of(" ".join([*words, _ABNORMALITY]))


def _qualified(sets: WordSets, text: str) -> list[int]:
    """The names that add only a qualifier to a text of several words."""
    return sets.names_around(text, QUALIFIERS)


def _with_synonym(kb: KnowledgeBase, sets: WordSets, text: str) -> list[int]:
    """The names that have another name of the same concept in the place of the last words.

    In ``cortical lens opacities``, these are "cataract" in the place of "lens opacities".
    """
    words = normalise_name(text).split()
    for index in range(1, len(words)):
        name_id = kb.name_id(" ".join(words[index:]))
        owners = [] if name_id is None else kb.owners(name_id)
        if len(owners) == 1:
            beginning = " ".join(words[:index])
            for name in kb.concept_at(owners[0]).names[:_SYNONYMS]:
                names = sets.names_of(f"{beginning} {name}")
                if names:
                    return names
    return []


def first_item(text: str) -> str | None:
    """The first item of a list with the head that all its items share, or None for other texts.

    >>> first_item("ophthalmic, articular, and auditory manifestations"), first_item("mild ataxia")
    ('ophthalmic manifestations', None)
    """
    match = _LIST.fullmatch(text)
    if match is None:
        return None
    head = match["rest"].split()[1:]
    return f"{match['first']} {' '.join(head)}" if head else None
