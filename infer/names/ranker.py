"""What ranking by names has learnt: the weights of the features, and what documents teach.

It is stored in one JSON file beside the knowledge base: ``genes.json`` beside ``genes.kb``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from biolink.errors import KnowledgeBaseError
from biolink.infer.names.candidates import FEATURES, NIL_FEATURES
from biolink.infer.names.taxa import WordWeights
from biolink.infer.names.view import Memory
from biolink.kb.files import open_text, replace_file

__all__ = ["NameRanker"]

_FORMAT = "biolink-names"
_VERSION = 1


@dataclass(frozen=True)
class NameRanker:
    """The weights by which concepts are ranked for a mention, and what documents teach.

    Attributes
    ----------
    weights
        float [features]: the weights of :data:`biolink.infer.names.candidates.FEATURES`.
    nil_weights
        float [NIL features]: the weights of NIL's features.
    memory
        How training documents link mentions.
    species
        Words and pairs of words that name a species -> its NCBI Taxonomy id; for genes.
    cells
        Names of cell lines and strains (:func:`biolink.infer.names.view.key_of`) -> their
        species; for genes.
    strains
        Names of strains of animals, as in ``cells``; for cell lines, which they are not.
    words
        What words say about the species of the genes of a document.
    taxa
        Species in the order of preference where a document names none; empty if the concepts have
        no taxon.
    """

    weights: np.ndarray
    nil_weights: np.ndarray
    memory: Memory = field(default_factory=Memory)
    species: Mapping[str, str] = field(default_factory=dict)
    cells: Mapping[str, str] = field(default_factory=dict)
    strains: Mapping[str, str] = field(default_factory=dict)
    words: WordWeights = field(default_factory=dict)
    taxa: Sequence[str] = ()

    def save(self, path: str | Path) -> None:
        """Write the ranker as JSON."""
        values = {
            "format": _FORMAT,
            "version": _VERSION,
            "weights": _rounded(FEATURES, self.weights),
            "nil": _rounded(NIL_FEATURES, self.nil_weights),
            "taxa": list(self.taxa),
            "species": dict(sorted(self.species.items())),
            "cells": _by_species(self.cells),
            "strains": _by_species(self.strains),
            "words": {word: dict(taxa) for word, taxa in sorted(self.words.items())},
            "counts": {key: dict(ids) for key, ids in sorted(self.memory.counts.items())},
        }
        with replace_file(path) as stream:
            json.dump(values, stream, ensure_ascii=False, separators=(",", ":"))
            stream.write("\n")

    @classmethod
    def load(cls, path: str | Path) -> NameRanker:
        """Read a ranker.

        Raises
        ------
        KnowledgeBaseError
            If the file is not one, or was written for other features than those of this version.
        """
        try:
            with open_text(path) as stream:
                values = json.load(stream)
            if (values["format"], values["version"]) != (_FORMAT, _VERSION):
                raise ValueError("another format or version")
            return cls(
                _in_order(FEATURES, values["weights"]),
                _in_order(NIL_FEATURES, values["nil"]),
                Memory(values["counts"]),
                values["species"],
                _by_key(values["cells"]),
                _by_key(values["strains"]),
                values["words"],
                tuple(values["taxa"]),
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise KnowledgeBaseError(
                f"{path} cannot be used to rank names ({error}); expected a file that was fitted "
                "with this version of biolink"
            ) from None


def _by_species(cells: Mapping[str, str]) -> dict[str, str]:
    """Species -> the keys of its cells, separated by spaces."""
    keys: dict[str, list[str]] = {}
    for key, taxon in sorted(cells.items()):
        keys.setdefault(taxon, []).append(key)
    return {taxon: " ".join(names) for taxon, names in keys.items()}


def _by_key(keys: Mapping[str, str]) -> dict[str, str]:
    """The opposite of :func:`_by_species`."""
    return {key: taxon for taxon, several in keys.items() for key in several.split()}


def _rounded(names: Sequence[str], weights: np.ndarray) -> dict[str, float]:
    return {name: round(float(w), 4) for name, w in zip(names, weights, strict=True)}


def _in_order(names: Sequence[str], weights: Mapping[str, Any]) -> np.ndarray:
    if weights.keys() != set(names):
        raise ValueError(f"the features {sorted(weights.keys() ^ set(names))} differ")
    return np.array([float(weights[name]) for name in names])
