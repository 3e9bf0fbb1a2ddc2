//! The embedded store over its real door: HTTP, signatures, files on disk, and kill -9.

#![cfg(feature = "vault")]

mod access_log;
mod behind;
mod chunked;
mod client;
mod crash;
mod multipart;
mod objects;
mod signatures;
mod tls;
