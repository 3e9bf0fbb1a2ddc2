//! How a signed request gets its answer: over the network, or from a function in this process.
//!
//! The second is the simulated side of the wire: everything above it (what is asked, in which
//! order, signed how, and what counts as an answer) is that of the real store.

use reqwest::{Body, Client, IntoUrl, Method, Request, RequestBuilder, Response};
use std::sync::Arc;

/// Sees each request as it would be sent, without the headers that the connection adds (Host,
/// Accept, User-Agent), and gives the answer. The body of a part is a stream: its length is in
/// Content-Length, and nobody reads it.
pub type Answerer = dyn Fn(&Request) -> http::Response<Vec<u8>> + Send + Sync;

#[derive(Clone)]
pub(super) enum Wire {
    Network(Client),
    Memory(Client, Arc<Answerer>),
}

impl Wire {
    pub(super) fn request(&self, method: Method, url: impl IntoUrl) -> RequestBuilder {
        match self {
            Self::Network(client) | Self::Memory(client, _) => client.request(method, url),
        }
    }

    pub(super) async fn send(&self, request: RequestBuilder) -> Result<Response, reqwest::Error> {
        match self {
            Self::Network(_) => request.send().await,
            Self::Memory(_, answer) => {
                let answer = answer(&request.build()?);
                Ok(answer.map(Body::from).into())
            }
        }
    }
}
