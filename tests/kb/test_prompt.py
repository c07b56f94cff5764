"""The text form of the model."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from biolink.errors import ConfigError
from biolink.kb.prompt import PromptForm, source_text

FORM = PromptForm(window=6)


def test_markers_window_and_casing() -> None:
    text = "One two three four Fever five six seven eight"
    start = text.index("Fever")
    assert source_text(text, start, start + 5, FORM) == "three four START fever END five six seven"
    assert (
        source_text(text, start, start + 5, FORM, "Long Form")
        == "three four START long form END five six"
    )
    assert source_text("Fever a b c d e f g", 0, 5, FORM) == "START fever END a b c d e"
    assert source_text("a b c d e f g Fever", 14, 19, FORM) == "c d e f g START fever END"


@given(
    st.lists(st.sampled_from(["aa", "b", "ccc"]), max_size=30),
    st.lists(st.sampled_from(["mm", "n"]), min_size=1, max_size=8),
    st.lists(st.sampled_from(["dd", "e"]), max_size=30),
    st.integers(1, 12),
)
def test_window_is_full_and_keeps_the_mention(
    left: list[str], mention: list[str], right: list[str], window: int
) -> None:
    text = " ".join([*left, *mention, *right])
    start = len(" ".join(left)) + bool(left)
    end = start + len(" ".join(mention))
    words = source_text(text, start, end, PromptForm(window=window)).split()
    begin, stop = words.index("START"), words.index("END")
    assert words[begin + 1 : stop] == mention
    context = len(words) - 2 - len(mention)
    room = max(0, window - len(mention))
    assert context == min(room, len(left) + len(right))
    before, after = begin, len(words) - stop - 1
    # The context is balanced; a side is shorter only if its text ends.
    if before < room // 2:
        assert before == len(left)
    if after < room // 2:
        assert after == len(right)


def test_prompt_text() -> None:
    assert FORM.prompt("Breast  Cancer") == "breast cancer is"
    assert PromptForm(decoder_prompt="").prompt_ids(None, ["x", "y"], 7) == [[7], [7]]
    with pytest.raises(ConfigError, match="unknown prompt settings"):
        PromptForm.from_dict({"windows": 3})
    assert PromptForm.from_dict(FORM.to_dict()) == FORM
