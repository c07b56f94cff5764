"""Concepts before mentions: retrieve what a passage talks about, then read where.

Source: EntQA (Zhang et al., ICLR 2022). A bi-encoder finds concepts for a passage; a reader takes
the passage with one concept at a time and marks the concept's mentions, or none; what is surer
than a threshold stands. Here both are small: the passage's side of the bi-encoder gives a vector
for every token, the concepts' side is the linking model's embeddings of their names, and a concept
is as near as its nearest name is to the nearest token.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from biolink.documents import Document, Mention
from biolink.errors import ModelError
from biolink.infer.chunks import chunks
from biolink.infer.decide.nil import NilPolicy
from biolink.infer.indexes import Indexes, Progress
from biolink.infer.linkers.text_linker import TextLinker
from biolink.infer.model import LinkingModel
from biolink.infer.precision import Precision, in_precision
from biolink.infer.rank.candidates import RankedConcept
from biolink.infer.tagger import (
    Pieces,
    Tagger,
    collate,
    need_bart,
    no_dictionary,
    pieces_of,
    spans_of_labels,
)
from biolink.kb import KnowledgeBase
from biolink.kb.arguments import need, need_natural, need_number, need_probability
from biolink.kb.model_files import CURE, READER, RETRIEVER
from biolink.kb.model_loading import check_weights, tensors_of

__all__ = [
    "READER_TYPES",
    "Candidate",
    "PassageEncoder",
    "RetrieveReadLinker",
    "RetrieveReadOptions",
    "Retriever",
    "passages",
    "reader_row",
]

#: The reader is a token classifier with one type: a mention of the concept it is asked about.
READER_TYPES = ("Concept",)
#: What the reader is told of a token: of the passage, of the concept's names, or of the passage and
#: near to the concept.
_PASSAGE, _NAME, _NEAR = range(3)
_NEAR_SHARE = 0.9  # of the concept's own score
_NAME_TOKENS = 24
#: Names that each token brings.
_NEIGHBOURS = 8


@dataclass(frozen=True, slots=True)
class RetrieveReadOptions:
    """How much is retrieved, and what is kept.

    Attributes
    ----------
    passage_words
        Most white-space words of a passage.
    concepts
        Concepts that are retrieved for each passage and read.
    least
        Cosine that a retrieved concept must have to be read.
    threshold
        Mentions that the reader is less sure of are dropped.
    batch_size
        Pairs of passage and concept that are read together.
    """

    passage_words: int = 50
    concepts: int = 12
    least: float = 0.0
    threshold: float = 0.5
    batch_size: int = 64

    def __post_init__(self) -> None:
        for name in ("passage_words", "concepts", "batch_size"):
            need_natural(name, getattr(self, name))
        need_number("least", self.least)
        need_probability("threshold", self.threshold)


def passages(document: Document, most_words: int, tokenizer: Any) -> list[tuple[int, Pieces]]:
    """Passages of a document as word pieces, each with the offset at which it begins."""
    found = []
    for begin, end in chunks(document.text, most_words):
        pieces = pieces_of(Document("", document.text[begin:end]), tokenizer, no_dictionary)
        if len(pieces.ids):
            found.append((begin, pieces))
    return found


class PassageEncoder(nn.Module):
    """The passage's side of the bi-encoder: a copy of the linking model's encoder.

    Parameters
    ----------
    model
        The linking model (transformers' BART).
    """

    def __init__(self, model: Any) -> None:
        super().__init__()
        need_bart(model)
        self.encoder = copy.deepcopy(model.get_encoder())
        self.encoder.embed_tokens.weight.requires_grad_(False)
        config = model.config
        self.special = (config.bos_token_id, config.eos_token_id, config.pad_token_id)
        self.positions = int(config.max_position_embeddings)

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Unit vectors [passages, tokens, d] of token ids [passages, tokens]."""
        states = self.encoder(input_ids=ids, attention_mask=mask)[0]
        return nn.functional.normalize(states, dim=-1)

    def rows(self, texts: Sequence[Pieces]) -> tuple[Tensor, Tensor]:
        """Padded ids with special tokens, and the mask."""
        first, last, pad = self.special
        most = self.positions - 2
        size = 2 + min(most, max(len(p.ids) for p in texts))
        ids = np.full((len(texts), size), pad, dtype=np.int64)
        mask = np.zeros((len(texts), size), dtype=np.int64)
        for row, pieces in enumerate(texts):
            kept = pieces.ids[:most]
            ids[row, : len(kept) + 2] = [first, *kept, last]
            mask[row, : len(kept) + 2] = 1
        device = self.encoder.embed_tokens.weight.device
        return torch.from_numpy(ids).to(device), torch.from_numpy(mask).to(device)

    @torch.inference_mode()
    def vectors(self, texts: Sequence[Pieces], batch: int = 32) -> list[np.ndarray]:
        """Unit vectors float32 [tokens, d] of each passage."""
        results: list[np.ndarray] = [np.empty(0)] * len(texts)
        order = sorted(range(len(texts)), key=lambda i: len(texts[i].ids))
        for at in range(0, len(order), batch):
            part = order[at : at + batch]
            found = self(*self.rows([texts[i] for i in part])).float().cpu().numpy()
            for i, row in zip(part, found, strict=True):
                results[i] = row[1 : 1 + min(len(texts[i].ids), self.positions - 2)]
        return results

    def save(self, file: str | Path) -> None:
        """Write the weights, without the embeddings, in half precision."""
        save_file({n: p.half().contiguous() for n, p in self._own().items()}, file)

    def _own(self) -> dict[str, Tensor]:
        return {n: p for n, p in self.state_dict().items() if "embed_tokens" not in n}

    @classmethod
    def load(cls, file: str | Path, model: Any) -> PassageEncoder:
        """Read what :meth:`save` wrote, for the linking model it was trained on.

        Raises
        ------
        ModelError
            When the file does not fit the model.
        """
        encoder = cls(model)
        try:
            state = {name: p.float() for name, p in tensors_of(Path(file)).items()}
            if state.keys() != encoder._own().keys():
                raise KeyError(", ".join(sorted(state.keys() ^ encoder._own().keys())[:3]))
            encoder.load_state_dict(state, strict=False)
        except (KeyError, RuntimeError) as error:
            first = str(error).splitlines()[0]
            raise ModelError(f"{file} is not a retriever of this model: {first}; {CURE}") from None
        check_weights(state.items(), file)
        return encoder.eval().to(next(model.parameters()).device)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A concept that was retrieved for a passage.

    Attributes
    ----------
    row
        Of the knowledge base.
    name_id
        Its nearest name.
    score
        Cosine of that name and the nearest token.
    near
        Tokens that are nearly as near.
    """

    row: int
    name_id: int
    score: float
    near: tuple[int, ...]


class Retriever:
    """Exact nearest names of every token of a passage (scikit-learn's brute force).

    Parameters
    ----------
    encoder
        Of passages.
    indexes
        Embeddings of the names.
    kb
        Whose concepts may be retrieved.
    """

    def __init__(self, encoder: PassageEncoder, indexes: Indexes, kb: KnowledgeBase) -> None:
        self.encoder, self.kb = encoder, kb
        dense = indexes.dense
        mask = kb.name_mask[dense.name_ids]
        self.projection = np.asarray(dense.projection)
        self.name_ids = np.asarray(dense.name_ids)[mask]
        self._vectors = np.asarray(dense.codes)[mask].astype(np.float32) * dense.scale

    @cached_property
    def _nearest(self) -> Any:
        from sklearn.neighbors import NearestNeighbors

        count = min(_NEIGHBOURS, len(self.name_ids))
        # Of vectors of one length the nearest by distance are the nearest by cosine.
        return NearestNeighbors(n_neighbors=count, algorithm="brute").fit(_unit(self._vectors))

    def __call__(self, texts: Sequence[Pieces], concepts: int) -> list[list[Candidate]]:
        """The nearest concepts of each passage, best first; ties by row."""
        if not len(self.name_ids):
            return [[] for _ in texts]
        vectors = self.encoder.vectors(texts)
        sizes = [len(v) for v in vectors]
        queries = _unit(np.concatenate(vectors) @ self.projection)
        distances, places = self._nearest.kneighbors(queries)
        cosines = 1 - distances**2 / 2
        results = []
        end = 0
        for size in sizes:
            begin, end = end, end + size
            results.append(self._ranked(cosines[begin:end], places[begin:end], concepts))
        return results

    def _ranked(self, cosines: np.ndarray, places: np.ndarray, concepts: int) -> list[Candidate]:
        best: dict[int, tuple[float, int]] = {}
        tokens: dict[int, list[tuple[float, int]]] = {}
        for token, (row_cosines, row_places) in enumerate(zip(cosines, places, strict=True)):
            for cosine, place in zip(row_cosines.tolist(), row_places.tolist(), strict=True):
                name_id = int(self.name_ids[place])
                for row in self.kb.owners(name_id):
                    tokens.setdefault(row, []).append((cosine, token))
                    if row not in best or cosine > best[row][0]:
                        best[row] = (cosine, name_id)
        ranked = sorted(best.items(), key=lambda item: (-item[1][0], item[0]))[:concepts]
        return [
            Candidate(
                row,
                name_id,
                score,
                tuple(sorted({t for c, t in tokens[row] if c >= _NEAR_SHARE * score})),
            )
            for row, (score, name_id) in ranked
        ]


def _unit(vectors: np.ndarray) -> np.ndarray:
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: np.ndarray = (vectors / np.maximum(norms, 1e-9)).astype(np.float32)
    return unit


def reader_row(
    pieces: Pieces,
    names: Sequence[int],
    near: Sequence[int],
    special: Sequence[int],
    positions: int,
) -> tuple[np.ndarray, ...]:
    """What the reader reads: ``[CLS] passage [SEP] names of the concept [SEP]``.

    Parameters
    ----------
    names
        Tokens of the concept's names.
    near
        Tokens of the passage that the retriever found near.
    special, positions
        Of the model; a passage that is too long is cut, the names are not.
    """
    first, last, _ = special
    names = list(names)[: 2 * _NAME_TOKENS]
    size = min(len(pieces.ids), positions - 3 - len(names))
    told = np.full(size, _PASSAGE, dtype=np.int64)
    told[[token for token in near if token < size]] = _NEAR
    behind = 2 + len(names)
    ids = np.concatenate([[first], pieces.ids[:size], [last], names, [last]]).astype(np.int64)
    shapes = np.concatenate([[5], pieces.shapes[:size], np.full(behind, 5)])
    return ids, shapes, np.concatenate([[_PASSAGE], told, np.full(behind, _NAME)])


class RetrieveReadLinker(TextLinker):
    """Finds and links mentions, concepts first.

    Parameters
    ----------
    model
        The linking model that the retriever and the reader were trained on.
    kb, nil, progress
        See :class:`biolink.infer.linkers.text_linker.TextLinker`.
    encoder, reader
        Trained by :mod:`biolink.finetune.retrieve_read`.
    options
        See :class:`RetrieveReadOptions`.
    """

    paradigm = "NED-NER"

    def __init__(
        self,
        model: LinkingModel,
        kb: KnowledgeBase,
        encoder: PassageEncoder,
        reader: Tagger,
        options: RetrieveReadOptions | None = None,
        nil: NilPolicy | str | float | None = None,
        progress: Progress | None = None,
    ) -> None:
        super().__init__(model, kb, nil, progress)
        self.encoder, self.reader = encoder, reader
        self.options = RetrieveReadOptions() if options is None else options
        need("options", self.options, RetrieveReadOptions, "RetrieveReadOptions")
        self._retriever: Retriever | None = None

    @classmethod
    def from_model(
        cls,
        model: LinkingModel,
        kb: KnowledgeBase,
        options: RetrieveReadOptions,
        nil: NilPolicy | None,
        progress: Progress | None,
        precision: Precision,
    ) -> Self:
        """A linker of a loaded model, in a precision; retriever and reader lie beside it.

        Raises
        ------
        ModelError
            When one of them is damaged or missing.
        """
        assert model.folder is not None
        encoder = PassageEncoder.load(model.folder / RETRIEVER, model.backbone.model)
        reader = Tagger.load(model.folder / READER, model.backbone.model)
        return cls(
            model.in_precision(precision),
            kb,
            in_precision(encoder, precision),
            in_precision(reader, precision),
            options,
            nil,
            progress,
        )

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"_retriever": None}

    def prepare(self) -> None:
        """Build, or map, what linking looks names up in."""
        _ = self.indexes.dense

    @property
    def retriever(self) -> Retriever:
        """Over the concepts that are looked for."""
        kb = self.searched
        if self._retriever is None or self._retriever.kb is not kb:
            self._retriever = Retriever(self.encoder, self.indexes, kb)
        return self._retriever

    def name_tokens(self, candidate: Candidate) -> list[int]:
        """Tokens of what the reader is told of a concept: the name found, and the preferred one."""
        base = self.kb.base
        names = [base.name_at(candidate.name_id)]
        preferred = base.concept_at(candidate.row).name
        if preferred.lower() != names[0]:
            names.append(preferred)
        encoded = self.model.tokenizer(names, add_special_tokens=False)["input_ids"]
        last = int(self.reader.special[1])
        return [token for ids in encoded for token in (*ids[: _NAME_TOKENS - 1], last)][:-1]

    def _linked(self, documents: Sequence[Document]) -> list[Document]:
        found = [
            (number, begin, pieces)
            for number, document in enumerate(documents)
            for begin, pieces in passages(
                document, self.options.passage_words, self.model.tokenizer
            )
        ]
        if not found:
            return [document.with_mentions(()) for document in documents]
        retrieved = self.retriever([pieces for *_, pieces in found], self.options.concepts)
        pairs = [
            (place, candidate)
            for place, candidates in enumerate(retrieved)
            for candidate in candidates
            if candidate.score >= self.options.least
        ]
        read = self.read([(found[place][2], candidate) for place, candidate in pairs])
        proposals: list[list[tuple[float, int, int, Candidate]]] = [[] for _ in documents]
        for (place, candidate), scores in zip(pairs, read, strict=True):
            number, begin, pieces = found[place]
            text = documents[number].text[begin:]
            offsets = pieces.offsets[: len(scores)]
            labels = scores.argmax(1).tolist()
            for start, end, _ in spans_of_labels(labels, offsets, text, READER_TYPES):
                inside = (offsets[:, 0] < end) & (offsets[:, 1] > start)
                sure = float(np.exp(scores[inside].max(1).min()))
                if sure >= self.options.threshold:
                    proposals[number].append((sure, begin + start, begin + end, candidate))
        return [
            document.with_mentions(self._mentions(document.text, of_document))
            for document, of_document in zip(documents, proposals, strict=True)
        ]

    @torch.inference_mode()
    def read(self, pairs: Sequence[tuple[Pieces, Candidate]]) -> list[np.ndarray]:
        """Log-probabilities float32 [tokens of the passage, labels] for pairs with a concept."""
        results: list[np.ndarray] = [np.empty(0)] * len(pairs)
        special, positions = self.reader.special, self.encoder.positions
        rows = [
            reader_row(pieces, self.name_tokens(candidate), candidate.near, special, positions)
            for pieces, candidate in pairs
        ]
        order = sorted(range(len(rows)), key=lambda i: len(rows[i][0]))
        for at in range(0, len(order), self.options.batch_size):
            part = order[at : at + self.options.batch_size]
            batch = collate([rows[i] for i in part], special[2], self.reader.head.weight.device)
            scores = torch.log_softmax(self.reader(*batch).float(), -1).cpu().numpy()
            for i, row in zip(part, scores, strict=True):
                told = rows[i][2]
                size = int((told != _NAME).sum()) - 1
                results[i] = row[1 : 1 + size]
        return results

    def _mentions(
        self, text: str, proposals: Sequence[tuple[float, int, int, Candidate]]
    ) -> list[Mention]:
        """The surest proposals that do not overlap; other concepts of a span are further links."""
        spans: dict[tuple[int, int], list[tuple[float, Candidate]]] = {}
        for sure, start, end, candidate in sorted(
            proposals, key=lambda p: (-p[0], p[1] - p[2], p[1], -p[3].score, p[3].row)
        ):
            span = (start, end)
            if span in spans:
                spans[span].append((sure, candidate))
            elif all(end <= s or e <= start for s, e in spans):
                spans[span] = [(sure, candidate)]
        return [
            self._mention(
                text,
                *span,
                [
                    RankedConcept(c.row, c.name_id, float(np.log(max(sure, 1e-9))), sure)
                    for sure, c in found
                ],
            )
            for span, found in sorted(spans.items())
        ]
