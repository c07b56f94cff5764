"""What a model remembers of people's decisions: one for each mention that they decided.

The file ``remembered.json`` of a model folder has the decisions of each document, which the hash of
its text names. So what is learnt twice counts once.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from biolink.infer.mentions.words import singulars
from biolink.kb import normalise_name
from biolink.kb.files import replace_file
from biolink.kb.model_files import REMEMBERED, damaged, has_file, json_of
from biolink.kb.model_folder import renew_seal
from biolink.kb.types import KINDS, kind_of

__all__ = ["Decision", "Remembered", "hash_of", "keys_of", "types_agree"]

_FORMAT = "biolink-remembered"
_VERSION = 1
#: Words of up to this number of letters in capitals are acronyms: WAS is not the word "was".
_SHORT = 4


@dataclass(frozen=True, slots=True)
class Decision:
    """What somebody decided about one mention.

    Attributes
    ----------
    text
        What the mention says.
    start
        Where it begins in its document, in code points.
    types
        The types of the mention, as it was linked and as it was decided; empty for any.
    concepts
        The CURIEs or ids of the concepts that it means; empty for NIL, and if ``meant`` is empty.
    joiner
        How several concepts belong together (``id_joiner`` of :class:`biolink.Mention`).
    long_form
        The long form of the mention in its document, or "".
    meant
        ``corrected`` if the linker had another answer, ``confirmed`` if it had this one, and "" if
        nobody said what the mention means.
    mention
        False if the text is no mention. Default: True.
    added
        Whether the linker had not found the mention, at least not with these offsets. Such texts
        are found from now on.
    """

    text: str
    start: int
    types: tuple[str, ...] = ()
    concepts: tuple[str, ...] = ()
    joiner: str = "|"
    long_form: str = ""
    meant: str = ""
    mention: bool = True
    added: bool = False


_DEFAULTS = asdict(Decision("", 0))
#: The fields that are always written.
_ALWAYS = ("text", "start")


def hash_of(text: str) -> str:
    """The name of a document among those that are remembered: 16 digits of its text's SHA-256."""
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:16]


def _key(text: str) -> str:
    """A text as decisions on it are looked up: its normalised name, or an acronym as it is."""
    return (
        text if len(text) <= _SHORT and text.isalpha() and text.isupper() else normalise_name(text)
    )


def keys_of(text: str) -> list[str]:
    """The keys under which decisions on a text may be found, in the order in which they count.

    >>> keys_of("Node-biopsies"), keys_of("WAS"), keys_of("was")
    (['node biopsies', 'node biopsy'], ['WAS', 'was'], ['was'])
    """
    name = normalise_name(text)
    before, _, last = name.rpartition(" ")
    stem = f"{before} " if before else ""
    forms = [_key(text), name, *(stem + singular for singular in singulars(last))]
    return [key for key in dict.fromkeys(forms) if key]


def _forms(text: str) -> list[str]:
    """The keys under which a decision on a text is kept: as it is, and in the singular."""
    return [key for key in keys_of(text) if key != normalise_name(text) or key == _key(text)]


def types_agree(first: str, second: str) -> bool:
    """Whether two mentions with these types may be the same thing; "" agrees with all.

    Types that are no kinds of entities, such as ``ENTITY``, do too.
    """
    a, b = kind_of(first), kind_of(second)
    return a == b or a not in KINDS or b not in KINDS


@dataclass(frozen=True)
class Remembered:
    """The decisions that a model remembers.

    Attributes
    ----------
    documents
        The hash of each document's text -> the decisions on its mentions.

    Examples
    --------
    >>> fever = Decision("hot spell", 2, ("Disease",), ("mesh:D005334",), meant="corrected")
    >>> remembered = Remembered().with_document("A hot spell.", [fever])
    >>> [decision.concepts for decision in remembered.of("Hot spells", "Disease")]
    [('mesh:D005334',)]
    """

    documents: Mapping[str, tuple[Decision, ...]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return any(self.documents.values())

    def __iter__(self) -> Iterator[Decision]:
        for decisions in self.documents.values():
            yield from decisions

    def __contains__(self, text: object) -> bool:
        """Whether decisions on the document with this text are remembered."""
        return isinstance(text, str) and hash_of(text) in self.documents

    def __getstate__(self) -> dict[str, Any]:
        return {"documents": self.documents}  # without what is cached

    def with_document(self, text: str, decisions: Iterable[Decision]) -> Self:
        """The same with decisions on a document, of which each replaces that on the same place.

        A mention whose correction was learnt, and that is confirmed now, remains a corrected one.
        """
        name = hash_of(text)
        here = {(d.start, d.text): d for d in self.documents.get(name, ())}
        for decision in decisions:
            before = here.get((decision.start, decision.text))
            here[decision.start, decision.text] = (
                decision if before is None else _after(before, decision)
            )
        ordered = sorted(here.items(), key=lambda item: item[0])
        return type(self)({**self.documents, name: tuple(decision for _, decision in ordered)})

    @cached_property
    def added(self) -> frozenset[tuple[str, str]]:
        """The texts that people added, each with its type, which are mentions from now on."""
        return frozenset(
            (decision.text, decision.types[-1] if decision.types else "")
            for decision in self
            if decision.added and decision.mention and normalise_name(decision.text)
        )

    @cached_property
    def _by_key(self) -> dict[str, list[Decision]]:
        found: dict[str, list[Decision]] = {}
        for decision in self:
            texts = (decision.text, decision.long_form)
            for key in dict.fromkeys(key for text in texts for key in _forms(text)):
                found.setdefault(key, []).append(decision)
        return found

    def of(self, text: str, kind: str) -> list[Decision]:
        """The decisions on mentions with this text, or its singular or plural, and this type.

        Parameters
        ----------
        text
            The text of a mention, or its long form if it has one.
        kind
            The type of the mention, or "".
        """
        for key in keys_of(text):
            here = [
                decision
                for decision in self._by_key.get(key, ())
                if any(types_agree(written, kind) for written in decision.types or ("",))
            ]
            if here:
                return here
        return []

    # ------------------------------------------------------------------ the file

    @classmethod
    def read(cls, folder: Path | None) -> Remembered | None:
        """What the model of a folder remembers, or None if it has no such file.

        Raises
        ------
        ModelError
            If the file is damaged.
        """
        if folder is None or not has_file(folder / REMEMBERED):
            return None
        file = folder / REMEMBERED
        values = json_of(file)
        try:
            if (values["format"], values["version"]) != (_FORMAT, _VERSION):
                raise ValueError(f"its format is not {_FORMAT} {_VERSION}")
            return cls({k: tuple(map(_decision, of)) for k, of in values["documents"].items()})
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise damaged(file, str(error)) from None

    def write(self, folder: Path) -> None:
        """Write the file into a model folder."""
        documents = {
            name: [
                {k: v for k, v in asdict(decision).items() if k in _ALWAYS or v != _DEFAULTS[k]}
                for decision in decisions
            ]
            for name, decisions in sorted(self.documents.items())
        }
        record = {"format": _FORMAT, "version": _VERSION, "documents": documents}
        with replace_file(folder / REMEMBERED) as stream:
            stream.write(json.dumps(record, indent=1, ensure_ascii=False) + "\n")
        renew_seal(folder / REMEMBERED)


def _after(before: Decision, now: Decision) -> Decision:
    """A decision that is made after an earlier one on the same place."""
    same = now.meant == "confirmed" and before.concepts == now.concepts
    return replace(
        now,
        meant=before.meant if same and before.meant else now.meant,
        added=now.added or (before.added and now.mention),
    )


def _decision(record: dict[str, Any]) -> Decision:
    values = {**record}
    for name in ("types", "concepts"):
        values[name] = tuple(record.get(name, ()))
        if not all(isinstance(text, str) for text in values[name]):
            raise ValueError(f"the {name} of a decision are no strings")
    for name, default in _DEFAULTS.items():
        if name in values and type(values[name]) is not type(default):
            raise ValueError(f"the {name} of a decision is {values[name]!r}")
    return Decision(**values)
