"""CURIEs of a knowledge base: adding the right prefix to an id, and removing it again."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from biolink.errors import KnowledgeBaseError
from biolink.kb.concept import bare_id

__all__ = ["Prefixes"]

#: Prefixes that are written in place of those of knowledge bases, all in lower case.
_INSTEAD = {
    "geneid": "ncbigene",
    "entrezgene": "ncbigene",
    "taxonomy": "ncbitaxon",
    "taxid": "ncbitaxon",
    "msh": "mesh",
    "mim": "omim",
}


@dataclass(frozen=True, slots=True)
class Prefixes:
    """The CURIE prefixes of the ids of a knowledge base.

    Attributes
    ----------
    default
        The prefix of ids that match no rule. Default: "", which adds no prefix.
    rules
        Pairs (regular expression, prefix). The first expression that matches the whole id decides.

    >>> prefixes = Prefixes.of("mesh", [(r"[0-9]{6}", "OMIM")])
    >>> prefixes.curie("253300"), prefixes.curie("D003920"), prefixes.curie("HP:0000118")
    ('OMIM:253300', 'mesh:D003920', 'HP:0000118')
    >>> prefixes.bare("omim:253300"), prefixes.bare("MESH:D003920")
    ('253300', 'D003920')
    >>> Prefixes.of("NCBIGene").bare("GeneID:672")
    '672'
    """

    default: str = ""
    rules: tuple[tuple[re.Pattern[str], str], ...] = ()

    @classmethod
    def of(cls, default: str = "", rules: Iterable[tuple[str, str]] = ()) -> Prefixes:
        """Check the rules and compile their regular expressions.

        Raises
        ------
        KnowledgeBaseError
            If a rule is not a pair of strings, or its first string is not a regular expression.
        """
        compiled = []
        for rule in rules:
            if (
                not isinstance(rule, tuple | list)
                or len(rule) != 2
                or not all(isinstance(text, str) and text for text in rule)
            ):
                raise KnowledgeBaseError(
                    f"{rule!r} is not a rule for prefixes; expected (regular expression, prefix)"
                )
            try:
                compiled.append((re.compile(rule[0]), rule[1]))
            except (re.error, RecursionError, OverflowError) as error:
                raise KnowledgeBaseError(
                    f"{rule[0]!r} is not a regular expression for ids: {error}"
                ) from None
        if not isinstance(default, str):
            raise KnowledgeBaseError(f"{default!r} is not a prefix of ids; expected a string")
        return cls(default, tuple(compiled))

    @classmethod
    def in_manifest(cls, manifest: Mapping[str, Any]) -> Prefixes:
        """Read the entries ``prefix`` and ``prefixes`` of a manifest."""
        rules = manifest.get("prefixes") or ()
        if not isinstance(rules, tuple | list):
            raise KnowledgeBaseError(f"{rules!r} is not a list of prefixes")
        return cls.of(manifest.get("prefix") or "", rules)

    def to_manifest(self) -> dict[str, Any]:
        """Return the manifest's entries ``prefix`` and, if there are rules, ``prefixes``."""
        entries: dict[str, Any] = {"prefix": self.default}
        if self.rules:
            entries["prefixes"] = [[pattern.pattern, prefix] for pattern, prefix in self.rules]
        return entries

    def joined(self, other: Prefixes) -> Prefixes:
        """Return these prefixes, followed by the rules of another knowledge base."""
        return Prefixes(self.default, tuple(dict.fromkeys((*self.rules, *other.rules))))

    def curie(self, concept_id: str) -> str:
        """Return the id with its prefix; an id that already has one is returned unchanged."""
        if ":" in concept_id:
            return concept_id
        for pattern, prefix in self.rules:
            if pattern.fullmatch(concept_id):
                return f"{prefix}:{concept_id}"
        return f"{self.default}:{concept_id}" if self.default else concept_id

    def bare(self, curie: str) -> str:
        """Return the id without one of these prefixes or one of the prefixes used by corpora."""
        curie = curie.strip()
        return curie.partition(":")[2] if self.begin(curie) else bare_id(curie)

    def begin(self, curie: str) -> bool:
        """Return whether a CURIE has one of these prefixes, or another spelling of one.

        >>> Prefixes.of("NCBITaxon").begin("taxonomy:9606"), Prefixes.of("NCBITaxon").begin("9606")
        (True, False)
        """
        before, colon, _ = curie.strip().lower().partition(":")
        known = {prefix.lower() for _, prefix in self.rules} | {self.default.lower()}
        return bool(colon and before) and _INSTEAD.get(before, before) in known
