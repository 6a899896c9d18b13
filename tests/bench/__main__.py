"""`make bench`: measures what the functions cost and writes target/bench/report.md."""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
import sys
import time
from pathlib import Path

from bench import calls, drills, estimates, processes
from bench.measures import deployed, hosting
from bench.table import table
from local_cloud import layout
from local_cloud.build import StepFailed, build_functions, build_programs, run_step
from local_cloud.report import Report

FOLDER = layout.ROOT / "target" / "bench"
BASELINE = "baseline"
DOLLARS_PER_TRANSITION = 0.025 / 1000

FIXED_STATES = ["HasProblem", "FindLatestSnapshot", "Decide", "StartCopy", "PruneOld", "Done"]
POLL_STATES = ["WaitForCopy", "CheckCopyStatus", "IsCopyVerified"]
"""What an execution of copy-snapshot passes once, and what it passes with each poll."""

SCALE = ["test", "--profile", "simulation", "--package", "simulation", "--test", "scale"]


def main() -> None:
    layout.forget_real_account()
    FOLDER.mkdir(parents=True, exist_ok=True)
    say = Report(sys.stderr)
    try:
        build_functions(say, FOLDER)
        cargo(say, "building the baseline", ["lambda", "build", "--release", "--package", BASELINE])
        simulator = build_programs(say, FOLDER)["rds-simulator"]
        cargo(say, "building the command line", ["build", "--release", "--package", "snapferry", "--bin", "snapferry"])
        cargo(say, "building the benchmarks", ["bench", "--package", "bench", "--no-run"])
        cargo(say, "building the simulation", [*SCALE, "--no-run"])
        began = time.monotonic()
        measured = [BASELINE, *deployed.functions(), *deployed.watch_functions()]
        binaries = {name: hosting.set_aside(name, FOLDER) for name in measured}
        sections = [processes_section(say, binaries, simulator)]
        sections.append(calls_section(say, binaries, simulator))
        sections.append(estimates_section(say, simulator))
        sections.append(polling_section(say))
        sections.append(fleets_section(say))
        sections.append(pure_section(say))
    except StepFailed as failed:
        sys.exit(str(failed))
    took = time.monotonic() - began
    report = FOLDER / "report.md"
    report.write_text("\n\n".join([heading(took), *sections]) + "\n")
    print(report.read_text())
    print(f"written to {report.relative_to(layout.ROOT)}")


def cargo(say: Report, title: str, arguments: list[str]) -> str:
    """Runs cargo. Returns what it printed."""
    log = FOLDER / f"cargo-{title.replace(' ', '-')}.log"
    return run_step(say, title, ["cargo", *arguments], log, layout.clean_environment())


def heading(took: float) -> str:
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=layout.ROOT, capture_output=True, text=True, check=False
    ).stdout.strip()
    cpu = next(
        (
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.machine(),
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"# What Snapferry costs\n\n"
        f"Commit {commit or 'unknown'}, {time.strftime('%Y-%m-%d', time.gmtime())}. {os.cpu_count()} cores of {cpu}, "
        f"{memory:.0f} GiB, Linux {platform.release().split('-')[0]}; load {os.getloadavg()[1]:.1f} over the last five "
        f"minutes. Measured in {took:.0f} s."
    )


def processes_section(say: Report, binaries: dict[str, Path], simulator: Path) -> str:
    """The functions as processes, the whole set twice."""
    runs = []
    watch = deployed.watch_functions()
    with hosting.running(simulator, FOLDER / "simulator.log") as rds, drills.no_proofs() as ssm:
        copying = hosting.settings(rds)
        drilling = hosting.watch_settings(rds) | {"AWS_ENDPOINT_URL_SSM": ssm}

        def settings(name: str) -> dict[str, str]:
            return drilling if name in watch else copying

        for number in (1, 2):
            with say.step(f"starting the functions, run {number} of 2"):
                runs.append(processes.measure(binaries, settings, rds, FOLDER, [processes.one_copy, drills.one_drill]))
    copies = [{name: measured for name, measured in run.items() if name not in watch} for run in runs]
    zipped = {name: hosting.zipped_bytes(binary) for name, binary in binaries.items()}
    return "\n\n".join([processes.section(copies, zipped), drills.section(runs[0])])


def calls_section(say: Report, binaries: dict[str, Path], simulator: Path) -> str:
    """The calls of whole runs."""
    with hosting.running(simulator, FOLDER / "simulator.log") as rds, say.step("running whole fleets"):
        return calls.section(binaries, rds, FOLDER)


def estimates_section(say: Report, simulator: Path) -> str:
    """What an estimate takes before the first copy."""
    command_line = layout.ROOT / "target" / "release" / "snapferry"
    with hosting.running(simulator, FOLDER / "simulator.log") as rds, say.step("estimating a large fleet"):
        return estimates.section(command_line, rds)


def polling_section(say: Report) -> str:
    """Our schedule of polls beside fixed ones."""
    states = json.loads((layout.ROOT / "statemachine" / "copy-snapshot.asl.json").read_text())["States"]
    unknown = {*FIXED_STATES, *POLL_STATES} - set(states)
    assert not unknown, f"copy-snapshot has no states {unknown}: count its transitions again"
    said = cargo(say, "following copies", ["bench", "--package", "bench", "--bench", "polling"])
    measured = json.loads(next(line for line in said.splitlines() if line.startswith("[{")))
    rows = []
    for row in measured:
        transitions = len(FIXED_STATES) + len(POLL_STATES) * row["polls"]
        minutes = row["duration"] / 60
        rows.append(
            [
                f"{minutes:.0f} min" if minutes < 60 else f"{minutes / 60:.0f} h",
                row["way"],
                f"{row['polls']:.1f}",
                f"{transitions:.0f}",
                f"{transitions * DOLLARS_PER_TRANSITION:.5f}",
                f"{row['lag']:.0f}",
                f"{row['longestLag']}",
            ]
        )
    return (
        "## Following a copy\n\n"
        "Polls and state transitions of one copy, what they cost at an assumed $0.025 for 1,000 transitions, and how "
        "long after its end the copy is noticed. Each row is the mean over durations of 5 % more and less, so that no "
        f"interval divides them. An execution passes {len(FIXED_STATES)} states once and {len(POLL_STATES)} with each "
        "poll.\n\n"
        + table(
            ["copy takes", "polled", "polls", "transitions", "dollars", "lag, mean s", "lag, longest s"],
            rows,
            left=2,
        )
    )


def fleets_section(say: Report) -> str:
    """How long whole fleets take, beside the best schedule. Virtual time: a second run would be the same."""
    said = cargo(say, "copying fleets in the simulation", [*SCALE, "a_thousand", "--", "--nocapture"])
    fleets = [json.loads(told) for told in re.findall(r'\{"databases".*\}', said)]
    assert fleets, "the tests of fleets told no figures"
    rows = [
        [
            f"{fleet['databases']:,}",
            f"{fleet['clustersPercent']} %",
            f"{fleet['hours']:.1f} h",
            f"{fleet['ofBound']:.3f}",
            ", ".join(f"{share:.1%}" for share in fleet["slotsInUse"] if share is not None),
            f"{fleet['calls']:.1f}",
            f"{fleet['invocations']:.1f}",
            f"{fleet['largestPayload']:,} bytes",
            f"{max(fleet['longestHistories']):,} events",
        ]
        for fleet in sorted(fleets, key=lambda fleet: fleet["clustersPercent"])
    ]
    return (
        "## The finish of a fleet\n\n"
        "Fleets in the simulation, in virtual time, without faults: copies of lognormal duration (median 20 min, "
        "sigma 1.0, at most 12 h), the quota of manual snapshots raised. The best schedule is the "
        "longest-processing-time one of 20 + 5 slots. Slots are in use by what copies, while the concurrency is used "
        "up. Nothing in it varies from run to run; `make scale` does the same for 10,000 databases.\n\n"
        + table(
            [
                "databases",
                "clusters",
                "takes",
                "of the best",
                "slots in use, instances and clusters",
                "calls per database",
                "invocations per database",
                "largest payload",
                "longest history",
            ],
            rows,
        )
    )


def pure_section(say: Report) -> str:
    """What criterion measured of the parts that take values and give values."""
    cargo(say, "timing the pure parts", ["bench", "--package", "bench", "--bench", "pure"])
    rows = []
    for benchmark in sorted((layout.ROOT / "target" / "criterion").glob("*/new/benchmark.json")):
        name = json.loads(benchmark.read_text())["full_id"]
        median = json.loads((benchmark.parent / "estimates.json").read_text())["median"]
        interval = median["confidence_interval"]
        rows.append(
            [
                name,
                *(
                    microseconds(ns)
                    for ns in (median["point_estimate"], interval["lower_bound"], interval["upper_bound"])
                ),
            ]
        )
    return (
        "## The pure parts\n\n"
        "Optimised for size, as deployed. Median and its 95 % interval, by criterion.\n\n"
        + table(["what", "median µs", "from", "to"], rows)
    )


def microseconds(nanoseconds: float) -> str:
    return f"{nanoseconds / 1000:,.2f}"


if __name__ == "__main__":
    main()
