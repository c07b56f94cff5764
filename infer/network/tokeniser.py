"""The tokeniser of a linking model without transformers, which takes a second to import.

Linking needs only what the package tokenizers offers, on which the fast tokenisers of transformers
are built. If anything else is asked for, the tokeniser of transformers is loaded.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer

from biolink.kb.model_files import TOKENISER, TOKENISER_CONFIG, json_of
from biolink.kb.model_loading import backend_of

__all__ = ["LightTokeniser"]

#: Tokeniser classes of transformers that add nothing to ``tokenizer.json``.
_PLAIN = ("PreTrainedTokenizerFast", "TokenizersBackend")


class LightTokeniser:
    """A tokeniser with the interface and the results of transformers' tokeniser.

    Parameters
    ----------
    folder
        The model folder, with ``tokenizer.json`` and ``tokenizer_config.json``.
    pad_id
        The token that fills up shorter rows on the right.
    """

    def __init__(self, folder: Path, pad_id: int) -> None:
        self._folder = folder
        self._pad_id = pad_id
        self._whole = backend_of(folder / TOKENISER)
        self._whole.no_truncation()
        self._whole.no_padding()
        self._cut: dict[int, Tokenizer] = {}

    @staticmethod
    def reads(folder: Path) -> bool:
        """Whether this class can read the tokeniser of a folder."""
        file = folder / TOKENISER_CONFIG
        if not file.is_file() or not (folder / TOKENISER).is_file():
            return False
        settings = json_of(file)
        return (
            settings.get("tokenizer_class") in _PLAIN
            and settings.get("padding_side", "right") == "right"
            and settings.get("truncation_side", "right") == "right"
        )

    def __call__(
        self,
        texts: str | Sequence[str],
        add_special_tokens: bool = True,
        padding: bool = False,
        truncation: bool = False,
        max_length: int | None = None,
        return_offsets_mapping: bool = False,
        return_tensors: str | None = None,
        verbose: bool = True,
    ) -> dict[str, Any]:
        """Tokenise texts; see ``PreTrainedTokenizerFast`` of transformers.

        If ``return_tensors`` is given, the values are tensors of torch, whatever it says.
        """
        single = isinstance(texts, str)
        tokenizer = self._whole
        if truncation and max_length is not None:
            tokenizer = self._cut.get(max_length) or self._cut_at(max_length)
        encodings = tokenizer.encode_batch(
            [texts] if isinstance(texts, str) else list(texts),
            add_special_tokens=add_special_tokens,
        )
        ids: Any = [encoding.ids for encoding in encodings]
        result: dict[str, Any] = {}
        if padding:
            size = max(map(len, ids))
            result["attention_mask"] = [[1] * len(r) + [0] * (size - len(r)) for r in ids]
            ids = [r + [self._pad_id] * (size - len(r)) for r in ids]
        result["input_ids"] = ids
        if return_offsets_mapping:
            result["offset_mapping"] = [encoding.offsets for encoding in encodings]
        if return_tensors is not None:
            return {name: torch.tensor(values) for name, values in result.items()}
        return {name: values[0] for name, values in result.items()} if single else result

    def _cut_at(self, length: int) -> Tokenizer:
        tokenizer = Tokenizer.from_str(self._whole.to_str())
        tokenizer.enable_truncation(length)
        self._cut[length] = tokenizer
        return tokenizer

    def get_vocab(self) -> dict[str, int]:
        """The id of each token, added tokens included."""
        vocabulary: dict[str, int] = self._whole.get_vocab(with_added_tokens=True)
        return vocabulary

    @cached_property
    def _of_transformers(self) -> Any:
        from transformers import AutoTokenizer

        return AutoTokenizer.from_pretrained(
            self._folder, local_files_only=True, trust_remote_code=False
        )

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._of_transformers, name)
