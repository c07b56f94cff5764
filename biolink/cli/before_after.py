"""``biolink evaluate --before-after``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from biolink.cli.console import message, stdout
from biolink.cli.link import loaded
from biolink.errors import ConfigError
from biolink.infer.linkers.kinds_linker import KindsLinker
from biolink.infer.linkers.mention_linker import Linker
from biolink.kb.wording import counted
from biolink.scale.blocks import LinkSettings

if TYPE_CHECKING:
    from biolink.corrections.measuring import BeforeAfter

__all__ = ["run_before_after"]


def run_before_after(files: Sequence[str], settings: LinkSettings, as_json: bool) -> BeforeAfter:
    """Measure what the corrections of files do for documents that they are not from.

    Raises
    ------
    BiolinkError
        If a file is none of corrections, or the model finds its own mentions.
    """
    from biolink.corrections.files import read_corrections
    from biolink.corrections.learning import lessons_of
    from biolink.corrections.measuring import before_after

    lessons = [lesson for file in files for lesson in lessons_of(read_corrections(file))]
    linker = loaded(settings)
    if not isinstance(linker, Linker | KindsLinker):
        raise ConfigError(
            f"the model {settings.model} finds its own mentions and cannot learn corrections; "
            "expected a linking model"
        )
    measured = before_after(linker, lessons)
    if measured.learnt:
        message(
            f"biolink: warning: the model has learnt corrections of {measured.learnt} of these "
            f"{counted(measured.documents, 'document')}, so these figures are not held out"
        )
    if as_json:
        stdout().print(json.dumps(asdict(measured), indent=1), markup=False, soft_wrap=True)
    else:
        for line in _lines(measured):
            stdout().print(line, markup=False, soft_wrap=True)
    return measured


def _lines(measured: BeforeAfter) -> list[str]:
    def share(number: int) -> str:
        return f"{100 * number / measured.mentions:.1f} %"

    lines = [
        f"{counted(measured.mentions, 'decided mention')} of "
        f"{counted(measured.documents, 'document')}, each linked with the corrections of others; "
        f"these correct the text of {measured.known:,}",
        "",
        "| measure | before | after |",
        "| --- | --- | --- |",
        f"| right concept, or NIL where it is right | {share(measured.before)} | "
        f"{share(measured.after)} |",
    ]
    if measured.found is not None:
        old, new = measured.found
        for name, kind in (("spans", "spans"), ("spans and concepts", "concepts")):
            rates = [f"{100 * getattr(report, kind).f1:.1f} %" for report in (old, new)]
            lines.append(
                f"| F1 of {name}, found in {counted(old.documents, 'finished document')} | "
                f"{rates[0]} | {rates[1]} |"
            )
    return [*lines, "", f"{measured.better:,} better, {measured.worse:,} worse"]
