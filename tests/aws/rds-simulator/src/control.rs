//! The control API: what tests and the demo do to the simulator beside calling RDS.

use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::authorization::CallerTable;
use crate::faults::{Calls, Fault};
use crate::lifecycle::{DatabaseChange, NewSnapshot, Restore};
use crate::model::KEY_STATES;
use crate::scenario::{RestoreFate, Scenario, ScenarioError};
use crate::simulator::Simulator;

/// Where the control API begins.
pub(crate) const PREFIX: &str = "/_control/";

/// Answers one call of the control API: an HTTP status and JSON. `path` is what follows `/_control/`.
pub fn control(simulator: &mut Simulator, now: Timestamp, method: &str, path: &str, body: &[u8]) -> (u16, Value) {
    match perform(simulator, now, method, path, body) {
        Ok(value) => (200, value),
        Err((status, error)) => (status, json!({ "error": error })),
    }
}

type Failure = (u16, String);

fn perform(simulator: &mut Simulator, now: Timestamp, method: &str, path: &str, body: &[u8]) -> Result<Value, Failure> {
    match (method, path) {
        ("POST", "seed") => {
            let scenario: Scenario = parse(body)?;
            simulator
                .seed(now, &scenario)
                .map_err(|error| refuse(error.to_string()))?;
        }
        ("POST", "add") => {
            let scenario: Scenario = parse(body)?;
            simulator
                .add(now, &scenario)
                .map_err(|error| refuse(error.to_string()))?;
        }
        ("POST", "expire") => {
            let snapshot: Expire = parse(body)?;
            if !simulator.expire(now, &snapshot.arn) {
                return Err((404, format!("there is no snapshot {}", snapshot.arn)));
            }
        }
        ("POST", "key-state") => {
            let key: KeyChange = parse(body)?;
            simulator
                .set_key_state(now, &key.region, &key.key, &key.state)
                .map_err(|error| (if KEY_STATES.contains(&&*key.state) { 404 } else { 400 }, error))?;
        }
        ("POST", "delete-key") => {
            let key: KeyDeletion = parse(body)?;
            simulator
                .delete_key(now, &key.region, &key.key)
                .map_err(|error| (404, error))?;
        }
        ("POST", "delete-option-group") => {
            let group: InRegion = parse(body)?;
            if !simulator.delete_option_group(now, &group.region, &group.name) {
                return Err((
                    404,
                    format!("there is no option group {} in {}", group.name, group.region),
                ));
            }
        }
        ("POST", "drop-database") => {
            let database: InRegion = parse(body)?;
            if !simulator.drop_database(now, &database.region, &database.name) {
                return Err((
                    404,
                    format!("there is no database {} in {}", database.name, database.region),
                ));
            }
        }
        ("POST", "restore" | "create-snapshot" | "delete-snapshot" | "rename" | "switchover" | "change-database") => {
            return live(simulator, now, path, body);
        }
        ("POST", "restore-fate") => {
            let order: RestoreOrder = parse(body)?;
            simulator.add_restore_fate(&order.region, order.fate);
        }
        ("GET", "state") => return show(&simulator.state(now)),
        ("GET", "counters") => return show(&simulator.counters(now)),
        ("GET", "writes") => return show(&simulator.writes()),
        ("POST", "faults") => {
            let fault: Fault = parse(body)?;
            simulator.add_fault(fault);
        }
        ("GET", "faults") => return show(&simulator.faults()),
        ("DELETE", "faults") => simulator.clear_faults(),
        ("POST", "holds") => {
            let Strict(calls) = parse(body)?;
            return Ok(json!({ "hold": simulator.hold(calls) }));
        }
        ("GET", "holds") => return show(&simulator.holds()),
        ("DELETE", path) if path.starts_with("holds/") => {
            let released = path["holds/".len()..].parse().is_ok_and(|hold| simulator.release(hold));
            if !released {
                return Err((404, format!("there is no hold {}", &path["holds/".len()..])));
            }
        }
        ("PUT", "callers") => {
            let table: CallerTable = parse(body)?;
            simulator.set_callers(&table).map_err(refuse)?;
        }
        ("DELETE", "callers") => simulator.clear_callers(),
        ("PUT", "time-scale") => {
            let scale: Scale = parse(body)?;
            simulator.set_time_scale(now, scale.scale).map_err(refuse)?;
        }
        _ => return Err((404, format!("the control API has no {method} {PREFIX}{path}"))),
    }
    Ok(json!({ "ok": true }))
}

/// What happens to databases and their snapshots.
fn live(simulator: &mut Simulator, now: Timestamp, path: &str, body: &[u8]) -> Result<Value, Failure> {
    match path {
        "restore" => {
            let restore: Restore = parse(body)?;
            simulator
                .restore(now, &restore)
                .map_err(|error| scenario_refused(&error))?;
        }
        "create-snapshot" => {
            let snapshot: NewSnapshot = parse(body)?;
            let arn = simulator
                .take_snapshot(now, &snapshot)
                .map_err(|error| scenario_refused(&error))?;
            return Ok(json!({ "arn": arn }));
        }
        "delete-snapshot" => {
            let snapshot: InRegion = parse(body)?;
            if !simulator.remove(now, &snapshot.region, &snapshot.name) {
                return Err((
                    404,
                    format!("there is no snapshot {} in {}", snapshot.name, snapshot.region),
                ));
            }
        }
        "rename" => {
            let rename: Rename = parse(body)?;
            simulator
                .rename_database(now, &rename.region, &rename.name, &rename.to)
                .map_err(|error| scenario_refused(&error))?;
        }
        "switchover" => {
            let switch: Switchover = parse(body)?;
            simulator
                .switch_over(now, &switch.region, &switch.blue, &switch.green)
                .map_err(|error| scenario_refused(&error))?;
        }
        _ => {
            let change: DatabaseChange = parse(body)?;
            simulator
                .change_database(now, &change)
                .map_err(|error| scenario_refused(&error))?;
        }
    }
    Ok(json!({ "ok": true }))
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Expire {
    arn: String,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyChange {
    region: String,
    key: String,
    state: String,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyDeletion {
    region: String,
    key: String,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct InRegion {
    region: String,
    name: String,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct RestoreOrder {
    region: String,
    fate: RestoreFate,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Rename {
    region: String,
    name: String,
    to: String,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Switchover {
    region: String,
    blue: String,
    green: String,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Scale {
    scale: f64,
}

/// [`Calls`] that stand alone, without a field that is not theirs.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Strict(#[serde(deserialize_with = "only_calls")] Calls);

fn only_calls<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Calls, D::Error> {
    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Only {
        #[serde(flatten)]
        calls: Calls,
    }
    <Only as serde::Deserialize>::deserialize(deserializer).map(|only| only.calls)
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Failure> {
    let mut json = serde_json::Deserializer::from_slice(body);
    serde_path_to_error::deserialize(&mut json).map_err(|error| refuse(error.to_string()))
}

fn scenario_refused(error: &ScenarioError) -> Failure {
    refuse(error.to_string())
}

fn refuse(reason: String) -> Failure {
    (400, reason)
}

fn show(value: &(impl Serialize + ?Sized)) -> Result<Value, Failure> {
    serde_json::to_value(value).map_err(|error| (500, error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(simulator: &mut Simulator, method: &str, path: &str, body: &Value) -> (u16, Value) {
        control(
            simulator,
            Timestamp::UNIX_EPOCH,
            method,
            path,
            body.to_string().as_bytes(),
        )
    }

    #[test]
    fn a_wrong_scenario_is_refused_with_the_place_and_changes_nothing() {
        let mut simulator = Simulator::new(Timestamp::UNIX_EPOCH);
        let good = json!({ "regions": { "eu-west-1": { "instances": [{ "id": "orders" }] } } });
        assert_eq!(call(&mut simulator, "POST", "seed", &good).0, 200);
        for (bad, says) in [
            (
                json!({ "regions": { "eu-west-1": { "instances": [{ "id": "a", "colour": 1 }] } } }),
                "regions.eu-west-1.instances[0]",
            ),
            (
                json!({ "regions": { "eu-west-1": { "instances": [{ "id": "a--b" }] } } }),
                "consecutive hyphens",
            ),
            (
                json!({ "regions": { "eu-west-1": { "instances": [{ "id": "a", "kmsKey": "x" }] } } }),
                "kmsKey x is not in kmsKeys",
            ),
            (
                json!({ "regions": { "eu-west-1": { "snapshots": [{ "id": "a" }] } } }),
                "kind is missing",
            ),
            (json!({ "account": "12" }), "twelve digits"),
        ] {
            let (status, reply) = call(&mut simulator, "POST", "seed", &bad);
            assert_eq!(status, 400);
            assert!(reply["error"].as_str().unwrap().contains(says), "{reply}");
        }
        let (_, state) = call(&mut simulator, "GET", "state", &Value::Null);
        assert_eq!(state["regions"]["eu-west-1"]["databases"][0]["id"], "orders");
    }

    #[test]
    fn holds_are_made_listed_and_released() {
        let mut simulator = Simulator::new(Timestamp::UNIX_EPOCH);
        let (_, made) = call(
            &mut simulator,
            "POST",
            "holds",
            &json!({ "operation": "AddTagsToResource" }),
        );
        assert_eq!(made, json!({ "hold": 1 }));
        assert_eq!(
            call(&mut simulator, "POST", "holds", &json!({ "operatio": "x" })).0,
            400
        );
        let (_, list) = call(&mut simulator, "GET", "holds", &Value::Null);
        assert_eq!(
            list,
            json!([{ "hold": 1, "operation": "AddTagsToResource", "waiting": 0, "caught": 0 }])
        );
        assert_eq!(call(&mut simulator, "DELETE", "holds/1", &Value::Null).0, 200);
        assert_eq!(call(&mut simulator, "DELETE", "holds/1", &Value::Null).0, 404);
    }

    #[test]
    fn keys_and_option_groups_are_changed_and_removed() {
        let mut simulator = Simulator::new(Timestamp::UNIX_EPOCH);
        let scenario = json!({ "regions": { "eu-west-1": {
            "kmsKeys": [{ "id": "1", "aliases": ["alias/a"] }],
            "optionGroups": [{ "name": "tz", "engine": "oracle-ee", "options": [{ "name": "Timezone", "permanent": true }] }]
        } } });
        assert_eq!(call(&mut simulator, "POST", "seed", &scenario).0, 200);
        let region =
            |simulator: &mut Simulator| call(simulator, "GET", "state", &Value::Null).1["regions"]["eu-west-1"].clone();
        assert_eq!(
            region(&mut simulator)["optionGroups"],
            json!([{ "name": "tz", "engine": "oracle-ee", "majorEngineVersion": "19",
                     "options": [{ "name": "Timezone", "permanent": true, "persistent": true }] }])
        );
        let disable = json!({ "region": "eu-west-1", "key": "alias/a", "state": "Disabled" });
        assert_eq!(call(&mut simulator, "POST", "key-state", &disable).0, 200);
        let key = &region(&mut simulator)["kmsKeys"][1];
        assert_eq!((&key["state"], &key["enabled"]), (&json!("Disabled"), &json!(false)));
        let key = json!({ "region": "eu-west-1", "key": "1" });
        let group = json!({ "region": "eu-west-1", "name": "tz" });
        for status in [200, 404] {
            assert_eq!(call(&mut simulator, "POST", "delete-key", &key).0, status);
            assert_eq!(call(&mut simulator, "POST", "delete-option-group", &group).0, status);
        }
        let left = region(&mut simulator);
        assert_eq!(
            (left["kmsKeys"].as_array().unwrap().len(), &left["optionGroups"]),
            (1, &json!([]))
        );
    }

    #[test]
    fn a_database_goes_with_its_members_and_its_automated_snapshots() {
        let scenario = json!({ "regions": { "eu-west-1": { "clusters": [
            { "id": "billing", "members": 2, "snapshots": [{ "ageHours": 3 }, { "id": "kept", "type": "manual", "ageHours": 4 }] },
        ], "instances": [{ "id": "orders" }] } } });
        let mut simulator = Simulator::new(Timestamp::UNIX_EPOCH);
        assert_eq!(call(&mut simulator, "POST", "seed", &scenario).0, 200);
        let billing = json!({ "region": "eu-west-1", "name": "billing" });
        for status in [200, 404] {
            assert_eq!(call(&mut simulator, "POST", "drop-database", &billing).0, status);
        }
        let region = call(&mut simulator, "GET", "state", &Value::Null).1["regions"]["eu-west-1"].clone();
        assert_eq!(region["databases"].as_array().unwrap().len(), 1, "{region}");
        let left = region["snapshots"].as_array().unwrap();
        assert_eq!((left.len(), &left[0]["id"]), (1, &json!("kept")));
    }

    #[test]
    fn what_does_not_exist_is_said_so() {
        let mut simulator = Simulator::new(Timestamp::UNIX_EPOCH);
        let state = json!({ "region": "eu-west-1", "key": "1", "state": "Enabled" });
        assert_eq!(call(&mut simulator, "POST", "key-state", &state).0, 404);
        let lost = json!({ "region": "eu-west-1", "key": "alias/aws/rds", "state": "Lost" });
        assert_eq!(call(&mut simulator, "POST", "key-state", &lost).0, 400);
        assert_eq!(call(&mut simulator, "GET", "nothing", &Value::Null).0, 404);
        assert_eq!(call(&mut simulator, "POST", "expire", &json!({ "arn": "x" })).0, 404);
        assert_eq!(call(&mut simulator, "PUT", "time-scale", &json!({ "scale": 0 })).0, 400);
    }
}
