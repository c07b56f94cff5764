"""Damaged files of every format give documents with right offsets, or an error of biolink."""

from __future__ import annotations

import gzip
import io
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from biolink.documents import Document, Link, Mention
from biolink.errors import BiolinkError, InputError
from biolink.formats import describe, read, write
from tests.mutations import mutations

DATA = Path(__file__).parents[2] / "data"


def linked() -> list[Document]:
    link = Link("D001249", "asthma", -0.1, 0.9, 1, preferred_name="Asthma", curie="mesh:D001249")
    given = list(read(DATA / "bc5cdr.PubTator"))
    text = "Asthma and TNF-α, “quoted”;\nsecond line"
    mentions = (
        Mention(0, 6, "Asthma", "Disease", links=(link,)),
        Mention(11, 16, "TNF-α", "Gene", concept_ids=("7124", "a|b")),
    )
    return [*given, Document("9", text, mentions=mentions)]


#: Files of formats that are only read.
MADE = {
    "jats": """<article><front><article-meta><article-id pub-id-type="pmid">7</article-id>
<title-group><article-title>On <italic>gout</italic></article-title></title-group>
<abstract><p>Asthma, β.</p></abstract></article-meta></front>
<body><sec><label>1</label><title>Methods</title><p>Done<sup><xref ref-type="bibr">2</xref></sup>.
</p><table-wrap><caption><p>A table</p></caption><table><tr><td>1</td><td>2</td></tr></table>
</table-wrap></sec></body></article>
""",
    "europepmc": """{"resultList": {"result": [{"pmid": "1", "title": "Gout"},
{"pmid": "2", "title": "Asthma", "abstractText": "<h4>Aim</h4>To &lt; see."}]}}
""",
    "bigbio": """{"id": "0", "document_id": "7", "passages": [{"id": "p", "type": "title",
"text": ["Gout here."], "offsets": [[0, 10]]}], "entities": [{"id": "e", "type": "Disease",
"text": ["Gout"], "offsets": [[0, 4]], "normalized": [{"db_name": "MESH", "db_id": "D006073"}]}],
"events": [], "coreferences": [], "relations": []}
""",
    "conll": "-DOCSTART-\tO\n\nGout\tB-Disease\nis\tO\nβ\tS-Gene\n\nAsthma\tB-Disease\n",
}


def valid(name: str, folder: Path) -> bytes:
    """A file of a format."""
    made = {"pubmed-xml": "pubmed.xml", "medline": "pubmed.nbib", "bioc-json": "pubtator3.json"}
    if name in made:
        return (DATA / made[name]).read_bytes()
    if name in MADE:
        return MADE[name].encode()
    if name == "brat":
        write(linked()[-1], folder / "valid.brat", name)
        (folder / "x.txt").write_bytes((folder / "valid.brat" / "9.txt").read_bytes())
        return (folder / "valid.brat" / "9.ann").read_bytes()
    if name == "parquet":
        table = pa.table(
            {"id": ["1", "2"], "text": ["asthma", "gout and β"], "title": [None, "a title"]}
        )
        stream = io.BytesIO()
        pq.write_table(table, stream)
        return stream.getvalue()
    write(linked(), folder / "valid", name)
    return (folder / "valid").read_bytes()


READABLE = [info.name for info in describe() if info.reads]
WRITABLE = [info.name for info in describe() if info.writes]
CASES = [*READABLE, "bioc-json written", "csv of texts", "tsv of texts", "pubtator.gz"]


@pytest.mark.parametrize("case", CASES)
def test_damage_is_noticed_or_harmless(case: str, tmp_path: Path) -> None:
    name = case.split()[0].removesuffix(".gz").removesuffix(".xz")
    if case.endswith("of texts"):
        comma = "," if name == "csv" else "\t"
        rows = [["id", "title", "abstract"], ["1", "Asthma", "A text"], ["2", "Gout", "β is here"]]
        data = "".join(comma.join(row) + "\n" for row in rows).encode()
    elif case == "bioc-json written":
        write(linked(), tmp_path / "valid.json")
        data = (tmp_path / "valid.json").read_bytes()
    else:
        data = valid(name, tmp_path)
    if case.endswith(".gz"):
        data = gzip.compress(data)
    file = tmp_path / ("x.ann" if name == "brat" else f"x.{name}")
    read_whole = 0
    for number, (what, damaged) in enumerate(mutations(data, 48, seed=15)):
        file.write_bytes(damaged)
        for format in (name, None):
            problems: list[InputError] = []
            try:
                documents = list(read(file, format, problems.append))
            except BiolinkError:
                continue
            read_whole += 1
            for document in documents:
                for m in document.mentions:
                    assert document.text[m.start : m.end] == m.text, (what, document.id)
                document.text.encode()
            # Documents that can be read can be written in every format.
            other = WRITABLE[number % len(WRITABLE)]
            write(documents, tmp_path / f"again.{other}", other, lambda problem: None)
    assert read_whole
