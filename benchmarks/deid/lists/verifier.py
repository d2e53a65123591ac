"""Writes the verifier's list of frequent words of the languages beside English again from the package it comes from.

    pip download --no-deps wordfreq==3.1.1 -d DIR    # and unpack it there
    python -m benchmarks.deid.lists.verifier DIR [--check]

The same package gives the same bytes; --check writes nothing and exits with 1 where they are others.
"""

from __future__ import annotations

import argparse
import gzip
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from curate.deid.verify import vocabulary
from curate.deid.word_lists import pack, unpack

DATA = Path(vocabulary.__file__).parent / "data" / "others.words"
MOST, SHORTEST = 24_000, 4  # words a language, letters a word
HEAD = (
    "# The 24,000 most frequent words of six languages (wordfreq 3.1.1, CC BY-SA 4.0), four letters and more, as they"
    " come.\n"
)


def frequent(folder: Path, code: str) -> Iterator[str]:
    """The words of a language of letters alone, the most frequent first, as they are written.

    SystemExit: no list of the package lies under ``folder``.
    """
    import msgpack

    found = sorted(folder.rglob(f"large_{code}.msgpack.gz"))
    if not found:
        sys.exit(f"no large_{code}.msgpack.gz under {folder}; see the head of this module for the package")
    levels = msgpack.unpackb(gzip.decompress(found[0].read_bytes()), raw=False, strict_map_key=False)[1:]
    return (word for level in levels for word in level if len(word) >= SHORTEST and word.isalpha())


def listed(folder: Path) -> str:
    """The text of the list: "## code" and the words under it, in order of their letters."""
    parts = [f"## {code}\n" + "\n".join(sorted(islice(frequent(folder, code), MOST))) for code in vocabulary.CODES]
    return HEAD + "\n".join(parts) + "\n"


def main() -> None:
    """Write or compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where wordfreq is unpacked")
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 where the list is another")
    chosen = parser.parse_args()
    text = listed(chosen.folder)
    same = "\n".join(unpack(DATA.read_bytes())) == text
    print(f"{DATA.name}: {'the same' if same else 'another'}, {len(text)} characters")
    if chosen.check:
        sys.exit(0 if same else 1)
    if not same:
        DATA.write_bytes(pack(text.split("\n")))


if __name__ == "__main__":
    main()
