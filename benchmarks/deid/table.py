"""The results as Markdown: every number to reach, what was measured, and whether that is enough."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from benchmarks.deid.public import in_sample

Row = tuple[str, str, str, str]  # what, wanted, measured, yes | NO | ""


def rows(results: dict[str, Any]) -> list[Row]:
    """One row a promise, in the order in which they were made; parts that were not run are not in it."""
    makers = {"headers": _headers, "real": _real, "burnin": _burnin, "text": _text, "speed": _speed,
              "answer_key": _answer_key, "public_text": _public, "frames": _frames,
              "fresh": _later("fresh", "written fresh"), "third": _later("third", "of the third set"),
              "fourth": _later("fourth", "of the fourth set"),
              "meaning": _meaning}  # fmt: skip
    return [row for name, make in makers.items() if name in results for row in make(results[name])]


def markdown(results: dict[str, Any]) -> str:
    """The rows as a table, and the peers beside."""
    lines = ["| what | wanted | measured | reached |", "|---|---|---|---|"]
    lines += ["| " + " | ".join(row) + " |" for row in rows(results)]
    for more in (_beside(results), [in_sample.markdown(results["in_sample"])] if "in_sample" in results else []):
        lines += ["", *more] if more else []
    return "\n".join(lines)


def _ok(good: bool) -> str:
    return "yes" if good else "NO"


def _headers(r: dict[str, Any]) -> Iterator[Row]:
    ours = next(iter(r["tools"].values()))
    yield (f"adversarial headers, {r['cases']} cases: leaking", "0", str(ours["leaking"]), _ok(not ours["leaking"]))
    yield ("... unhandled exceptions", "0", str(ours["unhandled exceptions"]), _ok(not ours["unhandled exceptions"]))
    yield ("... withheld without need", "0", str(ours["withheld without need"]), _ok(not ours["withheld without need"]))
    yield ("... pixels changed", "0", str(ours["pixels changed"]), _ok(not ours["pixels changed"]))


def _real(r: dict[str, Any]) -> Iterator[Row]:
    leaks, errors, share = len(r["files with surviving identifiers"]), len(r["unhandled exceptions"]), r["share clean"]
    yield (f"public DICOM, {r['files']} files: with a surviving identifier", "0", str(leaks), _ok(not leaks))
    yield ("... unhandled exceptions", "0", str(errors), _ok(not errors))
    yield ("... CR/CT/MR/DX/MG that decode: CLEAN", ">= 95 %", f"{share or 0:.1%}", _ok((share or 0) >= 0.95))


def _burnin(r: dict[str, Any]) -> Iterator[Row]:
    ours = next(iter(r["tools"].values()))
    yield (f"burned-in text, {r['cases']} kinds: leaking", "0", str(ours["leaks"]), _ok(not ours["leaks"]))
    withheld = ours["clean pictures withheld"] + ours["clean pictures changed"]
    yield ("... the same without text: withheld or changed", "0", str(withheld), _ok(not withheld))


def _text(r: dict[str, Any]) -> Iterator[Row]:
    known = r["curate deid, header known"]
    what = f"notes, {known['spans']} spans in {known['notes']} notes: recall"
    yield (what, ">= 99.5 %", f"{known['span recall']:.2%}", _ok(known["span recall"] >= 0.995))
    leaking = known["leaking notes"]
    yield ("... leaking notes", "0", str(leaking), _ok(not leaking))
    lost = known["clinical tokens lost"]
    yield ("... clinical tokens lost", "<= 1 %", f"{lost:.2%}", _ok(lost <= 0.01))
    pace = known["notes/cpu-s"] or 0
    yield ("... notes per CPU-second", ">= 500", f"{pace:.0f}", _ok(pace >= 500))


def _speed(r: dict[str, Any]) -> Iterator[Row]:
    yield (f"headers of {r['bytes'] / 1e6:.1f} MB CT files, {r['elements']} elements: files per CPU-second", "", "", "")
    for name, pace in r["files/cpu-s"].items():
        if name.startswith("curate"):
            yield (f"... {name}", ">= 60", f"{pace:.0f}", _ok(pace >= 60))
    for name, ratio in r["to the fastest peer"].items():
        if "gate" in name:  # no peer looks at the pixels
            yield (f"... {name}, to the fastest peer, which looks at no pixel", "", f"{ratio:.2f}", "")
        else:
            yield (f"... {name}, to the fastest peer", "> 1", f"{ratio:.2f}", _ok(ratio > 1))
    if "growth" in r.get("memory", {}):
        m = r["memory"]
        grown = f"{m['MB after a tenth']} MB, then {m['MB after all']} MB"
        yield (f"... memory over {m['files']} files", "flat", grown, _ok(m["growth"] < 0.05))


def _answer_key(r: dict[str, Any]) -> Iterator[Row]:
    yield (
        f"answer key, {r['actions']} actions: correct",
        ">= 99.95 %",
        f"{r['correct']:.3%}",
        _ok(r["correct"] >= 0.9995),
    )


def _public(r: dict[str, Any]) -> Iterator[Row]:
    wanted = {"edgecare_en": (0.95, 1.0), "presidio_synth_en": (0.95, 1.0), "meddocan_es": (0.97, 0.03)}
    for name, found in r.items():
        recall, held, of = found["recall of what passed"] or 0, found["withheld"], found["documents"]
        least, most = wanted.get(name, (0.0, 1.0))
        goal = f">= {least:.0%}" + (f", <= {most:.0%} withheld" if most < 1 else "") if least else "said honestly"
        measured = f"{recall:.1%} (nothing left of {found['nothing left'] or 0:.1%}"
        measured += f"; without ages under 90, relative times and titles {found['recall of identifiers'] or 0:.1%}"
        measured += f"), {held} of {of} documents withheld"
        reached = _ok(recall >= least and held <= most * of) if least else ""
        yield (f"public text, {name}: spans taken of documents that passed", goal, measured, reached)


def _frames(r: dict[str, Any]) -> Iterator[Row]:
    yield from _split(r["test"], "of the test half")


def _later(split: str, which: str) -> Callable[[dict[str, Any]], Iterator[Row]]:
    def rows_of(r: dict[str, Any]) -> Iterator[Row]:
        yield from _split(r[split], which)
        yield from _meaning({f"frames, {split}": {"all": r["meaning"]}})

    return rows_of


def _split(found: dict[str, Any], which: str) -> Iterator[Row]:
    drawn = found["left, by drawing frames"]
    wanted = (("names that are words", 0.005, "<= 0.5 %"), ("other names", 0.0, "0 of 1,000"),
              ("names of two letters", 1.0, "said honestly"), ("hard identifiers", 0.005, "<= 0.5 %"))  # fmt: skip
    for group, most, said in wanted:
        left = found["left"][group]
        measured = f"{left['share']:.2%} ({left['n']} of {left['of']}) [{drawn[group][0]:.2%}, {drawn[group][1]:.2%}]"
        yield (f"{found['frames']} frames {which}, {found['texts']} texts: {group} left", said, measured,
               _ok(left["share"] <= most) if most < 1 else "")  # fmt: skip
    lost, closed = found["clinical words lost"], found["closed-class words lost"]
    yield ("... other words lost", "said honestly", f"{lost['share']:.2%}", "")
    yield ("... closed-class words lost", "0", f"{closed['n']} of {closed['of']}", _ok(not closed["n"]))
    yield ("... withheld", "said honestly", f"{found['withheld']} of {found['texts']}", "")
    yield ("... tokens per CPU-second", ">= 40000", f"{found['tokens/cpu-s']}", _ok(found["tokens/cpu-s"] >= 40_000))


def _meaning(r: dict[str, Any]) -> Iterator[Row]:
    most = {"IU reports": 0.003, "MedPix captions": 0.008, "MedPix histories": 0.008}
    for name, found in ((k, v["all"]) for k, v in r.items()):
        same, held = found["meaning kept"], found["withheld"]
        goal = "" if name.startswith("frames") else ">= 99.9 %"
        measured = f"{same['share']:.2%} [{same['interval'][0]:.2%}, {same['interval'][1]:.2%}], {held['n']} withheld"
        yield (f"{name}, {found['texts']}: meaning kept", goal, measured, _ok(same["share"] >= 0.999) if goal else "")
        if "words lost" not in found:
            continue
        lost, closed = found["words lost"], found["closed-class words lost"]
        measured = f"{lost['share']:.2%} [{lost['interval'][0]:.2%}, {lost['interval'][1]:.2%}]"
        limit = most.get(name)
        goal = f"<= {limit:.1%}" if limit else "said honestly"
        yield ("... words lost", goal, measured, _ok(lost["share"] <= limit) if limit else "")
        yield ("... closed-class words lost", "0", f"{closed['n']} of {closed['of']}", _ok(not closed["n"]))


def _beside(results: dict[str, Any]) -> list[str]:
    """Our own tools and the peers on the same files, where there were several."""
    tools = list(results.get("headers", {}).get("tools", {}))
    speeds, burned = results.get("speed", {}).get("files/cpu-s", {}), results.get("burnin", {}).get("tools", {})
    names = list(dict.fromkeys([*tools, *burned, *speeds]))
    if len(names) < 2:
        return []
    lines = ["| tool | header cases that leak | ... beyond what every file holds | header cases withheld or failed "
             "| burned-in cases that leak | files per CPU-second |", "|---|---:|---:|---:|---:|---:|"]  # fmt: skip
    for name in names:
        head, pixels = results.get("headers", {}).get("tools", {}).get(name, {}), burned.get(name, {})
        cells = (head.get("leaking", ""), head.get("leaking what the case is about", ""), head.get("withheld", ""),
                 pixels.get("leaks", ""), speeds.get(name, ""))  # fmt: skip
        lines.append(f"| {name} | " + " | ".join(map(str, cells)) + " |")
    for name, why in results.get("peers", {}).items():
        if why:
            lines.append(f"\n{name}: {why}")
    return lines
