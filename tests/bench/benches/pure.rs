//! How long the decisions take: what takes values and gives values, without RDS and without a clock.

use std::hint::black_box;
use std::time::Duration;

use bench::{Following, copies, identity, now, owner, page, rules, source_arn, tagged};
use criterion::{Criterion, criterion_group, criterion_main};
use domain::copy_tags::OwnCopy;
use domain::payload::Plan;
use domain::retention;

fn pure(criterion: &mut Criterion) {
    let owner = owner();
    let source = source_arn(7);
    criterion.bench_function("name of a copy", |bench| {
        bench.iter(|| owner.copy_id(&identity(black_box(&source), now())));
    });
    for count in [100, 1000] {
        let (copies, rules) = (copies(count), rules());
        criterion.bench_function(&format!("retention plan, {count} copies"), |bench| {
            bench.iter(|| retention::plan(black_box(&copies), &rules, now()));
        });
    }
    let page = page(500);
    criterion.bench_function("parsing a page, 500 targets", |bench| {
        bench.iter(|| serde_json::from_str::<Plan>(black_box(&page)).expect("a plan"));
    });
    let snapshot = tagged();
    criterion.bench_function("reading a copy's tags, 50 tags", |bench| {
        bench.iter(|| OwnCopy::read(&owner, black_box(&snapshot)).expect("ours"));
    });
    criterion.bench_function("schedule, a copy of 24 h", |bench| {
        bench.iter(|| Following::OursWithoutProgress.to_the_end(black_box(86_400)));
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .without_plots();
    targets = pure
}
criterion_main!(benches);
