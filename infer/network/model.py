"""Loading a linking model: a Hugging Face folder, with ``biolink.json`` where biolink made it.

A folder without ``biolink.json`` is taken to be a checkpoint in GenBioEL's form: markers in plain
text, decoder prompt ``{mention} is``, names after a space, generation alone.
"""

from __future__ import annotations

import copyreg
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from biolink.errors import ConfigError, ModelError
from biolink.infer.decide.nil import policy_from
from biolink.infer.network.backbone import Backbone, Memory, pooled, span_vectors
from biolink.infer.network.bart import Bart, config_of
from biolink.infer.network.cores import each_on_a_core
from biolink.infer.network.encoder import most_tokens, of_similar_size
from biolink.infer.network.finite import check_scores
from biolink.infer.network.precision import Precision, in_precision, is_packed
from biolink.infer.network.tokeniser import LightTokeniser
from biolink.infer.rank.ranker import Ranker
from biolink.kb.model_files import (
    ABBREVIATIONS,
    ANNOTATIONS,
    CURE,
    SETTINGS,
    TOKENISER,
    TOKENISER_CONFIG,
    WEIGHTS,
    counts_of,
    damaged,
    stop_names_of,
)
from biolink.kb.model_folder import ModelSettings, checked_model, digest_of, settings_of
from biolink.kb.model_loading import model_of_transformers, tokeniser_of_transformers
from biolink.kb.names import normalise_name
from biolink.kb.prompt import PromptForm
from biolink.kb.trie import NameTrie

__all__ = ["LinkingModel", "check_device", "load_model"]

_MENTION_LIMIT = 24  # tokens of a mention in the decoder prompt and of a name to embed


@dataclass(frozen=True)
class LinkingModel:
    """A backbone with its tokeniser and the text form it was trained with.

    Attributes
    ----------
    backbone, tokenizer, form
        The model.
    settings
        Content of ``biolink.json``.
    ranker
        Weights of the combined score, or None for a model that only generates.
    folder
        Where it was loaded from.
    precision
        Of the backbone's weights.
    """

    backbone: Backbone
    tokenizer: Any
    form: PromptForm
    settings: ModelSettings = field(default_factory=ModelSettings)
    ranker: Ranker | None = None
    folder: Path | None = None
    precision: Precision = "fp32"

    def __reduce__(self) -> tuple[Any, ...]:
        """A model that only infers is opened from its folder again; another goes with its weights.

        The same for copies: threads of one process need none.
        """
        model = self.backbone.model
        if self.folder is None or not (isinstance(model, Bart) or is_packed(model)):
            return copyreg.__newobj__, (type(self),), dict(self.__dict__)  # type: ignore[attr-defined]
        light = isinstance(model, Bart)
        opened = (self.folder.absolute(), str(self.backbone.device), light, self.precision)
        changes = {"form": self.form, "settings": self.settings, "ranker": self.ranker}
        return _opened_again, (*opened, is_packed(model), self.weights_fingerprint, changes)

    def in_precision(self, precision: Precision) -> LinkingModel:
        """The same model with weights in another precision."""
        backbone = Backbone(in_precision(self.backbone.model, precision))
        other = replace(self, backbone=backbone, precision=precision)
        if self.folder is None:
            # Layers in another form are not in the state that a digest could be made of.
            other.__dict__["weights_fingerprint"] = self.weights_fingerprint
        return other

    @cached_property
    def tokeniser_fingerprint(self) -> str:
        """Digest of the tokeniser and of how names are written for it."""
        if self.folder is not None and (self.folder / TOKENISER).is_file():
            # The file, not the tokeniser's own serialisation, which changes with its version.
            text = digest_of(self.folder, TOKENISER)
        else:
            text = json.dumps(self.tokenizer.get_vocab(), sort_keys=True)
        text += json.dumps([self.form.name_prefix, self.backbone.eos_id])
        return hashlib.sha256(text.encode()).hexdigest()

    @cached_property
    def weights_fingerprint(self) -> str:
        """Digest of the weights (of the file where there is one)."""
        if self.folder is not None and (self.folder / WEIGHTS).is_file():
            return digest_of(self.folder, WEIGHTS)
        digest = hashlib.sha256()
        for name, tensor in sorted(self.backbone.model.state_dict().items()):
            digest.update(name.encode())
            digest.update(tensor.detach().float().cpu().numpy().tobytes())
        return digest.hexdigest()

    def tokens(self, texts: Sequence[str], limit: int) -> tuple[Tensor, Tensor]:
        """Padded ids and attention mask [texts, tokens]."""
        encoded = self.tokenizer(
            list(texts), padding=True, truncation=True, max_length=limit, return_tensors="pt"
        )
        device = self.backbone.device
        return encoded["input_ids"].to(device), encoded["attention_mask"].to(device)

    @torch.inference_mode()
    def read(self, sources: Sequence[str]) -> tuple[Memory, np.ndarray]:
        """Run the encoder over sources (:func:`biolink.kb.prompt.source_text`).

        Returns
        -------
        What the decoder reads, and the marked mentions in their context as unit vectors float32
        [sources, width]. Where the markers are no tokens of their own, the whole source is meant.
        """
        ids, mask = self.tokens(sources, self.backbone.max_source)
        states = self.backbone.encode(ids, mask)
        start, end = self._marker_ids
        order = torch.arange(ids.shape[1], device=ids.device)
        begin = ((ids == start) * (len(order) - order)).argmax(1)
        last = torch.where((ids == end).any(1), (ids == end).int().argmax(1) + 1, mask.sum(1))
        vectors = span_vectors(states, torch.stack([begin, last], 1))
        found = check_scores(vectors.float().cpu().numpy(), "embeddings")
        return self.backbone.memory(states, mask), found

    @cached_property
    def _marker_ids(self) -> tuple[int, int]:
        """Token ids of the markers, -1 where a marker is no token of its own."""
        known = self.tokenizer.get_vocab()
        return known.get(self.form.start_marker, -1), known.get(self.form.end_marker, -1)

    def prompts(self, mentions: Sequence[str]) -> list[list[int]]:
        """Decoder prompts; a very long mention is cut at its start."""
        prompts = self.form.prompt_ids(self.tokenizer, mentions, self.backbone.start_id)
        before = self.form.decoder_prompt.partition("{mention}")[0].rstrip()
        head = 1 + len(self.tokenizer(before, add_special_tokens=False)["input_ids"])
        return [[*p[:head], *p[head:][-_MENTION_LIMIT:]] for p in prompts]

    def name_tokens(self, names: Sequence[str]) -> list[list[int]]:
        """Token ids of names, each with its end token."""
        return self.form.name_ids(self.tokenizer, names, self.backbone.eos_id)

    def named(
        self, trie: NameTrie, mentions: Sequence[str], most: int = 1
    ) -> list[list[tuple[int, float]]]:
        """Leaves of the names that mentions are, after normalisation, and of those that go on.

        Parameters
        ----------
        most
            Leaves for each mention.

        Returns
        -------
        For each mention leaves of the trie with the share of the name's tokens that the mention is:
        the mention itself with 1 first, then the names that begin with it, shortest first; nothing
        where the mention is no name.
        """
        found: list[list[tuple[int, float]]] = []
        for tokens in self.name_tokens(mentions):
            node = trie.walk(tokens[:-1])
            if node is None or trie.walk(tokens) is None:
                found.append([])
                continue
            size = len(tokens)
            # The end token, one step away, makes the mention itself.
            leaves, steps = trie.below(node, most)
            shares = [size / (size + step - 1) for step in steps]
            found.append(list(zip(leaves, shares, strict=True)))
        return found

    def packed(self) -> LinkingModel:
        """The same model with its weights laid out for much inference; itself where they are."""
        plain = self.precision == "fp32" and not is_packed(self.backbone.model)
        return self.in_precision("fp32") if plain else self

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """Unit vectors float32 [texts, width]: mean of the encoder's states over a bare text.

        Texts of similar length run together. Of many, each core takes a part; so a vector does not
        depend on the texts beside it, nor on the number of cores, but for rounding.
        """
        cleaned = [normalise_name(text) or text.lower() for text in texts]
        vectors = np.empty((len(texts), self.width), dtype=np.float32)
        if not cleaned:
            return vectors
        rows = self.tokenizer(cleaned, truncation=True, max_length=_MENTION_LIMIT)["input_ids"]
        sizes = [len(row) for row in rows]
        device, pad = self.backbone.device, self.backbone.pad_id

        @torch.inference_mode()
        def embed_some(part: list[int]) -> None:
            longest = sizes[part[-1]]
            lengths = torch.tensor([sizes[i] for i in part])
            ids = torch.tensor([rows[i] + [pad] * (longest - sizes[i]) for i in part]).to(device)
            mask = (torch.arange(longest) < lengths[:, None]).long().to(device)
            unit = pooled(self.backbone.encode(ids, mask), mask)
            vectors[part] = unit.float().cpu().numpy()

        parts = list(of_similar_size(sizes, most_tokens(device)))
        if device.type == "cpu":
            each_on_a_core(embed_some, parts)
        else:
            for part in parts:
                embed_some(part)
        return check_scores(vectors, "embeddings")

    @property
    def width(self) -> int:
        """Size of the encoder's states."""
        return int(self.backbone.config.d_model)


def load_model(path: str | Path, device: str = "cpu", light: bool = False) -> LinkingModel:
    """Load a model folder, or a model of the local Hugging Face cache by its hub name.

    Nothing is downloaded.

    Parameters
    ----------
    path
        The folder or name.
    device
        Where the model goes, as torch names it.
    light
        For inference alone: where the folder allows, without transformers
        (:mod:`biolink.infer.network.bart`, :mod:`biolink.infer.network.tokeniser`).

    Raises
    ------
    ModelError
        When the folder is no seq2seq model of a supported architecture, or is damaged.
    ConfigError
        When there is no such device.
    """
    check_device(device)
    folder = Path(path)
    if not folder.is_dir():
        return _read(path, None, device, light)
    with checked_model(folder):
        return _read(path, folder, device, light)


def _read(path: str | Path, folder: Path | None, device: str, light: bool) -> LinkingModel:
    """The model of a folder; of a hub name where that is None."""
    settings = ModelSettings() if folder is None else settings_of(folder)
    config = config_of(folder) if light and folder is not None else None
    model: Any
    tokenizer: Any
    if folder is not None and config is not None:
        model = Bart.read(folder, config)
    else:
        model = model_of_transformers(path)
    if folder is not None and config is not None and LightTokeniser.reads(folder):
        tokenizer = LightTokeniser(folder, config.pad_token_id)
    else:
        tokenizer = tokeniser_of_transformers(path)
    backbone = Backbone(model.eval().to(device))
    _check_vocabulary(path, tokenizer, backbone.vocabulary_size)
    if folder is None:
        return LinkingModel(backbone, tokenizer, settings.prompt, settings)
    if settings.nil is not None:
        try:
            policy_from(settings.nil)
        except ConfigError as error:
            raise damaged(folder / SETTINGS, str(error)) from None
        except RecursionError:
            raise damaged(folder / SETTINGS, "nil nests too deep") from None
    ranker = None if settings.ranker is None else _ranker_of(folder, settings.ranker)
    return LinkingModel(backbone, tokenizer, settings.prompt, settings, ranker, folder)


def _ranker_of(folder: Path, values: dict[str, Any]) -> Ranker:
    annotations, abbreviations = counts_of(folder / ANNOTATIONS), counts_of(folder / ABBREVIATIONS)
    try:
        return Ranker.from_dict(values, annotations, abbreviations, stop_names_of(folder))
    except ConfigError as error:
        raise damaged(folder / SETTINGS, str(error)) from None


def _check_vocabulary(path: str | Path, tokenizer: Any, size: int) -> None:
    vocabulary = tokenizer.get_vocab()
    if not vocabulary or max(vocabulary.values()) >= size:
        raise ModelError(
            f"{Path(path) / TOKENISER}, or {TOKENISER_CONFIG}, does not go with the "
            f"model: its tokens need {max(vocabulary.values(), default=0) + 1} embeddings, the "
            f"model has {size}; {CURE}"
        )


def _opened_again(
    folder: Path,
    device: str,
    light: bool,
    precision: Precision,
    packed: bool,
    fingerprint: str,
    changes: dict[str, Any],
) -> LinkingModel:
    """What a pickled model becomes."""
    model = load_model(folder, device, light)
    if model.weights_fingerprint != fingerprint:
        raise ModelError(f"{folder}: its weights are others than when the linker was written")
    model = replace(model, **changes)
    return model.in_precision(precision) if packed or precision != "fp32" else model


def check_device(device: str) -> None:
    """Refuse a device that this machine, or this build of torch, does not have.

    >>> check_device("cpu")

    Raises
    ------
    ConfigError
        Naming the devices that there are.
    """
    kind = str(device).partition(":")[0]
    known = ["cpu"]
    if torch.cuda.is_available():
        known += ["cuda", *(f"cuda:{number}" for number in range(torch.cuda.device_count()))]
    if torch.backends.mps.is_available():
        known.append("mps")
    try:
        if kind == "meta":
            raise RuntimeError("it computes nothing")
        torch.empty(1, device=torch.device(device))
    except (RuntimeError, AssertionError, NotImplementedError, TypeError):
        # What torch says names devices that it does not have either.
        built = "" if torch.backends.cuda.is_built() else ", whose torch was built without CUDA"
        where = built if kind == "cuda" else ""
        raise ConfigError(
            f"the device {device!r} is not available on this machine{where}; expected "
            f"{' or '.join(known)}"
        ) from None
