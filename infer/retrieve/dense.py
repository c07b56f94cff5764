"""Dense retrieval: embeddings of names by the encoder, projected and stored as int8.

The encoder was trained to give synonyms similar vectors, with the objective of SapBERT (Liu et al.,
NAACL 2021). Its mean-pooled states are projected onto the leading eigenvectors of the names' second
moments, and each dimension is stored in one byte.

One step of the bytes has the same value in every dimension, so the later dimensions, in which names
differ less, take few different values. Where the file is compressed, as in the wheel, it needs half
of its size. Uniform steps whose levels are then coded by their frequency come within a quarter of a
bit per dimension of the best possible code (Gish and Pierce, IEEE Transactions on Information
Theory, 1968). ``benchmarks/embedding_steps.py`` compares them with product quantisation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from biolink.errors import KnowledgeBaseError
from biolink.infer.retrieve.nearest import nearest, nearest_on_card
from biolink.kb.arrays import check_finite, check_range, mapped_array
from biolink.kb.sealed import Kind, checked_manifest, seal

__all__ = ["STEP", "DenseIndex"]

_ARRAYS = ("name_ids", "codes", "scale", "projection")
KIND = Kind(
    "biolink-dense",
    1,
    "index of embeddings",
    tuple(f"{name}.npy" for name in _ARRAYS),
    "build it again",
)

DIMENSIONS = 128
#: The value of one step of the codes of a new index. It changes the cosines of a unit vector by
#: ``STEP / sqrt(12)``, 0.012, in the root mean square.
STEP = 0.04
#: The highest level of a query. Processors without VNNI add up two products in 16 bits, which
#: higher levels could overflow.
_LEVELS = 63


class DenseIndex:
    """Compressed unit vectors of names.

    Attributes
    ----------
    name_ids
        int32 [n].
    codes
        int8 [n, d], may be memory-mapped.
    scale
        float32 [d]: the value of one step of the codes, for each dimension. The steps of a new
        index are equal.
    projection
        float32 [width of the encoder, d]: maps embeddings to the dimensions of the index.
    device
        The device on which :meth:`search` compares. Only ``cpu`` and ``cuda`` are used; any other
        means ``cpu``.
    """

    def __init__(
        self, name_ids: np.ndarray, codes: np.ndarray, scale: np.ndarray, projection: np.ndarray
    ) -> None:
        self.name_ids, self.codes, self.scale, self.projection = name_ids, codes, scale, projection
        self.device = torch.device("cpu")

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_codes_on_card"}

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
            The names as texts.
        name_ids
            The id of each name.
        embed
            A function from texts to unit vectors, float32 [texts, width].
        progress
            A function that is called after each block with the number of names embedded so far and
            the number of all names.
        block
            The number of names embedded in one call. Default: 2,048.

        Raises
        ------
        KnowledgeBaseError
            If there are no names.
        """
        order = sorted(range(len(names)), key=lambda i: (len(names[i]), i))
        vectors: np.ndarray | None = None
        for begin in range(0, len(order), block):
            indices = order[begin : begin + block]
            embedded = embed([names[i] for i in indices])
            if vectors is None:
                vectors = np.empty((len(names), embedded.shape[1]), dtype=np.float32)
            vectors[indices] = embedded
            if progress is not None:
                progress(min(begin + block, len(order)), len(order))
        if vectors is None:
            raise KnowledgeBaseError("a knowledge base without names cannot be embedded")
        return cls.compress(vectors, name_ids)

    @classmethod
    def compress(cls, vectors: np.ndarray, name_ids: np.ndarray) -> DenseIndex:
        """Project vectors, float32 [n, width], and quantise them."""
        dimensions = min(DIMENSIONS, vectors.shape[1])
        moments = (vectors.T @ vectors).astype(np.float64)
        _, directions = np.linalg.eigh(moments)
        projection = np.ascontiguousarray(directions[:, ::-1][:, :dimensions], dtype=np.float32)
        # The signs of eigenvectors are arbitrary; they are fixed so that a rebuild gives the same.
        projection *= np.sign(projection[np.abs(projection).argmax(0), np.arange(dimensions)])
        reduced = _unit(vectors @ projection)
        scale = np.full(dimensions, STEP, dtype=np.float32)
        # The components of a unit vector are at most 1, so their codes fit into a byte.
        codes = np.round(reduced / scale).astype(np.int8)
        return cls(name_ids.astype(np.int32), codes, scale, projection)

    def extended(
        self,
        names: Sequence[str],
        name_ids: np.ndarray,
        places: np.ndarray,
        embed: Callable[[Sequence[str]], np.ndarray],
        progress: Callable[[int, int], None] | None = None,
    ) -> DenseIndex:
        """An index of other names with the same projection, which embeds only the new names.

        Parameters
        ----------
        names, name_ids
            All names of the new index, as texts and as ids.
        places
            int64 [names]: the position of each name in this index, or -1 if it must be embedded.
        embed, progress
            See :meth:`build`; progress counts only the names that must be embedded.
        """
        codes = np.empty((len(names), self.codes.shape[1]), dtype=np.int8)
        known = places >= 0
        codes[known] = self.codes[places[known]]
        unknown = np.flatnonzero(~known)
        block = 2048
        for begin in range(0, len(unknown), block):
            positions = unknown[begin : begin + block]
            reduced = _unit(embed([names[i] for i in positions]) @ self.projection)
            codes[positions] = np.clip(np.round(reduced / self.scale), -127, 127).astype(np.int8)
            if progress is not None:
                progress(min(begin + block, len(unknown)), len(unknown))
        return DenseIndex(name_ids.astype(np.int32), codes, self.scale, self.projection)

    def queries(self, vectors: np.ndarray) -> np.ndarray:
        """Embeddings [queries, width] as the other methods take them: float32 [queries, d]."""
        # In 64 bits, the result for a row is the same whatever other rows there are.
        reduced = vectors.astype(np.float64) @ self.projection.astype(np.float64)
        queries: np.ndarray = (_unit(reduced) * self.scale).astype(np.float32)
        return queries

    def cosines(self, query: np.ndarray, positions: np.ndarray) -> np.ndarray:
        """The cosines, float32 [positions], of a query [d] with the names at some positions."""
        exact = self.codes[positions].astype(np.float64) @ query.astype(np.float64)
        cosines: np.ndarray = exact.astype(np.float32)
        return cosines

    def search(
        self, queries: np.ndarray, k: int, masks: Sequence[np.ndarray | None] = (None,)
    ) -> list[list[np.ndarray]]:
        """The nearest names, for several subsets of the names.

        The queries are rounded to 7 bits and compared in whole numbers, so the result for a query
        does not depend on the other queries.

        Parameters
        ----------
        queries
            [queries, d], see :meth:`queries`.
        k
            The number of names for each query.
        masks
            For each subset, which names are in it: bool [n], or None for all.

        Returns
        -------
        For each subset and each query, the positions of the nearest names, in ascending order.
        """
        largest = np.maximum(np.abs(queries).max(1, keepdims=True), 1e-12)
        levels = np.round(queries / largest * _LEVELS).astype(np.int8)
        if self.device.type == "cuda":
            return nearest_on_card(self._codes_on_card, levels, k, masks)
        return nearest(self.codes, levels, k, masks)

    @cached_property
    def _codes_on_card(self) -> Tensor:
        return torch.from_numpy(np.array(self.codes)).to(self.device)

    def save(self, folder: str | Path, fingerprint: str = "") -> None:
        """Write the index into an existing folder, as ``.npy`` arrays and a manifest.

        Parameters
        ----------
        folder
            The folder.
        fingerprint
            A digest of what the index was built from, which :meth:`load` can check.
        """
        for name in _ARRAYS:
            np.save(Path(folder) / f"{name}.npy", getattr(self, name), allow_pickle=False)
        seal(Path(folder), KIND, {"fingerprint": fingerprint})

    @classmethod
    def load(
        cls, folder: str | Path, fingerprint: str | None = None, names: int | None = None
    ) -> DenseIndex:
        """Map an index that :meth:`save` wrote into memory.

        Parameters
        ----------
        folder
            The folder.
        fingerprint
            The fingerprint that the index must have, or None to accept any.
        names
            The number of name ids in the knowledge base, or None if it is not known.

        Raises
        ------
        KnowledgeBaseError
            If the index is damaged, or was built from something else.
        """
        folder = Path(folder)
        checked_manifest(folder, KIND, fingerprint)
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
