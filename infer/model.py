"""Loading a linking model: a Hugging Face folder, with ``biolink.json`` where biolink made it.

A folder without ``biolink.json`` is taken to be a checkpoint in GenBioEL's form: markers in plain
text, decoder prompt ``{mention} is``, names after a space, generation alone.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from torch import Tensor

from biolink.errors import ConfigError, ModelError
from biolink.infer.backbone import Backbone, Memory, pooled, span_vectors
from biolink.infer.bart import Bart, config_of
from biolink.infer.precision import Precision, in_precision
from biolink.infer.ranker import Annotations, Ranker
from biolink.infer.tokeniser import LightTokeniser
from biolink.kb.files import sha256_of
from biolink.kb.names import normalise_name
from biolink.kb.prompt import PromptForm
from biolink.kb.trie import NameTrie

__all__ = ["LinkingModel", "load_model"]

SETTINGS = "biolink.json"
ANNOTATIONS = "annotations.json"
ABBREVIATIONS = "abbreviations.json"
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
    settings: dict[str, Any] = field(default_factory=dict)
    ranker: Ranker | None = None
    folder: Path | None = None
    precision: Precision = "fp32"

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
        file = None if self.folder is None else self.folder / "tokenizer.json"
        if file is not None and file.is_file():
            # The file, not the tokeniser's own serialisation, which changes with its version.
            text = sha256_of(file)
        else:
            text = json.dumps(self.tokenizer.get_vocab(), sort_keys=True)
        text += json.dumps([self.form.name_prefix, self.backbone.eos_id])
        return hashlib.sha256(text.encode()).hexdigest()

    @cached_property
    def weights_fingerprint(self) -> str:
        """Digest of the weights (of the file where there is one)."""
        if self.folder is not None and (self.folder / "model.safetensors").is_file():
            return sha256_of(self.folder / "model.safetensors")
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
        return self.backbone.memory(states, mask), vectors.float().cpu().numpy()

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

    @torch.inference_mode()
    def embed(self, texts: Sequence[str], batch: int = 64) -> np.ndarray:
        """Unit vectors float32 [texts, width]: mean of the encoder's states over a bare text."""
        cleaned = [normalise_name(text) or text.lower() for text in texts]
        vectors = np.empty((len(texts), self.width), dtype=np.float32)
        order = sorted(range(len(texts)), key=lambda i: len(cleaned[i]))
        for begin in range(0, len(order), batch):
            part = order[begin : begin + batch]
            ids, mask = self.tokens([cleaned[i] for i in part], _MENTION_LIMIT)
            unit = pooled(self.backbone.encode(ids, mask), mask)
            vectors[part] = unit.float().cpu().numpy()
        return vectors

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
        (:mod:`biolink.infer.bart`, :mod:`biolink.infer.tokeniser`).

    Raises
    ------
    ModelError
        When the folder is no seq2seq model of a supported architecture.
    """
    folder = Path(path)
    settings: dict[str, Any] = {}
    remembered: dict[str, Annotations] = {ANNOTATIONS: {}, ABBREVIATIONS: {}}
    if folder.is_dir() and (folder / SETTINGS).is_file():
        try:
            settings = json.loads((folder / SETTINGS).read_text(encoding="utf-8"))
            for name in remembered:
                if (folder / name).is_file():
                    remembered[name] = json.loads((folder / name).read_text(encoding="utf-8"))
        except ValueError as error:
            raise ModelError(f"{folder / SETTINGS} is damaged: {error}") from None
    try:
        config = config_of(folder) if light else None
        if config is not None:
            model: Any = Bart.read(folder, config)
        else:
            model = _model_of_transformers(path)
        if config is not None and LightTokeniser.reads(folder):
            tokenizer: Any = LightTokeniser(folder, config.pad_token_id)
        else:
            tokenizer = _tokeniser_of_transformers(path)
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ModelError(
            f"{path} is not a model that can be loaded offline ({first}); expected a folder with "
            "config.json, model.safetensors and a tokeniser, of a BART or T5 model"
        ) from None
    try:
        form = PromptForm.from_dict(settings.get("prompt", {}))
        ranker = None
        if "ranker" in settings:
            ranker = Ranker.from_dict(settings["ranker"], *remembered.values())
    except ConfigError as error:
        raise ModelError(f"{folder / SETTINGS}: {error}") from None
    backbone = Backbone(model.eval().to(device))
    return LinkingModel(
        backbone, tokenizer, form, settings, ranker, folder if folder.is_dir() else None
    )


def _model_of_transformers(path: str | Path) -> Any:
    from transformers import AutoConfig, AutoModelForSeq2SeqLM
    from transformers.utils import logging

    logging.disable_progress_bar()
    config = AutoConfig.from_pretrained(path, local_files_only=True)
    return AutoModelForSeq2SeqLM.from_pretrained(
        path, config=config, dtype=torch.float32, local_files_only=True
    )


def _tokeniser_of_transformers(path: str | Path) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(path, local_files_only=True)
