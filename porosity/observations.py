"""Observations, read: as Arrow tables, as rows grouped by cell, and as the set of trials that are done.

What stands in sealed parts and what still stands in a journal are read alike, also while somebody measures. Raw questions and answers are in every
row, so that any verdict can be made anew; nothing here judges one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, groupby, pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from blocklists.errors import StoreError
from porosity import parts, segments, spill
from porosity.study import Study
from porosity.words import Observation

SCHEMA = pa.schema(
    [
        ("trial", pa.int64()),
        ("ask", pa.int16()),
        ("resolver", pa.string()),
        ("name", pa.string()),
        ("vector", pa.string()),
        ("repeat", pa.int16()),
        ("endpoint", pa.string()),
        ("sent_at", pa.int64()),
        ("took", pa.int64()),
        ("tries", pa.int16()),
        ("failure", pa.string()),
        ("query", pa.binary()),
        ("answer", pa.binary()),
        ("vantage", pa.string()),
    ]
)
"""Of observations on disk: the fields of words.Observation, and who observed."""

RANGE_OCTETS = 16 << 20
"""Of the observations that `cells` sorts at a time."""

FIELDS = tuple(field for field in SCHEMA.names if field != "vantage")


class Done:
    """A set of trials, one bit each."""

    def __init__(self, trials: int) -> None:
        """`trials`: how many the plan has."""
        self._trials = trials
        self._bits = np.zeros(-(-trials // 8), dtype=np.uint8)
        self._count = 0

    def __contains__(self, trial: int) -> bool:
        return bool(self._bits[trial >> 3] >> (trial & 7) & 1)

    def __len__(self) -> int:
        return self._count

    def add(self, trials: Iterable[int]) -> None:
        """Puts these in. Raises StoreError for one that the plan has not."""
        found = np.unique(np.fromiter(trials, dtype=np.int64) if not isinstance(trials, np.ndarray) else trials)
        if len(found) and not 0 <= found[0] <= found[-1] < self._trials:
            raise StoreError(f"trial {found[-1]} is not in the plan, which has {self._trials}; keep studies in directories of their own")
        places, bits = found >> 3, np.left_shift(1, found & 7).astype(np.uint8)
        self._count += int(np.count_nonzero((self._bits[places] & bits) == 0))
        np.bitwise_or.at(self._bits, places, bits)


def batch(rows: Sequence[Observation], vantage: str) -> pa.RecordBatch:
    """Observations as columns."""
    columns = [pa.array([getattr(each, field) for each in rows], SCHEMA.field(field).type) for field in FIELDS]
    return pa.RecordBatch.from_arrays([*columns, pa.array([vantage] * len(rows), pa.string())], schema=SCHEMA)


def rows(table: pa.Table | pa.RecordBatch) -> Iterator[Observation]:
    """The observations in a table of this schema, in its order."""
    columns = [table.column(field).to_pylist() for field in FIELDS]
    return (Observation(*row) for row in zip(*columns, strict=True))


def scan(study: Study, vantages: Sequence[str] | None = None) -> ds.Dataset:
    """All observations of these vantages (or of all), to be read in pieces. In no order."""
    files, unsealed = stored(study, vantages)
    checked = ds.ParquetFileFormat(default_fragment_scan_options=ds.ParquetFragmentScanOptions(page_checksum_verification=True))
    sealed = ds.dataset([str(each) for each in files], schema=SCHEMA, format=checked)
    if not unsealed:
        return sealed
    return ds.dataset([sealed, ds.dataset(pa.Table.from_batches(unsealed, SCHEMA))])


def done(study: Study, vantage: str) -> Done:
    """Trials that a vantage has on record."""
    found = Done(study.plan.trials)
    files, unsealed = stored(study, [vantage])
    for file in files:
        with parts.sound(file), parts.opened(file) as opened:
            for each in opened.iter_batches(columns=["trial"], use_threads=False):
                found.add(each.column("trial").to_numpy())
    for each in unsealed:
        found.add(each.column("trial").to_numpy())
    return found


def cells(study: Study, vantage: str) -> Iterator[tuple[int, list[Observation]]]:
    """Each cell's number (a trial's, over the plan's `measured`) with its observations at all resolvers, in order of trials and asks.

    Cells are measured in random order: what is too much for memory is dealt out to files by ranges of trials, each of which is then sorted.
    """
    measured = study.plan.measured
    with spill.spilling(study.directory, elsewhere=True) as room:
        for table in _ranges(study, vantage, room):
            order = [("trial", "ascending"), ("ask", "ascending")]
            ordered = (row for each in table.sort_by(order).to_batches(max_chunksize=10_000) for row in rows(each))
            for cell, found in groupby(ordered, lambda row: row.trial // measured):
                yield cell, list(found)


def _ranges(study: Study, vantage: str, room: Path) -> Iterator[pa.Table]:
    """A vantage's observations by ranges of whole cells, range after range; in none more than fits."""
    files, unsealed = stored(study, [vantage])
    held: list[pa.RecordBatch] = []
    octets = 0
    batches = _batches(files, unsealed)
    for each in batches:
        held.append(each)
        octets += each.nbytes
        if octets > RANGE_OCTETS:
            break
    else:
        yield pa.Table.from_batches(held, SCHEMA)
        return
    # What is not read yet is guessed from what is: too many ranges cost little, too few cost memory.
    count = sum(pq.read_metadata(file).num_rows for file in files) + sum(each.num_rows for each in unsealed)
    whole = count * octets // sum(each.num_rows for each in held)
    cells = study.plan.cells * study.plan.repeats
    width = max(1, cells * RANGE_OCTETS // whole) * study.plan.measured
    options = pa.ipc.IpcWriteOptions(compression="lz4")
    writers: dict[int, pa.ipc.RecordBatchFileWriter] = {}
    try:
        for each in chain(held, batches):
            places = each.column("trial").to_numpy() // width
            order = np.argsort(places, kind="stable")
            dealt, bounds = each.take(pa.array(order)), np.flatnonzero(np.diff(places[order])) + 1
            for first, last in pairwise([0, *bounds.tolist(), len(order)]):
                place = int(places[order[first]])
                if place not in writers:
                    writers[place] = pa.ipc.new_file(str(room / str(place)), SCHEMA, options=options)
                writers[place].write_batch(dealt.slice(first, last - first))
    finally:
        for writer in writers.values():
            writer.close()
    held.clear()
    for place in sorted(writers):
        with pa.OSFile(str(room / str(place))) as file:
            yield pa.ipc.open_file(file).read_all()
        (room / str(place)).unlink()


def _batches(files: Sequence[Path], unsealed: Sequence[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """A row group at a time: a dataset's scanner would read whole files ahead."""
    for file in files:
        with parts.sound(file), parts.opened(file) as opened:
            for group in range(opened.num_row_groups):
                for each in opened.read_row_group(group, use_threads=False).to_batches():
                    yield each.cast(SCHEMA)
    yield from unsealed


def stored(study: Study, vantages: Sequence[str] | None = None) -> tuple[list[Path], list[pa.RecordBatch]]:
    """The sealed parts of these vantages (or of all), and batches that are in no part yet. Raises StoreError for those of another plan."""
    files: list[Path] = []
    unsealed: list[pa.RecordBatch] = []
    for vantage in study.vantages() if vantages is None else vantages:
        found, left = _stored(study, vantage)
        files += found
        unsealed += left
    return files, unsealed


def _stored(study: Study, vantage: str) -> tuple[list[Path], list[pa.RecordBatch]]:
    """Sealed parts, and batches that are not in a part yet."""
    folder = study.observations(vantage)
    journal = folder / segments.FOLDER
    # Segments first: one that becomes a part meanwhile is then found twice, and dropped here, rather than not at all.
    read: dict[int, segments.Read] = {}
    for number in segments.numbers(journal):
        try:
            read[number] = segments.read(segments.path(journal, number))
        except FileNotFoundError:
            continue  # it is a part by now
    sealed = parts.numbers(folder)
    files = [folder / parts.name(number) for number in sealed]
    for file in files:
        parts.check(file, SCHEMA, study.plan.id)
    left = [found for number, found in read.items() if number not in sealed and found.frames]
    for found in left:
        if found.plan != study.plan.id:
            raise StoreError(f"{journal} was observed for another plan ({found.plan[:12]}); keep studies in directories of their own")
    return files, [decode(payload) for found in left for payload in found.frames]


def decode(payload: bytes) -> pa.RecordBatch:
    """The batch in a frame of the journal. Raises StoreError for one that is none: its checksum may be right, and a stranger's."""
    try:
        found = pa.ipc.read_record_batch(pa.py_buffer(payload), SCHEMA)
        found.validate(full=True)
    except (OSError, pa.ArrowException) as error:
        raise StoreError(f"a frame of the journal holds no observations ({error}); put a copy of the journal in its place") from None
    return found
