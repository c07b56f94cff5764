"""Packed token sequences from texts, as a stream of Hugging Face datasets that can be resumed.

The files are the shards, which several readers share. Only one batch of documents is in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from biolink.errors import ConfigError
from biolink.pretrain.denoising import Noise, noised, pack_documents, sentence_ends
from biolink.pretrain.training.resumable import MarkedStream

__all__ = ["DenoisingStream", "packed_dataset"]

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


class DenoisingStream(MarkedStream):
    """An endless stream of corrupted and original sequences, in the order of the files.

    The state of the underlying dataset is noted at regular intervals, so :meth:`resume` skips at
    most a few hundred sequences.
    """

    def __init__(self, packed: Any, tokenizer: Any, noise: Noise, seed: int) -> None:
        super().__init__()
        self.packed, self.noise, self.seed = packed, noise, seed
        self.mask_id, self.end_id = tokenizer.mask_token_id, tokenizer.eos_token_id
        if self.mask_id is None:
            raise ConfigError("the tokeniser has no mask token; denoising needs one")
        self.ends = sentence_ends(tokenizer)

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
