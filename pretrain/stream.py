"""Packed token sequences from texts, as a stream of Hugging Face datasets that can be resumed.

The files are the shards, which several readers share. Only one batch of documents is in memory.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from torch.utils.data import IterableDataset

from biolink.errors import ConfigError
from biolink.pretrain.denoising import Noise, noised, pack_documents, sentence_ends

__all__ = ["MARKS", "DenoisingStream", "packed_dataset"]

MARKS = "stream_marks.json"
_DOCUMENTS = 64  # The number of documents that are packed together.
_MARK_EVERY = 256  # The number of sequences between two marks.

#: A function of a module from paths of files to their texts, one file after another.
Reader = Callable[[Sequence[str]], Iterator[str]]


def packed_dataset(files: Sequence[str], read: Reader, tokenizer: Any, length: int) -> Any:
    """Return a ``datasets.IterableDataset`` of packed sequences, with the column ``tokens``.

    Parameters
    ----------
    files
        The shards.
    read
        A function that reads the texts of files, in a module so that workers can load it.
    tokenizer
        The tokeniser.
    length
        The most tokens of a sequence.
    """
    from datasets import IterableDataset as Streamed

    begin_id, end_id = tokenizer.bos_token_id, tokenizer.eos_token_id

    def packed(batch: dict[str, list[Any]]) -> dict[str, list[Any]]:
        encoded = tokenizer(batch["text"], add_special_tokens=False)["input_ids"]
        return {"tokens": list(pack_documents(encoded, length, begin_id, end_id))}

    # datasets distributes a list in gen_kwargs among its readers, so each file is a shard.
    texts = Streamed.from_generator(_texts, gen_kwargs={"files": list(files), "read": read})
    return texts.map(packed, batched=True, batch_size=_DOCUMENTS, remove_columns=["text"])


def _texts(files: Sequence[str], read: Reader) -> Iterator[dict[str, str]]:
    for text in read(files):
        yield {"text": text}


class DenoisingStream(IterableDataset):
    """An endless stream of corrupted and original sequences, in the order of the files.

    The state of the underlying dataset is noted at regular intervals, so :meth:`resume` skips at
    most a few hundred sequences.
    """

    def __init__(self, packed: Any, tokenizer: Any, noise: Noise, seed: int) -> None:
        self.packed, self.noise, self.seed = packed, noise, seed
        self.mask_id, self.end_id = tokenizer.mask_token_id, tokenizer.eos_token_id
        if self.mask_id is None:
            raise ConfigError("the tokeniser has no mask token; denoising needs one")
        self.ends = sentence_ends(tokenizer)
        self.marks: list[dict[str, Any]] = []
        self._start: dict[str, Any] = {"number": 0, "state": None}
        self._skip = 0

    def resume(self, consumed: int, marks: Sequence[dict[str, Any]]) -> None:
        """Continue after ``consumed`` sequences.

        Parameters
        ----------
        consumed
            The number of sequences to skip.
        marks
            The value of :attr:`marks` when the checkpoint was written.
        """
        earlier = [mark for mark in marks if mark["number"] <= consumed]
        self._start = earlier[-1] if earlier else {"number": 0, "state": None}
        self._skip = consumed - self._start["number"]
        self.marks = list(earlier)

    def save_marks(self, file: Path) -> None:
        """Write the marks as JSON."""
        file.write_text(json.dumps(self.marks), encoding="utf-8")

    def __iter__(self) -> Iterator[dict[str, list[int]]]:
        number, skip = self._start["number"], self._skip
        if self._start["state"] is not None:
            self.packed.load_state_dict(self._start["state"])
        while True:
            seen = number
            for example in self.packed:
                number += 1
                if skip:
                    skip -= 1
                else:
                    tokens = list(example["tokens"])
                    source = noised(
                        tokens,
                        number - 1,
                        self.seed,
                        self.noise,
                        self.mask_id,
                        self.end_id,
                        self.ends,
                    )
                    yield {"source": source, "target": tokens}
                if number % _MARK_EVERY == 0:
                    self.marks.append({"number": number, "state": self.packed.state_dict()})
                    # Batches are read ahead, but not by more than the last few marks.
                    del self.marks[:-8]
            if number == seen:
                raise ConfigError("the text to train on is empty")
