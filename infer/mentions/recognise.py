"""Recognisers: functions that find mentions, ``Document -> Document``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cache, cached_property, partial
from typing import Any

from biolink.documents import Document, Mention
from biolink.infer.linkers.piping import document_of
from biolink.infer.mentions.abbreviations import (
    Definitions,
    Finder,
    definitions,
    find_abbreviations,
)
from biolink.infer.mentions.hyphenated import Names, with_codes
from biolink.infer.mentions.spans import balanced, is_written, segments, source_span, tidied
from biolink.infer.mentions.stop_words import STOP_WORDS
from biolink.infer.mentions.tagger import Tagger
from biolink.kb import KnowledgeBase, normalise_name
from biolink.kb.arguments import need, need_callable, texts_of
from biolink.kb.names import fold, fold_aligned
from biolink.kb.types import type_name

__all__ = ["DictionaryRecogniser", "TrainedRecogniser"]


# Words as the normalisation of names sees them: whatever it turns into a space parts words.
_WORD = re.compile(r"[^\s,.;{}\[\]()+\-_*/?!`\"'=%><:]+")
# What may stand between two words of one mention: at most three marks, no sentence end.
_GAP = re.compile(r"[\s,{}\[\]()+\-_*/`\"'=%><:]{1,3}|\.(?=\w)")
#: Where words stand in a text, and the words as names have them.
Words = list[tuple[int, int, str]]
_MAX_WORDS = 12
_SHORT = 4


class DictionaryRecogniser:
    """Finds names of a knowledge base: the longest match from each word on, left to right.

    Words are compared after the normalisation of names, so hyphens and punctuation do not matter;
    plurals of the last word are tried. Names of up to four letters that their owner writes in
    capitals must stand in capitals. Mentions do not overlap.

    Parameters
    ----------
    kb
        Whose names are looked for (its marisa-trie is the dictionary).
    stop_names
        Normalised names that are never mentions: ordinary words that happen to be names.
    abbreviations
        Also find short forms that the document defines for a name; None to leave them.
    """

    def __init__(
        self,
        kb: KnowledgeBase,
        stop_names: Iterable[str] = (),
        abbreviations: Finder | None = find_abbreviations,
    ) -> None:
        need("kb", kb, KnowledgeBase, "a KnowledgeBase (KnowledgeBase.read gives one)")
        need_callable("abbreviations", abbreviations, "a function that finds abbreviations")
        self.kb = kb
        self._abbreviations = abbreviations
        self._given_stop_names = frozenset(texts_of("stop_names", stop_names))

    def with_kb(self, kb: KnowledgeBase) -> DictionaryRecogniser:
        """The same settings for another knowledge base."""
        return DictionaryRecogniser(kb, self._given_stop_names, self._abbreviations)

    @cached_property
    def _stop_names(self) -> frozenset[str]:
        return self._given_stop_names | STOP_WORDS

    def __call__(self, document: Document) -> Document:
        """The document with the mentions that were found; earlier ones are replaced."""
        document = document_of(document)
        text = document.text
        mentions: list[Mention] = []
        for begin, end in segments(document):
            line = text[begin:end]
            words = _words(line)
            position = 0
            while position < len(words):
                found = self._longest(line, words, position)
                if found is None:
                    position += 1
                    continue
                start, behind, name_id, position = found
                span = (begin + start, begin + behind)
                mentions.append(Mention(*span, text[slice(*span)], type=self._type(name_id)))
        return document.with_mentions(self._with_abbreviations(document, mentions))

    def names_in(self, document: Document) -> Names:
        """Whether a text is a name of a concept of a type, or defined to be short for one."""

        @cache
        def defined() -> Definitions:
            if self._abbreviations is None:
                return Definitions()
            return definitions(document, self._abbreviations)

        def names(text: str, kind: str) -> bool:
            return self._is_name(text, kind) or self._is_name(defined().get(text, ""), kind)

        return names

    def _is_name(self, text: str, kind: str) -> bool:
        name_id = self.kb.name_id(text)
        if name_id is None or not self._usable(text, normalise_name(text), name_id):
            return False
        types = {type_name(t) for row in self.kb.owners(name_id) for t in self.kb.types_at(row)}
        return type_name(kind) in types

    def _longest(self, text: str, words: Words, first: int) -> tuple[int, int, int, int] | None:
        """Start and end of the longest name from a word on, its id and the word behind it."""
        names = self.kb.data.names
        key = ""
        best = None
        for last in range(first, min(first + _MAX_WORDS, len(words))):
            if last > first:
                gap = text[words[last - 1][1] : words[last][0]]
                if not _GAP.fullmatch(_with_hyphens(fold(gap))):
                    break
                key += " "
            stem = key
            key += words[last][2]
            span = None
            for form in (key, *(stem + singular for singular in _singulars(words[last][2]))):
                name_id = names.get(form)
                if name_id is not None and self._usable(
                    text[words[first][0] : words[last][1]], form, name_id
                ):
                    span = balanced(text, words[first][0], words[last][1])
                    break
            if span is not None:
                best = (*span, name_id, last + 1)
            if not names.has_keys_with_prefix(key):
                break
        return best

    def _usable(self, written: str, name: str, name_id: int) -> bool:
        if len(name) < 2 or name in self._stop_names or not any(c.isalpha() for c in name):
            return False
        if not self.kb.name_mask[name_id]:
            return False
        if len(name) == 2 and not written.isupper():
            return False
        if len(name) <= _SHORT and " " not in name:
            owner = self.kb.owners(name_id)[0]
            if self.kb.written_name(owner, name_id).isupper():
                return written.isupper()
        return True

    def _type(self, name_id: int) -> str:
        types = self.kb.types_at(self.kb.owners(name_id)[0])
        return types[0] if types else ""

    def _with_abbreviations(self, document: Document, mentions: list[Mention]) -> list[Mention]:
        if self._abbreviations is None:
            return mentions
        taken = [False] * (len(document.text) + 1)
        for mention in mentions:
            taken[mention.start : mention.end] = [True] * (mention.end - mention.start)
        found = definitions(document, self._abbreviations)
        extra = []
        for short in found:
            for match in re.finditer(rf"(?<![\w-]){re.escape(short)}(?!\w)", document.text):
                start, end = match.span()
                long = found.held(short, start)
                name_id = self.kb.name_id(long)
                if (
                    name_id is not None
                    and normalise_name(long) not in self._stop_names
                    and not any(taken[start:end])
                ):
                    extra.append(Mention(start, end, match.group(), type=self._type(name_id)))
                    taken[start:end] = [True] * (end - start)
        return sorted((*mentions, *extra), key=lambda m: (m.start, m.end))


def _with_hyphens(folded: str) -> str:
    """A folded text with a hyphen for every other mark that names are normalised without."""
    if folded.isascii():
        return folded
    return "".join(c if c.isascii() or normalise_name(c) else "-" for c in folded)


def _words(text: str) -> Words:
    """Words of a text, in the form of names, with their places in the text as it is written."""
    folded, places = fold_aligned(text)
    found = []
    for match in _WORD.finditer(_with_hyphens(folded)):
        word = match.group()
        key = word.lower() if word.isascii() else normalise_name(word)
        found.append((*source_span(text, places, *match.span()), key))
    return found


def _singulars(word: str) -> tuple[str, ...]:
    if len(word) > 4 and word.endswith("ies"):
        return (word[:-3] + "y",)
    if len(word) > 4 and word.endswith("es"):
        return (word[:-1], word[:-2])
    return (word[:-1],) if len(word) > 3 and word.endswith("s") else ()


class TrainedRecogniser:
    """The token classifier that lies beside a linking model; its mentions do not overlap.

    Parameters
    ----------
    tagger, tokenizer
        The classifier and the linking model's tokeniser.
    dictionary
        Of the knowledge base that the classifier was trained with.
    kb
        Mentions of types that the dictionary's knowledge base has and this one does not are left
        out; None keeps all.
    """

    def __init__(
        self,
        tagger: Tagger,
        tokenizer: Any,
        dictionary: DictionaryRecogniser,
        kb: KnowledgeBase | None = None,
    ) -> None:
        self.tagger, self.tokenizer, self.dictionary, self.kb = tagger, tokenizer, dictionary, kb

    def with_kb(self, kb: KnowledgeBase) -> TrainedRecogniser | DictionaryRecogniser:
        """The same for a part of the knowledge base: mentions of types that it has.

        A mention whose concept is not in the part is found all the same: whether it is NIL is the
        linker's to say. The classifier knows the names of one base; for another the dictionary of
        its names finds mentions.
        """
        if kb.base.fingerprint != self.dictionary.kb.base.fingerprint:
            return self.dictionary.with_kb(kb)
        return TrainedRecogniser(self.tagger, self.tokenizer, self.dictionary, kb)

    def __call__(self, document: Document) -> Document:
        """The document with the mentions that are found; earlier ones are replaced."""
        return self.recognise_batch([document_of(document)])[0]

    def recognise_batch(self, documents: Sequence[Document]) -> list[Document]:
        """The same for documents at a time, which is faster."""
        found = self.tagger.recognise(documents, self.tokenizer, self.dictionary)
        missing: set[str] = set()
        if self.kb is not None:
            whole = {type_name(kind) for kind in self.dictionary.kb.types}
            missing = whole - {type_name(kind) for kind in self.kb.types}
        return [
            document.with_mentions(
                mention
                for mention in self._whole(document)
                if type_name(mention.type) not in missing and mention.text not in STOP_WORDS
            )
            for document in found
        ]

    def _whole(self, document: Document) -> list[Mention]:
        """A document's mentions, cut where they may not run on, with their codes."""
        is_name = partial(is_written, self.dictionary.kb)
        # A hyphen at a mention's end goes first; a code behind a passage's end goes afterwards.
        mentions = tidied(document, document.mentions, is_name)
        with_their_codes = with_codes(document, mentions, self.dictionary.names_in(document))
        return tidied(document, with_their_codes, is_name)
