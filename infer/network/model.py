"""Loading a linking model: a Hugging Face folder, with a ``biolink.json`` if biolink made it.

A folder without ``biolink.json`` is taken to be a checkpoint in GenBioEL's form: the markers around
a mention are plain text, the decoder prompt is ``{mention} is``, names follow a space, and the
model only generates.
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
from biolink.infer.decide.written import policy_from
from biolink.infer.network.backbone import Backbone, Memory
from biolink.infer.network.bart import Bart, config_of
from biolink.infer.network.cores import each_on_a_core
from biolink.infer.network.devices import check_device
from biolink.infer.network.encoder import most_tokens, of_similar_size
from biolink.infer.network.finite import check_scores
from biolink.infer.network.pooling import pooled, span_vectors
from biolink.infer.network.precision import Precision, in_precision, is_packed
from biolink.infer.network.token_spans import marked_tokens, tokens_at
from biolink.infer.network.tokeniser import LightTokeniser
from biolink.infer.rank.ranker import Ranker
from biolink.kb.model_files import (
    ABBREVIATIONS,
    ANNOTATIONS,
    CURE,
    SETTINGS,
    STOP_NAMES,
    TOKENISER,
    TOKENISER_CONFIG,
    WEIGHTS,
    counts_of,
    damaged,
    has_file,
    stop_names_of,
)
from biolink.kb.model_folder import ModelSettings, checked_model, digest_of, settings_of
from biolink.kb.model_loading import model_of_transformers, tokeniser_of_transformers
from biolink.kb.names import normalise_name
from biolink.kb.prompt import PromptForm
from biolink.kb.trie import NameTrie

__all__ = ["LinkingModel", "load_model"]

#: The most tokens of a mention in the decoder prompt, and of a name that is embedded.
_MENTION_LIMIT = 24


@dataclass(frozen=True)
class LinkingModel:
    """A backbone with its tokeniser and the form of text that it was trained with.

    Attributes
    ----------
    backbone, tokenizer, form
        The network, its tokeniser, and how mentions and names are written for it.
    settings
        The content of ``biolink.json``.
    ranker
        The weights of the combined score, or None for a model that only generates.
    folder
        The folder that the model was loaded from, or None.
    precision
        The precision of the backbone's weights.
    """

    backbone: Backbone
    tokenizer: Any
    form: PromptForm
    settings: ModelSettings = field(default_factory=ModelSettings)
    ranker: Ranker | None = None
    folder: Path | None = None
    precision: Precision = "fp32"

    def __reduce__(self) -> tuple[Any, ...]:
        """How the model is pickled.

        A model for inference is loaded from its folder again; any other is pickled with its
        weights. The same holds for copies, which threads of one process do not need.
        """
        model = self.backbone.model
        # Where the processor lacks bfloat16, a model in this precision has no converted layers.
        converted = is_packed(model) or self.precision != "fp32"
        if self.folder is None or not (isinstance(model, Bart) or converted):
            return copyreg.__newobj__, (type(self),), dict(self.__dict__)  # type: ignore[attr-defined]
        light = isinstance(model, Bart)
        opened = (self.folder.absolute(), str(self.backbone.device), light, self.precision)
        changes = {"form": self.form, "settings": self.settings, "ranker": self.ranker}
        return _opened_again, (*opened, is_packed(model), self.weights_fingerprint, changes)

    def in_precision(self, precision: Precision) -> LinkingModel:
        """The same model with its weights in another precision.

        Raises
        ------
        ConfigError
            See :func:`biolink.infer.network.precision.in_precision`.
        """
        backbone = Backbone(in_precision(self.backbone.model, precision))
        other = replace(self, backbone=backbone, precision=precision)
        if self.folder is None:
            # Converted layers are not part of the state dictionary, so they give no digest.
            other.__dict__["weights_fingerprint"] = self.weights_fingerprint
        return other

    @cached_property
    def tokeniser_fingerprint(self) -> str:
        """A digest (SHA-256) of the tokeniser and of how names are written for it."""
        if self.folder is not None and (self.folder / TOKENISER).is_file():
            # The file is used because the tokeniser's own serialisation depends on its version.
            text = digest_of(self.folder, TOKENISER)
        else:
            text = json.dumps(self.tokenizer.get_vocab(), sort_keys=True)
        text += json.dumps([self.form.name_prefix, self.backbone.eos_id])
        return hashlib.sha256(text.encode()).hexdigest()

    @cached_property
    def weights_fingerprint(self) -> str:
        """A digest (SHA-256) of the weights, or of their file if there is one."""
        if self.folder is not None and (self.folder / WEIGHTS).is_file():
            return digest_of(self.folder, WEIGHTS)
        digest = hashlib.sha256()
        for name, tensor in sorted(self.backbone.model.state_dict().items()):
            digest.update(name.encode())
            digest.update(tensor.detach().float().cpu().numpy().tobytes())
        return digest.hexdigest()

    def tokens(self, texts: Sequence[str], limit: int) -> tuple[Tensor, Tensor]:
        """The token ids and the attention mask of texts, [texts, tokens] each.

        Texts are cut after ``limit`` tokens, and shorter ones are padded.
        """
        encoded = self.tokenizer(
            list(texts), padding=True, truncation=True, max_length=limit, return_tensors="pt"
        )
        device = self.backbone.device
        return encoded["input_ids"].to(device), encoded["attention_mask"].to(device)

    @torch.inference_mode()
    def read(
        self, sources: Sequence[str], spans: Sequence[tuple[int, int] | None] | None = None
    ) -> tuple[Memory, np.ndarray]:
        """Run the encoder over the sources of mentions. Equal sources are encoded only once.

        Parameters
        ----------
        sources
            The source of each mention (see :func:`biolink.kb.reading.sources`).
        spans
            The offsets of each mention in its source, in characters; None for a mention that is
            marked. Default: all are marked.

        Returns
        -------
        The memory that the decoder reads, and the vector of each mention in context: float32
        [mentions, width], of unit length. The vector is that of the whole source if the markers are
        not single tokens of the tokeniser, or if the encoder cannot read as far as the mention.
        """
        distinct = {source: row for row, source in enumerate(dict.fromkeys(sources))}
        ids, mask = self.tokens(list(distinct), self.backbone.max_source)
        states = self.backbone.encode(ids, mask)
        rows = torch.tensor([distinct[source] for source in sources], device=ids.device)
        tokens = marked_tokens(ids, mask, self._marker_ids)[rows]
        for mention, span in enumerate(spans or ()):
            if span is not None:
                place = tokens_at(self._offsets(sources[mention]), span)
                tokens[mention] = torch.tensor(place, device=ids.device)
        shared = len(distinct) < len(sources)
        vectors = span_vectors(states[rows] if shared else states, tokens)
        checked = check_scores(vectors.float().cpu().numpy(), "embeddings")
        memory = self.backbone.memory(states, mask)
        return replace(memory, sources=rows) if shared else memory, checked

    def _offsets(self, source: str) -> np.ndarray:
        """The offsets of the tokens that the encoder reads of a source: int64 [tokens, 2]."""
        encoded = self.tokenizer(
            source,
            truncation=True,
            max_length=self.backbone.max_source,
            return_offsets_mapping=True,
        )
        return np.array(encoded["offset_mapping"], dtype=np.int64).reshape(-1, 2)

    @cached_property
    def _marker_ids(self) -> tuple[int, int]:
        """The token ids of the markers; -1 if a marker is not a single token."""
        known = self.tokenizer.get_vocab()
        return known.get(self.form.start_marker, -1), known.get(self.form.end_marker, -1)

    def prompts(self, mentions: Sequence[str]) -> list[list[int]]:
        """The decoder prompts of mentions, as token ids.

        Only the end of a very long mention is kept.
        """
        prompts = self.form.prompt_ids(self.tokenizer, mentions, self.backbone.start_id)
        before = self.form.decoder_prompt.partition("{mention}")[0].rstrip()
        head = 1 + len(self.tokenizer(before, add_special_tokens=False)["input_ids"])
        return [[*p[:head], *p[head:][-_MENTION_LIMIT:]] for p in prompts]

    def name_tokens(self, names: Sequence[str]) -> list[list[int]]:
        """The token ids of names, each followed by the end token."""
        return self.form.name_ids(self.tokenizer, names, self.backbone.eos_id)

    def named(
        self, trie: NameTrie, mentions: Sequence[str], most: int = 1
    ) -> list[list[tuple[int, float]]]:
        """Look mentions up as names, after normalisation, along with longer names.

        Parameters
        ----------
        trie
            The names.
        mentions
            The mentions to look up.
        most
            The most leaves for each mention. Default: 1.

        Returns
        -------
        For each mention, leaves of the trie, each with the share of the name's tokens that the
        mention makes up. The first is the mention itself, with the share 1; then come the names
        that begin with it, shortest first. The list is empty if the mention is not a name.
        """
        leaves_of_mentions: list[list[tuple[int, float]]] = []
        for tokens in self.name_tokens(mentions):
            node = trie.walk(tokens[:-1])
            if node is None or trie.walk(tokens) is None:
                leaves_of_mentions.append([])
                continue
            length = len(tokens)
            # The mention itself ends with the end token, which is one step below this node.
            leaves, steps = trie.below(node, most)
            shares = [length / (length + step - 1) for step in steps]
            leaves_of_mentions.append(list(zip(leaves, shares, strict=True)))
        return leaves_of_mentions

    def packed(self) -> LinkingModel:
        """The same model with its weights laid out for inference; itself if they already are."""
        plain = self.precision == "fp32" and not is_packed(self.backbone.model)
        return self.in_precision("fp32") if plain else self

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """Embed texts without context: the mean of the encoder's states, scaled to unit length.

        Texts of similar length are encoded together, and each core takes some of these groups.
        Except for rounding, a vector depends neither on the other texts nor on the number of cores.

        Parameters
        ----------
        texts
            Names or mentions. They are normalised, and cut after 24 tokens.

        Returns
        -------
        Vectors float32 [texts, width].

        Raises
        ------
        ModelError
            If the weights are damaged, so that a vector is not finite.
        """
        cleaned = [normalise_name(text) or text.lower() for text in texts]
        vectors = np.empty((len(texts), self.width), dtype=np.float32)
        if not cleaned:
            return vectors
        token_ids = self.tokenizer(cleaned, truncation=True, max_length=_MENTION_LIMIT)["input_ids"]
        sizes = [len(row) for row in token_ids]
        device, pad = self.backbone.device, self.backbone.pad_id

        @torch.inference_mode()
        def embed_some(group: list[int]) -> None:
            longest = sizes[group[-1]]
            lengths = torch.tensor([sizes[i] for i in group])
            ids = torch.tensor([token_ids[i] + [pad] * (longest - sizes[i]) for i in group]).to(
                device
            )
            mask = (torch.arange(longest) < lengths[:, None]).long().to(device)
            unit = pooled(self.backbone.encode(ids, mask), mask)
            vectors[group] = unit.float().cpu().numpy()

        groups = list(of_similar_size(sizes, most_tokens(device)))
        if device.type == "cpu":
            each_on_a_core(embed_some, groups)
        else:
            for group in groups:
                embed_some(group)
        return check_scores(vectors, "embeddings")

    @property
    def width(self) -> int:
        """The number of dimensions of the encoder's states."""
        return int(self.backbone.config.d_model)


def load_model(path: str | Path, device: str = "cpu", light: bool = False) -> LinkingModel:
    """Load a model from its folder, or from the local Hugging Face cache by its hub name.

    Nothing is downloaded.

    Parameters
    ----------
    path
        The folder, or the hub name.
    device
        The device for the model, as torch names it. Default: ``cpu``.
    light
        Load the model for inference only and, if the folder allows it, without transformers (see
        :mod:`biolink.infer.network.bart` and :mod:`biolink.infer.network.tokeniser`). Default:
        False.

    Raises
    ------
    ModelError
        If the folder is damaged, or is not a sequence-to-sequence model of a supported
        architecture.
    ConfigError
        If this machine does not have the device.
    """
    check_device(device)
    folder = Path(path)
    if not folder.is_dir():
        if folder.exists() or _looks_like_a_path(str(path)):
            raise ModelError(f"{path} is not a folder; expected a model folder, or a hub name")
        return _read(path, None, device, light)
    with checked_model(folder):
        return _read(path, folder, device, light)


def _looks_like_a_path(name: str) -> bool:
    """Whether a name is a path and not one of the hub, which are NAME or OWNER/NAME."""
    return name.count("/") > 1 or name.startswith(("/", ".", "~")) or name.endswith("/")


def _read(path: str | Path, folder: Path | None, device: str, light: bool) -> LinkingModel:
    """The model of a folder, or of the hub name ``path`` if the folder is None."""
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
            raise damaged(folder / SETTINGS, "nil is nested too deeply") from None
    ranker = None if settings.ranker is None else _ranker_of(folder, settings.ranker)
    return LinkingModel(backbone, tokenizer, settings.prompt, settings, ranker, folder)


#: The features whose weights mean nothing without a file of the model folder.
_FEATURES_OF = {
    ANNOTATIONS: ("prior", "annotated", "annotated_share"),
    ABBREVIATIONS: ("abbreviation",),
    STOP_NAMES: ("unmarked",),
}


def _ranker_of(folder: Path, values: dict[str, Any]) -> Ranker:
    kinds = [*values.values(), *values.get("early", {}).values()]
    weights = {
        feature
        for weights in kinds
        if isinstance(weights, dict)
        for feature, weight in weights.items()
        if weight
    }
    for name, features in _FEATURES_OF.items():
        needed = next((feature for feature in features if feature in weights), None)
        if needed is not None and not has_file(folder / name):
            empty = "[]" if name == STOP_NAMES else "{}"
            raise ModelError(
                f"{folder / name} is missing, but the weight of {needed!r} in {SETTINGS} needs it: "
                f"take it from a whole copy of the model, or write {empty} into it to do without"
            )
    annotations, abbreviations = counts_of(folder / ANNOTATIONS), counts_of(folder / ABBREVIATIONS)
    try:
        return Ranker.from_dict(values, annotations, abbreviations, stop_names_of(folder))
    except ConfigError as error:
        raise damaged(folder / SETTINGS, str(error)) from None


def _check_vocabulary(path: str | Path, tokenizer: Any, size: int) -> None:
    vocabulary = tokenizer.get_vocab()
    if not vocabulary or max(vocabulary.values()) >= size:
        raise ModelError(
            f"{Path(path) / TOKENISER}, or {TOKENISER_CONFIG}, does not fit the "
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
    """Load a pickled model again."""
    model = load_model(folder, device, light)
    if model.weights_fingerprint != fingerprint:
        raise ModelError(f"{folder}: its weights have changed since the linker was pickled")
    model = replace(model, **changes)
    return model.in_precision(precision) if packed or precision != "fp32" else model
