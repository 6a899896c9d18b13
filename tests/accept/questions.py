"""Every question that nobody could answer without an account, with its id. This list is their one home.

`F` are those that AWS's documents leave open, `J` those about restores, `B` those of the reviews, `S` the guesses of
the simulator of RDS: `lib.rs` ("What is a guess") and `authorization.rs` of `tests/aws/rds-simulator/src` name them,
`C` those of the local cloud. An id is never given again to another question.
"""

from __future__ import annotations

from dataclasses import dataclass

ROLE = "needs a role with fewer rights than yours, and this kit makes none"
FULL_SLOTS = "needs more copies at work at once than this kit makes"
OTHER_ACCOUNT = "needs a second account"
DOCUMENTDB = "needs a DocumentDB cluster, which this kit does not make"
RELEASED = "the mark would be lost: what is made without tags could not be told apart from yours"


@dataclass(frozen=True)
class Question:
    """One of them."""

    id: str
    text: str
    needs_aurora: bool = False
    needs_cloud: bool = False
    """It is about more than RDS, so that the simulator of RDS alone cannot be asked."""
    never: str = ""
    """Why the kit does not ask it."""
    same_as: str = ""
    """The question whose answer is its answer too."""


QUESTIONS = [
    Question(
        "F1", "May a copy of an sse-rds cluster snapshot to another region add a key, and must it?", needs_aurora=True
    ),
    Question("F2", "How is the copy refused that is one more than the 20 or 5 at work?", never=FULL_SLOTS),
    Question("F3", "Does a copy of a DocumentDB cluster snapshot need a pre-signed URL?", never=DOCUMENTDB),
    Question("F4", "Which KMS actions does a copy need at least, and through which service and region?", never=ROLE),
    Question("F5", "Which tags has a copy that is made with both CopyTags and Tags?"),
    Question("F6", "Which events does the destination region have of a copy of an instance snapshot?"),
    Question("F7", "Which events does RDS have of automated and manual cluster snapshots?", needs_aurora=True),
    Question("F8", "Which resource id and creation time has a copy of a cluster snapshot?", needs_aurora=True),
    Question(
        "F9",
        "Can snapshots of Limitless and Express clusters be copied?",
        never="needs such a cluster, which this kit does not make",
    ),
    Question("F10", "How is CopyOptionGroup answered within one account?"),
    Question("F11", "Do copies of instances and of clusters share their slots?", never=FULL_SLOTS),
    Question("F12", "Does Step Functions accept ToleratedFailurePercentage in an inline Map?", needs_cloud=True),
    Question("J1", "Can an instance be deleted while it is creating?"),
    Question("J2", "Do the tags of a restore replace the inherited ones?"),
    Question("J3", "Does a restore with BackupRetentionPeriod 0 skip the first backup?"),
    Question(
        "J4", "Does DeleteDBCluster without a final snapshot ask for the right on a cluster snapshot?", never=ROLE
    ),
    Question("J5", "Which KMS actions does a restore need at least?", never=ROLE),
    Question("J6", "What happens to a restore whose snapshot is deleted?"),
    Question("J7", "Which events does the destination region have of a copy of a cluster snapshot?", needs_aurora=True),
    Question("J8", "Can a copy of an sse-rds cluster snapshot be shared?", never=OTHER_ACCOUNT),
    Question("J9", "Do copies within one region take a slot?", never=FULL_SLOTS),
    Question("J10", "Is one call enough to copy a DocumentDB cluster snapshot?", never=DOCUMENTDB),
    Question("J11", "Which lines does the engine log when it has started?"),
    Question("J12", "Does Object Lock work with exports of snapshots?", never="Snapferry exports nothing"),
    Question("J13", "What does AWS ask for the smallest instance per hour?", needs_cloud=True),
    Question("B2", "How long after its event is an automated snapshot available?"),
    Question("B3", "Does DescribeDBClusterSnapshots filter by DbClusterResourceId?", needs_aurora=True),
    Question("B4", "Can a snapshot with 50 tags be copied with its tags, with two more, and tagged once more?"),
    Question("B5", "How are the 21st and the 6th copy refused?", same_as="F2"),
    Question("B6", "Is a DocumentDB snapshot copied with the URL?", same_as="F3"),
    Question("B7", "Is an sse-rds snapshot copied with a key, and without?", same_as="F1"),
    Question("B8", "Which tags has a copy right after the call?"),
    Question("B9", "Do the session tokens of functions work in an opt-in destination region?", needs_cloud=True),
    Question("B10", "Is a stack deployed at the first attempt, its roles being new?", needs_cloud=True),
    Question("B11", "Do Rules of CloudFormation know pseudo parameters?", needs_cloud=True),
    Question("S1", "Does an sse-rds cluster snapshot need a key to be copied?", same_as="F1"),
    Question("S2", "Do copies of docdb snapshots need a pre-signed URL?", same_as="F3"),
    Question("S3", "How is a copy of a snapshot refused that is not available yet?"),
    Question("S4", "How is an option group of another engine refused for a copy?"),
    Question("S5", "How is a source in another partition refused?"),
    Question("S6", "How is a copy refused whose source is not there, and one whose name is taken?"),
    Question("S7", "How is a key refused that is not there?"),
    Question(
        "S8",
        "Needs SQL Server an option group for transparent encryption?",
        never="needs SQL Server, which this kit does not make",
    ),
    Question(
        "S9",
        "How is a key of another usage refused?",
        never="keys can only be deleted after seven days, so this kit makes none",
    ),
    Question("S10", "How does a shared snapshot look, and can it be copied to another region?", never=OTHER_ACCOUNT),
    Question("S11", "Does KMS say that there is no such key to somebody who may not know?", never=ROLE),
    Question(
        "S12",
        "In which regions is a global cluster listed?",
        never="needs a global database, which this kit does not make",
    ),
    Question("S13", "Does DescribeOptionGroups list default groups, and know them by name?"),
    Question("S14", "What does a class that is not on offer give?"),
    Question("S15", "Is an automated snapshot found by its name, without its type, and by its ARN?"),
    Question("S16", "Which status has a copy of an instance snapshot in the reply to the call?"),
    Question("S17", "Which status has a copy of a cluster snapshot in the reply to the call?", needs_aurora=True),
    Question("S18", "Does a copy have the resource id of its database?"),
    Question("S19", "Which statuses does a restored instance go through, and for how long?"),
    Question("S20", "Has a new instance an endpoint before it is available?"),
    Question("S21", "Is a call for automated backups that are not there refused?"),
    Question("S22", "Of what type is an rds-final snapshot?", never="needs an upgrade that fails"),
    Question("S23", "Which tags does a restored database inherit?", never=RELEASED),
    Question("S24", "How is the deletion of a protected instance refused?"),
    Question("S25", "How is the deletion of a cluster with members refused?", needs_aurora=True),
    Question(
        "S26",
        "How is a restore of a version refused that is not on offer?",
        never="needs a snapshot of a version that AWS has withdrawn",
    ),
    Question("S27", "How is a restore to magnetic storage refused?"),
    Question(
        "S28",
        "Do databases that are being deleted count against the quotas?",
        never="needs an account whose quota is used up",
    ),
    Question(
        "S29",
        "Is a database public when nothing is said of it?",
        never="a database that anybody can reach must not be made",
    ),
    Question("S30", "Which events does RDS have of an instance that is made?"),
    Question(
        "S31",
        "What does AWS bill for an Aurora cluster in each status?",
        never="the bill is known the day after: see Cost Explorer, by the tag of the run",
    ),
    Question("S32", "Does DescribeDBSubnetGroups know a default group by name?"),
    Question("S33", "Does DescribeDBParameterGroups know a default group by name?"),
    Question("S34", "Is the name of a snapshot taken while it is being deleted?"),
    Question("S35", "Which check of a copy comes first?"),
    Question("S36", "What does a copy ask of its caller, on both snapshots and both keys?", never=ROLE),
    Question("S37", "Is an empty or a wrong Marker refused?"),
    Question(
        "S38",
        "Do copies that are under way when their key goes end well?",
        never="keys can only be deleted after seven days, so this kit makes none",
    ),
    Question(
        "S39",
        "How is a key for an unencrypted cluster snapshot refused?",
        never="new Aurora clusters are always encrypted",
    ),
    Question(
        "S40",
        "How are Multi-AZ DB clusters and RDS Custom for Oracle refused?",
        never="needs such a database, which this kit does not make",
    ),
    Question(
        "S41",
        "How is an option group without the permanent options refused?",
        never="needs Oracle, which this kit does not make",
    ),
    Question("S42", "Does a member of a cluster need SkipFinalSnapshot to be deleted?", needs_aurora=True),
    Question(
        "S43",
        "How is the deletion of a stopped cluster refused?",
        never="this kit stops no clusters: AWS may take an hour for it",
    ),
    Question("S44", "On which resource does a describe call without a name need its action?", never=ROLE),
    Question("S45", "Is the first automated snapshot there when a new instance is available?"),
    Question("S46", "How is a new instance refused without a password, and without storage?"),
    Question("S47", "Is a new Aurora cluster without a key of type sse-rds?", same_as="F1"),
    Question(
        "S48",
        "How are two subnets in one zone, or one subnet, refused for a subnet group?",
        never="an account may have no such subnets",
    ),
    Question("C1", "Does the S3 integration of Step Functions write a string as it is, or as JSON?", needs_cloud=True),
]

BY_ID = {question.id: question for question in QUESTIONS}
