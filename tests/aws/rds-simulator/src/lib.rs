//! Amazon RDS, simulated: snapshots of instances and clusters, and their copies across the regions of one account.
//!
//! It speaks the Query protocol, so that any AWS SDK and the `aws` command talk to it unchanged. No free emulator has
//! copies that take time, copy slots and faults, and none judges a call by the tags in the caller's policies. What AWS
//! KMS has to say of the keys of those copies comes from the same account and the same address.
//!
//! # The shape
//! - [`Simulator`] is a state machine without I/O: [`Simulator::handle`] takes the time and a [`Request`], and gives
//!   an [`Answer`]. It owns everything: regions, databases, snapshots, copies at work, callers, faults, holds,
//!   counters.
//! - [`server`] puts it behind HTTP on loopback; the binary is `rds-simulator` (`--help` has examples).
//! - The crate `rds-simulator-sdk` puts it behind `aws_sdk_rds::Client` and `aws_sdk_kms::Client`, in process and in virtual
//!   time.
//! - [`scenario`] is what it is seeded with.
//!
//! # What it can do
//! `DescribeDBInstances`, `DescribeDBClusters`, `DescribeDBSnapshots`, `DescribeDBClusterSnapshots`,
//! `CopyDBSnapshot`, `CopyDBClusterSnapshot`, `CreateDBSnapshot`, `CreateDBClusterSnapshot`, `DeleteDBSnapshot`,
//! `DeleteDBClusterSnapshot`, `RestoreDBInstanceFromDBSnapshot`, `RestoreDBClusterFromSnapshot`, `CreateDBInstance` (of
//! members of clusters), `ModifyDBInstance`, `ModifyDBCluster`, `DeleteDBInstance`, `DeleteDBCluster`,
//! `DescribeDBInstanceAutomatedBackups`, `DescribeDBClusterAutomatedBackups`, `DescribeDBSubnetGroups`,
//! `DescribeDBParameterGroups`, `DescribeDBClusterParameterGroups`, `DescribeEvents`, `AddTagsToResource`,
//! `RemoveTagsFromResource`, `ListTagsForResource`, `DescribeAccountAttributes`, `DescribeOptionGroups`,
//! `DescribeGlobalClusters`, `DescribeOrderableDBInstanceOptions`; and of KMS, which is what a call with the header `X-Amz-Target` is for, `DescribeKey`. The region of a call is that of its
//! signature; the signature itself is not verified. A parameter that the operation does not have is refused
//! (`UnknownParameter`), where AWS would overlook it.
//!
//! # The control API
//! JSON under `/_control/`; an error is `{"error": "…"}` with status 400 or 404.
//!
//! | Call | What it does |
//! | --- | --- |
//! | `POST seed` | replaces everything by a scenario; callers and time scale stay unless it has its own |
//! | `POST add` | adds what a scenario holds: a new day's snapshots, a database, a key |
//! | `POST expire {"arn"}` | removes a snapshot as the end of its retention does |
//! | `POST key-state {"region", "key", "state"}` | disables a key (`Disabled`), enables it (`Enabled`), and so on |
//! | `POST delete-key {"region", "key"}` | removes a key and its aliases, as at the end of its waiting period |
//! | `POST drop-database {"region", "name"}` | deletes a database, its members and its automated snapshots |
//! | `POST restore {"region", "snapshot", "database", "tags"}` | restores a database from a snapshot ([`Restore`]) |
//! | `POST restore-fate {"region", "fate"}` | says how the restores to come end ([`scenario::RestoreFate`]) |
//! | `POST create-snapshot {"region", "database"}` | takes a snapshot as RDS or a person does, and gives its `arn` ([`NewSnapshot`]) |
//! | `POST delete-snapshot {"region", "name"}` | removes a snapshot at once, whatever it is |
//! | `POST rename {"region", "name", "to"}` | gives a database another identifier |
//! | `POST switchover {"region", "blue", "green"}` | renames `blue` to `blue-old1`, and `green` to `blue` |
//! | `POST change-database {"region", "name", "status"}` | stops a database, changes its tags, its backups or how long its deletion takes ([`DatabaseChange`]) |
//! | `POST delete-option-group {"region", "name"}` | removes an option group |
//! | `GET state` | everything that stands in the account ([`State`]) |
//! | `GET counters` | calls, refusals, copies in flight, slot use, bills of restored databases ([`Counters`]) |
//! | `GET writes` | the last ten thousand calls that were meant to change something ([`Write`]) |
//! | `POST faults`, `GET faults`, `DELETE faults` | orders one [`Fault`], lists them, ends all |
//! | `POST holds`, `GET holds`, `DELETE holds/N` | holds replies back ([`Calls`]), lists, releases |
//! | `PUT callers`, `DELETE callers` | sets the whole [`CallerTable`]; lets everybody do everything again |
//! | `PUT time-scale {"scale": 200}` | simulated seconds of copying in a second |
//!
//! A fault, every condition optional, `*` standing for any text:
//! ```json
//! { "operation": "CopyDBSnapshot", "region": "eu-central-1", "caller": "ASIA0123456789ABCDEF",
//!   "match": { "TargetDBSnapshotIdentifier": "acme-*" }, "skip": 1, "times": 2, "action": "throttle" }
//! ```
//! The action is one of `{"error": {"code": "…", "message": "…", "status": 400}}`, `"throttle"`, `{"status": 503}`,
//! `{"delaySeconds": 2.5}` and `"dropReply"`; with the last two the call has its effect. Of the errors about keys and of
//! restores (`KMSKeyNotAccessibleFault`, `InsufficientDBInstanceCapacity`; of KMS `NotFoundException`,
//! `DisabledException`, `KMSInvalidStateException`, `AccessDeniedException`, `DependencyTimeoutException`, `ThrottlingException` …) the code is enough. A describe call
//! for snapshots may also have `{"missing": "acme-*"}` or `{"twice": "acme-*"}`: it does not find snapshots of that name, or
//! lists them twice. `"share": 0.02` hits that share of the matching calls. A hold takes the same
//! conditions. A call to KMS is met by its operation and the members of its JSON (`"match": { "KeyId": "alias/*" }`).
//!
//! # Callers
//! Before a table is set, everybody may do everything. Then each access key may do what its policies allow, `null` in
//! the place of a caller means everything, and an access key that is not listed is refused, unless there is an entry
//! `*`:
//! ```json
//! { "ASIA0123456789ABCDEF": { "arn": "arn:aws:iam::123456789012:role/start-copy", "policies": [ { "Version": "2012-10-17",
//!     "Statement": [ { "Effect": "Allow", "Action": "rds:Describe*", "Resource": "*" } ] } ] },
//!   "operator": null }
//! ```
//! `{"*": null}` switches the judging off.
//!
//! # Time
//! Times are those of the machine (or of the test); only the work of copies and databases is scaled. A copy takes two
//! minutes and six seconds a GiB unless the scenario says otherwise, is `pending` behind another copy of the same instance,
//! `creating` below one percent, then `copying`. It tells no `SnapshotCreateTime` while it is `pending`.
//!
//! # What is a guess
//! AWS does not say, or nobody could try it. Each has the id of the question that `make accept` asks of AWS
//! (`tests/accept/questions.py`):
//! - A cluster snapshot of type `sse-rds` needs a key to be copied to another region, like an encrypted one; or it
//!   refuses one, like an unencrypted one, or takes one and ignores it ([`scenario::Settings::sse_rds_copies`]) (S1).
//! - Copies of `docdb` cluster snapshots need no pre-signed URL; or they do
//!   ([`scenario::Settings::docdb_needs_presigned_url`]). Encrypted ones between `GovCloud` regions do. A URL is good if it
//!   has the same source, target and key, the destination region, the source region in its scope, and time left: its
//!   signature is not verified (S2).
//! - The texts and codes for: a key for an unencrypted cluster snapshot (`InvalidParameterCombination`), a Multi-AZ
//!   DB cluster and RDS Custom for Oracle (`InvalidParameterValue`), a copy of a snapshot that is not available, the
//!   full copy slots ("Cannot copy more than 20 snapshots across regions"; the text with 5 was seen), an option group
//!   of another engine or major version, any option group for RDS Custom, `CopyOptionGroup` within the account (all
//!   `InvalidParameterCombination`), an option group without the permanent options (as no option group), a copy to
//!   another partition or between the regions of China (`InvalidParameterValue`)
//!   (S3, S4, S5, S6, S7, S39, S40, S41, F2, F10).
//! - Transparent encryption needs an option group in SQL Server too, where it is persistent but not permanent (S8).
//! - A key of another usage or spec is refused like a disabled one (`KMSKeyNotAccessibleFault`). Copies that are under
//!   way when their key or option group goes are finished (S9, S38).
//! - A shared snapshot is `manual`, is identified by its ARN in describe calls, and can be copied to another region (S10).
//! - KMS says that there is no such key before it looks whether the caller may know (S11).
//! - A global cluster is listed in every region of its partition, whether or not it has a cluster there (S12).
//! - `DescribeOptionGroups` tells the default groups that are in use, and any other when it is asked for by name (S13).
//! - What can be made in a region is the same for every engine and version but for the types of storage and for versions that
//!   a scenario excludes, and in the same zones. A class that is not on offer gives an empty list (S14).
//! - An automated snapshot that is described by name without its type is not found; by its ARN it is (S15).
//! - A copy from another region is `pending` in the reply to the call, of clusters too (S16, S17).
//! - `CopyTags` is ignored beside `Tags`; copies carry the resource id of their database ([`scenario::Settings`])
//!   (F5, S18).
//! - Instance and cluster copies have separate slots; only copies from another region take one, waiting ones too (F11).
//! - A restored instance is `creating` for 15 simulated minutes, and `backing-up` for five where it keeps backups; its storage
//!   initialises for half an hour more. A restored cluster has no instance, and a member is `creating` for ten minutes. A
//!   deletion takes two ([`scenario::DatabaseSettings`]) (S19).
//! - A new instance takes as long as a restored one, and its first automated snapshot is there when it is available; that of
//!   a new cluster likewise. A new Aurora cluster without a key is of type `sse-rds`. Which errors missing parameters give
//!   (S45, S46, S47).
//! - Whether a database can be deleted while it is `creating`; whether the deletion of a cluster asks for the right to its
//!   final snapshot; which rights on the key a restore needs; whether a call for automated backups that are not there is
//!   refused; the type of an `rds-final` snapshot; which tags a restored database inherits (all [`scenario::DatabaseSettings`])
//!   (J1, J4, J5, S21, S22, S23).
//! - A stopped cluster, and one with members, are refused as `InvalidDBClusterStateFault`; a protected database as
//!   `InvalidParameterCombination`. A member of a cluster needs `SkipFinalSnapshot` like any other instance
//!   (S24, S25, S42, S43).
//! - A restore of a version that is not on offer is refused as `InvalidParameterCombination`. Databases that are being deleted
//!   count against the quotas (S26, S28).
//! - Without `PubliclyAccessible` a database is public in the default VPC only. It reports no endpoint before it was ready
//!   (S20, S29).
//! - The texts and categories of events; the bill of an Aurora cluster is its storage, whatever its status (S30, S31).
//! - `DescribeDBSubnetGroups` tells the default group when a database is in it, or when it is asked for by name;
//!   `DescribeDBParameterGroups` any default one by name (S32, S33).
//! - A snapshot that is being deleted does not count against the quota, and its name is taken until it is gone (S34).
//! - A subnet group that a call makes has a zone for each of its subnets (S48). A wrong `Marker` is refused as
//!   `InvalidParameterValue` (S37). A restore to magnetic storage is refused as `StorageTypeNotSupported` (S27).
//! - The order in which a copy is checked: name, rights, source, target, keys, pre-signed URL, tags, options, quota,
//!   slots (S35).
//! - What a copy asks of its caller, above all of keys: see the module `authorization` (S36).
//!
//! Not simulated: sharing of own snapshots, Outposts, all of a key policy but that it locks a key, other keys of a
//! multi-Region key, copies into another account, the request limits of KMS; of restores the rules of security groups, and
//! snapshots of one kind that become databases of the other.

mod authorization;
mod billing;
mod control;
mod copying;
mod counters;
mod database_work;
mod details;
mod error;
mod events;
mod faults;
mod hash;
mod identifier;
mod life;
mod lifecycle;
mod model;
mod naming;
mod network;
mod operations;
mod option_groups;
mod request;
pub mod scenario;
mod seed;
pub mod server;
mod simulator;
mod view;
mod xml;

pub use authorization::{Caller, CallerTable};
pub use billing::Bill;
pub use control::control;
pub use counters::{CopyCounters, Counters, Refusals, Write};
pub use faults::{Action, Calls, Fault, Hold, InjectedError};
pub use lifecycle::{DatabaseChange, NewSnapshot, Restore};
pub use model::{Kind, PerKind, Tags};
pub use request::{Request, Service};
pub use scenario::{Scenario, ScenarioError};
pub use simulator::{Answer, Delivery, Response, Simulator};
pub use view::{DatabaseState, KeyState, OptionGroupState, RegionState, SnapshotState, State};
