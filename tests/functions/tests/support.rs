//! The table of docs/support.md, row by row: each database is made, a run copies it, and what comes out is compared.

mod chain;

use std::path::Path;

use domain::kind::DatabaseKind;
use domain::settings::Settings;
use fixtures::{DESTINATION, KEY, SOURCE, deployment_with, settings_with};
use rds_simulator_sdk::World;
use rds_simulator_sdk::scenario::{Database, OptionGroup, Scenario, SseRdsCopies};
use serde_json::json;

/// One row, for one of its engines and one of its encryptions.
struct Row<'a> {
    kind: &'a str,
    engine: &'a str,
    special: &'a str,
    encryption: &'a str,
    stack: &'a str,
    outcome: &'a str,
    copy: &'a str,
}

fn rows(table: &str) -> Vec<Row<'_>> {
    let mut rows = Vec::new();
    let lines = table.lines().skip_while(|line| !line.starts_with("| Kind |")).skip(2);
    for line in lines.take_while(|line| line.starts_with('|')) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [kind, engines, special, encryptions, stack, outcome, copy] = cells[..] else {
            panic!("seven columns: {line}");
        };
        for engine in engines.split(", ") {
            for encryption in encryptions.split(", ") {
                rows.push(Row {
                    kind,
                    engine,
                    special,
                    encryption,
                    stack,
                    outcome,
                    copy,
                });
            }
        }
    }
    rows
}

fn world(row: &Row<'_>) -> World {
    let mut database = Database::new("it")
        .engine(row.engine)
        .snapshots_aged([3.0])
        .copies_take(60.0);
    database = match row.encryption {
        "none" => Database {
            encrypted: Some(false),
            ..database
        },
        "sse-rds" => database.encrypted_by_service(),
        _ => database.encrypted_with("alias/aws/rds"),
    };
    let option = if row.engine.starts_with("sqlserver") {
        "TRANSPARENT_DATA_ENCRYPTION"
    } else {
        "Timezone"
    };
    let mut elsewhere = None;
    let mut settings = rds_simulator_sdk::scenario::Settings {
        docdb_needs_presigned_url: false,
        ..Default::default()
    };
    match row.special {
        "" => {}
        "permanent option" => database = database.option_group("its-options"),
        "RDS ignores the key" => settings.sse_rds_copies = SseRdsCopies::IgnoresKey,
        "RDS refuses a key" => settings.sse_rds_copies = SseRdsCopies::RefusesKey,
        "Serverless v1" => database.engine_mode = Some("serverless".to_owned()),
        "Limitless" => database.cluster_scalability_type = Some("limitless".to_owned()),
        "primary of a global database" => database = database.global_writer("world"),
        "secondary of a global database" => {
            database = database.global("world");
            elsewhere = Some(Database::new("first").engine(row.engine).global_writer("world"));
        }
        other => panic!("{other:?} cannot be made"),
    }
    let group = |name: &str| OptionGroup::new(name, row.engine).permanent(option);
    World::new(
        &Scenario::new()
            .settings(settings)
            .region(SOURCE, |region| {
                let region = match row.special {
                    "permanent option" => region.option_group(group("its-options")),
                    _ => region,
                };
                match row.kind {
                    "instance" => region.instance(database),
                    _ => region.cluster(database),
                }
            })
            .region(DESTINATION, |region| {
                let region = region.key(KEY, "alias/copies").option_group(group("for-copies"));
                elsewhere
                    .into_iter()
                    .fold(region, rds_simulator_sdk::scenario::Region::cluster)
            }),
    )
}

fn stack(row: &Row<'_>) -> Settings {
    match row.stack {
        "" => settings_with(&[]),
        "OptionGroups" => settings_with(&[("OPTION_GROUPS", "its-options=for-copies")]),
        "IncludeNeptune" => settings_with(&[("INCLUDE_NEPTUNE", "true")]),
        "IncludeDocumentDb" => settings_with(&[("INCLUDE_DOCUMENTDB", "true")]),
        other => panic!("{other:?} is not a setting of the table"),
    }
}

/// The outcome in the table's words, and how the copy is encrypted.
async fn outcome(row: &Row<'_>) -> (String, String) {
    let (world, settings) = (world(row), stack(row));
    let run = chain::run(&world, &settings, json!({})).await.expect("a run");
    let deployment = deployment_with(&world, "tests", settings.clone());
    let keys = list_targets::Keys::new(world.kms_client(DESTINATION, "tests"));
    let input = runtime::input::parse(json!({"request": {}, "run": {"execution": "a-run", "arn": "arn:a-run"}}))
        .expect("an input");
    let plan = list_targets::handle(&deployment, &keys, input, world.now())
        .await
        .expect("a plan");

    let mut outcome = match run.first() {
        None => {
            assert_eq!(plan.left_out.count, 1);
            "left out".to_owned()
        }
        Some(Err(problem)) => problem.error.clone(),
        Some(Ok(record)) => record["outcome"].as_str().expect("an outcome").to_owned(),
    };
    let is_warned_of = plan.warnings.iter().any(|warning| warning.contains("is not encrypted"));
    let is_recorded = run.iter().flatten().any(|record| !record["warnings"].is_null());
    // L11: only the copy shows whether its key was used.
    if row.special != "RDS ignores the key" {
        assert_eq!(is_warned_of, is_recorded, "the run and the audit record say the same");
    }
    if is_recorded {
        outcome.push_str(", with a warning");
    }
    let copies = fixtures::copies(&world, "snap-");
    let encryption = copies
        .first()
        .map_or_else(String::new, |copy| copy.storage_encryption_type.clone());
    (outcome, encryption)
}

#[tokio::test]
async fn every_row_of_the_table_is_what_happens() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/support.md");
    let table = std::fs::read_to_string(path).expect("docs/support.md");
    let rows = rows(&table);
    assert!(rows.len() >= 40, "{} databases", rows.len());
    for row in &rows {
        let name = [row.kind, row.engine, row.special, row.encryption, row.stack].join(" | ");
        let (outcome, copy) = outcome(row).await;
        assert_eq!((outcome.as_str(), copy.as_str()), (row.outcome, row.copy), "{name}");
    }
    for kind in DatabaseKind::ALL {
        assert!(rows.iter().any(|row| row.kind == kind.to_string()));
    }
}
