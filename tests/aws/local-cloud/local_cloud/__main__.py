"""The commands: build, up, down, env, status, scenario and demo.

Each imports what it needs: boto3 is slow to import, and not there yet when `make` calls `build` for the first time.
"""

from __future__ import annotations

import argparse
import shlex
import signal
import sys
from pathlib import Path
from typing import NoReturn

from . import layout, prerequisites
from .report import Problem, Report


def main(arguments: list[str] | None = None) -> NoReturn:
    """Runs one command. Exits 0 if all went well, 1 if not, 130 after Ctrl-C."""
    options = parser().parse_args(arguments)
    missing = prerequisites.missing()
    if missing:
        raise SystemExit("\n".join(missing))
    layout.forget_real_account()
    # So that `finally` and `with` do their work when a terminal is closed or a CI job cancelled.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _asked_to_stop)

    try:
        raise SystemExit(options.command(options) or 0)
    except Problem as error:
        raise SystemExit(f"error: {error}") from None
    except KeyboardInterrupt:
        print("\ninterrupted; everything that was started has been stopped", file=sys.stderr)
        raise SystemExit(130) from None


def _asked_to_stop(number: int, _frame: object) -> NoReturn:
    raise SystemExit(128 + number)


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(
        prog=".venv/bin/python -m local_cloud",
        description="The local AWS of Snapferry: no account, no Docker, loopback only.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="examples:\n"
        "  .venv/bin/python -m local_cloud demo             copy a fleet and show what happened\n"
        "  .venv/bin/python -m local_cloud up               keep a local cloud running\n"
        '  eval "$(.venv/bin/python -m local_cloud env)"    let the aws CLI talk to it\n'
        "  .venv/bin/python -m local_cloud down             stop it\n",
    )
    commands = top.add_subparsers(title="commands", required=True, metavar="COMMAND")

    def command(name: str, function: object, summary: str, examples: str) -> argparse.ArgumentParser:
        added = commands.add_parser(
            name,
            help=summary,
            description=summary[0].upper() + summary[1:] + ".",
            epilog="examples:\n" + examples,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        added.set_defaults(command=function)
        return added

    command(
        "build",
        _build,
        "build the programs that the other commands run, with nothing but Python and Rust",
        "  cd tests/aws/local-cloud && python3 -m local_cloud build\n",
    )
    up = command(
        "up",
        _up,
        "build, start and deploy a local cloud that keeps running",
        "  .venv/bin/python -m local_cloud up\n"
        "  .venv/bin/python -m local_cloud up --scenario my-fleet.json --scale 200\n"
        "  .venv/bin/python -m local_cloud up --parameter KeepCopies=5 --parameter Selection=opt-in\n",
    )
    _common(up)
    up.add_argument(
        "--parameter",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a parameter of the template, over those of the scenario; may be given several times",
    )
    command(
        "down",
        _down,
        "stop the local cloud that `up` started, with everything it runs",
        "  .venv/bin/python -m local_cloud down\n",
    )
    command(
        "env",
        _env,
        "print the environment for the aws CLI",
        '  eval "$(.venv/bin/python -m local_cloud env)"\n'
        "  aws stepfunctions list-state-machines\n"
        f"  aws rds describe-db-snapshots --region {layout.DESTINATION_REGION}\n",
    )
    command(
        "status",
        _status,
        "show whether a local cloud is running, and what it is doing",
        "  .venv/bin/python -m local_cloud status\n",
    )
    scenario = command(
        "scenario",
        _scenario,
        "run a case in the local cloud, print what came of it as JSON, and compare that with what it expects",
        "  .venv/bin/python -m local_cloud scenario tests/e2e/cases/06-thirty-seven-tags.json\n"
        "exit codes: 0 all that the case expects came; 2 something differs; 1 it could not be run\n",
    )
    scenario.add_argument(
        "file",
        type=Path,
        help="the case; tests/aws/local-cloud/local_cloud/scenario.schema.json documents its fields",
    )
    demo = command(
        "demo",
        _demo,
        "copy a realistic fleet to another region, show it live, and audit it",
        "  .venv/bin/python -m local_cloud demo\n"
        "  .venv/bin/python -m local_cloud demo | cat             plain lines instead of live progress\n",
    )
    _common(demo)
    demo.add_argument(
        "--audit",
        type=Path,
        default=layout.ROOT / "target" / "demo" / "audit.json",
        help="where the audit is written, as a page beside it (default: target/demo/audit.json)",
    )
    return top


def _common(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--scenario",
        type=Path,
        default=layout.SCENARIOS / "demo.json",
        help="the fleet to begin with (default: tests/aws/local-cloud/scenarios/demo.json); the parameters in "
        "NAME.parameters.json beside it are the stack's",
    )
    command.add_argument(
        "--scale",
        type=float,
        default=60.0,
        help="how many times faster copies and waits are (default: 60, an hour is a minute)",
    )


def _build(_options: argparse.Namespace) -> None:
    from .build import build_programs

    folder = layout.WORKSPACE / "build"
    folder.mkdir(parents=True, exist_ok=True)
    build_programs(Report(sys.stdout), folder)


def _up(options: argparse.Namespace) -> int:
    from . import scenarios
    from .cloud import STATE, CloudError, LocalCloud

    if STATE.exists():
        try:
            running = LocalCloud.attach()
        except CloudError:
            pass  # A left-over; `attach` removed it.
        else:
            print(f"already running: {running.endpoint} (stop it with `make local-down`)", file=sys.stderr)
            return 0
    fleet, parameters = scenarios.read(options.scenario), scenarios.parameters(options.scenario)
    for given in options.parameter:
        name, equals, value = given.partition("=")
        if not equals:
            raise CloudError(f"--parameter {given}: write it as NAME=VALUE")
        parameters[name] = value
    cloud = LocalCloud("detached", scale=options.scale, parameters=parameters)
    try:
        cloud.start(detached=True)
        cloud.simulator.seed(fleet)
        exports = cloud.exports()
        cloud.detach()
    finally:
        cloud.stop()
    _print_exports(exports)
    from .command_line import written

    print(
        '\nIt keeps running. Copy the lines above into a shell, or there: eval "$(make -s local-env)"\n'
        f"Look at it:   {written(cloud.program, ['status'])}\n"
        f"Start a run:  {written(cloud.program, ['run', '--follow'])}\n"
        "Stop it:      make local-down",
        file=sys.stderr,
    )
    return 0


def _down(_options: argparse.Namespace) -> int:
    from .cloud import CloudError, LocalCloud

    try:
        cloud = LocalCloud.attach()
    except CloudError:
        print("no local cloud is running", file=sys.stderr)
        return 0
    cloud.stop_detached()
    print("stopped", file=sys.stderr)
    return 0


def _env(_options: argparse.Namespace) -> int:
    from .cloud import LocalCloud

    _print_exports(LocalCloud.attach().exports())
    return 0


def _print_exports(exports: dict[str, str]) -> None:
    # Left over from real work, these would win over the key pair or be sent with it.
    print("unset AWS_PROFILE AWS_SESSION_TOKEN")
    for name, value in exports.items():
        print(f"export {name}={shlex.quote(value)}")


def _status(_options: argparse.Namespace) -> int:
    from .cloud import CloudError, LocalCloud, our_processes

    try:
        cloud = LocalCloud.attach()
    except CloudError as error:
        print(error)
        return 1
    runs = cloud.runs()
    print(f"running: MiniStack {cloud.endpoint}, RDS simulator {cloud.simulator.url}, {cloud.scale:g} times faster")
    print(f"processes: {len(our_processes(cloud.supervisor, cloud.folder))}, logs in {cloud.folder}")
    for machine in (runs.copy_fleet, runs.copy_snapshot):
        running = runs.states.list_executions(stateMachineArn=machine, statusFilter="RUNNING")["executions"]
        print(f"{machine.rsplit(':', 1)[1]}: {len(running)} running")
    return 0


def _scenario(options: argparse.Namespace) -> int:
    from .scenario import scenario

    return scenario(options.file)


def _demo(options: argparse.Namespace) -> int:
    from .demo import demo

    return demo(options.scenario, options.scale, options.audit.resolve())


if __name__ == "__main__":
    main()
