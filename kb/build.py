"""Building a knowledge base from a stream of concepts, one batch at a time."""

from __future__ import annotations

import os
import tempfile
from array import array
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import marisa_trie
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from biolink.errors import ConfigError, KnowledgeBaseError, shown
from biolink.kb.arguments import need_iterable
from biolink.kb.concept import Columns, Concept, Dropped, Record
from biolink.kb.contents import LIST_FIELDS, SCHEMA, Contents, concept_of, lists_of
from biolink.kb.curies import Prefixes
from biolink.kb.names import NORMALISATION, normalise_name
from biolink.kb.wording import counted

__all__ = ["built", "lack_of", "named", "united"]

_BATCH = 20_000
_EXAMPLES = 20
_HELD = 25  # batches that are kept in memory while a base is built; the others are on disk


def built(
    concepts: Iterable[Record],
    prefixes: Prefixes,
    sources: Iterable[Mapping[str, str]] = (),
    options: Mapping[str, Any] | None = None,
) -> Contents:
    """Return the contents of a base of these concepts; see :meth:`KnowledgeBase.from_concepts`."""
    need_iterable("concepts", concepts, "concepts")
    builder = Builder()
    for concept in concepts:
        builder.add(concept)
    return builder.finish(prefixes, list(map(dict, sources)), dict(options or {}))


def lack_of(data: Contents, unreadable: int = 0) -> str:
    """Describe why a base cannot be used, for a message; "" if it has a name.

    Parameters
    ----------
    data
        The contents of the base.
    unreadable
        The number of rows of the source that could not be read. Default: 0.
    """
    if len(data.names):
        return ""
    concepts = data.table.num_rows
    lack = f"no name in {counted(concepts, 'concept')}" if concepts else "no concept"
    dropped = data.manifest.get("dropped", {})
    reasons = [f"{reason}: {entry['count']:,}" for reason, entry in dropped.items()]
    if unreadable:
        reasons.append(f"rows that cannot be read: {unreadable:,}")
    return f"{lack} ({'; '.join(reasons)})" if reasons else lack


def named(data: Contents) -> Contents:
    """Return the contents of a base that has a name.

    Raises
    ------
    KnowledgeBaseError
        If it has none.
    """
    lack = lack_of(data)
    if lack:
        raise KnowledgeBaseError(
            f"the knowledge base would have {lack}; expected concepts with names"
        )
    return data


def united(first: Concept, second: Concept) -> Concept:
    """Return the first concept with the names, definitions, types and ids of the second added.

    The id and the preferred name of the first stay, and its taxon, if it has one.

    >>> united(Concept("1", "flu"), Concept("2", "influenza")).names
    ('flu', 'influenza')
    """

    def union(a: tuple[str, ...], b: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*a, *b)))

    return replace(
        first,
        synonyms=union(first.synonyms, tuple(n for n in second.names if n != first.name)),
        definitions=union(first.definitions, second.definitions),
        types=union(first.types, second.types),
        xrefs=union(first.xrefs, second.xrefs),
        alternative_ids=union(first.alternative_ids, second.alternative_ids),
        parents=union(first.parents, second.parents),
        taxon=first.taxon or second.taxon,
    )


class Builder:
    """Collects a stream of concepts into columns, one batch at a time."""

    def __init__(self) -> None:
        self.batches: list[pa.RecordBatch] = []
        self.pending: list[Concept] = []
        self.rows: dict[str, int] = {}
        self.repeats: dict[int, list[Concept]] = {}
        self.problems: dict[str, dict[str, Any]] = {}
        self.dropped: dict[str, dict[str, Any]] = {}
        self.replaced: dict[str, str] = {}
        self.columns: tuple[str, ...] = ()

    def note(self, problem: str, example: str) -> None:
        _count(self.problems, problem, example, 1)

    def add(self, record: Record) -> None:
        if isinstance(record, Concept):
            self.add_concept(record)
        elif isinstance(record, Columns):
            self.columns = record.names
        elif not isinstance(record, Dropped):
            raise ConfigError(f"concepts has {shown(record)}; expected Concept")
        elif record.replaced_by and "\0" not in record.example:
            self.replaced.setdefault(record.example, record.replaced_by)
        else:
            _count(self.dropped, record.reason, record.example, record.count)

    def add_concept(self, concept: Concept) -> None:
        if not set(map(type, lists_of(concept))) <= {tuple, list} or not all(
            isinstance(text, str) for text in (concept.id, *concept.names)
        ):
            _check_texts(concept)
        ids = (concept.id, *concept.alternative_ids)
        if not concept.id.strip() or any("\0" in i for i in ids):
            raise KnowledgeBaseError(
                f"the concept named {concept.name!r} has the ids {ids!r}; expected strings that "
                "are not empty and do not hold the character NUL"
            )
        names = self.names_written_in(concept)
        if not names:
            _count(self.dropped, "without a name", concept.id, 1)
            return
        concept = replace(concept, name=names[0], synonyms=tuple(names[1:]))
        known = len(self.rows)
        row = self.rows.setdefault(concept.id, known)
        if row < known:
            self.note("duplicate ids", concept.id)
            self.repeats.setdefault(row, []).append(concept)
            return
        self.pending.append(concept)
        if len(self.pending) == _BATCH:
            self.flush()

    def names_written_in(self, concept: Concept) -> list[str]:
        """The concept's names, each once, with single spaces; empty ones are counted."""
        kept = []
        for name in concept.names:
            if name.strip():
                kept.append(" ".join(name.split()))
            else:
                self.note("empty names", concept.id)
        return list(dict.fromkeys(kept))

    def flush(self) -> None:
        if self.pending:
            batch = _batch(self.pending)
            self.batches.append(batch if len(self.batches) < _HELD else _on_disk(batch))
            self.pending = []

    def finish(
        self,
        prefixes: Prefixes,
        sources: list[dict[str, str]],
        options: dict[str, Any],
    ) -> Contents:
        self.flush()
        led_on = self.lead_on()
        for number in sorted({row // _BATCH for row in (*self.repeats, *led_on)}):
            concepts = [concept_of(record) for record in self.batches[number].to_pylist()]
            for offset, concept in enumerate(concepts):
                row = number * _BATCH + offset
                for repeat in self.repeats.get(row, ()):
                    concept = united(concept, repeat)
                former = dict.fromkeys((*concept.alternative_ids, *led_on.get(row, ())))
                concepts[offset] = replace(concept, alternative_ids=tuple(former))
            self.batches[number] = _batch(concepts)
        table = pa.Table.from_batches(self.batches, schema=SCHEMA)
        ids, id_rows = self.index_ids(table)
        names, arrays = self.index_names(table)
        parents = self.index_parents(table, prefixes)
        manifest = {
            **prefixes.to_manifest(),
            "normalisation": NORMALISATION,
            "sources": sources,
            "options": options,
            "problems": self.problems,
            **({"dropped": self.dropped} if self.dropped else {}),
            **({"columns": list(self.columns)} if self.columns else {}),
        }
        return Contents(table, names, ids, id_rows, *arrays, *parents, manifest)

    def lead_on(self) -> dict[int, list[str]]:
        """Map each concept's row to the obsolete ids that lead to it, in any number of steps."""
        alternatives: dict[str, int] = {}
        if self.replaced:
            columns = ["id", "alternative_ids"]
            for batch in self.batches:
                for record in batch.select(columns).to_pylist():
                    for alternative in record["alternative_ids"] or ():
                        alternatives.setdefault(alternative, self.rows[record["id"]])
        led_on: dict[int, list[str]] = {}
        for old in self.replaced:
            new, seen = old, set()
            while new not in self.rows and new in self.replaced and new not in seen:
                seen.add(new)
                new = self.replaced[new]
            row = self.rows.get(new, alternatives.get(new))
            if row is None:
                _count(self.dropped, "obsolete, and what replaced it is not here", old, 1)
            elif new != old:
                _count(self.dropped, "obsolete, and lead on to what replaced them", old, 1)
                led_on.setdefault(row, []).append(old)
        return led_on

    def index_ids(self, table: pa.Table) -> tuple[marisa_trie.Trie, np.ndarray]:
        for row, alternatives in enumerate(_column(table, "alternative_ids")):
            for alternative in filter(None, alternatives or ()):
                self.rows.setdefault(alternative, row)
        trie = marisa_trie.Trie(self.rows)
        id_rows = np.empty(len(self.rows), dtype=np.int32)
        for concept_id, row in self.rows.items():
            id_rows[trie[concept_id]] = row
        return trie, id_rows

    def index_parents(self, table: pa.Table, prefixes: Prefixes) -> tuple[np.ndarray, np.ndarray]:
        """Return the rows of the parents; it is called when all ids lead to their rows."""
        parent_rows = array("i")
        indptr = np.zeros(table.num_rows + 1, dtype=np.int64)
        for row, parents in enumerate(_column(table, "parents")):
            known: dict[int, None] = {}
            for parent_id in parents or ():
                parent = self.rows.get(parent_id)
                if parent is None:
                    parent = self.rows.get(prefixes.bare(parent_id))
                if parent is not None:
                    known[parent] = None
            parent_rows.extend(known)
            indptr[row + 1] = len(parent_rows)
        return indptr, np.array(parent_rows, dtype=np.int32)

    def index_names(
        self, table: pa.Table
    ) -> tuple[marisa_trie.Trie, tuple[np.ndarray, np.ndarray, np.ndarray]]:
        # The names are computed twice, so that only the trie made of them stays in memory.
        trie = marisa_trie.Trie(key for names in self.names_of(table) for key in names)
        counts = np.zeros(table.num_rows, dtype=np.int64)
        owned_names, preferred_flags = array("i"), array("b")
        for row, names in enumerate(self.names_of(table, quiet=True)):
            counts[row] = len(names)
            for key, preferred in names.items():
                owned_names.append(trie[key])
                preferred_flags.append(preferred)
        name_ids = np.frombuffer(owned_names, np.int32) if owned_names else np.empty(0, np.int32)
        flags = (
            np.frombuffer(preferred_flags, np.int8).astype(bool)
            if preferred_flags
            else np.empty(0, bool)
        )
        rows = np.repeat(np.arange(table.num_rows, dtype=np.int32), counts)
        # A name's owners are sorted: first those whose preferred name it is, then the others, each
        # by id. So ties are broken in the same way whatever the order of the source.
        id_order = np.empty(table.num_rows, dtype=np.int64)
        id_order[pc.sort_indices(table.column("id")).to_numpy()] = np.arange(table.num_rows)
        order = np.lexsort((id_order[rows], ~flags, name_ids))
        indptr = np.zeros(len(trie) + 1, dtype=np.int64)
        np.cumsum(np.bincount(name_ids, minlength=len(trie)), out=indptr[1:])
        return trie, (indptr, rows[order], flags[order])

    def names_of(self, table: pa.Table, quiet: bool = False) -> Iterator[dict[str, bool]]:
        """For each concept, map its normalised names to whether each is the preferred name."""
        columns = zip(
            _column(table, "id"), _column(table, "name"), _column(table, "synonyms"), strict=True
        )
        for concept_id, name, synonyms in columns:
            names: dict[str, bool] = {}
            for position, written in enumerate((name, *synonyms)):
                key = normalise_name(written)
                if key:
                    names.setdefault(key, position == 0)
                elif not quiet:
                    self.note("names that normalise to nothing", f"{concept_id}: {written}")
            yield names


def _count(entries: dict[str, dict[str, Any]], reason: str, example: str, count: int) -> None:
    entry = entries.setdefault(reason, {"count": 0, "examples": []})
    entry["count"] += count
    if len(entry["examples"]) < _EXAMPLES:
        entry["examples"].append(example)


def _on_disk(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return the same batch, memory-mapped, so that the system can free its memory.

    The file is deleted at once; its contents exist as long as the batch.
    """
    handle, path = tempfile.mkstemp(prefix="biolink-")
    os.close(handle)
    try:
        with pa.OSFile(path, "wb") as sink, pa.ipc.new_file(sink, batch.schema) as writer:
            writer.write_batch(batch)
        return pa.ipc.open_file(pa.memory_map(path)).get_batch(0)
    finally:
        Path(path).unlink()


def _column(table: pa.Table, name: str) -> Iterator[Any]:
    """Iterate over the values of a column, converting one batch at a time."""
    for batch in table.select([name]).to_batches():
        yield from batch.column(0).to_pylist()


def _batch(concepts: list[Concept]) -> pa.RecordBatch:
    columns = [[getattr(concept, field.name) for concept in concepts] for field in SCHEMA]
    try:
        return pa.RecordBatch.from_arrays(
            [pa.array(column, field.type) for column, field in zip(columns, SCHEMA, strict=True)],
            schema=SCHEMA,
        )
    except (pa.ArrowException, UnicodeError, TypeError) as error:
        for concept in concepts:
            _check_texts(concept)
        raise KnowledgeBaseError(f"the concepts cannot be stored: {error}") from None


def _check_texts(concept: Concept) -> None:
    for field in SCHEMA:
        value = getattr(concept, field.name)
        if field.name in LIST_FIELDS and not isinstance(value, tuple | list):
            raise KnowledgeBaseError(
                f"the field {field.name} of the concept {concept.id!r} is {shown(value)}; expected "
                "a list of strings"
            )
        for text in value if field.name in LIST_FIELDS else (value,):
            if not isinstance(text, str):
                mistake = "is not a string"
            elif any("\ud800" <= character <= "\udfff" for character in text):
                mistake = "holds half of a character (a lone surrogate)"
            else:
                continue
            raise KnowledgeBaseError(
                f"the field {field.name} of the concept {concept.id!r} has the value {text!r}, "
                f"which {mistake}"
            )
