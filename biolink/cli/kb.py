"""``biolink kb``: build, look into and compare knowledge bases."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from biolink.cli.bases import check_output, ids_in, opened, opened_bases
from biolink.cli.console import collected_problems
from biolink.cli.options import (
    Branch,
    KbFormat,
    KbOutput,
    KbSource,
    ReaderOptions,
    not_empty,
)

if TYPE_CHECKING:
    from biolink.kb import KnowledgeBase

kb_app = typer.Typer(help="Build, look into and compare knowledge bases.", no_args_is_help=True)


def _tell_former(kb: KnowledgeBase, concept_id: str) -> None:
    """Print a note if an id that was asked for leads to a concept with another id."""
    from biolink.cli.console import message

    concept = kb.get(concept_id)
    if concept is not None and concept.id not in (concept_id, kb.bare_id(concept_id)):
        message(
            f"biolink: note: the id {concept_id} was replaced by {kb.curie(concept.id)} "
            f"({concept.name})"
        )


def _size(kb: KnowledgeBase) -> str:
    from biolink.kb.wording import counted

    return f"{counted(len(kb), 'concept')}, {counted(kb.name_count, 'name')}"


@kb_app.command()
def build(
    sources: Annotated[
        list[str],
        typer.Argument(
            help="Files or folders in any readable format. The concepts of each are merged into "
            "those of the first.",
            callback=not_empty,
        ),
    ],
    output: KbOutput,
    format: KbFormat = None,
    option: ReaderOptions = None,
    preset: Annotated[
        str | None,
        typer.Option(
            help="A selection of the concepts of UMLS: st21pv, which is that of MedMentions "
            "ST21pv, or all-english. It is short for --option preset=...",
            callback=not_empty,
        ),
    ] = None,
    only_matched: Annotated[
        bool,
        typer.Option(
            "--only-matched",
            help="Keep of the later sources only concepts that the first one has as well, by id or "
            "by cross reference.",
        ),
    ] = False,
) -> None:
    """Build a NAME.kb folder from one source or several.

    A later source adds its names to the concepts that have the same id or a cross reference to it.
    A row that cannot be read is reported, the base is built from the others, and the exit status
    is 1.
    """
    from biolink.cli.console import message, progress

    check_output(output)
    options = [*(option or ()), *([] if preset is None else [f"preset={preset}"])]
    with collected_problems() as problems:
        merged: KnowledgeBase | None = None
        for source in sources:
            base = opened(source, problems.append, format, options)
            for reason, entry in base.manifest.get("dropped", {}).items():
                message(f"  {source}: {reason}: {_with_example(entry)}")
            with progress(f"merging {source}"):
                merged = base if merged is None else merged.merge(base, unmatched=not only_matched)
        assert merged is not None
        with progress(f"writing {output}"):
            merged.save(output)
        message(f"{output}: {_size(merged)}")
        for problem, entry in merged.manifest.get("problems", {}).items():
            message(f"  {problem}: {_with_example(entry)}")


def _with_example(entry: dict[str, Any]) -> str:
    return f"{entry['count']:,} (for example {entry['examples'][0]})"


@kb_app.command()
def info(
    source: Annotated[
        str | None,
        typer.Argument(
            help="A NAME.kb folder, or a file or folder in any readable format. Default: the "
            "embedded knowledge bases of all kinds of entities.",
            callback=not_empty,
        ),
    ] = None,
    format: KbFormat = None,
) -> None:
    """Print what a knowledge base holds and where it comes from."""
    from biolink.cli.console import stdout
    from biolink.kb.inspect import summarise

    console = stdout()
    with collected_problems() as problems:
        bases = opened_bases(source, problems.append, format=format)
        for number, kb in enumerate(bases.bases):
            if number:
                console.print()
            if len(bases.bases) > 1:
                console.print(f"knowledge base of {', '.join(sorted(kb.types))}", markup=False)
            for name, value in summarise(kb).items():
                if isinstance(value, dict):
                    console.print(f"{name}:")
                    for key, count in value.items():
                        console.print(f"  {key or '(none)'}: {count:,}", markup=False)
                elif isinstance(value, list):
                    console.print(f"{name}:")
                    for item in value:
                        console.print(f"  {item}", markup=False)
                else:
                    shown = f"{value:,}" if isinstance(value, int) else value
                    console.print(f"{name}: {shown}", markup=False)


@kb_app.command()
def search(
    query: Annotated[str, typer.Argument(help="A name or an id.", callback=not_empty)],
    kb: Annotated[
        str | None,
        typer.Option(
            "--kb",
            help="The knowledge base: a NAME.kb folder, or a file or folder in any readable "
            "format. Default: the embedded knowledge bases of all kinds of entities.",
            callback=not_empty,
        ),
    ] = None,
    types: Annotated[
        str | None,
        typer.Option(
            help="Search only concepts of these types, separated by commas: disease, chemical, "
            "gene, species and cell-line, or those of --kb. Default: all.",
            callback=not_empty,
        ),
    ] = None,
    limit: Annotated[
        int, typer.Option(help="The number of concepts that are found by a similar name.")
    ] = 10,
) -> None:
    """Find concepts by id, by name and by similar names.

    The prefix of an id chooses the knowledge base. Similar names are looked for where the name is,
    or everywhere if it is nowhere. The exit status is 1 when nothing is found.
    """
    from rich.table import Table
    from rich.text import Text

    from biolink.cli.console import message, stdout
    from biolink.errors import ConfigError
    from biolink.kb.inspect import find

    if limit < 0:
        raise ConfigError(f"--limit is {limit}; expected a number from 0")
    with collected_problems() as problems:
        hits = find(opened_bases(kb, problems.append, types), query, limit)
        if not hits:
            message(
                f"biolink: nothing was found for {query!r} in "
                f"{kb or 'the embedded knowledge bases'}"
            )
            raise typer.Exit(1)
        for hit in hits:
            if hit.how == "id":
                _tell_former(hit.kb, query)
        table = Table()
        for column in ("how", "concept", "preferred name", "through", "types", "score"):
            table.add_column(column)
        for hit in hits:
            table.add_row(
                hit.how,
                Text(hit.kb.curie(hit.concept.id)),
                Text(hit.concept.name),
                Text(hit.name),
                Text(", ".join(hit.concept.types)),
                f"{hit.score:.2f}",
            )
        stdout().print(table)


@kb_app.command()
def subset(
    source: KbSource,
    output: KbOutput,
    ids: Annotated[
        str | None,
        typer.Option(
            help="A file with the ids of the concepts to keep, one in each line, which gzip or xz "
            "may have compressed.",
            callback=not_empty,
        ),
    ] = None,
    types: Annotated[
        str | None,
        typer.Option(
            help="The semantic types of the concepts to keep, separated by commas.",
            callback=not_empty,
        ),
    ] = None,
    sources: Annotated[
        str | None,
        typer.Option(
            help="The sources of the concepts to keep, as biolink kb info lists them, separated by "
            "commas.",
            callback=not_empty,
        ),
    ] = None,
    branch: Branch = None,
) -> None:
    """Write a part of a knowledge base as a NAME.kb folder of its own."""
    from biolink.cli.console import message
    from biolink.errors import ConfigError
    from biolink.kb.wording import counted

    check_output(output, source)
    if ids is None and types is None and sources is None and branch is None:
        raise ConfigError("no part was chosen; expected --ids, --types, --sources or --branch")
    wanted = None if ids is None else ids_in(ids)
    with collected_problems() as problems:
        base = opened(source, problems.append)
        part = base.subset(ids=wanted, types=types, sources=sources, branch=branch)
        if not len(part):
            raise ConfigError(f"no concept of {source} belongs to that part; nothing was written")
        part.save(output)
        message(f"{output}: {_size(part)}")
        resolved = {i: base.resolve(i) for i in wanted or ()}
        replaced = [
            f"{i} by {base.curie(concept_id)}"
            for i, concept_id in resolved.items()
            if concept_id is not None and concept_id not in (i, base.bare_id(i))
        ]
        if replaced:
            count = counted(len(replaced), "id")
            message(f"  replaced by another id: {count} (for example {replaced[0]})")


@kb_app.command()
def disambiguate(
    source: KbSource,
    output: KbOutput,
    species: Annotated[
        str | None,
        typer.Option(
            help="A knowledge base of species, whose names tell apart the genes of several "
            "species. Default: the ids of the species do.",
            callback=not_empty,
        ),
    ] = None,
) -> None:
    """Add a distinguishing string to each name that several concepts share (BELHD).

    Such a knowledge base is for training a model that generates names. Mentions are not found by
    its names, because no text has the strings.
    """
    from biolink.cli.console import message
    from biolink.kb.homonyms import disambiguated
    from biolink.kb.inspect import homonyms
    from biolink.kb.wording import counted

    check_output(output, source, species)
    with collected_problems() as problems:
        named_species = None if species is None else opened(species, problems.append)
        base = opened(source, problems.append)
        told_apart = disambiguated(base, named_species)
        told_apart.save(output)
        message(f"{output}: {_size(told_apart)}")
        shared = counted(len(homonyms(base)), "name")
        message(f"  rewritten, because several concepts shared them: {shared}")


@kb_app.command()
def validate(
    source: KbSource,
    format: KbFormat = None,
    option: ReaderOptions = None,
    model: Annotated[
        str | None,
        typer.Option(
            help="The model whose decoder limits the length of a name. Default: the embedded "
            "model.",
            callback=not_empty,
        ),
    ] = None,
) -> None:
    """List what is wrong or doubtful in a knowledge base.

    The exit status is 1 when the stored files are damaged or a row cannot be read.
    """
    from biolink.cli.console import stdout
    from biolink.infer.network.model import load_model
    from biolink.kb.inspect import validate as check
    from biolink.kb.store import is_store, verify_store
    from biolink.places import EMBEDDED

    damaged = verify_store(source) if Path(source).is_dir() and is_store(source) else []
    console = stdout()
    for name in damaged:
        console.print(f"damaged file: {name}", markup=False)
    if damaged:
        raise typer.Exit(1)
    with collected_problems() as problems:
        kb = opened(source, problems.append, format, option)
        chosen = load_model(EMBEDDED / "model" if model is None else model)
        longest = min(chosen.backbone.max_source, 512)
        for finding in check(kb, lambda names: map(len, chosen.name_tokens(names)), longest):
            console.print(f"{finding.what}: {finding.count:,}", markup=False)
            for example in finding.examples:
                console.print(f"  {example}", markup=False, soft_wrap=True)


@kb_app.command()
def diff(first: KbSource, second: KbSource) -> None:
    """Compare two knowledge bases by id and by name."""
    from biolink.cli.console import stdout
    from biolink.kb.inspect import compare

    console = stdout()
    with collected_problems() as problems:
        result = compare(opened(first, problems.append), opened(second, problems.append))
        for label, items in (
            ("only in the first", result.removed),
            ("only in the second", result.added),
            ("with other names", result.changed),
        ):
            console.print(f"concepts {label}: {len(items):,}")
            for item in items[:10]:
                console.print(f"  {item}", markup=False, soft_wrap=True)
        console.print(f"concepts that are equal: {result.equal:,}")
