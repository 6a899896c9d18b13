//! The simulator behind HTTP, on loopback.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use jiff::Timestamp;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::control;
use crate::simulator::{Answer, Delivery, Simulator};

/// The largest scenario, in bytes.
const LARGEST_BODY: usize = 256 << 20;

/// A listener that is ready, and the simulator behind it.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    simulator: Mutex<Simulator>,
    /// Changes with every control call, so that held replies look whether they may go.
    controlled: watch::Sender<()>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Simulator> {
        // A panic in one call must not silence all that follow.
        self.simulator.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Server {
    /// Listens; any address but a loopback one is refused, because anybody who can reach it may do anything.
    pub async fn bind(address: SocketAddr, simulator: Simulator) -> io::Result<Self> {
        if !address.ip().is_loopback() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("{address} is not a loopback address"),
            ));
        }
        let shared = Shared {
            simulator: Mutex::new(simulator),
            controlled: watch::Sender::new(()),
        };
        Ok(Self {
            listener: TcpListener::bind(address).await?,
            shared: Arc::new(shared),
        })
    }

    /// Where it listens.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until the future is dropped.
    pub async fn serve(self) -> Infallible {
        loop {
            let Ok((stream, _)) = self.listener.accept().await else {
                // Out of file descriptors, most likely: some will be free again.
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                continue;
            };
            // Small replies shall not wait for more.
            let _ = stream.set_nodelay(true);
            let shared = Arc::clone(&self.shared);
            tokio::spawn(async move {
                let service = service_fn(|request| answer(Arc::clone(&shared), request));
                // An error here is a client that went away, or a reply that was to be dropped.
                let _ = hyper::server::conn::http1::Builder::new()
                    .timer(TokioTimer::new())
                    .keep_alive(true)
                    .serve_connection(TokioIo::new(stream), service)
                    .await;
            });
        }
    }
}

type Reply = hyper::Response<Full<Bytes>>;

async fn answer(shared: Arc<Shared>, request: hyper::Request<Incoming>) -> io::Result<Reply> {
    let (head, body) = request.into_parts();
    let body = Limited::new(body, LARGEST_BODY)
        .collect()
        .await
        .map_err(io::Error::other)?
        .to_bytes();
    if let Some(path) = head.uri.path().strip_prefix(control::PREFIX) {
        let (status, value) = control::control(&mut shared.lock(), Timestamp::now(), head.method.as_str(), path, &body);
        shared.controlled.send_replace(());
        return reply(status, "application/json", None, value.to_string());
    }
    let authorization = head.headers.get(AUTHORIZATION).and_then(|header| header.to_str().ok());
    // Before the call, so that a release between the two is noticed.
    let mut controlled = shared.controlled.subscribe();
    let target = head.headers.get("x-amz-target").and_then(|header| header.to_str().ok());
    let Answer { response, delivery } = shared
        .lock()
        .handle_http(Timestamp::now(), authorization, target, &body);
    match delivery {
        Delivery::Now => {}
        Delivery::After(delay) => tokio::time::sleep(delay).await,
        Delivery::Dropped => return Err(io::Error::other("the reply is dropped")),
        Delivery::Held(hold) => {
            let waiting = Waiting { shared: &shared, hold };
            while shared.lock().is_held(waiting.hold) && controlled.changed().await.is_ok() {}
        }
    }
    reply(
        response.status,
        response.content_type,
        Some(&response.request_id),
        response.body,
    )
}

fn reply(status: u16, content_type: &str, request_id: Option<&str>, body: String) -> io::Result<Reply> {
    let mut reply = hyper::Response::builder()
        .status(status)
        .header(CONTENT_TYPE, content_type);
    if let Some(id) = request_id {
        reply = reply.header("x-amzn-RequestId", id);
    }
    reply.body(Full::new(Bytes::from(body))).map_err(io::Error::other)
}

/// One caller that waits for a held reply. Dropped when it was answered, and when its connection is gone.
struct Waiting<'a> {
    shared: &'a Shared,
    hold: u64,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.shared.lock().leave(self.hold);
    }
}
