"""Owns the longer run: `nox -s fuzz` gives every target what a coverage-guided fuzzer finds.

Each target runs in a process of its own, with a limit of memory and of time for one input; what it finds
is kept as its corpus in `build/fuzzing`, so that the next run begins there.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path

CORPUS = Path("build", "fuzzing")


def main() -> int:
    """Run the targets that are named (default: all) one after another; return 1 if one has failed."""
    parser = argparse.ArgumentParser(prog="nox -s fuzz --")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="names as in tests/fuzzing/targets.py")
    parser.add_argument("--seconds", type=int, default=300, help="for all targets together (default: 300)")
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.alone:
        return fuzz(asked.targets[0], asked.seconds)
    from tests.fuzzing.targets import targets

    for name in asked.targets:
        if name not in targets():
            parser.error(f"no target {name!r}; there are: {', '.join(targets())}")
    chosen = asked.targets or list(targets())
    each = max(1, asked.seconds // len(chosen))
    failed = [name for name in chosen if not _passes(name, each)]
    print(f"{len(chosen)} targets, {each} s each; failed: {', '.join(failed) or 'none'}")
    return 1 if failed else 0


def _passes(name: str, seconds: int) -> bool:
    argv = [sys.executable, "-m", "tests.fuzzing", name, "--alone", f"--seconds={seconds}"]
    done = subprocess.run(argv, capture_output=True, text=True, errors="replace", check=False)
    told = done.stdout + done.stderr
    last = re.findall(r"#(\d+)\s+DONE\s+cov: (\d+) ft: (\d+) corp: (\d+)", told)
    inputs, edges, _, kept = last[-1] if last else ("?",) * 4
    print(f"{name}: {inputs} inputs, {edges} branches reached, {kept} kept", flush=True)
    if done.returncode:
        print(told[-6000:])
        print(f"the input is in {CORPUS}/{name}; run it again: nox -s fuzz -- {name!r}")
    return done.returncode == 0


def fuzz(name: str, seconds: int) -> int:
    """Fuzz one target; the fuzzer ends the process."""
    import atheris

    with atheris.instrument_imports(include=["nox_envs"]):
        from tests.fuzzing.targets import targets

        target = targets()[name]
        for seed in target.seeds:
            target.run(seed)  # what is imported on the way is instrumented, too
    folder = CORPUS / name.replace(" ", "-")
    (folder / "corpus").mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(target.seeds):
        (folder / "corpus" / f"seed-{number}").write_bytes(seed)
    options = [
        f"-max_total_time={seconds}",
        "-max_len=8192",
        "-len_control=0",
        "-timeout=30",
        "-rss_limit_mb=1024",
        f"-artifact_prefix={folder}/",
        "-print_final_stats=1",
    ]
    if target.words:
        words = "".join(
            '"' + "".join(f"\\x{byte:02x}" for byte in word[:64]) + '"\n' for word in target.words
        )
        (folder / "words").write_text(words)
        options.append(f"-dict={folder}/words")
    atheris.Setup([sys.argv[0], *options, str(folder / "corpus")], target.run)
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main())
