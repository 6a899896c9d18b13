"""The command line of the kit: `run`, `sweep` and `replay`."""

from __future__ import annotations

import argparse
import os
import secrets
import sys
import tempfile
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import NoReturn

from botocore.exceptions import BotoCoreError, ClientError

from accept import cost, stopping
from accept.account import HOURS, AcceptError, Account, Place, RealAccount, Run, tag_dict, utc_now, written
from accept.asking import ask_all, in_order
from accept.life import World
from accept.questions import QUESTIONS
from accept.recording import Answer, Recording, Scrubber, left_of
from accept.state import FOLDER, State, cut_off
from accept.steps import Steps
from accept.sweep import Sweep, expired, of_run

ROOT = Path(__file__).resolve().parents[2]


def main(arguments: list[str] | None = None) -> NoReturn:
    """Exits 0 if all went well, 1 if not, 2 if a replay differs, 130 after Ctrl-C (128 and the signal)."""
    options = parser().parse_args(arguments)
    # So that whatever was made is removed when a terminal is closed or a job cancelled.
    stopping.heed()
    try:
        raise SystemExit(options.command(options))
    except (AcceptError, ClientError, BotoCoreError, OSError) as error:
        raise SystemExit(f"error: {error}") from None


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="python -m accept", description="Tries Snapferry in an account, and removes everything again."
    )
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    run = commands.add_parser("run", help="go through everything, ask every question, remove everything")
    _where(run)
    run.add_argument("--release", type=Path, help="folder of a release (default: target/release-artifacts)")
    run.add_argument(
        "--program", type=Path, help="the program snapferry (default: that of the release, or target/release/snapferry)"
    )
    run.add_argument("--key", default="alias/aws/rds", help="KMS key of the destination region for copies")
    run.add_argument("--aurora", action="store_true", help="make a small Aurora cluster as well")
    run.add_argument("--yes", action="store_true", help="do not ask before something is made")
    run.add_argument("--record", type=Path, help=f"the file to record to (default: {FOLDER}/RUN.json)")
    run.set_defaults(command=_run)
    sweep = commands.add_parser("sweep", help="remove what runs left whose time is over")
    _where(sweep)
    sweep.add_argument("--run", help="remove what this run left, whatever its time")
    sweep.set_defaults(command=_sweep)
    replay = commands.add_parser("replay", help="ask the simulator what a recording asked, and say where they differ")
    replay.add_argument("file", type=Path, help="the recording")
    replay.add_argument("--simulator", type=Path, help="the program rds-simulator (default: target/debug)")
    replay.set_defaults(command=_replay)
    return top


def _where(command: argparse.ArgumentParser) -> None:
    command.add_argument("--region", default="eu-west-1", help="region of the databases")
    command.add_argument("--destination", default="eu-central-1", help="region of the copies")
    command.add_argument("--local", action="store_true", help="start a local cloud, and use that")
    command.add_argument(
        "--simulator", metavar="URL", help="the environment is that of a local cloud with this simulator of RDS"
    )


def say(text: str) -> None:
    """To whoever watches, at once."""
    print(text, flush=True)


def _place(options: argparse.Namespace, stack: ExitStack) -> tuple[Place, Path | None]:
    """Where it is tried, and the program of a local cloud that was started for it."""
    if not (options.local or options.simulator):
        return RealAccount(), None
    from accept.local import LocalAccount
    from local_cloud.cloud import LocalCloud
    from local_cloud.report import Report

    if options.simulator:
        return LocalAccount(options.simulator), None
    cloud = stack.enter_context(LocalCloud("accept", report=Report(sys.stdout), released=True))
    os.environ.update(cloud.exports())
    cloud.set_scale(1000)
    return LocalAccount(cloud.simulator.url), cloud.program


def _account(region: str, destination: str, place: Place) -> Account:
    from accept.local import LocalAccount

    account = Account(region, destination, place)
    if isinstance(place, LocalAccount):
        place.account = account
    return account


def _run(options: argparse.Namespace) -> int:
    if options.region == options.destination:
        raise AcceptError("REGION and DESTINATION are the same")
    with ExitStack() as stack:
        place, program = _place(options, stack)
        account = _account(options.region, options.destination, place)
        release = _release(options.release, place, stack)
        built = (release / "snapferry", ROOT / "target" / "release" / "snapferry")
        program = options.program or program or next((one for one in built if one.exists()), built[0])
        if not program.exists():
            build = "cargo build --release --package snapferry"
            raise AcceptError(f"there is no {program}: give it as PROGRAM, or `{build}`")
        _remove_what_was_cut_off(account)
        _refuse_other_databases(account)
        say(_plan(account, options.aurora, options.key))
        if not options.yes and not _agreed():
            say("nothing was made")
            return 1
        run = Run(secrets.token_hex(4), written(utc_now() + timedelta(hours=HOURS)), *account.regions)
        recording = Recording(place.is_local, options.aurora, (release / "RELEASE").read_text().strip())
        file = (options.record or FOLDER / f"{run.id}.json").resolve()
        return _go_through(account, run, recording, file, options, release, program.resolve())


def _go_through(
    account: Account,
    run: Run,
    recording: Recording,
    file: Path,
    options: argparse.Namespace,
    release: Path,
    program: Path,
) -> int:
    say(f"run {run.id}: what it makes is named {run.name}-..., and may be removed by anybody from {run.expires} on")
    state = State.begin(run, account.id)
    world = World(account, run, options.key, say, options.aurora)
    scrubber = Scrubber(account, run)
    scrubber.known.insert(0, (options.key, "<kms-key>"))
    sweep = Sweep(account, of_run(run.id), say)
    answers: dict[str, Answer] = {}
    failure = ""

    def done(answer: Answer) -> None:
        answers[answer.id] = answer
        recording.answers = {one.id: one for one in in_order(answers)}
        recording.write(file)

    try:
        steps = Steps(world, state, recording, sweep, release, program)
        try:
            steps.all()
        except (AcceptError, ClientError) as error:
            failure = str(error)
            say(f"FAILED: {failure}")
        if "automated" in world.memo:
            with steps.step("questions"):
                ask_all(world, scrubber, True, done)
        if not failure:
            with steps.step("uninstall"):
                steps.uninstall()
    except AcceptError as error:
        failure = failure or str(error)
        say(f"FAILED: {error}")
    finally:
        # A second Ctrl-C must not leave anything: the next start would have to remove it.
        stopping.ignore("everything that was made is being removed; please wait")
        state.end_child()
        say("removing everything ...")
        sweep.everything()
        state.end()
        say("nothing is left")
    for question in QUESTIONS:
        if question.id not in answers:
            done(Answer(question.id, question.text, not_asked="the run failed before it could be asked"))
    for answer in in_order(answers):
        say(answer.line())
    recording.write(file)
    left = left_of(file.read_text(), account, run)
    if left:
        raise AcceptError(f"{file} still holds {', '.join(sorted(set(left)))}: do not publish it, and report this")
    say(f"recorded in {file}, without anything of the account; docs/accept.md says where to send it")
    return 1 if failure else 0


def _release(given: Path | None, place: Place, stack: ExitStack) -> Path:
    """The folder of a release; for the local cloud it is written from the functions that run there anyway."""
    if given is None and place.is_local:
        from accept.local_release import write

        return write(Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="snapferry-accept-"))))
    folder = (given or ROOT / "target" / "release-artifacts").resolve()
    if not (folder / "deploy.sh").exists():
        raise AcceptError(f"{folder} is not the folder of a release: unpack one, and give it as RELEASE")
    return folder


def _remove_what_was_cut_off(account: Account) -> None:
    """What earlier runs left that were started here."""
    for state in cut_off():
        run = state.run
        if state.content["account"] != account.id:
            say(f"run {run.id} was cut off in another account, {state.content['account']}: its rest is left alone")
            state.lock.close()
            continue
        say(f"run {run.id} was cut off: removing what it left ...")
        state.end_child()
        Sweep(_account(run.region, run.destination, account.place), of_run(run.id), say).everything()
        state.end()


def _refuse_other_databases(account: Account) -> None:
    """The stacks copy what is tagged for it: that must be the databases of the run alone."""
    rds = account.client("rds", account.region)
    found = [
        one[f"{kind}Identifier"]
        for kind, operation in (("DBInstance", "describe_db_instances"), ("DBCluster", "describe_db_clusters"))
        for page in rds.get_paginator(operation).paginate()
        for one in page[f"{kind}s"]
        if tag_dict(one.get("TagList")).get("snapferry:copy") == "true"
    ]
    if found:
        raise AcceptError(
            f"in {account.region} these are tagged snapferry:copy=true, and would be copied as well: "
            f"{', '.join(found)}. Take another REGION or another account"
        )


def _plan(account: Account, aurora: bool, key: str) -> str:
    made = "a PostgreSQL instance" + (" and an Aurora cluster" if aurora else "")
    return (
        f"In account {account.id} this makes {made} in {account.region}, Snapferry's stacks, snapshots, copies in "
        f"{account.destination} encrypted with {key}, and databases restored from them. It takes up to {cost.HOURS} h, "
        f"removes everything, and costs about:\n{cost.table(aurora)}"
    )


def _agreed() -> bool:
    if not sys.stdin.isatty():
        raise AcceptError("there is no terminal to ask: give YES=1")
    return input("Go on? [y/N] ").strip().lower() in ("y", "yes")


def _sweep(options: argparse.Namespace) -> int:
    with ExitStack() as stack:
        place, _ = _place(options, stack)
        account = _account(options.region, options.destination, place)
        for state in cut_off():
            matches = state.content["account"] == account.id and options.run in (None, state.run.id)
            if matches:
                state.end_child()
            state.lock.close()
        sweep = Sweep(account, of_run(options.run) if options.run else expired, say)
        removed = sweep.everything()
        for state in cut_off():
            if state.content["account"] == account.id and options.run == state.run.id:
                state.end()
            else:
                state.lock.close()
        say(f"removed {len(removed)}" if removed else "there was nothing to remove")
        return 1 if sweep.refused else 0


def _replay(options: argparse.Namespace) -> int:
    from accept.replay import replay

    return replay(options.file, options.simulator or ROOT / "target" / "debug" / "rds-simulator", say)


if __name__ == "__main__":
    main()
