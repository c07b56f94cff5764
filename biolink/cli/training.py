"""``biolink pretrain``, ``biolink finetune`` and what belongs to them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from biolink.documents import Document

pretrain_app = typer.Typer(
    help="Pre-train: denoising, KB-guided, tokenisers.", no_args_is_help=True
)

SettingsFile = Annotated[Path, typer.Argument(help="TOML file of the settings.")]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", help="A setting as key=value or table.key=value; may be repeated."),
]


def _report(record: dict[str, Any]) -> None:
    from biolink.cli.console import message

    words = (f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in record.items())
    message("  ".join(words))


@pretrain_app.command()
def denoise(settings: SettingsFile, set: Overrides = None) -> None:
    """Denoising pre-training on text (BioBART); run it again to go on."""
    from biolink.cli.console import message
    from biolink.pretrain.settings import read_settings
    from biolink.pretrain.stages import Denoising, run_denoising
    from biolink.texts import read_texts

    read = read_settings(Denoising, settings, set or ())
    message(f"wrote {run_denoising(read, read_texts, _report)}")


@pretrain_app.command()
def kb_guided(
    settings: SettingsFile,
    set: Overrides = None,
    preview: Annotated[
        int, typer.Option(help="Print so many samples for a person to read, and stop.")
    ] = 0,
) -> None:
    """KB-guided pre-training on samples made from a knowledge base (GenBioEL)."""
    from biolink.cli.console import message
    from biolink.pretrain.settings import read_settings
    from biolink.pretrain.stages import KBGuided, kb_guided_samples, run_kb_guided

    read = read_settings(KBGuided, settings, set or ())
    if not preview:
        message(f"wrote {run_kb_guided(read, _report)}")
        return
    samples = kb_guided_samples(read)
    message(f"{len(samples)} samples in an epoch")
    for number in range(preview):
        sample = samples.in_training(number)
        typer.echo(f"source  {sample.source}")
        typer.echo(f"target  {samples.form.prompt(sample.mention)} | {sample.target}")
        if sample.negative is not None:
            typer.echo(f"wrong   {sample.negative}")
        typer.echo("")


@pretrain_app.command()
def tokenizer(
    files: Annotated[list[Path], typer.Argument(help="Text to learn from.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder to write.")],
    size: Annotated[int, typer.Option(help="Tokens of the vocabulary.")] = 60_000,
    extend: Annotated[
        Path | None,
        typer.Option(help="Model to extend by the learned tokens (BioBART-v2), written as well."),
    ] = None,
) -> None:
    """Learn a byte-level BPE tokeniser, or extend a model's vocabulary."""
    from biolink.cli.console import message
    from biolink.kb.model_folder import check_model_target, model_folder
    from biolink.pretrain.start import start_from
    from biolink.pretrain.vocabulary import extend_vocabulary, train_bpe
    from biolink.texts import read_texts

    check_model_target(output)
    model = start_from(extend, {}, None) if extend is not None else None
    learned = train_bpe(read_texts([str(file) for file in files]), size)
    with model_folder(output) as folder:
        if model is None:
            learned.save_pretrained(folder)
        else:
            extended = extend_vocabulary(*model, learned)
            model[0].save_pretrained(folder)
            extended.save_pretrained(folder)
            learned = extended
    message(f"wrote {output}: {len(learned)} tokens")


def _documents(files: Iterable[Path]) -> list[Document]:
    from biolink.formats import read

    return [document for file in files for document in read(file)]


def finetune(
    settings: SettingsFile,
    set: Overrides = None,
    negatives: Annotated[
        bool,
        typer.Option("--negatives", help="The second stage, on the model's own wrong names."),
    ] = False,
) -> None:
    """Synonyms-aware fine-tuning on annotated documents; run it again to go on."""
    from biolink.cli.console import message
    from biolink.evaluation import evaluate
    from biolink.finetune.tune import FineTuning, run_fine_tuning, run_negatives
    from biolink.pretrain.settings import read_settings

    read = read_settings(FineTuning, settings, set or ())
    run = run_negatives if negatives else run_fine_tuning

    def recall(linked: Iterable[Document]) -> float:
        return evaluate(linked).strict.recall_at_1

    train, dev = _documents(read.train), _documents(read.dev)
    message(f"wrote {run(read, train, dev, recall, _report)}")


def convert_checkpoint(
    checkpoint: Annotated[Path, typer.Argument(help="fairseq's model.pt (BART, GENRE).")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Model folder to write.")],
    dictionary: Annotated[
        Path | None, typer.Option(help="fairseq's dict.txt; beside the checkpoint by default.")
    ] = None,
    tokenizer: Annotated[
        Path | None,
        typer.Option(help="Folder with the BPE's vocab.json (or encoder.json) and merges."),
    ] = None,
) -> None:
    """Convert a fairseq BART checkpoint to the Hugging Face layout."""
    from biolink.cli.console import message
    from biolink.pretrain.fairseq import convert

    model = convert(checkpoint, output, dictionary, tokenizer)
    message(f"wrote {output}: {model.num_parameters():,} parameters")


def export_pairs(
    settings: SettingsFile,
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder to write.")],
    set: Overrides = None,
) -> None:
    """Write a fine-tuning's samples as GenBioEL's and fairseq's .source and .target files."""
    from biolink.cli.console import message
    from biolink.finetune.pairs import write_source_target
    from biolink.finetune.tune import FineTuning
    from biolink.pretrain.settings import read_settings

    read = read_settings(FineTuning, settings, set or ())
    for name, files in (("train", read.train), ("dev", read.dev)):
        if files:
            count = write_source_target(read, _documents(files), output, name)
            message(f"wrote {output / name}.source and .target: {count} lines")


train_app = typer.Typer(
    help="Train models that find mentions: end-to-end, retrieve-read, recogniser.",
    no_args_is_help=True,
)


@train_app.command()
def end_to_end(settings: SettingsFile, set: Overrides = None) -> None:
    """End-to-end generation on annotated documents (GENRE); run it again to go on."""
    from biolink.cli.console import message
    from biolink.finetune.end_to_end import EndToEnd, run_end_to_end
    from biolink.pretrain.settings import read_settings

    read = read_settings(EndToEnd, settings, set or ())
    message(f"wrote {run_end_to_end(read, _documents(read.train), _report)}")


@train_app.command()
def retrieve_read(settings: SettingsFile, set: Overrides = None) -> None:
    """Retriever and reader on annotated documents (EntQA); run it again to go on."""
    from biolink.cli.console import message
    from biolink.finetune.retrieve_read import RetrieveRead, run_retrieve_read
    from biolink.pretrain.settings import read_settings

    read = read_settings(RetrieveRead, settings, set or ())
    message(f"wrote {run_retrieve_read(read, _documents(read.train), _report)}")


@train_app.command()
def recogniser(settings: SettingsFile, set: Overrides = None) -> None:
    """A recogniser on annotated documents (a token classifier on the model's encoder)."""
    from biolink.cli.console import message
    from biolink.finetune.tagging import Recognising, run_recognising
    from biolink.pretrain.settings import read_settings

    read = read_settings(Recognising, settings, set or ())
    message(f"wrote {run_recognising(read, _documents(read.train), _report)}")
