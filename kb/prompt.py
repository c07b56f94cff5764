"""The text form of the seq2seq model: what the encoder reads, what the decoder is fed, names.

Source: GenBioEL (NAACL 2022), section 3 and its preprocessing. Training and inference, and the
name trie, all go through these functions, so that they cannot drift apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np

from biolink.errors import ConfigError
from biolink.kb.names import fold, normalise_name

__all__ = ["PromptForm", "source_text"]


@dataclass(frozen=True, slots=True)
class PromptForm:
    """How mentions and names are written for a model; the defaults are GenBioEL's.

    Attributes
    ----------
    start_marker, end_marker
        Put around the mention. GenBioEL's are ordinary text; a model may have special tokens.
    window
        At most this many white-space words of context and mention together.
    decoder_prompt
        Fed to the decoder before the name, ``{mention}`` replaced; "" for none.
    lower
        Lower-case the encoder's input.
    name_prefix
        Put before a name when it is tokenised: a space for byte-level BPE, as it follows the
        prompt.
    source_prefix
        Put before the encoder's input, never lower-cased (soft prompts).
    """

    start_marker: str = "START"
    end_marker: str = "END"
    window: int = 384
    decoder_prompt: str = "{mention} is"
    lower: bool = True
    name_prefix: str = " "
    source_prefix: str = ""

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> PromptForm:
        known = {field.name for field in fields(cls)}
        unknown = set(values) - known
        if unknown:
            raise ConfigError(
                f"unknown prompt settings {sorted(unknown)}; expected one of {sorted(known)}"
            )
        return cls(**values)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    def prompt(self, mention: str) -> str:
        """Text of the decoder prompt for a mention."""
        mention = " ".join(fold(mention).split())
        if self.lower:
            mention = mention.lower()
        return self.decoder_prompt.replace("{mention}", mention)

    def prompt_ids(self, tokenizer: Any, mentions: Sequence[str], start_id: int) -> list[list[int]]:
        """Decoder input ids that precede the name: the start token and the prompt."""
        if not self.decoder_prompt:
            return [[start_id] for _ in mentions]
        encoded = tokenizer(
            [self.prompt(mention) for mention in mentions], add_special_tokens=False
        )["input_ids"]
        return [[start_id, *ids] for ids in encoded]

    def name_ids(self, tokenizer: Any, names: Sequence[str], eos_id: int) -> list[list[int]]:
        """Target ids of names: tokens of the normalised name, then the end token."""
        if not len(names):
            return []
        texts = [self.name_prefix + normalise_name(name) for name in names]
        encoded = tokenizer(texts, add_special_tokens=False)["input_ids"]
        return [[*ids, eos_id] for ids in encoded]

    def name_rows(
        self, tokenizer: Any, names: Sequence[str], eos_id: int, batch: int = 65_536
    ) -> tuple[np.ndarray, np.ndarray]:
        """:meth:`name_ids` as ragged arrays: (tokens int32, offsets int64 [names + 1])."""
        pieces, lengths = [], []
        for begin in range(0, len(names), batch):
            rows = self.name_ids(tokenizer, names[begin : begin + batch], eos_id)
            lengths.append(np.fromiter(map(len, rows), np.int64, len(rows)))
            flat = (token for row in rows for token in row)
            pieces.append(np.fromiter(flat, np.int32, int(lengths[-1].sum())))
        offsets = np.zeros(len(names) + 1, dtype=np.int64)
        if lengths:
            np.cumsum(np.concatenate(lengths), out=offsets[1:])
        return np.concatenate(pieces) if pieces else np.empty(0, np.int32), offsets


def source_text(
    text: str, start: int, end: int, form: PromptForm, mention: str | None = None
) -> str:
    """Encoder input for the mention ``text[start:end]``: left START mention END right.

    Text and mention are folded (:func:`biolink.kb.names.fold`), as names are. The window is cut
    so that the mention stays and both sides are as balanced as the text allows.

    Parameters
    ----------
    text
        The document's text.
    start, end
        Offsets of the mention.
    form
        Markers, window and casing.
    mention
        Written in place of the mention (its long form), when given.
    """
    # Only the words that can fall into the window are split off, so that the cost does not
    # depend on the length of the document; 24 characters a word is ample, and if it is not the
    # window is a little shorter.
    reach = form.window * 24
    left = fold(text[max(0, start - reach) : start]).split()
    right = fold(text[end : end + reach]).split()
    words = fold(text[start:end] if mention is None else mention).split()
    room = max(0, form.window - len(words))
    keep_left = min(len(left), max(room // 2, room - len(right)))
    keep_right = min(len(right), room - keep_left)
    pieces = [
        " ".join(left[len(left) - keep_left :]),
        " ".join(words),
        " ".join(right[:keep_right]),
    ]
    if form.lower:
        pieces = [piece.lower() for piece in pieces]
    marked = (pieces[0], form.start_marker, pieces[1], form.end_marker, pieces[2])
    return form.source_prefix + " ".join(piece for piece in marked if piece)
