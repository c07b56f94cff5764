"""The recogniser for a knowledge base that no recogniser was trained for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from biolink.documents import Document, Mention
from biolink.infer.linkers.inputs import document_of
from biolink.infer.mentions.exact_names import is_word
from biolink.infer.mentions.inabilities import inabilities
from biolink.infer.mentions.loose_names import loose_names
from biolink.infer.mentions.nesting import without_fragments
from biolink.infer.mentions.rewording import names_a_site
from biolink.infer.mentions.spans import segments, tidied
from biolink.infer.mentions.stop_words import QUALIFIERS
from biolink.infer.mentions.words import words_of
from biolink.kb import KnowledgeBase
from biolink.kb.stems import JOINING
from biolink.kb.word_sets import word_sets

#: The number of letters up to which a stop name may be an acronym.
_SHORT = 4

if TYPE_CHECKING:
    from biolink.infer.mentions.recognise import DictionaryRecogniser
    from biolink.infer.mentions.shared_reader import SharedReader

__all__ = ["OpenRecogniser", "longest", "ordinary_words", "with_names_inside"]


def ordinary_words(stop_names: Iterable[str]) -> list[str]:
    """Return the stop names of a model that are no names in another knowledge base either.

    A short one that is no English word is an acronym, which documents used for something else than
    the model's knowledge base; another base may mean just that.

    >>> ordinary_words(["syndrome", "cold", "asa"])
    ['syndrome', 'cold']
    """
    return [name for name in stop_names if len(name) > _SHORT or is_word(name)]


#: A concept that is no name is kept if its link has at least this probability.
_SURE = 0.7


class OpenRecogniser:
    """A recogniser that finds the names of a knowledge base in any form, and other concepts.

    It finds the names that a dictionary finds, and names of several words in other forms
    (:func:`biolink.infer.mentions.loose_names.loose_names`). A classifier that was trained on
    documents about concepts of many kinds adds spans that are likely to mean some concept. Their
    concepts need not be in the knowledge base: the linker decides, and where it is not sure of one,
    the mention is left out (:meth:`settled`).

    Parameters
    ----------
    dictionary
        The dictionary recogniser of the knowledge base. If it keeps nested mentions, so does this
        recogniser; otherwise the longest mentions are kept.
    reader
        A classifier of the linking model, with its tokeniser. Default: None, for names only.

    Examples
    --------
    >>> from biolink import Concept, DictionaryRecogniser, Document, KnowledgeBase
    >>> kb = KnowledgeBase.from_concepts([Concept("1", "Abnormality of the hand")])
    >>> recognise = OpenRecogniser(DictionaryRecogniser(kb))
    >>> [m.text for m in recognise(Document("", "She had abnormal hands.")).mentions]
    ['abnormal hands']
    """

    def __init__(
        self, dictionary: DictionaryRecogniser, reader: SharedReader | None = None
    ) -> None:
        self.dictionary, self.reader = dictionary, reader

    @property
    def kb(self) -> KnowledgeBase:
        """The knowledge base, or the subset of one, whose names are searched for."""
        return self.dictionary.kb

    def with_kb(self, kb: KnowledgeBase) -> OpenRecogniser:
        """A recogniser with the same settings for another knowledge base."""
        return OpenRecogniser(self.dictionary.with_kb(kb), self.reader)

    def __call__(self, document: Document) -> Document:
        """The document with the mentions that are found, which replace earlier ones."""
        return self.recognise_batch([document_of(document)])[0]

    def recognise_batch(self, documents: Sequence[Document]) -> list[Document]:
        """The documents with the mentions that are found; faster than one document at a time."""
        concepts = self._concepts(documents)
        return [
            document.with_mentions(self._mentions(document, spans))
            for document, spans in zip(documents, concepts, strict=True)
        ]

    def settled(self, document: Document) -> Document:
        """A linked document without the concepts of the classifier whose links are not sure."""
        return document.with_mentions(
            mention
            for mention in document.mentions
            if mention.probability is None or (mention.best and mention.best.probability >= _SURE)
        )

    def _concepts(self, documents: Sequence[Document]) -> list[list[Mention]]:
        """The mentions that the classifier finds in each document."""
        if self.reader is None or not self.reader.finds_concepts:
            return [[] for _ in documents]
        found = self.reader.concepts(documents)
        return [
            [
                mention
                for mention in map(_trimmed, tidied(document, document.mentions))
                if self._may_be_concept(mention.text)
            ]
            for document in found
        ]

    def _may_be_concept(self, text: str) -> bool:
        """Whether a span that is no name may be a concept.

        A single word would mostly be a name, and a part of the body is not what is abnormal of it.
        """
        return len(words_of(text)) > 1 and not names_a_site(text, word_sets(self.kb))

    def _mentions(self, document: Document, concepts: Iterable[Mention]) -> list[Mention]:
        names = [
            mention
            for mention in self.dictionary(document).mentions
            if mention.text.lower() not in QUALIFIERS
        ]
        names += self._in_other_forms(document)
        if self.dictionary.nested:
            every = {(m.start, m.end): m for m in (*concepts, *reversed(names))}
            return without_fragments(document.text, [every[span] for span in sorted(every)])
        kept = longest(names)
        taken = {at for mention in kept for at in range(mention.start, mention.end)}
        free = (c for c in concepts if taken.isdisjoint(range(c.start, c.end)))
        return sorted((*kept, *free), key=lambda m: (m.start, m.end))

    def _in_other_forms(self, document: Document) -> list[Mention]:
        found = []
        for begin, end in segments(document):
            line = document.text[begin:end]
            words = words_of(line)
            for name in loose_names(line, words, word_sets(self.kb)):
                start, stop = begin + words[name.first][0], begin + words[name.last][1]
                text = document.text[start:stop]
                if self.dictionary.knows(name.name_id):
                    kind = self.dictionary.type_of(name.name_id)
                    found.append(Mention(start, stop, text, type=kind))
            for first, last, names in inabilities(line):
                ids = [i for i in map(self.kb.name_id, names) if i is not None]
                if ids and self.dictionary.knows(ids[0]):
                    span = slice(begin + first, begin + last)
                    kind = self.dictionary.type_of(ids[0])
                    found.append(Mention(span.start, span.stop, document.text[span], type=kind))
        return found


def longest(mentions: Iterable[Mention]) -> list[Mention]:
    """The mentions that remain if, of mentions that overlap, the longest is kept.

    Of equally long ones, the first one given is kept.

    >>> text = "renal cysts"
    >>> [m.text for m in longest([Mention(6, 11, "cysts"), Mention(0, 11, "renal cysts")])]
    ['renal cysts']
    """
    kept: list[Mention] = []
    taken: set[int] = set()
    for mention in sorted(mentions, key=lambda m: m.start - m.end):
        span = range(mention.start, mention.end)
        if taken.isdisjoint(span):
            taken.update(span)
            kept.append(mention)
    return sorted(kept, key=lambda m: m.start)


def with_names_inside(
    document: Document,
    mentions: Sequence[Mention],
    dictionaries: Iterable[Callable[[Document], Document]],
) -> list[Mention]:
    """Mentions, and the names within them that dictionaries find.

    Parameters
    ----------
    document
        The document.
    mentions
        The mentions that were found in it; they do not overlap.
    dictionaries
        Recognisers that find nested names.
    """
    every = {(m.start, m.end): m for m in mentions}
    outer = {place: m for m in mentions for place in range(m.start, m.end)}
    for dictionary in dictionaries:
        for name in dictionary(document).mentions:
            around = outer.get(name.start)
            if around is not None and name.end <= around.end:
                every.setdefault((name.start, name.end), name)
    return without_fragments(document.text, [every[span] for span in sorted(every)])


def _trimmed(mention: Mention) -> Mention:
    """The mention without a joining word at its end, as in ``ulcerative colitis with``."""
    text = mention.text
    while (end := text.rfind(" ")) > 0 and text[end + 1 :] in JOINING:
        text = text[:end].rstrip()
    return (
        mention
        if text == mention.text
        else replace(mention, end=mention.start + len(text), text=text)
    )
