//! Polling of what goes on in AWS until it ends, or until the operator has seen enough.
//!
//! Following changes nothing: it can stop at any moment, and begin again.

use std::time::Duration;

use jiff::SignedDuration;

use crate::aws::account::Account;
use crate::error::CliError;

/// Ends when the operator has seen enough.
pub(crate) type Interrupt<'a> = &'a mut (dyn Future<Output = ()> + Unpin);

/// Polls in a row that may fail before following ends.
const MAX_FAILED_POLLS: u32 = 4;

/// Polls until `poll` has an answer. Nothing, if `interrupt` ends first: what is followed goes on.
pub(crate) async fn follow<T>(
    account: &Account,
    interrupt: Interrupt<'_>,
    mut poll: impl AsyncFnMut() -> Result<Option<T>, CliError>,
) -> Result<Option<T>, CliError> {
    let mut failed = 0;
    let begun = account.now();
    loop {
        let polled = tokio::select! {
            biased;
            () = &mut *interrupt => return Ok(None),
            polled = poll() => polled,
        };
        match polled {
            Ok(Some(ended)) => return Ok(Some(ended)),
            Ok(None) => failed = 0,
            // Runs last for hours, and networks do not always.
            Err(error) => {
                failed += 1;
                if failed == MAX_FAILED_POLLS {
                    return Err(error);
                }
            }
        }
        let pause = pause(account.now().duration_since(begun));
        tokio::select! {
            biased;
            () = &mut *interrupt => return Ok(None),
            () = account.sleep(pause) => {}
        }
    }
}

/// Short at first, when somebody watches closely; then long enough to cost nothing over hours.
fn pause(watched: SignedDuration) -> Duration {
    Duration::from_secs(match watched.as_secs() {
        ..60 => 2,
        60..600 => 5,
        _ => 15,
    })
}
