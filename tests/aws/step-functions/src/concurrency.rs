//! Futures side by side, without a runtime.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::task::Poll;

/// A future of which the type does not matter.
pub type Work<'w, T> = Pin<Box<dyn Future<Output = T> + 'w>>;

/// What `work` returns, if it does so before `end`.
pub async fn before<T>(work: impl Future<Output = T>, end: impl Future<Output = ()>) -> Option<T> {
    let mut work = std::pin::pin!(work);
    let mut end = std::pin::pin!(end);
    std::future::poll_fn(|context| {
        if let Poll::Ready(value) = work.as_mut().poll(context) {
            return Poll::Ready(Some(value));
        }
        end.as_mut().poll(context).map(|()| None)
    })
    .await
}

/// Does all of it, at most `width` at once, in order; stops at the first error.
pub async fn side_by_side<'w, T, E>(
    work: impl Iterator<Item = Work<'w, Result<T, E>>>,
    width: usize,
) -> Result<Vec<T>, E> {
    let mut work = work.enumerate();
    let mut running: Vec<(usize, Work<'w, Result<T, E>>)> = Vec::new();
    let mut results = BTreeMap::new();
    std::future::poll_fn(|context| {
        loop {
            while running.len() < width.max(1) {
                let Some(next) = work.next() else { break };
                running.push(next);
            }
            let mut ended = false;
            let mut at = 0;
            while at < running.len() {
                match running[at].1.as_mut().poll(context) {
                    Poll::Ready(Ok(result)) => {
                        results.insert(running[at].0, result);
                        drop(running.remove(at));
                        ended = true;
                    }
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                    Poll::Pending => at += 1,
                }
            }
            if running.is_empty() && !ended {
                return Poll::Ready(Ok(()));
            }
            if !ended {
                return Poll::Pending;
            }
        }
    })
    .await?;
    Ok(results.into_values().collect())
}
