"""The texts of the sequence-to-sequence model: the encoder's input, the decoder's prompt, names.

Source: GenBioEL (NAACL 2022), section 3 and its preprocessing. Training, inference and the name
trie all use these functions, so they always agree.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args

import numpy as np

from biolink.errors import ConfigError
from biolink.kb.names import fold, normalise_name

__all__ = [
    "BY_RECOGNISER",
    "READINGS",
    "ByRecogniser",
    "PromptForm",
    "Reading",
    "source_text",
]

#: How a mention is read in its context (:attr:`PromptForm.reading`). In two of these ways, the
#: encoder of the recogniser reads the document.
ByRecogniser = Literal["shared", "staged"]
Reading = Literal["window", "document", ByRecogniser]
BY_RECOGNISER: tuple[str, ...] = get_args(ByRecogniser)
READINGS: tuple[str, ...] = get_args(Reading)


@dataclass(frozen=True, slots=True)
class PromptForm:
    """How mentions and names are written for a model. The defaults are those of GenBioEL.

    Attributes
    ----------
    start_marker, end_marker
        The words before and after the mention. They are ordinary text in GenBioEL, but may be
        special tokens. Default: ``START`` and ``END``.
    window
        The greatest number of words, separated by white space, of the mention and its context
        together. Default: 384.
    decoder_prompt
        The text that precedes the name in the decoder; ``{mention}`` is replaced by the mention,
        and "" means no prompt. Default: ``{mention} is``.
    lower
        Whether the encoder's input and the decoder's prompt are in lower case. Default: True.
    name_prefix
        The text before a name when it is tokenised. Byte-level BPE needs a space, because the name
        follows the prompt. Default: a space.
    source_prefix
        The text before the encoder's input (a soft prompt); its case is kept. Default: "".
    reading
        ``window`` (the default): each mention is read in a window of its own, between the markers.
        ``document``: a document is read once for all of its mentions, which are not marked (see
        :func:`biolink.kb.reading.passages`). ``shared``: the encoder of the recogniser reads the
        document once, to find mentions and to link them (see
        :mod:`biolink.infer.mentions.shared_reader`). ``staged``: the vectors of mentions in context
        come from that encoder, and only a mention that is still doubtful is read in a window of its
        own.
    passage
        With ``reading="document"``, the number of words of a passage. Default: 40.

    >>> PromptForm().prompt("Type-2 Diabetes")
    'type-2 diabetes is'
    """

    start_marker: str = "START"
    end_marker: str = "END"
    window: int = 384
    decoder_prompt: str = "{mention} is"
    lower: bool = True
    name_prefix: str = " "
    source_prefix: str = ""
    reading: Reading = "window"
    passage: int = 40

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> PromptForm:
        """Make a form from settings; those that are missing have their defaults.

        Raises
        ------
        ConfigError
            If a setting is unknown.
        """
        known = {field.name for field in fields(cls)}
        unknown = set(values) - known
        if unknown:
            raise ConfigError(
                f"unknown prompt settings {sorted(unknown)}; expected one of {sorted(known)}"
            )
        return cls(**values)

    def to_dict(self) -> dict[str, Any]:
        """Return the settings by name."""
        return asdict(self)

    def prompt(self, mention: str) -> str:
        """Return the decoder's prompt for a mention."""
        mention = " ".join(fold(mention).split())
        if self.lower:
            mention = mention.lower()
        return self.decoder_prompt.replace("{mention}", mention)

    def prompt_ids(self, tokenizer: Any, mentions: Sequence[str], start_id: int) -> list[list[int]]:
        """Return, for each mention, the start token and the tokens of the decoder's prompt."""
        if not self.decoder_prompt:
            return [[start_id] for _ in mentions]
        encoded = tokenizer(
            [self.prompt(mention) for mention in mentions], add_special_tokens=False
        )["input_ids"]
        return [[start_id, *ids] for ids in encoded]

    def name_ids(self, tokenizer: Any, names: Sequence[str], eos_id: int) -> list[list[int]]:
        """Return, for each name, the tokens of the normalised name and the end token."""
        if not len(names):
            return []
        texts = [self.name_prefix + normalise_name(name) for name in names]
        encoded = tokenizer(texts, add_special_tokens=False)["input_ids"]
        return [[*ids, eos_id] for ids in encoded]

    def name_rows(
        self, tokenizer: Any, names: Sequence[str], eos_id: int, batch: int = 65_536
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the result of :meth:`name_ids` as two arrays.

        Returns
        -------
        tokens (int32) and offsets (int64 [names + 1]): the tokens of name ``i`` are
        ``tokens[offsets[i]:offsets[i + 1]]``.
        """
        pieces, lengths = [], []
        for begin in range(0, len(names), batch):
            sequences = self.name_ids(tokenizer, names[begin : begin + batch], eos_id)
            lengths.append(np.fromiter(map(len, sequences), np.int64, len(sequences)))
            flat = (token for sequence in sequences for token in sequence)
            pieces.append(np.fromiter(flat, np.int32, int(lengths[-1].sum())))
        offsets = np.zeros(len(names) + 1, dtype=np.int64)
        if lengths:
            np.cumsum(np.concatenate(lengths), out=offsets[1:])
        return np.concatenate(pieces) if pieces else np.empty(0, np.int32), offsets


def source_text(
    text: str, start: int, end: int, form: PromptForm, mention: str | None = None
) -> str:
    """Return the encoder's input for the mention ``text[start:end]``, with its context.

    Text and mention are folded (:func:`biolink.kb.names.fold`), as names are. The window always
    contains the mention, and as many words on the left as on the right if the text has them.

    Parameters
    ----------
    text
        The text of the document.
    start, end
        The offsets of the mention in characters; ``end`` is exclusive.
    form
        The markers, the window and the case.
    mention
        A text to write in place of the mention, such as the long form of an abbreviation. Default:
        None, for the mention itself.

    >>> source_text("Aspirin for severe asthma.", 0, 7, PromptForm(window=3))
    'START aspirin END for severe'
    """
    # Only the words near the mention are split, so that the cost does not depend on the length of
    # the document. On average 24 characters per word are more than enough; if they are not, the
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
