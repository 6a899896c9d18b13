use proptest::prelude::*;

use super::*;

/// Waits as the state machine does until a copy of `duration` seconds is done: how many polls it took, and how many
/// seconds after its end it was noticed. `percent` is what RDS reports at a time.
fn watch(duration: u64, percent: impl Fn(u64) -> i32) -> (u32, u64) {
    let requested = Timestamp::from_second(1_760_000_000).expect("in range");
    let mut wait = Wait::first("snap-orders");
    let mut time = wait.seconds;
    while time < duration {
        let now = requested + jiff::SignedDuration::from_secs(i64::try_from(time).expect("in range"));
        wait = next(&wait, elapsed_seconds(&wait, requested, now), percent(time));
        time += wait.seconds;
    }
    (wait.polls + 1, time - duration)
}

fn steady(duration: u64) -> impl Fn(u64) -> i32 {
    move |time| i32::try_from(time * 100 / duration).expect("a percentage").min(99)
}

#[test]
fn a_copy_of_two_hours_takes_at_most_fifty_polls() {
    for (what, (looks, lag)) in [
        ("no progress reported", watch(7200, |_| 0)),
        ("steady progress", watch(7200, steady(7200))),
        (
            "stuck at 99 % early",
            watch(7200, |time| if time > 600 { 99 } else { 10 }),
        ),
    ] {
        assert!(looks <= 50, "{what}: {looks} looks");
        assert!(lag <= 720, "{what}: {lag} s late");
    }
}

#[test]
fn a_short_copy_is_noticed_within_half_a_minute() {
    for duration in 10..300 {
        let (_, lag) = watch(duration, |_| 0);
        assert!(lag <= 30, "{duration} s: {lag} s late");
    }
}

#[test]
fn the_clock_cannot_stop_or_shorten_the_schedule() {
    let requested = Timestamp::from_second(1_760_000_000).expect("in range");
    let wait = Wait {
        seconds: 60,
        waited_seconds: 5000,
        polls: 9,
        shortened: 0,
    };
    let before = requested - jiff::SignedDuration::from_hours(5);
    assert_eq!(elapsed_seconds(&wait, requested, before), 5000);
    let after = requested + jiff::SignedDuration::from_hours(5);
    assert_eq!(elapsed_seconds(&wait, requested, after), 18_000);
}

#[test]
fn progress_that_promises_an_earlier_end_cuts_five_waits_short() {
    let after = |elapsed, shortened, percent| {
        let wait = Wait {
            seconds: 30,
            waited_seconds: elapsed,
            polls: 3,
            shortened,
        };
        let next = next(&wait, elapsed, percent);
        assert_eq!(next.polls, 4);
        (next.seconds, next.shortened)
    };
    // After an hour the wait is six minutes; 97 % promise the end in 111 s, 50 % in an hour.
    assert_eq!(after(3600, 0, 97), (111, 1));
    assert_eq!(after(3600, 4, 97), (111, 5));
    assert_eq!(after(3600, 5, 97), (360, 5));
    assert_eq!(after(3600, 0, 50), (360, 0));
    // The shortest wait is cut no shorter, and does not count.
    assert_eq!(after(300, 0, 99), (30, 0));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases.max(20_000)))]

    #[test]
    fn the_lag_is_at_most_half_a_minute_or_a_tenth(duration in 10_u64..172_800, stuck in 0_i32..101, kind in 0..3) {
        let (looks, lag) = match kind {
            0 => watch(duration, |_| 0),
            1 => watch(duration, steady(duration)),
            _ => watch(duration, |_| stuck),
        };
        prop_assert!(lag <= (duration / 10).max(30), "{lag} s late");
        if duration <= 7200 {
            prop_assert!(looks <= 50, "{looks} looks");
        }
        // Logarithmic growth: 45 looks for 2 hours and 34 for 20 times as long, and those that progress cut short.
        prop_assert!(looks <= 50 + 34, "{looks} looks");
    }

    #[test]
    fn progress_never_makes_a_wait_longer(elapsed in 0_u64..400_000, percent in -5_i32..120, shortened in 0_u32..7) {
        let wait = Wait { seconds: 30, waited_seconds: elapsed, polls: 3, shortened };
        let with = next(&wait, elapsed, percent);
        let without = next(&wait, elapsed, 0);
        prop_assert!(with.seconds <= without.seconds);
        prop_assert!(with.seconds >= Wait::MIN_SECONDS);
        prop_assert_eq!(with.waited_seconds, elapsed + with.seconds);
    }
}
