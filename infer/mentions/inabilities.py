"""Statements that somebody cannot do something, as names of findings.

Case reports tell what patients do, where a knowledge base has nouns: a child who ``never learned to
speak`` has "Absent speech", and one who ``cannot walk`` has "Inability to walk".
"""

from __future__ import annotations

import re
from collections.abc import Iterator

__all__ = ["inabilities"]

#: What is done -> what is absent if it is not done.
_NOUNS = {
    "breathe": ("breathing", "respiration"),
    "crawl": ("crawling",),
    "eat": ("feeding", "eating"),
    "feed": ("feeding",),
    "hear": ("hearing",),
    "move": ("movement", "movements"),
    "read": ("reading",),
    "see": ("vision", "sight"),
    "sit": ("sitting",),
    "sleep": ("sleep",),
    "smell": ("smell", "sense of smell"),
    "speak": ("speech", "language"),
    "stand": ("standing",),
    "swallow": ("swallowing",),
    "sweat": ("sweating",),
    "talk": ("speech",),
    "taste": ("taste", "sense of taste"),
    "walk": ("walking", "ambulation"),
    "write": ("writing",),
}
_VERBS = "|".join(_NOUNS)
#: What must not follow: "did not see the results" tells of no patient.
_ALONE = r"(?! (?:a|an|the|to|with|about|of)\b)"
_NEVER = re.compile(
    r"\bnever (?:(?:learn(?:ed|t)|began|acquired the ability|developed the ability) to )?"
    rf"({_VERBS})\b{_ALONE}",
    re.I,
)
_UNABLE_TO = re.compile(
    r"\b(?:(?:did|does|do|could|can) not |cannot |(?:un|not )able to |inability to |failed to )"
    rf"(?:learn to )?({_VERBS})\b{_ALONE}",
    re.I,
)
_LOST = re.compile(rf"\blost (?:the|his|her|their) ability to ({_VERBS})\b", re.I)
_ABSENT = ("absent {noun}", "lack of {noun}", "no {noun}", "absence of {noun}")
_UNABLE = ("inability to {verb}", "unable to {verb}")
_LOSS = ("loss of {noun}", "loss of ability to {verb}", "loss of the ability to {verb}")


def inabilities(text: str) -> Iterator[tuple[int, int, list[str]]]:
    """The statements in a text that somebody cannot do something.

    Each is given as its start, its end, and names that a knowledge base may have for it, the most
    usual ones first.

    >>> start, end, names = next(inabilities("He never learned to speak."))
    >>> (start, end), names[:2]
    ((3, 25), ['absent speech', 'absent language'])
    """
    statements = [(match, (*_UNABLE, *_ABSENT)) for match in _UNABLE_TO.finditer(text)]
    statements += [(match, (*_ABSENT, *_UNABLE)) for match in _NEVER.finditer(text)]
    statements += [(match, _LOSS) for match in _LOST.finditer(text)]
    for match, forms in statements:
        verb = match[1].lower()
        names = [form.format(verb=verb, noun=noun) for form in forms for noun in _NOUNS[verb]]
        yield match.start(), match.end(), list(dict.fromkeys(names))
