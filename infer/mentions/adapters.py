"""Recognisers from other packages, and a recogniser for mentions that are known already."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from biolink.documents import Document, Mention, each_document
from biolink.errors import ConfigError, MissingDependencyError, ModelError, shown
from biolink.infer.linkers.inputs import document_of
from biolink.infer.mentions.chunks import chunks
from biolink.infer.mentions.spans import tidied
from biolink.kb.arguments import need_path, need_probability, texts_of

__all__ = [
    "GivenMentions",
    "GlinerRecogniser",
    "HuggingFaceRecogniser",
    "SpacyRecogniser",
    "recogniser_written",
]

#: The most words of a piece for GLiNER, which reads at most 384.
_GLINER_WORDS = 200


class _ByDocument(ABC):
    """A recogniser that works in :meth:`recognise_batch`."""

    def __call__(self, document: Document) -> Document:
        """The document with the mentions that are found, which replace earlier ones."""
        return self.recognise_batch([document_of(document)])[0]

    @abstractmethod
    def recognise_batch(self, documents: Sequence[Document]) -> list[Document]:
        """The documents with the mentions that are found, in the same order."""


def _kept(labels: Iterable[str] | None) -> frozenset[str] | None:
    """The labels to keep, or None for all. A string is a single label."""
    return None if labels is None else frozenset(texts_of("labels", labels))


def _mention(text: str, start: int, end: int, kind: str, score: float | None) -> Mention:
    return Mention(start, end, text[start:end], type=kind, probability=score)


def _with_found(document: Document, mentions: Iterable[Mention]) -> Document:
    """The document with mentions from another package, cut at boundaries within them."""
    not_empty = [mention for mention in mentions if mention.start < mention.end]
    return document.with_mentions(tidied(document, not_empty))


class SpacyRecogniser(_ByDocument):
    """The entities of a spaCy pipeline.

    Parameters
    ----------
    nlp
        A loaded pipeline, for example from scispaCy, or the name of an installed one.
    labels
        The entity labels to keep. Default: all.

    Raises
    ------
    ConfigError, ModelError, MissingDependencyError
        If ``nlp`` is not a pipeline, cannot be loaded, or spaCy is not installed.

    Examples
    --------
    >>> import spacy
    >>> from biolink import Document
    >>> nlp = spacy.blank("en")
    >>> nlp.add_pipe("entity_ruler").add_patterns([{"label": "Disease", "pattern": "asthma"}])
    >>> [(m.text, m.type) for m in SpacyRecogniser(nlp)(Document("1", "severe asthma")).mentions]
    [('asthma', 'Disease')]
    """

    def __init__(self, nlp: Any, labels: Iterable[str] | None = None) -> None:
        if isinstance(nlp, str):
            try:
                import spacy
            except ImportError:
                raise MissingDependencyError("spacy", "a spaCy recogniser") from None
            try:
                nlp = spacy.load(nlp)
            except OSError as error:
                raise ModelError(f"spaCy cannot load {nlp!r}: {error}") from None
        if not callable(getattr(nlp, "pipe", None)) or isinstance(nlp, type):
            raise ConfigError(f"nlp is {shown(nlp)}; expected a spaCy pipeline or its name")
        self.nlp = nlp
        self.labels = _kept(labels)

    def recognise_batch(self, documents: Sequence[Document]) -> list[Document]:
        """The documents with the pipeline's entities as mentions."""
        parsed = self.nlp.pipe([document.text for document in documents])
        return [
            _with_found(
                document,
                (
                    Mention(e.start_char, e.end_char, e.text, type=e.label_)
                    for e in doc.ents
                    if self.labels is None or e.label_ in self.labels
                ),
            )
            for document, doc in zip(documents, parsed, strict=True)
        ]


class HuggingFaceRecogniser(_ByDocument):
    """A token-classification model of transformers, with any labels.

    A text that is longer than the model's window is read in overlapping windows. A word gets the
    label of its first word piece, so mentions never end within a word.

    Parameters
    ----------
    model
        A folder, the hub name of a model in the local cache (nothing is downloaded), or a
        pipeline of transformers for token classification.
    labels
        The labels to keep, without ``B-`` and ``I-``. Default: all.
    device
        The device for the model, as torch names it. Default: ``cpu``.

    Raises
    ------
    ModelError
        If the model cannot be loaded, or does not have a fast tokeniser.

    Examples
    --------
    Any function that returns entities as a pipeline of transformers does can stand in for one:

    >>> from biolink import Document
    >>> entity = {"start": 7, "end": 13, "entity_group": "Disease", "score": 0.9}
    >>> recogniser = HuggingFaceRecogniser(lambda texts: [[entity] for _ in texts])
    >>> [(m.text, m.type) for m in recogniser(Document("1", "severe asthma")).mentions]
    [('asthma', 'Disease')]
    """

    def __init__(
        self, model: Any, labels: Iterable[str] | None = None, device: str = "cpu"
    ) -> None:
        self.labels = _kept(labels)
        if callable(model):
            self.pipeline = model
            return
        need_path(model, "the folder of a token-classification model, or a pipeline")
        from transformers import AutoModelForTokenClassification, AutoTokenizer, pipeline

        try:
            # Code that comes with a model is never run.
            loaded = AutoModelForTokenClassification.from_pretrained(
                model, local_files_only=True, trust_remote_code=False
            )
            tokenizer = AutoTokenizer.from_pretrained(
                model, local_files_only=True, trust_remote_code=False
            )
        except (OSError, ValueError, KeyError) as error:
            first = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise ModelError(
                f"{model} is not a token-classification model that can be loaded offline ({first})"
            ) from None
        if not tokenizer.is_fast:
            raise ModelError(f"{model} has no fast tokeniser: mentions need its offsets")
        window = int(getattr(loaded.config, "max_position_embeddings", 512) or 512)
        # The positions of RoBERTa begin after its padding id.
        tokenizer.model_max_length = min(tokenizer.model_max_length, window - 2)
        self.pipeline = pipeline(
            "token-classification",
            model=loaded.eval(),
            tokenizer=tokenizer,
            aggregation_strategy="first",
            stride=tokenizer.model_max_length // 4,
            device=device,
        )

    def recognise_batch(self, documents: Sequence[Document]) -> list[Document]:
        """The documents with the model's entities as mentions."""
        with_text = [document for document in documents if document.text.strip()]
        entities = iter(
            self.pipeline([document.text for document in with_text]) if with_text else ()
        )
        return [
            _with_found(document, self._mentions(document.text, next(entities)))
            if document.text.strip()
            else document.with_mentions(())
            for document in documents
        ]

    def _mentions(self, text: str, entities: Iterable[dict[str, Any]]) -> list[Mention]:
        return [
            _mention(text, int(e["start"]), int(e["end"]), e["entity_group"], float(e["score"]))
            for e in entities
            if self.labels is None or e["entity_group"] in self.labels
        ]


class GlinerRecogniser(_ByDocument):
    """A GLiNER model, which finds entities of any given types; needs the package ``gliner``.

    Parameters
    ----------
    model
        A folder, the hub name of a model in the local cache, or a loaded model.
    labels
        The types to look for, in words, such as "disease".
    threshold
        The least probability of an entity that is kept, in [0, 1]. Default: 0.5.

    Raises
    ------
    ConfigError, ModelError, MissingDependencyError
        If an argument has a wrong value, the model cannot be loaded, or gliner is not installed.

    Examples
    --------
    Any object with GLiNER's ``predict_entities`` can stand in for a loaded model:

    >>> from types import SimpleNamespace
    >>> from biolink import Document
    >>> entity = {"start": 7, "end": 13, "label": "disease", "score": 0.9}
    >>> model = SimpleNamespace(predict_entities=lambda text, labels, threshold: [entity])
    >>> recogniser = GlinerRecogniser(model, labels=["disease"])
    >>> [(m.text, m.type) for m in recogniser(Document("1", "severe asthma")).mentions]
    [('asthma', 'disease')]
    """

    def __init__(self, model: Any, labels: Sequence[str], threshold: float = 0.5) -> None:
        if not labels:
            raise ConfigError("GLiNER needs labels to look for, for example disease and chemical")
        labels = texts_of("labels", labels)
        need_probability("threshold", threshold)
        if isinstance(model, str):
            try:
                from gliner import GLiNER
            except ImportError:
                raise MissingDependencyError("gliner", "a GLiNER recogniser") from None
            try:
                model = GLiNER.from_pretrained(model, local_files_only=True)
            except (OSError, ValueError) as error:
                raise ModelError(f"GLiNER cannot load {model!r} offline: {error}") from None
        if not callable(getattr(model, "predict_entities", None)):
            raise ConfigError(f"model is {shown(model)}; expected a GLiNER model or its folder")
        self.model, self.labels, self.threshold = model, labels, threshold

    def recognise_batch(self, documents: Sequence[Document]) -> list[Document]:
        """The documents with GLiNER's entities as mentions."""
        return [_with_found(document, self._mentions(document.text)) for document in documents]

    def _mentions(self, text: str) -> list[Mention]:
        return [
            _mention(text, begin + e["start"], begin + e["end"], e["label"], float(e["score"]))
            for begin, end in chunks(text, _GLINER_WORDS)
            for e in self.model.predict_entities(
                text[begin:end], self.labels, threshold=self.threshold
            )
        ]


class GivenMentions(_ByDocument):
    """A recogniser that returns known mentions, such as gold spans or the output of another system.

    Parameters
    ----------
    documents
        Documents with the mentions. A document is recognised by its id and text. The links of the
        mentions are left out.

    Examples
    --------
    >>> from biolink import Document, Mention
    >>> known = Document("1", "severe asthma", mentions=(Mention(7, 13, "asthma"),))
    >>> GivenMentions([known])(Document("1", "severe asthma")).mentions[0].text
    'asthma'
    """

    def __init__(self, documents: Iterable[Document]) -> None:
        self._mentions = {
            (document.id, document.text): document.mentions
            for document in each_document(documents, "GivenMentions")
        }

    def recognise_batch(self, documents: Sequence[Document]) -> list[Document]:
        """The documents with their known mentions.

        Raises
        ------
        ConfigError
            If a document is not known.
        """
        result = []
        for document in documents:
            known = self._mentions.get((document.id, document.text))
            if known is None:
                raise ConfigError(f"document {document.id!r}: no mentions are known for this text")
            result.append(
                document.with_mentions(replace(m, links=(), nil_reason=None) for m in known)
            )
        return result


def recogniser_written(text: str, device: str = "cpu") -> _ByDocument:
    """The recogniser that a text names, in the form of the command line.

    Parameters
    ----------
    text
        ``KIND:NAME`` or ``KIND:NAME=LABEL,LABEL``. Kinds are ``spacy``, ``hf`` and ``gliner``,
        which needs labels.
    device
        The device for models of the kind ``hf``. Default: ``cpu``.

    Raises
    ------
    ConfigError, ModelError, MissingDependencyError
        If the text does not name a recogniser, or the recogniser cannot be loaded.
    """
    kind, colon, rest = text.partition(":")
    name, _, written = rest.partition("=")
    labels = [label.strip() for label in written.split(",") if label.strip()]
    if not colon or not name or kind not in ("spacy", "hf", "gliner"):
        raise ConfigError(
            f"recogniser {text!r}; expected spacy:NAME, hf:FOLDER or gliner:FOLDER=LABEL,LABEL"
        )
    if kind == "spacy":
        return SpacyRecogniser(name, labels or None)
    if kind == "hf":
        return HuggingFaceRecogniser(name, labels or None, device)
    return GlinerRecogniser(name, labels)
