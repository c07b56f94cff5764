"""Texts to packed token sequences, streamed with Hugging Face datasets and resumable.

Files are the shards: several readers share them out, and nothing is held but one batch of
documents.
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
_DOCUMENTS = 64  # documents that are packed together
_MARK_EVERY = 256  # sequences

#: Paths of files -> their texts, one file after the other; a function of a module.
Reader = Callable[[Sequence[str]], Iterator[str]]


def packed_dataset(files: Sequence[str], read: Reader, tokenizer: Any, length: int) -> Any:
    """A ``datasets.IterableDataset`` of packed sequences: ``tokens`` and the ``file`` they are of.

    Parameters
    ----------
    files
        The shards.
    read
        Gives a file's texts; a function of a module, so that workers can load it.
    length
        Tokens of a sequence at the most.
    """
    from datasets import IterableDataset as Streamed

    begin_id, end_id = tokenizer.bos_token_id, tokenizer.eos_token_id

    def packed(batch: dict[str, list[Any]]) -> dict[str, list[Any]]:
        encoded = tokenizer(batch["text"], add_special_tokens=False)["input_ids"]
        return {"tokens": list(pack_documents(encoded, length, begin_id, end_id))}

    # datasets shares a list of gen_kwargs out: each file is a shard.
    texts = Streamed.from_generator(_texts, gen_kwargs={"files": list(files), "read": read})
    return texts.map(packed, batched=True, batch_size=_DOCUMENTS, remove_columns=["text"])


def _texts(files: Sequence[str], read: Reader) -> Iterator[dict[str, str]]:
    for text in read(files):
        yield {"text": text}


class DenoisingStream(IterableDataset):
    """Endless (corrupted, original) sequences, epoch after epoch in the order of the files.

    The position is a number; now and then the state of the underlying dataset is noted, so that
    :meth:`resume` skips at most a few hundred sequences.
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
        """Go on after ``consumed`` sequences.

        Parameters
        ----------
        marks
            What :attr:`marks` held when the checkpoint was written.
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
                    # Batches are read ahead, never by more than the last few marks.
                    del self.marks[:-8]
            if number == seen:
                raise ConfigError("the text to train on is empty")
