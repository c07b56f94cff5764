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
from biolink.kb.arrays import check_finite, check_range, mapped_array
from biolink.kb.sealed import Kind, check_files, read_manifest, seal

__all__ = ["DenseIndex"]

_ARRAYS = ("name_ids", "codes", "scale", "projection")
KIND = Kind(
    "biolink-dense",
    1,
    "index of embeddings",
    tuple(f"{name}.npy" for name in _ARRAYS),
    "build it again",
)

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

    def save(self, folder: str | Path, fingerprint: str = "") -> None:
        """Write ``.npy`` arrays and a manifest into an existing folder.

        Parameters
        ----------
        folder
            The folder.
        fingerprint
            Of what the index was built from; :meth:`load` can ask for it.
        """
        for name in _ARRAYS:
            np.save(Path(folder) / f"{name}.npy", getattr(self, name), allow_pickle=False)
        seal(Path(folder), KIND, {"fingerprint": fingerprint})

    @classmethod
    def load(
        cls, folder: str | Path, fingerprint: str | None = None, names: int | None = None
    ) -> DenseIndex:
        """Map what :meth:`save` wrote.

        Parameters
        ----------
        folder
            The folder.
        fingerprint
            What it must have been built from; None for anything.
        names
            How many name ids there are; None when it is not known.

        Raises
        ------
        KnowledgeBaseError
            When it is damaged, or was built from something else.
        """
        folder = Path(folder)
        manifest = read_manifest(folder, KIND)
        if fingerprint is not None and manifest.get("fingerprint") != fingerprint:
            raise KnowledgeBaseError(
                f"{folder} was built from other names or by another model: {KIND.cure}"
            )
        check_files(folder, KIND, manifest)
        file = {name: folder / f"{name}.npy" for name in _ARRAYS}
        name_ids = mapped_array(file["name_ids"], np.int32)
        codes = mapped_array(file["codes"], np.int8, dimensions=2)
        scale = mapped_array(file["scale"], np.float32)
        projection = mapped_array(file["projection"], np.float32, dimensions=2)
        if len(codes) != len(name_ids):
            raise KIND.damage(file["codes"], f"has {len(codes):,} rows, not {len(name_ids):,}")
        for name, size in (("scale", len(scale)), ("projection", projection.shape[1])):
            if size != codes.shape[1]:
                raise KIND.damage(file[name], f"has {size} dimensions, not {codes.shape[1]}")
        check_range(file["name_ids"], name_ids, 2**31 if names is None else names, distinct=True)
        check_finite(file["scale"], scale)
        check_finite(file["projection"], projection)
        return cls(name_ids, codes, scale, projection)


def _unit(vectors: np.ndarray) -> np.ndarray:
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: np.ndarray = vectors / np.maximum(norms, 1e-9)
    return unit
