"""Recognisers, which find mentions: functions from a document to a document."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cache, cached_property

from biolink.documents import Document, Mention
from biolink.infer.linkers.inputs import document_of
from biolink.infer.mentions.abbreviations import (
    Definitions,
    Finder,
    definitions,
    find_abbreviations,
)
from biolink.infer.mentions.binomials import with_binomials, with_viruses
from biolink.infer.mentions.codes import (
    from_word_begins,
    with_codes_of_names,
    with_whole_numbers,
    without_bare_parts,
)
from biolink.infer.mentions.full_text import FULL_TEXT, every_occurrence
from biolink.infer.mentions.hyphenated import Names, with_codes
from biolink.infer.mentions.longer_names import with_longer_names
from biolink.infer.mentions.nesting import without_fragments
from biolink.infer.mentions.open_recogniser import OpenRecogniser, ordinary_words, with_names_inside
from biolink.infer.mentions.shared_reader import SharedReader
from biolink.infer.mentions.spans import balanced, is_written, segments, tidied
from biolink.infer.mentions.stop_words import STOP_WORDS
from biolink.infer.mentions.variants import whole_variants
from biolink.infer.mentions.words import Words, may_join, singulars, words_of
from biolink.kb import KnowledgeBase, normalise_name
from biolink.kb.arguments import need, need_callable, need_flag, texts_of
from biolink.kb.types import type_name

__all__ = ["DictionaryRecogniser", "TrainedRecogniser"]


_MAX_WORDS = 12
_SHORT = 4
#: The kinds whose names are found without the classifier if they are a word with a number.
_WITH_CODES = ("Disease", "Chemical", "Species")


class DictionaryRecogniser:
    """A recogniser that finds the names of a knowledge base.

    From left to right, the longest name that begins with a word is taken, so mentions do not
    overlap. Texts are compared after normalisation, so hyphens and punctuation do not matter. The
    last word may be a plural. Names of up to four letters that their owner writes in capitals must
    be in capitals in the text, too.

    Parameters
    ----------
    kb
        The knowledge base, or the subset of one, whose names are searched for.
    stop_names
        Normalised names that are never mentions because they are also ordinary words. Default:
        none besides the stop words of English.
    abbreviations
        A function that finds definitions of abbreviations, so that the short forms of names are
        found, too. None turns this off. Default: :func:`find_abbreviations`.
    nested
        Find every name, also within another or overlapping it. Default: False.

    Raises
    ------
    ConfigError
        If an argument has the wrong type.

    Examples
    --------
    >>> import biolink
    >>> recognise = DictionaryRecogniser(biolink.load().kb)
    >>> [m.text for m in recognise(biolink.Document("1", "aspirin for asthma")).mentions]
    ['aspirin', 'asthma']
    """

    def __init__(
        self,
        kb: KnowledgeBase,
        stop_names: Iterable[str] = (),
        abbreviations: Finder | None = find_abbreviations,
        nested: bool = False,
    ) -> None:
        need_flag("nested", nested)
        need("kb", kb, KnowledgeBase, "a KnowledgeBase (KnowledgeBase.read gives one)")
        need_callable("abbreviations", abbreviations, "a function that finds abbreviations")
        self.kb, self.nested = kb, nested
        self.abbreviations = abbreviations
        self.stop_names = frozenset(texts_of("stop_names", stop_names))

    def with_kb(self, kb: KnowledgeBase) -> DictionaryRecogniser:
        """A recogniser with the same settings for another knowledge base."""
        return DictionaryRecogniser(kb, self.stop_names, self.abbreviations, self.nested)

    @cached_property
    def _stop_names(self) -> frozenset[str]:
        return self.stop_names | STOP_WORDS

    def __call__(self, document: Document) -> Document:
        """The document with the mentions that are found, which replace earlier ones."""
        document = document_of(document)
        text = document.text
        mentions: list[Mention] = []
        for begin, end in segments(document):
            line = text[begin:end]
            words = words_of(line)
            position = 0
            while position < len(words):
                matches = list(self._names_from(line, words, position))
                for start, end_of_name, name_id, _ in matches if self.nested else matches[-1:]:
                    span = (begin + start, begin + end_of_name)
                    mentions.append(Mention(*span, text[slice(*span)], type=self.type_of(name_id)))
                position = matches[-1][3] if matches and not self.nested else position + 1
        if self.nested:
            mentions = without_fragments(text, mentions)
        return document.with_mentions(self._with_abbreviations(document, mentions))

    def names_in(self, document: Document) -> Names:
        """A function that tells whether a text is a name of a type.

        A text that the document defines as the short form of such a name is one, too.
        """

        @cache
        def defined() -> Definitions:
            if self.abbreviations is None:
                return Definitions()
            return definitions(document, self.abbreviations)

        def names(text: str, kind: str) -> bool:
            return self._is_name(text, kind) or self._is_name(defined().get(text, ""), kind)

        return names

    def _is_name(self, text: str, kind: str) -> bool:
        name_id = self.kb.name_id(text)
        if name_id is None or not self._usable(text, normalise_name(text), name_id):
            return False
        types = {type_name(t) for row in self.kb.owners(name_id) for t in self.kb.types_at(row)}
        return type_name(kind) in types

    def _names_from(
        self, text: str, words: Words, first: int
    ) -> Iterator[tuple[int, int, int, int]]:
        """The names that begin with a word, the longest last.

        Each is given as its start, its end, its id and the index of the next word.
        """
        names = self.kb.data.names
        key = ""
        for last in range(first, min(first + _MAX_WORDS, len(words))):
            if last > first:
                gap = text[words[last - 1][1] : words[last][0]]
                if not may_join(gap):
                    break
                key += " "
            stem = key
            key += words[last][2]
            span = None
            for form in (key, *(stem + singular for singular in singulars(words[last][2]))):
                name_id = names.get(form)
                if name_id is not None and self._usable(
                    text[words[first][0] : words[last][1]], form, name_id
                ):
                    span = balanced(text, words[first][0], words[last][1])
                    break
            if span is not None and name_id is not None:
                yield (*span, name_id, last + 1)
            if not names.has_keys_with_prefix(key):
                break

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

    def names_from(self, line: str, words: Words) -> list[tuple[int, str]]:
        """The names that begin with the first word of a line: where each ends, and its type."""
        found = self._names_from(line, words, 0) if words else ()
        return [(end, self.type_of(name_id)) for _, end, name_id, _ in found]

    def knows(self, name_id: int) -> bool:
        """Whether the concepts that are searched for have a name, and it is no stop name."""
        return bool(self.kb.name_mask[name_id]) and self.kb.name_at(name_id) not in self._stop_names

    def type_of(self, name_id: int) -> str:
        """The type of a mention of a name: the first one of its first owner."""
        types = self.kb.types_at(self.kb.owners(name_id)[0])
        return types[0] if types else ""

    def _with_abbreviations(self, document: Document, mentions: list[Mention]) -> list[Mention]:
        if self.abbreviations is None:
            return mentions
        taken = [False] * (len(document.text) + 1)
        for mention in mentions:
            taken[mention.start : mention.end] = [True] * (mention.end - mention.start)
        defined = definitions(document, self.abbreviations)
        short_forms = []
        for short in defined:
            for match in re.finditer(rf"(?<![\w-]){re.escape(short)}(?!\w)", document.text):
                start, end = match.span()
                long = defined.held(short, start)
                name_id = self.kb.name_id(long)
                if (
                    name_id is not None
                    and normalise_name(long) not in self._stop_names
                    and not any(taken[start:end])
                ):
                    short_forms.append(
                        Mention(start, end, match.group(), type=self.type_of(name_id))
                    )
                    taken[start:end] = [True] * (end - start)
        return sorted((*mentions, *short_forms), key=lambda m: (m.start, m.end))


class TrainedRecogniser:
    """A recogniser with the token classifier of a model folder.

    Its mentions do not overlap, unless nested ones are wanted. In full texts, the names that were
    found are marked throughout (:func:`biolink.infer.mentions.full_text.every_occurrence`).

    Parameters
    ----------
    reader
        The classifier with the tokeniser of the linking model and the dictionaries: ``dictionary``
        and ``further``.
    dictionary
        The dictionary recogniser for the knowledge base that the classifier was trained with.
    kb
        The knowledge base that is linked to. Mentions are left out if the dictionary's knowledge
        base has concepts of their type and this one does not. None keeps all mentions.
    further
        Dictionary recognisers for further knowledge bases that the classifier was trained with.
        It finds the types of a base without its dictionary, too, though fewer rare names.
        Default: none.
    types
        The types of the mentions that are wanted. Default: all that the classifier finds.
    nested
        Keep the names within a mention, too, as the dictionaries find them. Default: False.
    """

    def __init__(
        self,
        reader: SharedReader,
        dictionary: DictionaryRecogniser,
        kb: KnowledgeBase | None = None,
        further: Sequence[DictionaryRecogniser] = (),
        types: Iterable[str] | None = None,
        nested: bool = False,
    ) -> None:
        need_flag("nested", nested)
        self.nested = nested
        self.reader, self.dictionary, self.kb = reader, dictionary, kb
        self.further = tuple(further)
        self.types = None if types is None else frozenset(map(type_name, types))

    def with_kb(self, kb: KnowledgeBase) -> TrainedRecogniser | OpenRecogniser:
        """A recogniser for another knowledge base, or for a subset of this one.

        For a subset, mentions of types that the subset does not have are left out. Other mentions
        are found even if their concepts are not in the subset, because the linker decides whether
        they are NIL. The classifier knows the names of its own knowledge bases only, so for another
        one the result is an :class:`OpenRecogniser`.
        """
        if kb.base.fingerprint != self.dictionary.kb.base.fingerprint:
            stops = ordinary_words(self.dictionary.stop_names)
            find = self.dictionary.abbreviations
            dictionary = DictionaryRecogniser(kb, stops, find, self.nested)
            return OpenRecogniser(
                dictionary, SharedReader(self.reader.tagger, self.reader.tokenizer)
            )
        return TrainedRecogniser(
            self.reader, self.dictionary, kb, self.further, self.types, self.nested
        )

    def __call__(self, document: Document) -> Document:
        """The document with the mentions that are found, which replace earlier ones."""
        return self.recognise_batch([document_of(document)])[0]

    def recognise_batch(self, documents: Sequence[Document]) -> list[Document]:
        """The documents with the mentions that are found; faster than one document at a time."""
        recognised = self.reader.recognise(documents)
        missing: set[str] = set()
        if self.kb is not None:
            whole = {type_name(kind) for kind in self.dictionary.kb.types}
            missing = whole - {type_name(kind) for kind in self.kb.types}

        def wanted(mention: Mention) -> bool:
            kind = type_name(mention.type)
            if kind in missing or (self.types is not None and kind not in self.types):
                return False
            # A pronoun is not the name of a species, whatever its case, but AN may name a disease.
            # He and It begin sentences, though As and He may be arsenic and helium.
            begins = len(mention.text) > 1 and mention.text.istitle() and kind != "chemical"
            as_word = kind == "species" or begins
            return (mention.text.lower() if as_word else mention.text) not in STOP_WORDS

        return [
            document.with_mentions(filter(wanted, self._all(document))) for document in recognised
        ]

    def _all(self, document: Document) -> list[Mention]:
        """The mentions of a document, with those that its length or ``nested`` adds."""
        mentions = self._whole(document)
        if len(document.text) >= FULL_TEXT:
            mentions = every_occurrence(document, mentions, self.dictionary.abbreviations)
        return with_names_inside(document, mentions, self._nested) if self.nested else mentions

    @cached_property
    def _nested(self) -> list[DictionaryRecogniser]:
        """The dictionaries of all names, nested ones included."""
        return [
            DictionaryRecogniser(d.kb, d.stop_names, d.abbreviations, nested=True)
            for d in (self.dictionary, *self.further)
        ]

    def _whole(self, document: Document) -> list[Mention]:
        """The mentions of a document, cut at boundaries within them and extended by their codes.

        Signs belong to variants (``-509C>T``), so they have rules of their own.
        """
        found = [m for m in document.mentions if type_name(m.type) == "variant"]
        variants = whole_variants(document, found)
        named = [m for m in document.mentions if type_name(m.type) != "variant"]
        dictionaries = (self.dictionary, *self.further)
        lookups = [dictionary.names_in(document) for dictionary in dictionaries]

        def is_name(text: str) -> bool:
            return any(is_written(dictionary.kb, text) for dictionary in dictionaries)

        def is_name_of(text: str, kind: str) -> bool:
            return any(names(text, kind) for names in lookups)

        def names_from(line: str, words: Words) -> list[tuple[int, str]]:
            return [name for d in dictionaries for name in d.names_from(line, words)]

        text = document.text
        mentions = from_word_begins(text, named)
        # First hyphens at the ends of mentions are removed; afterwards, codes beyond a passage are.
        mentions = with_codes(document, tidied(document, mentions, is_name), is_name_of)
        mentions = without_bare_parts(text, tidied(document, mentions, is_name))
        mentions = with_whole_numbers(text, mentions)
        mentions = with_longer_names(document, mentions, is_name_of, names_from)
        mentions = with_codes_of_names(text, mentions, _WITH_CODES, is_name_of)
        for dictionary in self.further:
            if "Species" in dictionary.kb.base.types:
                mentions = with_binomials(text, mentions, dictionary.kb, dictionary.stop_names)
                mentions = with_viruses(text, mentions)
        kept = [v for v in variants if all(v.end <= m.start or m.end <= v.start for m in mentions)]
        return sorted((*mentions, *kept), key=lambda m: (m.start, m.end))
