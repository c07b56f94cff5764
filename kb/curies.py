"""CURIEs of a knowledge base: which prefix an id takes, and the id inside a CURIE."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from biolink.errors import KnowledgeBaseError
from biolink.kb.concept import bare_id

__all__ = ["Prefixes"]


@dataclass(frozen=True, slots=True)
class Prefixes:
    """The prefixes of a base's ids.

    Attributes
    ----------
    default
        Prefix of ids that no rule names; "" for none.
    rules
        (regular expression, prefix): the first expression that matches the whole id decides.

    >>> prefixes = Prefixes.of("mesh", [(r"[0-9]{6}", "OMIM")])
    >>> prefixes.curie("253300"), prefixes.curie("D003920"), prefixes.curie("HP:0000118")
    ('OMIM:253300', 'mesh:D003920', 'HP:0000118')
    >>> prefixes.bare("omim:253300"), prefixes.bare("MESH:D003920")
    ('253300', 'D003920')
    """

    default: str = ""
    rules: tuple[tuple[re.Pattern[str], str], ...] = ()

    @classmethod
    def of(cls, default: str = "", rules: Iterable[tuple[str, str]] = ()) -> Prefixes:
        """Check the rules and compile them.

        Raises
        ------
        KnowledgeBaseError
            For a rule that is no pair of texts, or no regular expression.
        """
        compiled = []
        for rule in rules:
            if (
                not isinstance(rule, tuple | list)
                or len(rule) != 2
                or not all(isinstance(part, str) and part for part in rule)
            ):
                raise KnowledgeBaseError(
                    f"{rule!r} says no prefix of ids; expected (regular expression, prefix)"
                )
            try:
                compiled.append((re.compile(rule[0]), rule[1]))
            except (re.error, RecursionError, OverflowError) as error:
                raise KnowledgeBaseError(
                    f"{rule[0]!r} is not a regular expression of ids: {error}"
                ) from None
        if not isinstance(default, str):
            raise KnowledgeBaseError(f"{default!r} is not a prefix of ids; expected a text")
        return cls(default, tuple(compiled))

    @classmethod
    def in_manifest(cls, manifest: Mapping[str, Any]) -> Prefixes:
        """What a manifest says under ``prefix`` and ``prefixes``."""
        rules = manifest.get("prefixes") or ()
        if not isinstance(rules, tuple | list):
            raise KnowledgeBaseError(f"{rules!r} is not a list of prefixes")
        return cls.of(manifest.get("prefix") or "", rules)

    def to_manifest(self) -> dict[str, Any]:
        """The entries ``prefix`` and, where there are rules, ``prefixes``."""
        entries: dict[str, Any] = {"prefix": self.default}
        if self.rules:
            entries["prefixes"] = [[pattern.pattern, prefix] for pattern, prefix in self.rules]
        return entries

    def joined(self, other: Prefixes) -> Prefixes:
        """These, and after them the rules of another base."""
        return Prefixes(self.default, tuple(dict.fromkeys((*self.rules, *other.rules))))

    def curie(self, concept_id: str) -> str:
        """The id with its prefix; an id that has one already is returned as it is."""
        if ":" in concept_id:
            return concept_id
        for pattern, prefix in self.rules:
            if pattern.fullmatch(concept_id):
                return f"{prefix}:{concept_id}"
        return f"{self.default}:{concept_id}" if self.default else concept_id

    def bare(self, curie: str) -> str:
        """The id without one of these prefixes, or without one of those that corpora put on ids."""
        curie = curie.strip()
        before, colon, local = curie.partition(":")
        known = {prefix.lower() for _, prefix in self.rules} | {self.default.lower()}
        return local if colon and before and before.lower() in known else bare_id(curie)
