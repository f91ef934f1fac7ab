"""The command: what to run, and where the page, the values and the pictures go."""

from __future__ import annotations

import argparse
import json
import os
import platform
import shlex
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from benchmarks.skill import datasets, page, plots, protocol, rivals
from benchmarks.skill.run import Request, run

PYTHONS = {"torch": "SKILL_TORCH_PYTHON", "deep-river": "SKILL_DEEP_RIVER_PYTHON"}  # options, or these variables


def main() -> None:
    parser = _parser()
    wanted = parser.parse_args()
    names = {d.name: d for d in datasets.ALL}
    chosen = _listed(wanted.only) or tuple(names)
    for what, asked, known in (
        ("--only", chosen, names),
        ("--rivals", _listed(wanted.rivals), rivals.NAMES),
        ("--rivals-on", _listed(wanted.rivals_on), names),
        ("--presets", _listed(wanted.presets), protocol.presets()),
    ):
        if strange := [name for name in asked if name not in known]:
            parser.error(f"{what}: no {', '.join(strange)}; there are {', '.join(known)}")
    if absent := [name for name in chosen if not names[name].is_here(wanted.data)]:
        files = [f"{' or '.join(names[name].files)}: {names[name].source}" for name in absent]
        parser.error("\n  ".join([f"not in {wanted.data} (get them, or leave them out with --only):", *files]))
    pythons = {
        "torch": wanted.torch_python or os.environ.get(PYTHONS["torch"]),
        "deep-river": wanted.deep_river_python or os.environ.get(PYTHONS["deep-river"]),
    }
    request = Request(
        folder=wanted.data,
        datasets=tuple(names[name] for name in chosen),
        presets=_listed(wanted.presets),
        rivals=_listed(wanted.rivals),
        rivals_on=_listed(wanted.rivals_on) or None,
        pythons=pythons,
        cache=wanted.rival_cache,
    )
    outcome = run(request, lambda line: print(line, file=sys.stderr, flush=True))
    skipped = {
        name: f"no environment for it; name its Python with --{name}-python or {variable}"
        for name, variable in PYTHONS.items()
        if name in request.rivals and not pythons[name]
    }
    pictures = plots.write(outcome, wanted.plots)[:1] if wanted.plots else []
    about = _about()
    for name, python in pythons.items():
        if python and name in request.rivals:
            about[f"rival {name}"] = rivals.versions(name, python)
    if wanted.json:
        text = json.dumps(page.document(outcome, about, skipped), indent=1, allow_nan=False, ensure_ascii=False)
        wanted.json.write_text(text + "\n", encoding="utf-8")
    beside = [os.path.relpath(path, wanted.out.parent if wanted.out else Path.cwd()) for path in pictures]
    text = page.page(outcome, about, request.datasets, skipped, beside)
    if wanted.out:
        wanted.out.write_text(text, encoding="utf-8")
    else:
        print(text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.skill", description=__doc__)
    names = ", ".join(d.name for d in datasets.ALL)
    parser.add_argument("--data", type=Path, required=True, help="folder of the files; docs/skill.md says where from")
    parser.add_argument("--only", default="", help=f"datasets, with commas between: {names}")
    parser.add_argument("--presets", default=",".join(protocol.presets()), help="the first one meets the rivals")
    parser.add_argument("--rivals", default=",".join(rivals.NAMES), help="'' for none")
    parser.add_argument("--rivals-on", default="", help="datasets on which they run; all if not given")
    parser.add_argument("--rival-cache", type=Path, help="folder that keeps what rivals said: they need no second run")
    parser.add_argument("--torch-python", help=f"python with torch; or ${PYTHONS['torch']}")
    parser.add_argument("--deep-river-python", help=f"python with deep-river; or ${PYTHONS['deep-river']}")
    parser.add_argument("--out", type=Path, help="the page, such as docs/skill.md; else it is printed")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--plots", type=Path, help="folder of pictures")
    return parser


def _listed(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _about() -> dict[str, str]:
    """What anyone needs to do it again. Folders of this machine are left out of the command."""
    hidden = ("--data", "--torch-python", "--deep-river-python", "--rival-cache")
    words, given = [], iter(sys.argv[1:])
    for word in given:
        name, _, value = word.partition("=")
        if name in hidden:
            if not value:
                next(given, None)
            words += [name, name.removeprefix("--").upper().replace("-", "_")] if name != "--rival-cache" else []
        else:
            words.append(shlex.quote(word))
    packages = ("streamlstm", "numba", "numpy", "river")
    return {
        "command": f"`python -m benchmarks.skill {' '.join(words)}`",
        "date": datetime.now(UTC).date().isoformat(),
        "machine": f"{_processor()}, {os.cpu_count()} cores, {platform.system()}",
        "versions": ", ".join(["Python " + platform.python_version(), *(f"{p} {version(p)}" for p in packages)]),
        "seed": str(protocol.SEED),
        "leads": ", ".join(map(str, protocol.LEADS)),
    }


def _processor() -> str:
    """The name of the processor, where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or platform.machine())


if __name__ == "__main__":
    main()
