"""Retrieving concepts for a passage with a bi-encoder and an exact nearest-neighbour search.

Source: EntQA (Zhang et al., ICLR 2022). The passage encoder gives a vector for every token of the
passage; concepts are represented by the linking model's embeddings of their names. The score of a
concept is the highest cosine between one of its names and one of the tokens.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from biolink.documents import Document
from biolink.errors import ModelError
from biolink.infer.mentions.chunks import chunks
from biolink.infer.mentions.tagger import need_bart
from biolink.infer.mentions.word_pieces import Pieces, pieces_of
from biolink.infer.retrieve.indexes import Indexes
from biolink.kb import KnowledgeBase
from biolink.kb.model_files import CURE
from biolink.kb.model_loading import check_weights, tensors_of

__all__ = ["Candidate", "PassageEncoder", "Retriever", "passages"]

#: The number of names retrieved for each token.
_NEIGHBOURS = 8
#: A token is near a concept if its cosine is at least this share of the concept's score.
NEAR_SHARE = 0.9


def passages(document: Document, most_words: int, tokenizer: Any) -> list[tuple[int, Pieces]]:
    """Cut a document into passages.

    Parameters
    ----------
    document
        The document; its mentions are not used.
    most_words
        The most words of a passage, separated by white space.
    tokenizer
        The tokeniser of the linking model.

    Returns
    -------
    The word pieces of each passage, with the offset in code points at which it begins. Passages
    without word pieces are left out.
    """
    passages_of_document = []
    for begin, end in chunks(document.text, most_words):
        pieces = pieces_of(Document("", document.text[begin:end]), tokenizer, ())
        if len(pieces.ids):
            passages_of_document.append((begin, pieces))
    return passages_of_document


class PassageEncoder(nn.Module):
    """The passage encoder of the bi-encoder, which starts as a copy of the linking model's encoder.

    Parameters
    ----------
    model
        The network of the linking model: BART, from transformers.

    Raises
    ------
    ModelError
        If the model has another architecture.
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
        """Unit vectors [passages, tokens, d] for token ids and a mask, [passages, tokens] each."""
        states = self.encoder(input_ids=ids, attention_mask=mask)[0]
        return nn.functional.normalize(states, dim=-1)

    def rows(self, texts: Sequence[Pieces]) -> tuple[Tensor, Tensor]:
        """The padded token ids with special tokens, and the mask: [passages, tokens] each."""
        first, last, pad = self.special
        most = self.positions - 2
        size = 2 + min(most, max(len(p.ids) for p in texts))
        ids = np.full((len(texts), size), pad, dtype=np.int64)
        mask = np.zeros((len(texts), size), dtype=np.int64)
        for row, pieces in enumerate(texts):
            token_ids = pieces.ids[:most]
            ids[row, : len(token_ids) + 2] = [first, *token_ids, last]
            mask[row, : len(token_ids) + 2] = 1
        device = self.encoder.embed_tokens.weight.device
        return torch.from_numpy(ids).to(device), torch.from_numpy(mask).to(device)

    @torch.inference_mode()
    def vectors(self, texts: Sequence[Pieces], batch: int = 32) -> list[np.ndarray]:
        """The unit vectors of the word pieces of each passage: float32 [pieces, d].

        A passage that does not fit into the model is cut at its end.
        """
        results: list[np.ndarray] = [np.empty(0)] * len(texts)
        order = sorted(range(len(texts)), key=lambda i: len(texts[i].ids))
        for at in range(0, len(order), batch):
            indices = order[at : at + batch]
            padded = self(*self.rows([texts[i] for i in indices])).float().cpu().numpy()
            for i, states in zip(indices, padded, strict=True):
                results[i] = states[1 : 1 + min(len(texts[i].ids), self.positions - 2)]
        return results

    def save(self, file: str | Path) -> None:
        """Write the weights, without the token embeddings, in half precision."""
        save_file({n: p.half().contiguous() for n, p in self._own().items()}, file)

    def _own(self) -> dict[str, Tensor]:
        return {n: p for n, p in self.state_dict().items() if "embed_tokens" not in n}

    @classmethod
    def load(cls, file: str | Path, model: Any) -> PassageEncoder:
        """Read what :meth:`save` wrote, for the linking model that it was trained on.

        Raises
        ------
        ModelError
            If the file is damaged or does not fit the model.
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
        The row of the concept in the knowledge base.
    name_id
        The id of the concept's nearest name.
    score
        The cosine of that name and its nearest token.
    near
        The indices of the word pieces that are nearly as near.
    """

    row: int
    name_id: int
    score: float
    near: tuple[int, ...]


class Retriever:
    """An exact search for the nearest names of every token, with scikit-learn's brute force.

    Parameters
    ----------
    encoder
        The passage encoder.
    indexes
        The indexes, of which the embeddings of the names are used.
    kb
        The knowledge base, or the subset, whose concepts may be retrieved.
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
        # For vectors of equal length, the nearest by distance are also the nearest by cosine.
        return NearestNeighbors(n_neighbors=count, algorithm="brute").fit(_unit(self._vectors))

    def __call__(self, texts: Sequence[Pieces], concepts: int) -> list[list[Candidate]]:
        """Retrieve concepts for passages.

        Parameters
        ----------
        texts
            The passages as word pieces.
        concepts
            The most concepts for each passage.

        Returns
        -------
        The candidates of each passage, best first. Ties are broken by the row.
        """
        if not len(self.name_ids):
            return [[] for _ in texts]
        vectors = self.encoder.vectors(texts)
        sizes = [len(v) for v in vectors]
        queries = _unit(np.concatenate(vectors) @ self.projection)
        distances, neighbours = self._nearest.kneighbors(queries)
        cosines = 1 - distances**2 / 2
        results = []
        end = 0
        for size in sizes:
            begin, end = end, end + size
            results.append(self._ranked(cosines[begin:end], neighbours[begin:end], concepts))
        return results

    def _ranked(
        self, cosines: np.ndarray, neighbours: np.ndarray, concepts: int
    ) -> list[Candidate]:
        best: dict[int, tuple[float, int]] = {}
        tokens: dict[int, list[tuple[float, int]]] = {}
        for token, (cosines_of_token, of_token) in enumerate(zip(cosines, neighbours, strict=True)):
            for cosine, neighbour in zip(cosines_of_token.tolist(), of_token.tolist(), strict=True):
                name_id = int(self.name_ids[neighbour])
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
                tuple(sorted({t for c, t in tokens[row] if c >= NEAR_SHARE * score})),
            )
            for row, (score, name_id) in ranked
        ]


def _unit(vectors: np.ndarray) -> np.ndarray:
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: np.ndarray = (vectors / np.maximum(norms, 1e-9)).astype(np.float32)
    return unit
