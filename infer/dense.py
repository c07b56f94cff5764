"""Dense retrieval: encoder embeddings of names, projected and kept as int8.

The encoder was trained to bring synonyms together (SapBERT's objective); its mean-pooled states
are reduced by the leading directions of the names' own second moments and stored in one byte a
dimension.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

from biolink.errors import KnowledgeBaseError
from biolink.kb.arrays import mapped_array

__all__ = ["DenseIndex"]

DIMENSIONS = 128
_BLOCK = 32_768


class DenseIndex:
    """Compressed unit vectors of names.

    Attributes
    ----------
    name_ids
        int32 [n].
    codes
        int8 [n, d], may be memory-mapped.
    scale
        float32 [d]: what one step of each dimension is worth.
    projection
        float32 [width of the encoder, d].
    """

    def __init__(
        self, name_ids: np.ndarray, codes: np.ndarray, scale: np.ndarray, projection: np.ndarray
    ) -> None:
        self.name_ids, self.codes, self.scale, self.projection = name_ids, codes, scale, projection

    @classmethod
    def build(
        cls,
        names: Sequence[str],
        name_ids: np.ndarray,
        embed: Callable[[Sequence[str]], np.ndarray],
        progress: Callable[[int, int], None] | None = None,
        block: int = 2048,
    ) -> DenseIndex:
        """Embed names and compress them.

        Parameters
        ----------
        names
            Texts.
        name_ids
            Their ids.
        embed
            Texts -> float32 unit vectors [texts, width].
        progress
            Called with (done, all) after each block.
        """
        order = sorted(range(len(names)), key=lambda i: (len(names[i]), i))
        vectors: np.ndarray | None = None
        for begin in range(0, len(order), block):
            part = order[begin : begin + block]
            found = embed([names[i] for i in part])
            if vectors is None:
                vectors = np.empty((len(names), found.shape[1]), dtype=np.float32)
            vectors[part] = found
            if progress is not None:
                progress(min(begin + block, len(order)), len(order))
        if vectors is None:
            raise KnowledgeBaseError("a knowledge base without names cannot be embedded")
        return cls.compress(vectors, name_ids)

    @classmethod
    def compress(cls, vectors: np.ndarray, name_ids: np.ndarray) -> DenseIndex:
        """Project float vectors [n, width] and quantise them."""
        dimensions = min(DIMENSIONS, vectors.shape[1])
        moments = (vectors.T @ vectors).astype(np.float64)
        _, directions = np.linalg.eigh(moments)
        projection = np.ascontiguousarray(directions[:, ::-1][:, :dimensions], dtype=np.float32)
        # Signs of eigenvectors are arbitrary: fix them, so that a rebuild gives the same bytes.
        projection *= np.sign(projection[np.abs(projection).argmax(0), np.arange(dimensions)])
        reduced = _unit(vectors @ projection)
        scale = np.maximum(np.abs(reduced).max(0), 1e-6) / 127
        codes = np.round(reduced / scale).astype(np.int8)
        return cls(name_ids.astype(np.int32), codes, scale.astype(np.float32), projection)

    def extended(
        self,
        names: Sequence[str],
        name_ids: np.ndarray,
        places: np.ndarray,
        embed: Callable[[Sequence[str]], np.ndarray],
        progress: Callable[[int, int], None] | None = None,
    ) -> DenseIndex:
        """An index of other names under the same projection, taking over the known ones.

        Parameters
        ----------
        names, name_ids
            All names of the new index.
        places
            Where each stands in this index, -1 for those that must be embedded.
        """
        codes = np.empty((len(names), self.codes.shape[1]), dtype=np.int8)
        known = places >= 0
        codes[known] = self.codes[places[known]]
        unknown = np.flatnonzero(~known)
        block = 2048
        for begin in range(0, len(unknown), block):
            part = unknown[begin : begin + block]
            reduced = _unit(embed([names[i] for i in part]) @ self.projection)
            codes[part] = np.clip(np.round(reduced / self.scale), -127, 127).astype(np.int8)
            if progress is not None:
                progress(min(begin + block, len(unknown)), len(unknown))
        return DenseIndex(name_ids.astype(np.int32), codes, self.scale, self.projection)

    def similarities(self, vectors: np.ndarray) -> np.ndarray:
        """Cosines float32 [queries, n] of float vectors [queries, width]."""
        queries = torch.from_numpy(_unit(vectors @ self.projection) * self.scale)
        result = torch.empty(len(vectors), len(self.codes))
        for begin in range(0, len(self.codes), _BLOCK):
            block = torch.from_numpy(np.array(self.codes[begin : begin + _BLOCK]))
            result[:, begin : begin + _BLOCK] = queries @ block.float().T
        array: np.ndarray = result.numpy()
        return array

    def save(self, folder: str | Path) -> None:
        """Write ``.npy`` arrays into an existing folder."""
        for name in ("name_ids", "codes", "scale", "projection"):
            np.save(Path(folder) / f"{name}.npy", getattr(self, name), allow_pickle=False)

    @classmethod
    def load(cls, folder: str | Path) -> DenseIndex:
        """Map what :meth:`save` wrote."""
        try:
            arrays = [
                mapped_array(Path(folder) / f"{name}.npy")
                for name in ("name_ids", "codes", "scale", "projection")
            ]
        except (OSError, ValueError, EOFError) as error:
            raise KnowledgeBaseError(f"the dense index {folder} is damaged: {error}") from None
        return cls(*arrays)


def _unit(vectors: np.ndarray) -> np.ndarray:
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: np.ndarray = vectors / np.maximum(norms, 1e-9)
    return unit
