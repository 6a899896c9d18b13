"""A recording against the simulator of RDS alone: the same questions, to the same kind of world."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

from accept.account import HOURS, AcceptError, Account, Run, utc_now, written
from accept.asking import ask_all
from accept.life import World, await_databases, make_cluster, make_instance
from accept.recording import Answer, Scrubber, differences, read
from local_cloud import layout
from local_cloud.supervisor import die_with_parent


def replay(file: Path, simulator: Path, say: Callable[[str], None]) -> int:
    """Says of each recorded answer whether the simulator agrees. Returns 2 if it differs somewhere."""
    aurora, recorded = read(file)
    with ExitStack() as stack:
        replayed = ask_simulator(simulator, aurora, stack)
    differ = 0
    for answer in recorded:
        again = replayed.get(answer.id)
        if again is None:
            say(f"{answer.id:<6} DIFFERS: the kit does not know this question any more")
            differ += 1
            continue
        if answer.not_asked and again.not_asked:
            say(f"{answer.id:<6} not asked in either")
            continue
        if again.not_asked.startswith("is about more than RDS"):
            say(f"{answer.id:<6} not replayed: it is about more than RDS")
            continue
        found = list(differences(answer, again))
        differ += bool(found)
        for line in found or ["same"]:
            say(f"{answer.id:<6} {'DIFFERS: ' if found else ''}{line}")
    say(f"{differ} of {len(recorded)} differ" if differ else "no difference")
    return 2 if differ else 0


def ask_simulator(simulator: Path, aurora: bool, stack: ExitStack) -> dict[str, Answer]:
    """What the simulator says to every question about RDS."""
    from accept.local import LocalAccount

    if not simulator.exists():
        raise AcceptError(f"there is no {simulator}: `cargo build -p rds-simulator` makes it")
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="snapferry-replay-")))
    process = stack.enter_context(
        subprocess.Popen(
            [str(simulator)],
            stdout=subprocess.PIPE,
            text=True,
            cwd=folder,
            preexec_fn=die_with_parent,
        )
    )
    stack.callback(process.kill)
    assert process.stdout is not None
    url = json.loads(process.stdout.readline())["listening"]
    layout.forget_real_account()
    os.environ["AWS_ENDPOINT_URL"] = url
    place = LocalAccount(url)
    place.simulator.seed({"account": layout.ACCOUNT, "regions": {}})
    account = Account(layout.SOURCE_REGION, layout.DESTINATION_REGION, place, id=layout.ACCOUNT)
    run = Run("5ca1ab1e", written(utc_now() + timedelta(hours=HOURS)), *account.regions)
    world = World(account, run, "alias/aws/rds", lambda _: None, aurora)
    make_instance(world)
    world.memo["while-creating"] = world.rds.describe_db_instances(DBInstanceIdentifier=world.instance)["DBInstances"][
        0
    ]
    world.memo["subnet-group"] = world.name("drills")
    world.rds_there.create_db_subnet_group(
        DBSubnetGroupName=world.memo["subnet-group"],
        DBSubnetGroupDescription="Of a replay.",
        SubnetIds=["subnet-1", "subnet-2"],
        Tags=run.tags(),
    )
    if aurora:
        make_cluster(world)
    await_databases(world)
    scrubber = Scrubber(account, run)
    scrubber.known.insert(0, (world.key, "<kms-key>"))
    answers: dict[str, Answer] = {}
    ask_all(world, scrubber, False, lambda answer: answers.update({answer.id: answer}))
    return answers
