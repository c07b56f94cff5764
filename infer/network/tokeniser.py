"""The tokeniser of a linking model without transformers, which takes a second to import.

What linking asks is answered by the package tokenizers, on which transformers' fast tokenisers
stand; whatever else is asked, transformers' own tokeniser is loaded for.
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

#: Classes of transformers that add nothing to ``tokenizer.json``.
_PLAIN = ("PreTrainedTokenizerFast", "TokenizersBackend")


class LightTokeniser:
    """Called as transformers' tokeniser of the same folder is, with the same result.

    Parameters
    ----------
    folder
        With ``tokenizer.json`` and ``tokenizer_config.json``.
    pad_id
        Token that fills shorter rows, on the right.
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
        """Whether a folder's tokeniser can be read so."""
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
        """As transformers' ``PreTrainedTokenizerFast``; tensors are torch's (``pt``)."""
        single = isinstance(texts, str)
        tokenizer = self._whole
        if truncation and max_length is not None:
            tokenizer = self._cut.get(max_length) or self._cut_at(max_length)
        rows = tokenizer.encode_batch(
            [texts] if isinstance(texts, str) else list(texts),
            add_special_tokens=add_special_tokens,
        )
        ids: Any = [row.ids for row in rows]
        result: dict[str, Any] = {}
        if padding:
            size = max(map(len, ids))
            result["attention_mask"] = [[1] * len(r) + [0] * (size - len(r)) for r in ids]
            ids = [r + [self._pad_id] * (size - len(r)) for r in ids]
        result["input_ids"] = ids
        if return_offsets_mapping:
            result["offset_mapping"] = [row.offsets for row in rows]
        if return_tensors is not None:
            return {name: torch.tensor(values) for name, values in result.items()}
        return {name: values[0] for name, values in result.items()} if single else result

    def _cut_at(self, length: int) -> Tokenizer:
        tokenizer = Tokenizer.from_str(self._whole.to_str())
        tokenizer.enable_truncation(length)
        self._cut[length] = tokenizer
        return tokenizer

    def get_vocab(self) -> dict[str, int]:
        """Token -> id, added tokens included."""
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
