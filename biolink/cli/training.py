"""``biolink pretrain``, ``biolink finetune`` and the other commands of training."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from biolink.cli.console import collected_problems
from biolink.cli.options import OutputFolder, Overrides, SettingsFile, not_empty
from biolink.kb.wording import counted

if TYPE_CHECKING:
    from biolink.documents import Document
    from biolink.errors import BiolinkError
    from biolink.kb import KnowledgeBase
    from biolink.texts import TextReader

pretrain_app = typer.Typer(
    help="Pre-train a model on text or on a knowledge base, or learn a tokeniser.",
    no_args_is_help=True,
)


def _report(record: dict[str, Any]) -> None:
    from biolink.cli.console import message

    words = (f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in record.items())
    message("  ".join(words))


@contextmanager
def _texts(files: Sequence[Path]) -> Iterator[TextReader]:
    """A reader of texts whose problems are reported at the end."""
    from biolink.texts import TextReader

    _check_present(files)
    reader = TextReader()
    with collected_problems() as problems:
        try:
            yield reader
        finally:
            problems += reader.problems.values()


def _check_present(files: Sequence[Path]) -> None:
    """Raise an error for a missing file, so that a training never uses fewer files than asked."""
    from biolink.errors import InputError

    for file in files:
        if not file.exists():
            raise InputError(str(file), None, "no such file", "a file of documents")


def _documents(files: Sequence[Path], problems: list[BiolinkError]) -> list[Document]:
    """The documents of all files; those that cannot be read are problems."""
    from biolink.cli.inputs import read_all, some_documents

    _check_present(files)
    if not files:
        return []
    return list(some_documents(read_all(map(str, files), None, problems.append), problems))


@pretrain_app.command()
def denoise(settings: SettingsFile, set: Overrides = None) -> None:
    """Pre-train a model by denoising text (BioBART).

    If an earlier run was interrupted, the same command continues from its last checkpoint.
    """
    from biolink.cli.console import message
    from biolink.pretrain.stages import Denoising, run_denoising
    from biolink.pretrain.training.settings import read_settings

    read = read_settings(Denoising, settings, set or ())
    with _texts(read.text) as reader:
        message(f"wrote {run_denoising(read, reader, _report)}")


@pretrain_app.command()
def kb_guided(
    settings: SettingsFile,
    set: Overrides = None,
    preview: Annotated[
        int,
        typer.Option(help="Print this number of samples and train nothing. Default: train."),
    ] = 0,
) -> None:
    """Pre-train a model on samples that are made from a knowledge base (GenBioEL).

    If an earlier run was interrupted, the same command continues from its last checkpoint.
    """
    from biolink.cli.console import message
    from biolink.pretrain.stages import KBGuided, kb_guided_samples, run_kb_guided
    from biolink.pretrain.training.settings import read_settings

    read = read_settings(KBGuided, settings, set or ())
    if not preview:
        message(f"wrote {run_kb_guided(read, _report)}")
        return
    samples = kb_guided_samples(read)
    message(f"{counted(len(samples), 'sample')} in each epoch")
    for number in range(preview):
        sample = samples.in_training(number)
        typer.echo(f"source  {sample.source}")
        typer.echo(f"target  {samples.form.prompt(sample.mention)} | {sample.target}")
        if sample.negative is not None:
            typer.echo(f"wrong   {sample.negative}")
        typer.echo("")


@pretrain_app.command()
def tokenizer(
    files: Annotated[list[Path], typer.Argument(help="Files of text to learn from.")],
    output: OutputFolder,
    size: Annotated[
        int, typer.Option(help="The number of tokens in the learned vocabulary.")
    ] = 60_000,
    extend: Annotated[
        str | None,
        typer.Option(
            help="A model folder whose vocabulary gets the learned tokens (BioBART-v2). The model "
            "is written as well.",
            callback=not_empty,
        ),
    ] = None,
) -> None:
    """Learn a byte-level BPE tokeniser from text, or extend a model's vocabulary."""
    from biolink.cli.console import message
    from biolink.cli.inputs import some_documents
    from biolink.kb.model_folder import check_model_target, model_folder
    from biolink.pretrain.training.start import start_from
    from biolink.pretrain.vocabulary import extend_vocabulary, train_bpe

    check_model_target(output)
    model = start_from(Path(extend), {}, None) if extend is not None else None
    with _texts(files) as reader:
        texts = reader([str(file) for file in files])
        learned = train_bpe(some_documents(texts, reader.problems), size)
        with model_folder(output) as folder:
            if model is None:
                learned.save_pretrained(folder)
            else:
                extended = extend_vocabulary(*model, learned)
                model[0].save_pretrained(folder)
                extended.save_pretrained(folder)
                learned = extended
        message(f"wrote {output}: {counted(len(learned), 'token')}")


def finetune(
    settings: SettingsFile,
    set: Overrides = None,
    negatives: Annotated[
        bool,
        typer.Option(
            "--negatives",
            help="Run the second stage, which trains against the wrong names that the model gives.",
        ),
    ] = False,
) -> None:
    """Fine-tune a linking model on annotated documents, with synonyms as targets.

    If an earlier run was interrupted, the same command continues from its last checkpoint.
    """
    from biolink.cli.console import message
    from biolink.evaluation import evaluate
    from biolink.finetune.tune import FineTuning, run_fine_tuning, run_negatives
    from biolink.pretrain.training.settings import read_settings

    read = read_settings(FineTuning, settings, set or ())
    run = run_negatives if negatives else run_fine_tuning

    def recall(linked: Iterable[Document], kb: KnowledgeBase) -> float:
        return evaluate(linked, kb).strict.recall_at_1

    with collected_problems() as problems:
        train, dev = (_documents(files, problems) for files in (read.train, read.dev))
        message(f"wrote {run(read, train, dev, recall, _report)}")


def convert_checkpoint(
    checkpoint: Annotated[Path, typer.Argument(help="The model.pt of fairseq (BART, GENRE).")],
    output: OutputFolder,
    dictionary: Annotated[
        str | None,
        typer.Option(
            help="The dict.txt of fairseq. Default: the one beside the checkpoint.",
            callback=not_empty,
        ),
    ] = None,
    tokenizer: Annotated[
        str | None,
        typer.Option(
            help="The folder with vocab.json (or encoder.json) and merges.txt (or vocab.bpe) of "
            "the BPE. Default: the checkpoint's folder.",
            callback=not_empty,
        ),
    ] = None,
) -> None:
    """Convert a fairseq BART checkpoint to the Hugging Face layout."""
    from biolink.cli.console import message
    from biolink.pretrain.convert.fairseq import convert

    model = convert(
        checkpoint,
        Path(output),
        None if dictionary is None else Path(dictionary),
        None if tokenizer is None else Path(tokenizer),
    )
    message(f"wrote {output}: {counted(model.num_parameters(), 'parameter')}")


def export_pairs(
    settings: SettingsFile,
    output: OutputFolder,
    set: Overrides = None,
) -> None:
    """Write the samples of a fine-tuning as .source and .target files for GenBioEL or fairseq."""
    from biolink.cli.console import message
    from biolink.finetune.generation.pairs import write_source_target
    from biolink.finetune.tune import FineTuning
    from biolink.pretrain.training.settings import read_settings

    read = read_settings(FineTuning, settings, set or ())
    with collected_problems() as problems:
        for name, files in (("train", read.train), ("dev", read.dev)):
            if files:
                documents = _documents(files, problems)
                count = write_source_target(read, documents, Path(output), name)
                lines = counted(count, "line")
                message(f"wrote {Path(output, name)}.source and .target: {lines}")


train_app = typer.Typer(
    help="Train models that find mentions: end-to-end, retrieve-read, recogniser, reading.",
    no_args_is_help=True,
)


def _train(
    kind: type[Any], run: Callable[..., Path], settings: Path, overrides: list[str] | None
) -> None:
    """Read the settings of a training on annotated documents, and run it."""
    from biolink.cli.console import message
    from biolink.pretrain.training.settings import read_settings

    read = read_settings(kind, settings, overrides or ())
    with collected_problems() as problems:
        documents = _documents(read.train, problems)
        message(f"wrote {run(read, documents, _report)}")


@train_app.command()
def end_to_end(settings: SettingsFile, set: Overrides = None) -> None:
    """Train end-to-end generation on annotated documents (GENRE).

    If an earlier run was interrupted, the same command continues from its last checkpoint.
    """
    from biolink.finetune.end_to_end import EndToEnd, run_end_to_end

    _train(EndToEnd, run_end_to_end, settings, set)


@train_app.command()
def retrieve_read(settings: SettingsFile, set: Overrides = None) -> None:
    """Train a retriever and a reader on annotated documents (EntQA).

    If an earlier run was interrupted, the same command continues from its last checkpoint.
    """
    from biolink.finetune.retrieve_read import RetrieveRead, run_retrieve_read

    _train(RetrieveRead, run_retrieve_read, settings, set)


@train_app.command()
def recogniser(settings: SettingsFile, set: Overrides = None) -> None:
    """Train a recogniser, a token classifier on a model's encoder, on annotated documents.

    If an earlier run was interrupted, the same command continues from its last checkpoint.
    """
    from biolink.finetune.tagging import Recognising, run_recognising

    _train(Recognising, run_recognising, settings, set)


@train_app.command()
def reading(settings: SettingsFile, set: Overrides = None) -> None:
    """Train a recogniser to read documents for linking as well, so that each is read only once.

    If an earlier run was interrupted, the same command continues from its last checkpoint.
    """
    from biolink.finetune.reading.stage import SharedReading, run_shared_reading

    _train(SharedReading, run_shared_reading, settings, set)
