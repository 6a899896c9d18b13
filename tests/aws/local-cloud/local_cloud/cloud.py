"""The local AWS as one thing that is started, used and stopped."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import boto3
from botocore.config import Config

from . import build, layout
from .callers import Caller, callers_table, deployed_callers
from .clock import Clock
from .report import Problem, Report
from .runs import Runs
from .simulator import Simulator
from .supervisor import group_members

DEFAULT_SCALE = 60.0


class CloudError(Problem):
    """The local cloud cannot be started or found; the message says what to do."""


class LocalCloud:
    """MiniStack with the deployed stack, and the RDS simulator.

    As a context manager everything that it started is stopped at the end, also after an error or Ctrl-C; and by the
    supervisor if this process dies.

    `scale` is how many times faster copies and the waits of the state machines are. The clock is not scaled, but it
    can be put forward (`clock`).
    `parameters` override those of the template. `released` says which build of the functions is deployed.
    """

    def __init__(
        self,
        name: str,
        *,
        scale: float = DEFAULT_SCALE,
        parameters: dict[str, str] | None = None,
        report: Report | None = None,
        released: bool = False,
    ) -> None:
        self.name = name
        self.scale = scale
        self.parameters = template_parameters(parameters)
        self.report = report or Report()
        self.released = released
        self.folder = layout.WORKSPACE / name
        self.callers: dict[str, Caller] = {}
        self.endpoint = ""
        self.simulator = Simulator("")
        self.built_template = Path()
        self.clock = Clock(self.folder)
        """That of everything which runs here."""
        self.stamp = ""
        """Tells two builds of what runs here apart."""
        self.program = Path()
        """The operator's program, once it is built."""
        self.supervisor = 0
        """The process id of the supervisor, which is also its process group."""
        self._supervisor_process: subprocess.Popen[bytes] | None = None
        self._lock: IO[str] | None = None
        self._runs: dict[str, Runs] = {}
        # One session: each reads the model of a service only once.
        self._session: Any = boto3.session.Session()
        self._clients: dict[tuple[str, str, str], Any] = {}

    # Starting and stopping

    def __enter__(self) -> LocalCloud:
        try:
            self.start(detached=False)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self, *, detached: bool) -> None:
        """Builds, starts both servers, deploys the template and tells the simulator who may do what."""
        self._take_folder()
        programs = build.build_programs(self.report, self.folder)
        self.program = programs["snapferry"]
        self.stamp = build.stamp(programs)
        self.clock.build()
        if self.released:
            build.build_functions(self.report, self.folder)
        self._start_supervisor(programs["rds-simulator"], detached)
        if self.released:
            self.built_template = build.sam_build(self.report, self.folder)
        else:
            self.built_template = build.lay_out(self.report, self.folder, programs)
        self.deploy(layout.STACK, self.parameters)

    def deploy_watch(self, **parameters: str) -> None:
        """Builds and deploys the stack of the destination region, with drills in the subnet group `drills`."""
        template, functions = layout.WATCH_TEMPLATE, layout.WATCH_FUNCTIONS
        if self.released:
            built = build.sam_build(self.report, self.folder, template)
        else:
            programs = build.build_programs(self.report, self.folder)
            built = build.lay_out(self.report, self.folder, programs, template, functions)
        usual = {
            "OwnerId": layout.OWNER_ID,
            "SourceRegion": layout.SOURCE_REGION,
            "Drills": "true",
            "DrillSubnetGroup": "drills",
            "DrillSecurityGroup": self._closed_group(),
        }
        self.deploy(layout.WATCH_STACK, {**usual, **parameters}, layout.DESTINATION_REGION, built)

    def _closed_group(self) -> str:
        """A security group of the destination region that lets nothing in, and out only to the database itself."""
        ec2 = self.client("ec2", layout.DESTINATION_REGION)
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        group = ec2.create_security_group(GroupName="drills", Description="Of drills.", VpcId=vpc)["GroupId"]
        found = ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"][0]
        if found["IpPermissionsEgress"]:
            ec2.revoke_security_group_egress(GroupId=group, IpPermissions=found["IpPermissionsEgress"])
        return str(group)

    def deploy(
        self, stack: str, parameters: dict[str, str], region: str = layout.SOURCE_REGION, built: Path | None = None
    ) -> None:
        """Deploys a built template as a (further) stack; its functions are made known to the simulator."""
        s3 = self.client("s3", region)
        if build.bucket(region) not in {known["Name"] for known in s3.list_buckets()["Buckets"]}:
            s3.create_bucket(Bucket=build.bucket(region), CreateBucketConfiguration={"LocationConstraint": region})
        build.sam_deploy(
            self.report, self.folder, built or self.built_template, self.endpoint, parameters, stack, region
        )
        self.know(stack, region)

    def know(self, stack: str, region: str = layout.SOURCE_REGION) -> None:
        """Makes the functions of a deployed stack known to the simulator."""
        deployed = deployed_callers(
            self.client("cloudformation", region), self.client("lambda", region), self.client("iam", region), stack
        )
        self.callers.update({f"{stack}/{logical_id}": caller for logical_id, caller in deployed.items()})
        self.simulator.set_callers(callers_table(list(self.callers.values())))

    def stack_with(self, suffix: str, **parameters: str) -> str:
        """A further stack of the template with other parameters, deployed when first asked for. Returns its name."""
        stack = f"{layout.STACK}-{suffix}"
        if not any(known.startswith(f"{stack}/") for known in self.callers):
            # The RDS events that a test sends are meant for the first stack.
            self.deploy(stack, {**self.parameters, "EventSource": f"nobody.{suffix}", **parameters})
        return stack

    def stop(self) -> None:
        """Stops everything. Harmless when nothing runs."""
        process, self._supervisor_process = self._supervisor_process, None
        if process is not None:
            with contextlib.suppress(OSError):
                assert process.stdin is not None
                process.stdin.close()
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=30)
        if self.supervisor:
            sweep(self.supervisor, self.folder)
            self.supervisor = 0
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _take_folder(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        # The lock is beside the folder, because the folder is emptied.
        lock = (layout.WORKSPACE / f"{self.name}.lock").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.close()
            raise CloudError(f"the local cloud `{self.name}` is being used by another process") from error
        self._lock = lock
        shutil.rmtree(self.folder)
        self.folder.mkdir()

    def _start_supervisor(self, simulator: Path, detached: bool) -> None:
        command = [
            sys.executable, "-m", "local_cloud.supervisor",
            "--folder", str(self.folder),
            "--simulator", str(simulator),
            "--scale", str(self.scale),
            *(["--detached"] if detached else []),
        ]  # fmt: skip
        environment = layout.clean_environment(
            {
                FOLDER_VARIABLE: str(self.folder),
                **self.clock.environment(),
                "MINISTACK_REGION": layout.SOURCE_REGION,
                "MINISTACK_ACCOUNT_ID": layout.ACCOUNT,
                "LOG_LEVEL": os.environ.get("LOCAL_CLOUD_LOG_LEVEL", "WARNING"),
            }
        )
        with self.report.step("starting MiniStack and the RDS simulator"):
            with (self.folder / "supervisor.log").open("wb") as log:
                process = subprocess.Popen(
                    command,
                    env=environment,
                    cwd=layout.ROOT,
                    stdin=subprocess.DEVNULL if detached else subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    start_new_session=True,
                )
            self._supervisor_process = process
            self.supervisor = process.pid
            assert process.stdout is not None
            said = process.stdout.readline()
            if not said:
                raise CloudError(
                    f"the servers did not start: {(self.folder / 'supervisor.log').read_text().strip()}\n"
                    f"Their logs are in {self.folder}"
                )
            servers = json.loads(said)
            self.endpoint = servers["ministack"]
            self.simulator = Simulator(servers["simulator"])
            self._await_ready()

    def _await_ready(self) -> None:
        deadline = time.monotonic() + 60
        while True:
            ready = f"{self.endpoint}/_ministack/ready"
            with contextlib.suppress(OSError), urllib.request.urlopen(ready, timeout=5) as answer:
                if answer.status == 200:
                    return
            if time.monotonic() > deadline:
                raise CloudError(f"MiniStack is not ready after 60 s; its log is {self.folder / 'ministack.log'}")
            time.sleep(0.05)

    # Detached: kept running between two commands

    def detach(self) -> None:
        """Writes down how to find this cloud again, and lets go of it."""
        STATE.write_text(
            json.dumps(
                {
                    "name": self.name,
                    "scale": self.scale,
                    "endpoint": self.endpoint,
                    "simulator": self.simulator.url,
                    "program": str(self.program),
                    "template": str(self.built_template),
                    "stamp": self.stamp,
                    "supervisor": self.supervisor,
                    "startedAt": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
                },
                indent=2,
            )
            + "\n"
        )
        self._supervisor_process = None
        self.supervisor = 0

    @classmethod
    def attach(cls) -> LocalCloud:
        """The detached cloud, if one runs."""
        try:
            state = json.loads(STATE.read_text())
        except FileNotFoundError:
            raise CloudError("no local cloud is running; start one with `make local-up`") from None
        cloud = cls(state["name"], scale=state["scale"], report=Report(quiet=True))
        cloud.endpoint = state["endpoint"]
        cloud.simulator = Simulator(state["simulator"])
        cloud.program = Path(state["program"])
        # An earlier build has not written these.
        cloud.built_template = Path(state.get("template", ""))
        cloud.stamp = state.get("stamp", "")
        cloud.supervisor = state["supervisor"]
        if not our_processes(cloud.supervisor, cloud.folder):
            STATE.unlink()
            raise CloudError("the local cloud is gone (the machine was restarted?); start one with `make local-up`")
        return cloud

    def stop_detached(self) -> None:
        """Stops a cloud that was attached to, waits until every process of it is gone, and forgets it."""
        if self.supervisor in our_processes(self.supervisor, self.folder):
            os.kill(self.supervisor, signal.SIGTERM)
        deadline = time.monotonic() + 15
        while self.supervisor in our_processes(self.supervisor, self.folder) and time.monotonic() < deadline:
            time.sleep(0.05)
        sweep(self.supervisor, self.folder)
        self.supervisor = 0
        STATE.unlink(missing_ok=True)

    # Using it

    def client(self, service: str, region: str = layout.SOURCE_REGION, caller: Caller | None = None) -> Any:
        """A boto3 client of a service here: RDS and KMS of the simulator, all others of MiniStack.

        With a caller it signs as that function, else as the operator. Clients are slow to make, so they are kept.
        """
        access_key = caller.access_key if caller else layout.OPERATOR_KEY
        known = (service, region, access_key)
        if known not in self._clients:
            self._clients[known] = self._new_client(service, region, caller)
        return self._clients[known]

    def _new_client(self, service: str, region: str, caller: Caller | None) -> Any:
        return self._session.client(
            service,
            region_name=region,
            endpoint_url=self.simulator.url if service in ("rds", "kms") else self.endpoint,
            aws_access_key_id=caller.access_key if caller else layout.OPERATOR_KEY,
            aws_secret_access_key=caller.secret_key if caller else layout.OPERATOR_SECRET,
            aws_session_token=caller.session_token if caller else None,
            config=Config(retries={"max_attempts": 0}, read_timeout=60, max_pool_connections=50),
        )

    def runs(self, stack: str = layout.STACK, region: str = layout.SOURCE_REGION) -> Runs:
        """The state machines of a stack."""
        if stack not in self._runs:
            self._runs[stack] = Runs(self.client("stepfunctions", region), stack, region)
        return self._runs[stack]

    def caller(self, function: str, stack: str = layout.STACK) -> Caller:
        """The deployed identity of a function, by its name (`start-copy`)."""
        return self.callers[f"{stack}/{layout.FUNCTIONS[function]}"]

    def stop_all_runs(self) -> None:
        """Stops whatever runs in any stack that was asked about."""
        for runs in self._runs.values():
            runs.stop_all()

    def set_scale(self, scale: float) -> None:
        """Changes how many times faster copies, waits and retries are, while running."""
        self.simulator.set_time_scale(scale)
        self.set_wait_scale(scale)

    def set_wait_scale(self, scale: float) -> None:
        """Changes that for the waits and retries of the state machines only."""
        self.configure("stepfunctions._SFN_WAIT_SCALE", 1 / scale)

    def configure(self, setting: str, value: Any) -> None:
        """Changes a setting of MiniStack while it runs."""
        assert self._ministack("config", {setting: value})["applied"]

    def forget_executions(self) -> None:
        """From now on it is as if no execution that has ended had ever been."""
        self._ministack("forget-executions", {})

    def write_strings_to_buckets(self, *, as_json: bool) -> None:
        """Whether the S3 integration of Step Functions writes a string as JSON, or as it is: AWS may do either."""
        self._ministack("strings-in-buckets", {"asJson": as_json})

    def _ministack(self, what: str, given: Any) -> Any:
        body = json.dumps(given).encode()
        request = urllib.request.Request(f"{self.endpoint}/_ministack/{what}", data=body, method="POST")
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    def function_processes(self, function: str, stack: str = layout.STACK) -> list[int]:
        """The processes that run a function now, busy or idle."""
        wanted = f"AWS_LAMBDA_FUNCTION_NAME={self.caller(function, stack).function}".encode()
        return [pid for pid in our_processes(self.supervisor, self.folder) if wanted in _environment(pid)]

    def kill_function(self, function: str, stack: str = layout.STACK) -> int:
        """Kills every process of a function, as a crash would. Returns how many there were."""
        processes = self.function_processes(function, stack)
        for pid in processes:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return len(processes)

    def cut_off(self, run: str, function: str) -> None:
        """Ends a run while one of its functions waits for a reply, and that function with it, as a power cut would.

        On AWS a stopped execution does nothing more. MiniStack goes on with the retries of the step that it is in, so
        those are put off for ever.
        """
        runs = self.runs()
        children = runs.all_children(run)
        runs.stop(run)
        self.set_wait_scale(1e-6)
        try:
            failures = sum(runs.failed_tasks(child.arn) for child in children)
            if not self.kill_function(function):
                raise CloudError(f"there is no process of {function} to kill")
            deadline = time.monotonic() + 20
            while sum(runs.failed_tasks(child.arn) for child in children) == failures:
                if time.monotonic() > deadline:
                    raise CloudError(f"MiniStack did not notice within 20 s that {function} is dead")
                time.sleep(0.02)
        finally:
            self.set_wait_scale(self.scale)

    def exports(self) -> dict[str, str]:
        """The environment that lets the `aws` CLI talk to this cloud."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ENDPOINT_URL_RDS": self.simulator.url,
            # The AWS CLI calls DocumentDB and Neptune as services of their own, with the API of RDS.
            "AWS_ENDPOINT_URL_DOCDB": self.simulator.url,
            "AWS_ENDPOINT_URL_NEPTUNE": self.simulator.url,
            "AWS_ENDPOINT_URL_KMS": self.simulator.url,
            "AWS_REGION": layout.SOURCE_REGION,
            "AWS_DEFAULT_REGION": layout.SOURCE_REGION,
            "AWS_ACCESS_KEY_ID": layout.OPERATOR_KEY,
            "AWS_SECRET_ACCESS_KEY": layout.OPERATOR_SECRET,
        }


STATE = layout.WORKSPACE / "detached.json"
FOLDER_VARIABLE = "LOCAL_CLOUD_FOLDER"
"""In the environment of every process of a local cloud, so that none is mistaken for another after a restart."""


def template_parameters(overrides: dict[str, str] | None = None) -> dict[str, str]:
    """The parameters that the local stack is deployed with."""
    return {
        "OwnerId": layout.OWNER_ID,
        "DestinationRegion": layout.DESTINATION_REGION,
        "DestinationKmsKey": layout.KEY_ARN,
        "EventSource": layout.EVENT_SOURCE,
        # Nothing shall start on its own in the middle of a test, as it would at five in the morning.
        "ScheduleExpression": "rate(3650 days)",
        **(overrides or {}),
    }


def _environment(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return []


def our_processes(group: int, folder: Path) -> list[int]:
    """The running processes of a local cloud: of that process group, and started for that folder."""
    mark = f"{FOLDER_VARIABLE}={folder}".encode()
    return [pid for pid in group_members(group) if mark in _environment(pid)]


def sweep(group: int, folder: Path) -> None:
    """Kills whatever is left of a local cloud whose supervisor is gone."""
    while left := our_processes(group, folder):
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.01)
