"""A trained recogniser: a token classifier on top of the linking model's encoder.

The first layers of the encoder are shared with the linking model and are not stored again. The
vocabulary is uncased, so besides its word piece, the input for a token says how the token is
written. It also says whether a dictionary of a knowledge base's names covers the token.

Besides the types of entities, a classifier can find *concepts*: spans that some biomedical ontology
would name, whatever their type. These have a head of their own, so the two do not compete.

The encoder of a classifier can serve linking as well (:mod:`biolink.infer.network.reading_heads`);
:mod:`biolink.infer.mentions.shared_reader` runs it over texts.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from biolink.errors import ModelError
from biolink.infer.mentions.word_pieces import (
    CONCEPT,
    TYPES,
    Pieces,
    label_spans,
    labels_of,
    pieces_of,
    spans_of_labels,
    typed_spans,
)
from biolink.infer.network.model import load_model
from biolink.infer.network.precision import Precision, in_precision, is_packed, precision_of
from biolink.infer.network.reading_heads import ReadingHeads
from biolink.kb.model_files import CURE
from biolink.kb.model_folder import digest_of
from biolink.kb.model_loading import check_weights
from biolink.kb.prompt import BY_RECOGNISER, ByRecogniser

__all__ = [
    "OVERLAP",
    "TYPES",
    "WINDOW",
    "Kinds",
    "Pieces",
    "Tagger",
    "collate",
    "label_spans",
    "labels_of",
    "load_tagger",
    "need_bart",
    "pieces_of",
    "spans_of_labels",
    "typed_spans",
    "window_begins",
    "window_of",
]

#: The number of shapes of word pieces (see :class:`Pieces`).
_SHAPES = 6
#: The word pieces of a window, and those that it shares with the next one.
WINDOW, OVERLAP = 384, 96
#: The two kinds of labels.
Kinds = Literal["types", "concepts"]


def need_bart(model: Any) -> None:
    """Raise :class:`ModelError` if the architecture of a model is not BART."""
    if model.config.model_type != "bart":
        raise ModelError(
            f"recognisers and readers are built on BART's encoder, not on {model.config.model_type}"
        )


class Tagger(nn.Module):
    """The token classifier.

    Parameters
    ----------
    model
        The network of the linking model: BART, from transformers.
    shared
        The number of encoder layers, counted from the first, that are shared with the linking model
        and not trained. The embeddings are always shared. Default: 2.
    types
        The types that the classifier distinguishes. Default: :data:`TYPES`.
    concepts
        Whether the classifier has a head for concepts as well. Default: False.
    reads
        How its encoder also reads for the linking model: ``shared``, ``staged`` (see
        :class:`biolink.kb.prompt.PromptForm`), or None if it does not. Default: None.

    Raises
    ------
    ModelError
        If the model has another architecture.
    """

    def __init__(
        self,
        model: Any,
        shared: int = 2,
        types: Sequence[str] = TYPES,
        concepts: bool = False,
        reads: ByRecogniser | None = None,
    ) -> None:
        super().__init__()
        need_bart(model)
        self.shared = shared
        self.types = tuple(types)
        #: The fingerprint of the knowledge base whose dictionary it was trained with, if known.
        self.kb: str | None = None
        #: The file in a model folder from which it was loaded together with the folder's network.
        self.file: Path | None = None
        self.labels = labels_of(types)
        encoder = copy.deepcopy(model.get_encoder())
        self.encoder = encoder
        for parameter in encoder.parameters():
            parameter.requires_grad_(False)
        for layer in encoder.layers[shared:]:
            for parameter in layer.parameters():
                parameter.requires_grad_(True)
        width = model.config.d_model
        self.shapes = nn.Embedding(_SHAPES, width)
        self.covered = nn.Embedding(len(self.labels), width)
        for table in (self.shapes, self.covered):
            nn.init.normal_(table.weight, std=0.02)
        self.dropout = nn.Dropout(0.1)
        self.head = nn.Linear(width, len(self.labels))
        self.concept_head = nn.Linear(width, len(labels_of(CONCEPT))) if concepts else None
        self.reads = reads
        self.reading = None if reads is None else ReadingHeads(width, decoder=reads == "shared")
        config = model.config
        self.special = (config.bos_token_id, config.eos_token_id, config.pad_token_id)
        self.scale = width**0.5 if config.scale_embedding else 1.0

    def own_state(self) -> dict[str, Tensor]:
        """The weights that are not shared with the linking model."""
        kept = {name for name, p in self.named_parameters() if p.requires_grad}
        return {name: p.detach() for name, p in self.state_dict().items() if name in kept}

    def save(self, file: str | Path) -> None:
        """Write the weights of :meth:`own_state` in half precision."""
        state = {name: p.half().cpu().contiguous() for name, p in self.own_state().items()}
        metadata = {"shared": str(self.shared), "types": json.dumps(self.types)}
        if self.concept_head is not None:
            metadata["concepts"] = "true"
        if self.reads is not None:
            metadata["reads"] = self.reads
        if self.kb is not None:
            metadata["kb"] = self.kb
        Path(file).write_bytes(_in_order(save(state, metadata=metadata)))

    def __reduce_ex__(self, protocol: Any) -> Any:
        """How the classifier is pickled.

        A classifier for inference that was loaded from a model folder is loaded from it again; any
        other is pickled with its weights.
        """
        if self.file is None or self.training:
            return super().__reduce_ex__(protocol)
        device = str(self.head.weight.device)
        precision = precision_of(self)
        digest = digest_of(self.file.parent, self.file.name)
        return _loaded_again, (digest, self.file, device, precision, is_packed(self))

    def __deepcopy__(self, memo: dict[int, Any]) -> Tagger:
        other = memo[id(self)] = Tagger.__new__(Tagger)
        vars(other).update(copy.deepcopy(vars(self), memo))
        return other

    @classmethod
    def load(cls, file: str | Path, model: Any, of_folder: bool = False) -> Tagger:
        """Read what :meth:`save` wrote, for the linking model that it was trained on.

        Parameters
        ----------
        file
            The file.
        model
            The network of the linking model.
        of_folder
            Whether ``model`` is the network of the folder that the file is in. If it is, pickles
            of the classifier refer to the folder and do not contain weights. Default: False.

        Raises
        ------
        ModelError
            If the file is damaged or does not fit the model.
        """
        try:
            with safe_open(file, "pt") as stored:
                metadata = stored.metadata() or {}
                types = json.loads(metadata.get("types", json.dumps(TYPES)))
                if not isinstance(types, list) or not types or not all(map(_is_type, types)):
                    raise ValueError(f"its types are {types!r}, expected names")
                shared = int(metadata.get("shared", 2))
                if not 0 <= shared <= len(model.get_encoder().layers):
                    raise ValueError(f"it shares {shared} layers, more than the model has")
                reads: Any = metadata.get("reads")
                if reads not in (None, *BY_RECOGNISER):
                    raise ValueError(f"it reads in the way {reads!r}, which is unknown")
                tagger = cls(model, shared, types, metadata.get("concepts") == "true", reads)
                tagger.kb = metadata.get("kb")
                state = {name: stored.get_tensor(name).float() for name in stored.keys()}  # noqa: SIM118
            if state.keys() != tagger.own_state().keys():
                raise KeyError(", ".join(sorted(state.keys() ^ tagger.own_state().keys())[:3]))
            tagger.load_state_dict(state, strict=False)
        except (OSError, SafetensorError, KeyError, ValueError, RecursionError, RuntimeError) as e:
            first = str(e).splitlines()[0] if str(e) else type(e).__name__
            raise ModelError(f"{file} is not a recogniser of this model: {first}; {CURE}") from None
        check_weights(state.items(), file)
        tagger.file = Path(file).absolute() if of_folder else None
        device = next(model.parameters()).device
        return tagger.eval().to(device)

    def forward(self, ids: Tensor, mask: Tensor, shapes: Tensor, covered: Tensor) -> Tensor:
        """The scores of the labels.

        Parameters
        ----------
        ids, mask, shapes
            [texts, tokens] each: see :func:`collate`.
        covered
            [texts, tokens, dictionaries].

        Returns
        -------
        Scores [texts, tokens, labels]. The labels of types come first; if there is a head for
        concepts, its three labels follow.
        """
        return self.scores(self.states(ids, mask, shapes, covered))

    def states(self, ids: Tensor, mask: Tensor, shapes: Tensor, covered: Tensor) -> Tensor:
        """The states of the encoder [texts, tokens, d]; the arguments are those of a call."""
        embedded = nn.functional.embedding(ids, self.encoder.embed_tokens.weight) * self.scale
        embedded = embedded + self.shapes(shapes) + self._covered(covered)
        states: Tensor = self.encoder(inputs_embeds=embedded, attention_mask=mask)[0]
        return states

    def scores(self, states: Tensor) -> Tensor:
        """The scores of the labels [..., labels] for states [..., d]."""
        states = self.dropout(states)
        scores: Tensor = self.head(states)
        if self.concept_head is not None:
            scores = torch.cat([scores, self.concept_head(states)], -1)
        return scores

    @property
    def columns(self) -> dict[Kinds, slice]:
        """Which labels are those of types, and which are those of concepts."""
        types = len(self.labels)
        return {"types": slice(0, types), "concepts": slice(types, None)}

    def _covered(self, covered: Tensor) -> Tensor:
        """What the dictionaries say: the sum of their labels, or the label of none of them."""
        found = (covered > 0)[..., None]
        together = (self.covered(covered) * found).sum(2)
        return torch.where(found.any(2), together, self.covered.weight[0])


def _loaded_again(digest: str, file: Path, *how: Any) -> Tagger:
    """Load a pickled classifier again."""
    if digest_of(file.parent, file.name) != digest:
        raise ModelError(f"{file} has changed since the linker was pickled")
    return load_tagger(file, *how)


def load_tagger(file: Path, device: str, precision: Precision, packed: bool = True) -> Tagger:
    """Load a classifier for inference, together with the model of its folder.

    Parameters
    ----------
    file
        The file in a model folder.
    device, precision
        The device and the precision of the weights.
    packed
        Whether weights in float32 are laid out for inference (see
        :mod:`biolink.infer.network.precision`). Default: True.

    Raises
    ------
    ModelError
        See :meth:`Tagger.load`.
    """
    network = load_model(file.parent, device, light=True).backbone.model
    tagger = Tagger.load(file, network, of_folder=True)
    return in_precision(tagger, precision) if packed or precision != "fp32" else tagger


def _in_order(stored: bytes) -> bytes:
    """A safetensors file with its metadata sorted, because the library writes it in any order."""
    end = 8 + int.from_bytes(stored[:8], "little")
    header = json.loads(stored[8:end])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    written = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    return stored[:8] + written.ljust(end - 8) + stored[end:]


def _is_type(written: Any) -> bool:
    return isinstance(written, str) and written != ""


def window_begins(size: int) -> list[int]:
    """The first piece of each window over a text of ``size`` pieces.

    >>> window_begins(300), window_begins(500)
    ([0], [0, 288])
    """
    begins = [0]
    while begins[-1] + WINDOW < size:
        begins.append(begins[-1] + WINDOW - OVERLAP)
    return begins


def window_of(pieces: Pieces, begin: int, special: Sequence[int]) -> tuple[np.ndarray, ...]:
    """The token ids, shapes and dictionary labels of a window, with those of special tokens."""
    window = slice(begin, begin + WINDOW)
    first, last, _ = special
    ids = np.concatenate([[first], pieces.ids[window], [last]])
    return (
        ids,
        np.pad(pieces.shapes[window], 1, constant_values=5),
        np.pad(pieces.covered[window], ((1, 1), (0, 0))),
    )


def collate(
    windows: Sequence[tuple[np.ndarray, ...]], pad_id: int, device: Any, size: int = 0
) -> tuple[Tensor, ...]:
    """Pad windows to one length: that of the longest, or ``size`` if that is more.

    Returns
    -------
    The token ids, the attention mask and the shapes, as tensors [windows, tokens], and the
    dictionary labels [windows, tokens, dictionaries]. Windows may have unequal numbers of
    dictionaries.
    """
    size = max(size, *(len(row[0]) for row in windows))
    dictionaries = max(row[2].shape[1] for row in windows)
    ids = torch.full((len(windows), size), pad_id)
    shapes = torch.full((len(windows), size), 5)
    covered = torch.zeros(len(windows), size, dictionaries, dtype=torch.long)
    mask = torch.zeros(len(windows), size, dtype=torch.long)
    for number, row in enumerate(windows):
        length = len(row[0])
        ids[number, :length] = torch.from_numpy(row[0])
        shapes[number, :length] = torch.from_numpy(row[1])
        covered[number, :length, : row[2].shape[1]] = torch.from_numpy(row[2])
        mask[number, :length] = 1
    return tuple(t.to(device) for t in (ids, mask, shapes, covered))
