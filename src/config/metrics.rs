//! `[metrics]`: figures for Prometheus.

use super::reader::Section;
use core::net::SocketAddr;
use serde::Serialize;

/// `[metrics]`.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Metrics {
    /// Where they are given out; none: nowhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listen: Option<SocketAddr>,
}

pub(super) fn metrics(mut s: Section<'_>) -> Metrics {
    let listen = s.parsed("listen", "write an address and a port, for example \"127.0.0.1:9947\"");
    s.finish();
    Metrics { listen }
}
