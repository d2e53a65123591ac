"""The sealed index as it lies on disk: its parts, the words its patients share, names that no surrogate may have, how
the pairing went."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import pyarrow as pa

from curate.deid.pseudonym import Pseudonymizer
from curate.deid.vault import SecretSource, read_sealed, write_sealed
from curate.places import place
from curate.sources.pairing.known import IdSurvey
from curate.sources.pairing.outcome import Pairing
from curate.task import Unit

WITHDRAWN = "withdrawn.sealed"  # in RUN/private: pseudonyms of patients that no index of the run takes in again
PAIRING, WORDS, NAMES = "pairing.sealed", "words.sealed", "names.sealed"  # beside the index's partitions


def sealed_part(folder: Path, partition: int) -> Path:
    """Where one partition of the sealed index lies."""
    return folder / f"part-{partition:05d}.sealed"


def read_index(folder: Path, partition: int, pseudo: Pseudonymizer) -> pa.Table:
    """One partition of the index (INDEX): identities and raw report text, in memory only."""
    return read_sealed(sealed_part(folder, partition), pseudo)


def read_shared_words(folder: str, secret: SecretSource) -> frozenset[str]:
    """The words that the archive's patients share (`curate.deid.words.shared`)."""
    return _read_words(folder, WORDS, secret)


def read_taken_names(folder: str, secret: SecretSource) -> frozenset[str]:
    """Names of the archive's people that no surrogate may have (`curate.deid.replace`)."""
    return _read_words(folder, NAMES, secret)


@lru_cache(maxsize=2)
def _read_words(folder: str, name: str, secret: SecretSource) -> frozenset[str]:
    """Read once a process."""
    return frozenset(read_sealed(place(folder) / name, secret.pseudonymizer())["word"].to_pylist())


def read_withdrawn(private: Path, pseudo: Pseudonymizer) -> frozenset[str]:
    """Pseudonyms of the patients that have left the run whose RUN/private this is."""
    path = private / WITHDRAWN
    return frozenset(read_sealed(path, pseudo)["patient"].to_pylist()) if path.is_file() else frozenset()


def write_withdrawn(private: Path, patients: Collection[str], pseudo: Pseudonymizer) -> None:
    """Seal the pseudonyms of all who have left."""
    write_sealed(private / WITHDRAWN, pa.table({"patient": pa.array(sorted(patients), pa.string())}), pseudo)


def read_pairing(folder: Path, pseudo: Pseudonymizer) -> Pairing:
    """How the pairing went, as the index step has left it; nothing where the sealed index was taken away."""
    path = folder / PAIRING
    return Pairing.of_table(read_sealed(path, pseudo)) if path.is_file() else Pairing(0, 0, 0)


@dataclass(frozen=True)
class SealedUnit(Unit):
    """A task of the index in ``sealed``, that leaves sealed tables in the folder ``work``."""

    sealed: str
    work: str
    secret: SecretSource

    @cached_property
    def _written(self) -> list[Path]:
        return []

    def run(self, partition: int, only: range | None = None, poison: Collection[int] = ()) -> pa.Table:
        """As `make`."""
        self._written.clear()
        return self.make(partition)

    def make(self, partition: int) -> pa.Table:
        """The partition's rows; what names patients goes into `write` and `keep`."""
        raise NotImplementedError

    def beside(self, partition: int) -> list[Path]:
        """The sealed tables that `run` has written."""
        return list(self._written)

    def path(self, name: str, *numbers: int) -> Path:
        """Where a table of ``work`` lies."""
        return place(self.work) / f"{'-'.join([name, *(f'{n:06d}' for n in numbers)])}.sealed"

    def read(self, name: str, *numbers: int) -> pa.Table:
        return read_sealed(self.path(name, *numbers), self.secret.pseudonymizer())

    def write(self, table: pa.Table, name: str, *numbers: int) -> None:
        self._seal(table, self.path(name, *numbers))

    def keep(self, table: pa.Table, name: str) -> None:
        """A table of the index itself."""
        self._seal(table, place(self.sealed) / name)

    def _seal(self, table: pa.Table, path: Path) -> None:
        write_sealed(path, table, self.secret.pseudonymizer())
        self._written.append(path)

    def ids(self, name: str, count: int) -> IdSurvey:
        """The ids of so many parts."""
        survey = IdSurvey()
        for i in range(count):
            survey.add_table(self.read(name, i))
        return survey
