"""``biolink learn``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from biolink.cli.options import KbOption, ModelOption, OutputFolder

if TYPE_CHECKING:
    from biolink.corrections.learning import Learnt

__all__ = ["learn"]

#: The number of unknown ids that are shown.
_SHOWN = 5


def learn(
    files: Annotated[
        list[Path], typer.Argument(help="Files of corrections, as biolink review writes them.")
    ],
    output: OutputFolder,
    model: ModelOption = None,
    kb: KbOption = None,
) -> None:
    """Write a model that links corrected mentions as they were corrected, without any training.

    It is a copy of the model that was corrected, and remembers what each mention means, which texts
    are mentions and which are none. Use it with --model.
    """
    from biolink.cli.console import message
    from biolink.corrections.learning import learn as run

    for line in _told(run(files, output, model, kb)):
        message(line)


def _told(learnt: Learnt) -> list[str]:
    """What was learnt, in lines."""
    from biolink.kb.wording import counted

    lines = [
        f"wrote {learnt.folder}: {counted(learnt.corrected, 'corrected mention')} "
        f"({learnt.nil} to NIL), {learnt.confirmed} confirmed, {learnt.added} added, "
        f"{learnt.removed} removed, in {counted(learnt.documents, 'document')}"
    ]
    fitted = learnt.refit
    if fitted.after or fitted.before:
        kept = "the new weights are kept" if fitted.ranker else "the weights stay as they were"
        lines.append(
            f"weights fitted on half of the documents link {fitted.after} of "
            f"{counted(fitted.mentions, 'decided mention')} of the other half right, those of the "
            f"model {fitted.before}: {kept}"
        )
    if learnt.unknown:
        ids = list(learnt.unknown)
        shown = ", ".join(ids[:_SHOWN]) + (", ..." if len(ids) > _SHOWN else "")
        lines.append(
            f"biolink: warning: the knowledge base does not have {counted(len(ids), 'id')} of "
            f"these ({shown}); mentions that mean them are linked as before"
        )
    return lines
