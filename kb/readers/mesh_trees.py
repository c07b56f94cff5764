"""Parents in MeSH, which follow from tree numbers: C04.588.180 is directly below C04.588."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

__all__ = ["tree_parents"]


def tree_parents(
    numbers: Iterable[str], descriptors: Mapping[str, str]
) -> tuple[tuple[str, ...], int]:
    """Return the ids of a descriptor's parents, and how many of its tree numbers lead to none.

    Parameters
    ----------
    numbers
        The tree numbers of the descriptor. Those of the tops of branches have no dot.
    descriptors
        Maps tree numbers to ids of descriptors.

    >>> tree_parents(["C04.588", "F03", "C11.1"], {"C04": "D009369"})
    (('D009369',), 1)
    """
    above = [number.rpartition(".")[0] for number in numbers if "." in number]
    ids = [descriptors[number] for number in above if number in descriptors]
    return tuple(dict.fromkeys(ids)), len(above) - len(ids)
