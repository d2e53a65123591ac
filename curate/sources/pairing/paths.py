"""Identities that a file's path says: `key_pattern`, and how a path is shown without showing whose it is.

Archives that were exported or published often name patient and study in folders only
(``files/p10/p10000032/s50414267/0dc.dcm``). What is read here is as identifying as a header: it is searched for in
texts like one, and never shown.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

from curate.errors import RecipeError
from curate.sources.archives import walk_members
from curate.sources.walk import as_text

GROUPS = ("accession", "study", "patient", "image", "split")
IDENTITIES = GROUPS[:-1]
_TRIED = 2000  # files that show whether a pattern fits
_SHOWN = 3  # shapes in an error
_SUFFIX = re.compile(r"\.(?:dcm|png|jpe?g|tiff?|bmp|webp|txt|csv|jsonl?|xml|gz)$", re.IGNORECASE)
_LETTERS = re.compile(r"[^\W\d_]{2,}")


def compile_keys(pattern: str, field: str, groups: Sequence[str] = GROUPS, *, others: bool = False) -> re.Pattern[str]:
    """The regular expression; RecipeError under ``field`` where it is none, or none of its groups is in ``groups``, or,
    unless there may be ``others``, not all are."""
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise RecipeError(field, f"is no regular expression ({error})", "see Python's re") from None
    there = ", ".join(f"(?P<{name}>...)" for name in groups)
    if not set(compiled.groupindex) & set(groups):
        raise RecipeError(field, "names no identity", f"use a group among {there}")
    if not others and (unknown := sorted(set(compiled.groupindex) - set(groups))):
        raise RecipeError(field, f"no group is called '{unknown[0]}'", f"use groups among {there}")
    return compiled


def path_keys(pattern: re.Pattern[str], relative: str) -> dict[str, str]:
    """Group -> what it found in the ``relative`` path; empty where the pattern does not match."""
    match = pattern.search(relative)
    return {name: value.strip() for name, value in match.groupdict().items() if value} if match else {}


def check_keys(root: Path, pattern: str, exclude: Sequence[str], field: str) -> None:
    """RecipeError where the pattern is none, or fits none of the first files under ``root``: their shapes are shown."""
    compiled = compile_keys(pattern, field)
    found = walk_members(root, exclude=exclude, tables=True)
    paths = [as_text(f.relative) for f in islice((f for f in found if f.reason is None), _TRIED)]
    if paths and not any(path_keys(compiled, path) for path in paths):
        shown = ", ".join(f"'{s}'" for s in shapes(paths))
        raise RecipeError(field, f"finds nothing in {len(paths)} paths of forms like {shown}", "fit it to the paths")


def shapes(paths: Iterable[str], most: int = _SHOWN) -> list[str]:
    """The first ``most`` different shapes of ``paths``."""
    return list(islice(dict.fromkeys(map(shape, paths)), most))


def shape(path: str) -> str:
    """``path`` with every digit as # and every letter of a word as a: what it looks like, and nobody's. Single letters
    beside digits (the s of s########) and the usual suffixes stay; words are cut to four letters, as their length says
    something too."""
    suffix = _SUFFIX.search(path)
    stem = path[: suffix.start()] if suffix else path
    plain = re.sub(r"\d", "#", _LETTERS.sub("aaaa", stem))
    return re.sub(r"[^\x20-\x7e]", "?", plain) + (suffix[0] if suffix else "")


def stem(path: str) -> str:
    """A relative path without the last suffix of its name; a name that is all suffix stays."""
    folder, slash, name = path.rpartition("/")
    bare = name.rpartition(".")[0]
    return folder + slash + (bare or name)


def beside(
    references: Sequence[str], places: Sequence[Sequence[str]], names: Sequence[str], paths: Sequence[str]
) -> tuple[list[str], list[str]]:
    """What reports ask for and what images are called, with one name for what is the same: (asked, names).

    ``names``: what an image is asked for by (its relative path); ``paths``: where it lies, absolute; ``places``: for
    each report, where the image may lie that it asks for. A report's image is the one in its place; else the one of
    that name; else, as conversion changes suffixes and a text lies beside its image, the one of that name but for the
    suffix; else the only one of the archive with this bare name but for the suffix; else the only one in its place, or
    of that bare name, in any letter case.
    """
    at, there = dict(zip(paths, names, strict=True)), set(names)
    both = [(name.replace("\\", "/"), where) for name, where in zip(references, places, strict=True)]
    exact = [
        next((at[p] for p in where if p in at), name if name in there else "") if name else "" for name, where in both
    ]
    if all(found or not name for found, name in zip(exact, references, strict=True)):
        return [found or name for found, name in zip(exact, references, strict=True)], list(names)
    # what a report names to the letter is no other's: of a.png and a.jpg one may be missing, and the other is not it
    taken = {stem(name) for name in exact}
    by_place = {s: n for s, n in _by_stem(zip(paths, names, strict=True)).items() if stem(n) not in taken}
    stems = {s: n for s, n in _by_stem((n, n) for n in names).items() if s not in taken}
    bare: dict[str, list[str]] = {}
    for one in stems:
        bare.setdefault(one.rpartition("/")[2], []).append(one)
    any_place = _in_any_case(by_place.items())
    any_name = _in_any_case((one.rpartition("/")[2], name) for one, name in stems.items())

    def like(name: str, where: Sequence[str]) -> Iterator[str]:
        """What the image may be called that a report asks for, the surest first."""
        spelt = [w for p in where for w in (p, stem(p))]
        yield from (by_place[w] for w in spelt if w in by_place)
        for wanted in (name, stem(name)):
            known = [wanted] if wanted in stems else bare.get(wanted.rpartition("/")[2], [])
            if len(known) == 1 and (f"/{wanted}".endswith(f"/{known[0]}") or f"/{known[0]}".endswith(f"/{wanted}")):
                yield stems[known[0]]
        yield from (any_place.get(w.casefold(), "") for w in spelt)
        yield from (any_name.get(w.casefold(), "") for w in (name, stem(name)))

    resolved = [
        found or (next(filter(None, like(name, where)), name) if name else "")
        for found, (name, where) in zip(exact, both, strict=True)
    ]
    merged = {stem(name) for name, found in zip(resolved, exact, strict=True) if name in there and not found}
    return resolved, [stems[one] if (one := stem(name)) in merged else name for name in names]


def _in_any_case(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Name without letter case -> what it leads to, of names that are one of a kind so."""
    found: dict[str, str] = {}
    for name, to in pairs:
        found[name.casefold()] = "" if name.casefold() in found else to
    return found


def _by_stem(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Path but for its suffix -> the name of the first that has it, in the order of paths."""
    found: dict[str, str] = {}
    for path, name in sorted(pairs):
        found.setdefault(stem(path), name)
    return found
