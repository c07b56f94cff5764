"""``biolink calibrate``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from biolink.cli.console import progress, stdout
from biolink.cli.evaluate import chosen_by, warn_of_seen
from biolink.cli.inputs import raise_problem, read_all
from biolink.cli.link import loaded_for_given
from biolink.cli.outputs import check_outputs, write_outputs
from biolink.documents import Document
from biolink.errors import ConfigError
from biolink.evaluation.calibrating import Calibrated, calibrate
from biolink.evaluation.plots import SUFFIXES, reliability, save_figure
from biolink.infer.decide.nil import NoNil
from biolink.kb.bases import KnowledgeBases
from biolink.kinds import MAIN_KINDS, need_main_kinds
from biolink.scale.blocks import LinkSettings

__all__ = ["CalibrationJob", "LinkedGold", "linked_gold", "run_calibrate"]


@dataclass(frozen=True, slots=True)
class CalibrationJob:
    """The options of ``biolink calibrate``.

    Attributes
    ----------
    files, kb, model, format, types
        As for ``biolink link``; the files are development documents with gold concepts.
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
    """Development documents whose gold mentions are all linked, and the knowledge bases."""

    documents: list[Document]
    bases: KnowledgeBases


def linked_gold(settings: LinkSettings, files: Sequence[str], format: str | None) -> LinkedGold:
    """Link the gold mentions of files without a NIL policy and without a calibration.

    With the embedded default, mentions of diseases and chemicals are linked unless the settings
    name other types. Mentions of other types are left out.
    """
    if settings.types is None and settings.kb is None and settings.model is None:
        settings = replace(settings, types=",".join(MAIN_KINDS))
    linker = loaded_for_given(settings).with_settings(nil=NoNil(), calibration=None)
    gold = list(read_all(files, format, raise_problem))
    warn_of_seen(linker, gold)
    chosen = chosen_by(settings, linker)
    if chosen is not None:
        gold = list(chosen(gold))
    with progress("linking", "documents") as advance:

        def linked() -> Iterator[Document]:
            for number, document in enumerate(linker.pipe(gold, recognise=False), 1):
                advance(number, len(gold))
                yield document

        return LinkedGold(list(linked()), linker.bases)


def run_calibrate(job: CalibrationJob) -> Calibrated:
    """Calibrate on files, write the outputs, and print the calibration error before and after."""
    if job.kind not in ("isotonic", "platt"):
        raise ConfigError(f"--kind is {job.kind!r}; expected isotonic or platt")
    check_outputs(job.output, (".json", *SUFFIXES), job.files, SUFFIXES)
    if job.kb is None and job.model is None:
        need_main_kinds(job.types, "to which a calibration of the embedded model applies")
    linked = linked_gold(LinkSettings(job.kb, job.model, types=job.types), job.files, job.format)
    result = calibrate(
        linked.documents, linked.bases, "platt" if job.kind == "platt" else "isotonic"
    )

    def write(file: str) -> None:
        if file.endswith(".json"):
            result.calibration.save(file)
        else:
            before = list(zip(result.before, result.right, strict=True))
            after = list(zip(result.after, result.right, strict=True))
            save_figure(reliability({"before": before, "after": after}), Path(file))

    failed = write_outputs(job.output, write)
    console = stdout()
    console.print(f"{len(result.right)} links, {sum(result.right) / len(result.right):.1%} right")
    console.print(
        f"expected calibration error: {result.error_before:.3f} before, {result.error_after:.3f} "
        "after (by cross-validation in five folds)"
    )
    for _, error in failed:
        raise error
    return result
