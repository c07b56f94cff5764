"""What a text says of a mention: negated, hypothetical, of the family, or historical.

The rules are those of NegEx (Chapman et al., J Biomed Inform 2001) and of its extension ConText
(Harkema et al., J Biomed Inform 2009): phrases before or after a mention, up to the end of the
sentence or to a phrase that ends their scope. negspaCy applies them; its own phrases are used for
negation, and those below for the rest. They were made for clinical notes in English.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from biolink.documents import Document, Mention, each_document
from biolink.errors import ConfigError, MissingDependencyError
from biolink.kb.arguments import texts_of

__all__ = ["ASSERTIONS", "Assertions", "assertions_in", "checked_assertions", "without"]

#: What may be said of a mention.
ASSERTIONS = ("negated", "hypothetical", "family", "historical")

_RELATIVES = """
mother father sister brother grandmother grandfather aunt uncle cousin siblings sibling relatives
relative parents parent mothers fathers maternal paternal daughter son niece nephew
""".split()
_SUBJECTS = ["but", "however", "patient", "he", "she", "who presented", "whereas", "although"]
_PHRASES: dict[str, dict[str, list[str]]] = {
    "hypothetical": {
        "preceding_negations": [
            *("if", "in case of", "in the event of", "should", "rule out", "ruled out for", "r/o"),
            *("to exclude", "risk of", "risk for", "at risk for", "to prevent", "prevention of"),
            *("prophylaxis against", "screening for", "screen for", "evaluate for", "watch for"),
            *("monitor for", "return for", "precautions for", "concern for", "test for"),
        ],
        "following_negations": [
            *("should be ruled out", "to be ruled out", "must be ruled out", "be excluded"),
            *("prophylaxis", "precautions", "screening"),
        ],
        "pseudo_negations": ["if negative", "as if", "should not"],
        "termination": ["but", "however", "because", "since", "then", "although"],
    },
    "family": {
        "preceding_negations": [
            *(
                "family history of",
                "family history is significant for",
                "family history positive for",
            ),
            *(
                "family history includes",
                "family history :",
                "fh of",
                "fhx of",
                "family members with",
            ),
            *_RELATIVES,
        ],
        "following_negations": [
            *("runs in the family", "run in the family", "in the family", "in family members"),
            *(f"in {whose} {who}" for whose in ("her", "his", "the", "a") for who in _RELATIVES),
        ],
        "pseudo_negations": ["mother reports", "mother states", "father reports", "father states"],
        "termination": _SUBJECTS,
    },
    "historical": {
        "preceding_negations": [
            *("history of", "past history of", "past medical history of", "medical history :"),
            *("h/o", "hx of", "status post", "s/p", "previous", "previously had", "prior"),
            *("past medical history includes", "in the past had", "in childhood", "recovered from"),
        ],
        "following_negations": [
            *("in the past", "years ago", "months ago", "in childhood", "as a child", "in 19"),
            *("years earlier", "years previously", "in infancy"),
        ],
        "pseudo_negations": [
            *("history of present illness", "history and physical", "family history of"),
            *("natural history of", "prior to", "previous studies", "previous study"),
            *("no history of",),
        ],
        "termination": ["but", "however", "presents with", "presented with", "now", "currently"],
    },
}
_SPANS = "biolink_mentions"
_BREAKS = ("\n", "\n\n", "\r\n", "\n\n\n", "\r\n\r\n")


class Assertions:
    """Says of each mention of a document whether it is negated, hypothetical, and so on.

    Raises
    ------
    MissingDependencyError
        When negspaCy is not installed.

    Examples
    --------
    >>> import biolink
    >>> document = biolink.Document("1", "No fever.", mentions=(biolink.Mention(3, 8, "fever"),))
    >>> Assertions()(document).mentions[0].assertions
    ('negated',)
    """

    def __init__(self) -> None:
        try:
            from negspacy.negation import Negex
            from negspacy.termsets import termset
        except ImportError:
            raise MissingDependencyError("negspacy", "context", "context") from None
        import spacy

        self._nlp = spacy.blank("en")
        marks: list[str] = [".", "!", "?", ";", *_BREAKS]
        self._nlp.add_pipe("sentencizer", config={"punct_chars": marks})
        phrases = {"negated": termset("en_clinical").get_patterns(), **_PHRASES}
        self._rules: dict[str, Any] = {
            kind: Negex(
                self._nlp,
                kind,
                phrases[kind],
                extension_name=f"biolink_{kind}",
                span_keys=[_SPANS],
            )
            for kind in ASSERTIONS
        }

    def __call__(self, document: Document) -> Document:
        """Return the document with the assertions of its mentions."""
        if not document.mentions:
            return document
        self._nlp.max_length = max(self._nlp.max_length, len(document.text) + 1)
        doc = self._nlp(document.text)
        spans = [
            doc.char_span(mention.start, mention.end, alignment_mode="expand")
            for mention in document.mentions
        ]
        doc.spans[_SPANS] = [span for span in spans if span is not None]
        for rule in self._rules.values():
            rule(doc)
        return document.with_mentions(
            replace(mention, assertions=self._of(span))
            for mention, span in zip(document.mentions, spans, strict=True)
        )

    def _of(self, span: Any) -> tuple[str, ...]:
        if span is None:
            return ()
        return tuple(kind for kind in ASSERTIONS if span._.get(f"biolink_{kind}"))


def checked_assertions(written: str | Iterable[str]) -> tuple[str, ...]:
    """Return the assertions that are written in a list or a string with commas.

    >>> checked_assertions("negated, family")
    ('negated', 'family')

    Raises
    ------
    ConfigError
        For a word that is none.
    """
    words = written.split(",") if isinstance(written, str) else texts_of("assertions", written)
    assertions = tuple(word.strip() for word in words)
    for word in assertions:
        if word not in ASSERTIONS:
            raise ConfigError(f"{word!r} is no assertion; expected {', '.join(ASSERTIONS)}")
    return assertions


def assertions_in(infons: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the assertions in an infon of an annotation; none if it says anything else.

    >>> assertions_in({"assertion": "negated|family"}), assertions_in({"assertion": "present"})
    (('negated', 'family'), ())
    """
    written = infons.get("assertion")
    words = tuple(written.split("|")) if isinstance(written, str) else ()
    return words if all(word in ASSERTIONS for word in words) else ()


def without(
    documents: Document | Iterable[Document], assertions: Collection[str] = ASSERTIONS
) -> Iterator[Document]:
    """Yield documents without the mentions of which something is said.

    Parameters
    ----------
    documents
        One document or several, whose mentions have assertions.
    assertions
        Those that a mention must not have. Default: all.

    Examples
    --------
    >>> import biolink
    >>> fever = biolink.Mention(3, 8, "fever", assertions=("negated",))
    >>> document = biolink.Document("1", "No fever.", mentions=(fever,))
    >>> [document.mentions for document in without(document)]
    [()]
    """
    unwanted = set(checked_assertions(assertions))

    def kept(mention: Mention) -> bool:
        return unwanted.isdisjoint(mention.assertions)

    return (
        document.with_mentions(filter(kept, document.mentions))
        for document in each_document(documents, "without")
    )
