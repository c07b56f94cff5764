"""The sets of mentions on which the weights of the shipped model are fitted."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from corpora import (
    FURTHER,
    TEST,
    development_documents,
    read_corpus,
    unseen_documents,
    without,
)

from biolink.documents import Document, Mention
from biolink.infer.mentions.abbreviations import find_abbreviations, may_be_short
from biolink.infer.mentions.exact_names import is_name_of, is_word
from biolink.infer.mentions.recognise import DictionaryRecogniser
from biolink.kb import KnowledgeBase, normalise_name
from biolink.kb.types import type_name

#: Set of mentions -> its share in the fit of the weights. The shipped model was trained on the
#: first four sets, so they count less. The shares were set by hand; that of the last set is such
#: that unmarked stop names get a probability of about one half.
SHARES = {
    "NCBI disease, development": 0.3,
    "BC5CDR, development": 0.5,
    "BioRED, development": 0.2,
    "NLM-Chem": 0.3,
    "tmVar 3": 1.0,
    "CRAFT diseases": 0.3,
    "CRAFT chemicals": 0.7,
    "short forms without definition": 0.1,
    "names of one concept": 0.004,
    "words like acronyms": 0.01,
    "names that are not marked": 0.05,
}
#: Gold ids of a mention that means no concept of the knowledge base.
NIL = ("NIL",)


def undefined_short_forms(texts: Iterable[str], kb: KnowledgeBase, most: int) -> list[Document]:
    """Return documents with a short form whose definition was cut off.

    The long form must be a name of exactly one concept. There are at most four documents for each
    short form.
    """
    found: list[Document] = []
    often: Counter[str] = Counter()
    for text in texts:
        for short, long in find_abbreviations(text).items():
            owners = kb.lookup(long) or kb.lookup(long.removesuffix("s"))
            begin = text.find(". ", text.find(short)) + 2
            rest = text[begin:]
            place = re.search(rf"(?<![\w-]){re.escape(short)}(?![\w-])", rest)
            if (
                len(owners) == 1
                and begin > 1
                and place is not None
                and often[short] < 4
                and long.lower() not in rest.lower()
            ):
                often[short] += 1
                mention = Mention(
                    place.start(),
                    place.end(),
                    short,
                    type=next(iter(owners[0].types), ""),
                    concept_ids=(owners[0].id,),
                )
                found.append(Document(f"short-{len(found)}", rest, mentions=(mention,)))
        if len(found) >= most:
            break
    return found[:most]


def unambiguous_names(
    texts: Iterable[str], kb: KnowledgeBase, stops: Iterable[str], most: int
) -> list[Document]:
    """Return documents with one mention each, a name of exactly one concept; every name once."""
    recogniser = DictionaryRecogniser(kb, abbreviations=None)
    seen = set(stops)
    found: list[Document] = []
    for text in texts:
        for mention in recogniser(Document("", text)).mentions:
            name, owners = normalise_name(mention.text), kb.lookup(mention.text)
            if (
                name not in seen
                and len(name) > 4
                and len(owners) == 1
                and not may_be_short(mention.text)
            ):
                seen.add(name)
                # Half of the mentions have no type, as users may give them.
                kind = mention.type if len(found) % 2 else ""
                gold = replace(mention, type=kind, concept_ids=(owners[0].id,))
                found.append(Document(f"name-{len(found)}", text, mentions=(gold,)))
        if len(found) >= most:
            break
    return found[:most]


def words_like_acronyms(texts: Iterable[str], kb: KnowledgeBase, most: int) -> list[Document]:
    """Return documents with one mention each, a word that is spelt like an acronym of the base.

    The gold answer is NIL. There are at most ``most`` documents for each word.
    """
    pattern = re.compile(r"(?<![\w-])[A-Za-z]?[a-z]{1,5}(?![\w-])")
    often: Counter[str] = Counter()
    found: list[Document] = []
    for text in texts:
        for match in pattern.finditer(text):
            word = match.group()
            if is_word(word) and often[word.lower()] < most:
                name_id = kb.name_id(word)
                owners = [] if name_id is None else kb.owners(name_id)
                if owners and not any(is_name_of(kb, word, name_id or 0, row) for row in owners):
                    often[word.lower()] += 1
                    mention = Mention(*match.span(), word, concept_ids=NIL)
                    found.append(Document(f"word-{len(found)}", text, mentions=(mention,)))
    print("words like acronyms:", dict(often))
    return found


def unmarked_names(
    documents: Iterable[Document], kb: KnowledgeBase, stops: Iterable[str], most: int
) -> list[Document]:
    """Return documents with stop names that annotators did not mark; the gold answer is NIL.

    A name counts only if the document has annotated mentions of its semantic type.
    """
    recogniser = DictionaryRecogniser(kb, abbreviations=None)
    names = set(stops)
    found: list[Document] = []
    for document in documents:
        annotated = {type_name(m.type) for m in document.mentions}
        unmarked = [
            replace(mention, type="", concept_ids=NIL, links=())
            for mention in recogniser(document.with_mentions(())).mentions
            if normalise_name(mention.text) in names
            and type_name(mention.type) in annotated
            and all(mention.end <= m.start or m.end <= mention.start for m in document.mentions)
        ]
        if unmarked:
            found.append(document.with_mentions(unmarked))
    random.Random(0).shuffle(found)
    kept, count = [], 0
    for document in found:
        if count < most:
            kept.append(document)
            count += len(document.mentions)
    return kept


def fitting_sets(
    data: Path, kb: KnowledgeBase, texts: Sequence[str], stops: Iterable[str]
) -> dict[str, list[Document]]:
    """Return the documents of each set for the fit; none of them is in a test set.

    The sets have the names and the order of ``SHARES``; large sets are sampled.
    """
    ncbi, cdr = development_documents(data)
    held_out = [*ncbi, *cdr, *(d for name in TEST for d in read_corpus(data, name))]
    biored = without(read_corpus(data, FURTHER[1]), held_out)
    chem = without(read_corpus(data, FURTHER[2]), held_out)
    unseen = unseen_documents(data, kb)
    rng = random.Random(0)
    sets = [
        ncbi,
        rng.sample(cdr, 100),
        biored,
        rng.sample(chem, 8),
        unseen["tmVar 3"],
        unseen["CRAFT diseases"],
        rng.sample(unseen["CRAFT chemicals"], 40),
        undefined_short_forms(texts, kb, 600),
        unambiguous_names(texts, kb, stops, 500),
        words_like_acronyms(texts, kb, 30),
        unmarked_names([*ncbi, *cdr, *unseen["tmVar 3"]], kb, stops, 700),
    ]
    return dict(zip(SHARES, sets, strict=True))
