"""A trained recogniser: a token classifier on the linking model's own encoder.

The first layers of the encoder are the linking model's and are not stored again. Beside its word
piece a token shows how it is written (the vocabulary is uncased) and whether a dictionary of the
knowledge base's names covers it.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from biolink.documents import Document, Mention
from biolink.errors import ModelError
from biolink.infer.mentions.spans import of_a_word, source_span
from biolink.infer.network.finite import check_scores
from biolink.kb.model_files import CURE
from biolink.kb.model_loading import check_weights
from biolink.kb.names import fold_aligned
from biolink.kb.types import type_name

__all__ = [
    "TYPES",
    "Pieces",
    "Tagger",
    "collate",
    "label_spans",
    "labels_of",
    "need_bart",
    "no_dictionary",
    "pieces_of",
    "spans_of_labels",
    "typed_spans",
    "window_begins",
    "window_of",
]

#: Semantic types that are recognised.
TYPES = ("Disease", "Chemical")
_SHAPES = 6
_WINDOW = 384
_OVERLAP = 96
#: (start, end, type) of a mention.
Span = tuple[int, int, str]


def labels_of(types: Sequence[str]) -> tuple[str, ...]:
    """Labels of a token: outside, then begin and inside of each type."""
    return ("O", *(f"{mark}-{kind}" for kind in types for mark in "BI"))


@dataclass(frozen=True, slots=True)
class Pieces:
    """A text as the tagger reads it; parallel arrays over its word pieces.

    Attributes
    ----------
    ids
        Word pieces, without special tokens.
    offsets
        int32 [pieces, 2]: code points of the text.
    shapes
        How each is written: 0 lower case, 1 capitalised, 2 capitals, 3 mixed, 4 with a digit,
        5 neither.
    covered
        Label that a dictionary gives.
    """

    ids: np.ndarray
    offsets: np.ndarray
    shapes: np.ndarray
    covered: np.ndarray


def _shape(written: str) -> int:
    if any(c.isdigit() for c in written):
        return 4
    if not any(c.isalpha() for c in written):
        return 5
    if written.islower():
        return 0
    if written.isupper():
        return 2
    return 1 if written[0].isupper() and written[1:].islower() else 3


def pieces_of(
    document: Document,
    tokenizer: Any,
    dictionary: Callable[[Document], Document],
    types: Sequence[str] = TYPES,
) -> Pieces:
    """Word pieces of a document with what the tagger knows of each.

    The text is read in the one form that names have (:func:`biolink.kb.names.fold`); offsets are
    into the text as it is written.

    Parameters
    ----------
    dictionary
        A dictionary recogniser.
    types
        That are recognised. With a single one, whatever the dictionary finds is of it.
    """
    text = document.text
    folded, places = fold_aligned(text)
    encoded = tokenizer(
        folded, add_special_tokens=False, return_offsets_mapping=True, verbose=False
    )
    found = [source_span(text, places, *span) for span in encoded["offset_mapping"]]
    offsets = np.array(found, dtype=np.int32).reshape(-1, 2)
    shapes = np.array([_shape(text[begin:end]) for begin, end in offsets.tolist()], dtype=np.int8)
    covered = typed_spans(dictionary(document).mentions, types)
    return Pieces(
        np.array(encoded["input_ids"], dtype=np.int64),
        offsets,
        shapes,
        label_spans(offsets, covered, types),
    )


def no_dictionary(document: Document) -> Document:
    """For :func:`pieces_of` where no dictionary is asked."""
    return document.with_mentions(())


def typed_spans(mentions: Iterable[Mention], types: Sequence[str]) -> list[Span]:
    """Spans of the mentions of these types; of all mentions where there is only one type."""
    names = {type_name(kind): kind for kind in types}
    single = types[0] if len(types) == 1 else None
    return [
        (m.start, m.end, kind)
        for m in mentions
        if (kind := single or names.get(type_name(m.type))) is not None
    ]


def label_spans(
    offsets: np.ndarray, spans: Sequence[Span], types: Sequence[str] = TYPES
) -> np.ndarray:
    """int8 [pieces]: labels of the pieces that each span covers.

    Where spans overlap the longest stands (of nested mentions, the outermost).
    """
    labels = np.zeros(len(offsets), dtype=np.int8)
    for start, end, kind in sorted(spans, key=lambda s: s[1] - s[0]):
        inside = np.flatnonzero((offsets[:, 0] < end) & (offsets[:, 1] > start))
        if len(inside):
            begin = 1 + 2 * types.index(kind)
            after = inside[-1] + 1
            if after < len(labels) and labels[after] and labels[after] % 2 == 0:
                labels[after] -= 1  # what is left of a covered span begins anew
            labels[inside] = begin + 1
            labels[inside[0]] = begin
    return labels


def spans_of_labels(
    labels: Sequence[int], offsets: np.ndarray, text: str, types: Sequence[str] = TYPES
) -> list[Span]:
    """Mentions that a sequence of labels says; they do not overlap.

    A mention never ends inside a run of letters and digits: word pieces of one such run follow
    its first.
    """
    labels = list(labels)
    for place, ((_, end), (start, _)) in enumerate(pairwise(offsets.tolist())):
        # Pieces of one character overlap: a Greek letter is read as its name.
        joined = start < end or (end == start and of_a_word(text, end - 1) and of_a_word(text, end))
        if joined and labels[place] != labels[place + 1]:
            labels[place + 1] = 0 if labels[place] == 0 else labels[place] + labels[place] % 2
    spans: list[Span] = []
    for place, label in enumerate(labels):
        if label == 0:
            continue
        kind = types[(label - 1) // 2]
        begin, end = (int(x) for x in offsets[place])
        goes_on = label % 2 == 0 and place and labels[place - 1] in (label, label - 1)
        if goes_on and spans:
            spans[-1] = (spans[-1][0], end, kind)
        else:
            spans.append((begin, end, kind))
    return spans


def need_bart(model: Any) -> None:
    """Raise :class:`ModelError` for an encoder of another architecture."""
    if model.config.model_type != "bart":
        raise ModelError(
            f"recognisers and readers are built on BART's encoder, not on {model.config.model_type}"
        )


class Tagger(nn.Module):
    """The classifier.

    Parameters
    ----------
    model
        The linking model (transformers' BART).
    shared
        Its first encoder layers, with the embeddings, are used as they are.
    types
        That it tells apart.
    """

    def __init__(self, model: Any, shared: int = 2, types: Sequence[str] = TYPES) -> None:
        super().__init__()
        need_bart(model)
        self.shared = shared
        self.types = tuple(types)
        #: Fingerprint of the knowledge base whose dictionary it was trained with, where known.
        self.kb: str | None = None
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
        config = model.config
        self.special = (config.bos_token_id, config.eos_token_id, config.pad_token_id)
        self.scale = width**0.5 if config.scale_embedding else 1.0

    def own_state(self) -> dict[str, Tensor]:
        """The weights that are not the linking model's."""
        kept = {name for name, p in self.named_parameters() if p.requires_grad}
        return {name: p.detach() for name, p in self.state_dict().items() if name in kept}

    def save(self, file: str | Path) -> None:
        """Write :meth:`own_state` in half precision."""
        state = {name: p.half().cpu().contiguous() for name, p in self.own_state().items()}
        about = {"shared": str(self.shared), "types": json.dumps(self.types)}
        if self.kb is not None:
            about["kb"] = self.kb
        Path(file).write_bytes(_in_order(save(state, metadata=about)))

    @classmethod
    def load(cls, file: str | Path, model: Any) -> Tagger:
        """Read what :meth:`save` wrote, for the linking model that it was trained on.

        Raises
        ------
        ModelError
            When the file does not fit the model.
        """
        try:
            with safe_open(file, "pt") as stored:
                about = stored.metadata() or {}
                types = json.loads(about.get("types", json.dumps(TYPES)))
                if not isinstance(types, list) or not types or not all(map(_is_type, types)):
                    raise ValueError(f"its types are {types!r}, expected names")
                shared = int(about.get("shared", 2))
                if not 0 <= shared <= len(model.get_encoder().layers):
                    raise ValueError(f"it shares {shared} layers, more than the model has")
                tagger = cls(model, shared, types)
                tagger.kb = about.get("kb")
                state = {name: stored.get_tensor(name).float() for name in stored.keys()}  # noqa: SIM118
            if state.keys() != tagger.own_state().keys():
                raise KeyError(", ".join(sorted(state.keys() ^ tagger.own_state().keys())[:3]))
            tagger.load_state_dict(state, strict=False)
        except (OSError, SafetensorError, KeyError, ValueError, RecursionError, RuntimeError) as e:
            first = str(e).splitlines()[0] if str(e) else type(e).__name__
            raise ModelError(f"{file} is not a recogniser of this model: {first}; {CURE}") from None
        check_weights(state.items(), file)
        device = next(model.parameters()).device
        return tagger.eval().to(device)

    def forward(self, ids: Tensor, mask: Tensor, shapes: Tensor, covered: Tensor) -> Tensor:
        """Scores [texts, tokens, labels] of token ids [texts, tokens]."""
        embedded = nn.functional.embedding(ids, self.encoder.embed_tokens.weight) * self.scale
        embedded = embedded + self.shapes(shapes) + self.covered(covered)
        states = self.encoder(inputs_embeds=embedded, attention_mask=mask)[0]
        scores: Tensor = self.head(self.dropout(states))
        return scores

    @torch.inference_mode()
    def log_probs(self, texts: Sequence[Pieces], batch: int = 16) -> list[np.ndarray]:
        """Log-probabilities float32 [pieces, labels] of each text.

        A text longer than a window is read in windows that overlap; a piece is judged where it
        stands farthest from a border.
        """
        windows = [
            (number, begin)
            for number, pieces in enumerate(texts)
            for begin in window_begins(len(pieces.ids))
        ]
        windows.sort(key=lambda w: min(_WINDOW, len(texts[w[0]].ids) - w[1]))
        results = [np.zeros((len(p.ids), len(self.labels)), dtype=np.float32) for p in texts]
        for at in range(0, len(windows), batch):
            part = windows[at : at + batch]
            rows = [window_of(texts[number], begin, self.special) for number, begin in part]
            scores = self(*collate(rows, self.special[2], self.head.weight.device))
            found = torch.log_softmax(scores.float(), -1).cpu().numpy()
            check_scores(found, "labels of words")
            for (number, begin), row in zip(part, found, strict=True):
                size = len(texts[number].ids)
                end = min(begin + _WINDOW, size)
                # Half of an overlap is the earlier window's.
                first = begin + (_OVERLAP // 2 if begin else 0)
                results[number][first:end] = row[1 + first - begin : 1 + end - begin]
        return results

    def recognise(
        self,
        documents: Sequence[Document],
        tokenizer: Any,
        dictionary: Callable[[Document], Document],
    ) -> list[Document]:
        """Documents with the mentions that are found in them."""
        texts = [pieces_of(d, tokenizer, dictionary, self.types) for d in documents]
        return [
            document.with_mentions(self._mentions(document.text, pieces, scores))
            for document, pieces, scores in zip(
                documents, texts, self.log_probs(texts), strict=True
            )
        ]

    def _mentions(self, text: str, pieces: Pieces, scores: np.ndarray) -> list[Mention]:
        spans = spans_of_labels(scores.argmax(1).tolist(), pieces.offsets, text, self.types)
        return [
            Mention(
                start,
                end,
                text[start:end],
                type=kind,
                probability=span_probability(pieces.offsets, scores, start, end),
            )
            for start, end, kind in spans
        ]


def _in_order(stored: bytes) -> bytes:
    """A safetensors file with its metadata in order: the library writes it in any."""
    end = 8 + int.from_bytes(stored[:8], "little")
    header = json.loads(stored[8:end])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    written = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    return stored[:8] + written.ljust(end - 8) + stored[end:]


def span_probability(offsets: np.ndarray, scores: np.ndarray, start: int, end: int) -> float:
    """How sure a span is: the geometric mean of its pieces' best labels and its neighbours'.

    The piece on either side takes part, since it says where the span ends.
    """
    inside = np.flatnonzero((offsets[:, 0] < end) & (offsets[:, 1] > start))
    first, last = max(0, inside[0] - 1), inside[-1] + 2
    return float(np.exp(scores[first:last].max(1).mean()))


def _is_type(written: Any) -> bool:
    return isinstance(written, str) and written != ""


def window_begins(size: int) -> list[int]:
    """Where the windows over a text of so many pieces begin."""
    begins = [0]
    while begins[-1] + _WINDOW < size:
        begins.append(begins[-1] + _WINDOW - _OVERLAP)
    return begins


def window_of(pieces: Pieces, begin: int, special: Sequence[int]) -> tuple[np.ndarray, ...]:
    """Ids with special tokens, shapes and dictionary labels of a window."""
    part = slice(begin, begin + _WINDOW)
    first, last, _ = special
    ids = np.concatenate([[first], pieces.ids[part], [last]])
    return ids, np.pad(pieces.shapes[part], 1, constant_values=5), np.pad(pieces.covered[part], 1)


def collate(rows: Sequence[tuple[np.ndarray, ...]], pad_id: int, device: Any) -> tuple[Tensor, ...]:
    """Windows as tensors [windows, longest]: ids, attention mask, shapes, dictionary labels."""
    size = max(len(row[0]) for row in rows)
    columns = [
        torch.from_numpy(
            np.stack(
                [np.pad(row[k], (0, size - len(row[k])), constant_values=fill) for row in rows]
            )
        ).long()
        for k, fill in ((0, pad_id), (1, 5), (2, 0))
    ]
    lengths = torch.tensor([len(row[0]) for row in rows])
    mask = (torch.arange(size)[None] < lengths[:, None]).long()
    ids, shapes, covered = columns
    return tuple(t.to(device) for t in (ids, mask, shapes, covered))
