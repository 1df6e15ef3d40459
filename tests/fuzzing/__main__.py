"""The longer run: `nox -s fuzz` gives every target what a coverage-guided fuzzer finds.

Each target runs in a process of its own, with a limit of memory and of time for one input. What it finds is
kept as its corpus in `build/fuzzing`, where the next run begins.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path


def main() -> int:
    """Run the targets that are named (default: all) one after another; return 1 if one has failed."""
    parser = argparse.ArgumentParser(prog="nox -s fuzz --")
    parser.add_argument("targets", nargs="*", metavar="TARGET")
    parser.add_argument("--seconds", type=int, default=300, help="for all targets together (default: 300)")
    parser.add_argument("--runs", type=int, default=-1, help="inputs for each target, however long it takes")
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.alone:
        fuzz(asked.targets[0], asked.seconds, asked.runs)
    from tests.fuzzing.targets import targets

    if unknown := [name for name in asked.targets if name not in targets()]:
        parser.error(f"no target {unknown[0]!r}; there are: {', '.join(targets())}")
    chosen = asked.targets or list(targets())
    seconds = 0 if asked.runs > 0 else max(1, asked.seconds // len(chosen))
    failed = [name for name in chosen if not passes(name, seconds, asked.runs)]
    print(f"{len(chosen)} targets; failed: {', '.join(failed) or 'none'}")
    return 1 if failed else 0


def passes(name: str, seconds: int, runs: int) -> bool:
    """Fuzz one target in a process of its own, and say how far it came."""
    argv = [sys.executable, "-m", "tests.fuzzing", name, "--alone", f"--seconds={seconds}", f"--runs={runs}"]
    done = subprocess.run(argv, capture_output=True, text=True, errors="replace", check=False)
    told = done.stdout + done.stderr
    slowest = re.findall(r"stat::slowest_unit_time_sec:\s+(\d+)", told) or ["?"]
    print(name, *re.findall(r"#\d+\s+DONE.*", told)[-1:], f"slowest: {slowest[0]} s", flush=True)
    if done.returncode:
        print(f"{told[-6000:]}\nthe input is in build/fuzzing; run it again: nox -s fuzz -- {name!r}")
    return done.returncode == 0


def fuzz(name: str, seconds: int, runs: int) -> None:
    """Fuzz one target; the fuzzer ends the process."""
    import atheris

    with atheris.instrument_imports(include=["nox_envs"]):
        from tests.fuzzing.targets import WORDS, targets

        run, seed = targets()[name]
        run(seed)  # what is imported on the way is instrumented, too
    folder = Path("build", "fuzzing", re.sub(r"\W+", "-", name).strip("-"))
    (folder / "corpus").mkdir(parents=True, exist_ok=True)
    (folder / "corpus" / "seed").write_bytes(seed)
    words = ["".join(f"\\x{byte:02x}" for byte in word[:64]) for word in WORDS]
    (folder / "words").write_text("".join(f'"{word}"\n' for word in words))
    limits = [f"-max_total_time={seconds}", f"-runs={runs}", "-max_len=8192"]
    limits += ["-timeout=5", "-rss_limit_mb=500", "-print_final_stats=1"]
    options = [*limits, f"-artifact_prefix={folder}/", f"-dict={folder}/words", "-len_control=0"]
    atheris.Setup([sys.argv[0], *options, str(folder / "corpus")], run)
    atheris.Fuzz()


if __name__ == "__main__":
    sys.exit(main())
