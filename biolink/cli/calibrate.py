"""``biolink calibrate``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from biolink.cli.console import progress, stdout
from biolink.cli.evaluate import warn_of_seen
from biolink.cli.inputs import raise_problem, read_all
from biolink.cli.link import loaded_for_given
from biolink.cli.outputs import check_outputs, write_outputs
from biolink.documents import Document
from biolink.errors import ConfigError
from biolink.evaluation.calibrating import Calibrated, calibrate
from biolink.evaluation.plots import SUFFIXES, reliability, save_figure
from biolink.infer.decide.nil import NoNil
from biolink.kb.knowledge_base import KnowledgeBase
from biolink.scale.blocks import LinkSettings

__all__ = ["CalibrationJob", "LinkedGold", "linked_gold", "run_calibrate"]


@dataclass(frozen=True, slots=True)
class CalibrationJob:
    """The options of ``biolink calibrate``.

    Attributes
    ----------
    files, kb, model, format, types
        As for ``biolink link``; development documents with gold concepts.
    kind
        ``isotonic`` or ``platt``.
    output
        ``.json`` for the calibration, ``.svg`` or ``.png`` for the diagram.
    """

    files: tuple[str, ...]
    kb: str | None = None
    model: str | None = None
    format: str | None = None
    types: str | None = None
    kind: str = "isotonic"
    output: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LinkedGold:
    """Development documents whose gold mentions are linked, whatever the probability."""

    documents: list[Document]
    kb: KnowledgeBase


def linked_gold(settings: LinkSettings, files: Sequence[str], format: str | None) -> LinkedGold:
    """Link the gold mentions of files without a NIL policy and without a calibration."""
    linker = loaded_for_given(settings).with_settings(nil=NoNil(), calibration=None)
    gold = list(read_all(files, format, raise_problem))
    warn_of_seen(linker, gold)
    with progress("linking", "documents") as advance:

        def linked() -> Iterator[Document]:
            for number, document in enumerate(linker.pipe(gold, recognise=False), 1):
                advance(number, len(gold))
                yield document

        return LinkedGold(list(linked()), linker.kb)


def run_calibrate(job: CalibrationJob) -> Calibrated:
    """Calibrate on files, print the expected calibration error before and after, and write."""
    if job.kind not in ("isotonic", "platt"):
        raise ConfigError(f"--kind is {job.kind!r}; expected isotonic or platt")
    check_outputs(job.output, (".json", *SUFFIXES), SUFFIXES)
    linked = linked_gold(LinkSettings(job.kb, job.model, types=job.types), job.files, job.format)
    found = calibrate(linked.documents, linked.kb, "platt" if job.kind == "platt" else "isotonic")

    def write(file: str) -> None:
        if file.endswith(".json"):
            found.calibration.save(file)
        else:
            before = list(zip(found.before, found.right, strict=True))
            after = list(zip(found.after, found.right, strict=True))
            save_figure(reliability({"before": before, "after": after}), Path(file))

    failed = write_outputs(job.output, write)
    console = stdout()
    console.print(f"{len(found.right)} links, {sum(found.right) / len(found.right):.1%} right")
    console.print(
        f"expected calibration error: {found.error_before:.3f} before, {found.error_after:.3f} "
        "after (five folds, each judged by the others)"
    )
    for _, error in failed:
        raise error
    return found
