"""``biolink kb``: build, look into and compare knowledge bases."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from biolink.kb import KnowledgeBase

kb_app = typer.Typer(help="Build, look into and compare knowledge bases.", no_args_is_help=True)

Source = Annotated[str, typer.Argument(help="NAME.kb, or any readable knowledge base.")]
Format = Annotated[str | None, typer.Option(help="Format of the source; found by content.")]
Option = Annotated[
    list[str] | None,
    typer.Option("--option", help="Option of the reader as name=value; may be repeated."),
]


def _options(given: list[str] | None) -> dict[str, Any]:
    from biolink.errors import ConfigError

    options: dict[str, Any] = {}
    for item in given or []:
        name, equals, value = item.partition("=")
        if not equals:
            raise ConfigError(f"--option is name=value, not {item!r}")
        options[name] = {"true": True, "false": False}.get(value.lower(), value)
    return options


def _open(source: str | None, format: str | None = None, option: list[str] | None = None) -> Any:
    from biolink.kb import KnowledgeBase

    if source is None:
        from biolink.places import EMBEDDED

        return KnowledgeBase.open(EMBEDDED / "kb")
    return KnowledgeBase.read(source, format, **_options(option))


def _tell_former(kb: KnowledgeBase, concept_id: str) -> None:
    """Say so when an id that was asked for leads on to a concept with another."""
    from biolink.cli.console import message

    concept = kb.get(concept_id)
    if concept is not None and concept.id not in (concept_id, kb.bare_id(concept_id)):
        message(
            f"biolink: note: {concept_id} is not an id of its own any more: it leads on to "
            f"{kb.curie(concept.id)} ({concept.name})"
        )


@kb_app.command()
def build(
    sources: Annotated[list[str], typer.Argument(help="Files or folders; later ones are merged.")],
    output: Annotated[str, typer.Option("-o", "--output", help="The NAME.kb folder to write.")],
    format: Format = None,
    option: Option = None,
    only_matched: Annotated[
        bool,
        typer.Option(help="Of later sources keep only what the first has (by id or reference)."),
    ] = False,
) -> None:
    """Build a NAME.kb store; later sources add names by id and by cross reference."""
    from biolink.cli.console import message, progress
    from biolink.kb.readers import read_knowledge_base
    from biolink.kb.store import check_store_target

    check_store_target(output)
    merged: KnowledgeBase | None = None
    for source in sources:
        with progress(f"reading {source}", "records") as advance:
            one = read_knowledge_base(source, format, advance, **_options(option))
        for reason, entry in one.manifest.get("dropped", {}).items():
            message(f"  {source}: {reason}: {_counted(entry)}")
        with progress(f"merging {source}"):
            merged = one if merged is None else merged.merge(one, unmatched=not only_matched)
    assert merged is not None
    with progress(f"writing {output}"):
        merged.save(output)
    message(f"{output}: {len(merged):,} concepts, {merged.name_count:,} names")
    for problem, entry in merged.manifest.get("problems", {}).items():
        message(f"  {problem}: {_counted(entry)}")


def _counted(entry: dict[str, Any]) -> str:
    return f"{entry['count']:,} (for example {entry['examples'][0]})"


@kb_app.command()
def info(
    source: Annotated[str | None, typer.Argument(help="NAME.kb; the embedded one.")] = None,
    format: Format = None,
) -> None:
    """Print what a knowledge base holds and where it comes from."""
    from biolink.cli.console import stdout
    from biolink.kb.inspect import summarise

    console = stdout()
    kb = _open(source, format)
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
    query: Annotated[str, typer.Argument(help="A name or an id.")],
    kb: Annotated[str | None, typer.Option(help="NAME.kb; the embedded one.")] = None,
    limit: Annotated[int, typer.Option(help="How many similar names.")] = 10,
) -> None:
    """Find concepts by id, by name, and by similar names."""
    from rich.table import Table
    from rich.text import Text

    from biolink.cli.console import stdout
    from biolink.kb.inspect import find

    base = _open(kb)
    _tell_former(base, query)
    table = Table()
    for column in ("how", "concept", "preferred name", "through", "types", "score"):
        table.add_column(column)
    for hit in find(base, query, limit):
        table.add_row(
            hit.how,
            Text(base.curie(hit.concept.id)),
            Text(hit.concept.name),
            Text(hit.name),
            Text(", ".join(hit.concept.types)),
            f"{hit.score:.2f}",
        )
    stdout().print(table)


@kb_app.command()
def subset(
    source: Source,
    output: Annotated[str, typer.Option("-o", "--output", help="The NAME.kb folder to write.")],
    ids: Annotated[str | None, typer.Option(help="File of ids, one a line; gzip included.")] = None,
    types: Annotated[str | None, typer.Option(help="Semantic types, comma-separated.")] = None,
    sources: Annotated[str | None, typer.Option(help="Sources, comma-separated.")] = None,
) -> None:
    """Write a part of a knowledge base as a store of its own."""
    from biolink.cli.console import message
    from biolink.errors import ConfigError
    from biolink.kb.files import numbered_lines
    from biolink.kb.store import check_store_target

    check_store_target(output)
    if ids is None and types is None and sources is None:
        raise ConfigError("choose a part with --ids, --types or --sources")
    wanted = None if ids is None else [line.strip() for _, line in numbered_lines(ids) if line]
    base = _open(source)
    part = base.subset(
        ids=wanted,
        types=None if types is None else types.split(","),
        sources=None if sources is None else sources.split(","),
    )
    if not len(part):
        raise ConfigError(f"no concept of {source} is in that part; nothing was written")
    part.save(output)
    message(f"{output}: {len(part):,} concepts, {part.name_count:,} names")
    resolved = {i: base.resolve(i) for i in wanted or ()}
    led_on = [
        f"{i} to {base.curie(found)}"
        for i, found in resolved.items()
        if found is not None and found not in (i, base.bare_id(i))
    ]
    if led_on:
        message(f"  {len(led_on):,} of the ids lead on to another id (for example {led_on[0]})")


@kb_app.command()
def disambiguate(
    source: Source,
    output: Annotated[str, typer.Option("-o", "--output", help="The NAME.kb folder to write.")],
) -> None:
    """Write names that several concepts share with a distinguishing string (BELHD)."""
    from biolink.cli.console import message
    from biolink.kb.homonyms import disambiguated
    from biolink.kb.store import check_store_target

    check_store_target(output)
    base = _open(source)
    told_apart = disambiguated(base)
    told_apart.save(output)
    message(f"{output}: {len(told_apart):,} concepts, {told_apart.name_count:,} names")


@kb_app.command()
def validate(
    source: Source,
    format: Format = None,
    option: Option = None,
    model: Annotated[
        str | None, typer.Option(help="Model whose decoder decides how long a name may be.")
    ] = None,
) -> None:
    """List what is wrong or doubtful; exit status 1 when the store itself is damaged."""
    from biolink.cli.console import stdout
    from biolink.infer.model import load_model
    from biolink.kb.inspect import validate as check
    from biolink.kb.store import is_store, verify_store
    from biolink.places import EMBEDDED

    damaged = verify_store(source) if Path(source).is_dir() and is_store(source) else []
    console = stdout()
    for name in damaged:
        console.print(f"damaged file: {name}", markup=False)
    if damaged:
        raise typer.Exit(1)
    kb = _open(source, format, option)
    chosen = load_model(EMBEDDED / "model" if model is None else model)
    longest = min(chosen.backbone.max_source, 512)
    for finding in check(kb, lambda names: map(len, chosen.name_tokens(names)), longest):
        console.print(f"{finding.what}: {finding.count:,}", markup=False)
        for example in finding.examples:
            console.print(f"  {example}", markup=False, soft_wrap=True)


@kb_app.command()
def diff(first: Source, second: Source) -> None:
    """Compare two knowledge bases by id and by name."""
    from biolink.cli.console import stdout
    from biolink.kb.inspect import compare

    console = stdout()
    result = compare(_open(first), _open(second))
    for label, items in (
        ("only in the first", result.removed),
        ("only in the second", result.added),
        ("with other names", result.changed),
    ):
        console.print(f"concepts {label}: {len(items):,}")
        for item in items[:10]:
            console.print(f"  {item}", markup=False, soft_wrap=True)
    console.print(f"concepts that are equal: {result.equal:,}")
