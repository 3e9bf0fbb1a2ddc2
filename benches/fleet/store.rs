//! The real door to the store, with the simulated bucket where the network would be.

use crate::bucket::Bucket;
use bwvdock::{
    config::{Config, SecretFile, Store as StoreConfig, StoreRequired},
    spool::SpoolFile,
    store::{Limiter, S3, S3Options, Store as _, establish, perform},
    transfer::{Answer, Call, StoreError, marks::MarksWanted},
    types::{
        DockId,
        fact::{MarksSeen, SealedObject},
    },
};
use std::{
    cell::Cell,
    sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError},
};

thread_local! {
    /// The door takes its clock from a function without memory of its own.
    static NOW: Cell<i64> = const { Cell::new(0) };
}

/// A configuration that leaves everything at its default.
pub fn config() -> &'static Config {
    static CONFIG: LazyLock<Config> = LazyLock::new(|| {
        let secret = || SecretFile::Path("/nowhere".into());
        let store = StoreConfig::new(StoreRequired {
            endpoint: "https://store.example".parse().expect("a URL"),
            bucket: "evidence".into(),
            access_key_file: secret(),
            secret_key_file: secret(),
        });
        Config::new(DockId::new("bench").expect("a good name"), Vec::new(), store)
    });
    &CONFIG
}

/// One thread's door; a thread has its docks one after the other.
pub struct Door {
    s3: S3,
    bucket: Arc<Mutex<Bucket>>,
    runtime: tokio::runtime::Runtime,
    /// Nobody reads the body of a part: where it goes there is only its length.
    file: SpoolFile,
}

impl Door {
    pub fn new(round_trip_ms: i64) -> Self {
        let bucket = Arc::new(Mutex::new(Bucket::new(round_trip_ms)));
        let mut options = S3Options::new(
            "https://store.example".parse().expect("a URL"),
            "evidence",
            "AKIDFLEETFLEETFLEET0",
            zeroize::Zeroizing::new("a secret of the usual forty characters..".to_owned()),
        );
        options.clock = || crate::station::at(NOW.get());
        let answering = bucket.clone();
        let answer = move |request: &reqwest::Request| lock(&answering).answer(request);
        let s3 = S3::answered_by(options, Limiter::new(0, 0), Arc::new(answer));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        Self {
            s3: s3.expect("good options"),
            bucket,
            runtime: runtime.expect("a runtime"),
            file: SpoolFile::from_bytes([0]),
        }
    }

    pub fn bucket(&self) -> MutexGuard<'_, Bucket> {
        lock(&self.bucket)
    }

    /// Performs a call that begins now; says how many requests it took.
    pub fn perform(
        &self,
        now: i64,
        object: &Arc<SealedObject>,
        call: &Call,
    ) -> (Result<Answer, StoreError>, i64) {
        self.ask(now, perform(&self.s3, object, &self.file, call))
    }

    pub fn mark(
        &self,
        now: i64,
        key: &str,
        version: Option<String>,
        wanted: &MarksWanted,
    ) -> (Result<MarksSeen, StoreError>, i64) {
        self.ask(now, establish(&self.s3, key, version.as_deref(), wanted, 0))
    }

    pub fn put_small(&self, now: i64, key: &str, bytes: Vec<u8>) -> (Result<(), StoreError>, i64) {
        self.ask(now, self.s3.put_small(key, bytes, "application/json"))
    }

    fn ask<T>(&self, now: i64, call: impl Future<Output = T>) -> (T, i64) {
        NOW.set(now);
        {
            let mut bucket = self.bucket();
            (bucket.now, bucket.asked) = (now, 0);
        }
        let result = self.runtime.block_on(call);
        let asked = self.bucket().asked.into();
        (result, asked)
    }
}

fn lock(bucket: &Mutex<Bucket>) -> MutexGuard<'_, Bucket> {
    bucket.lock().unwrap_or_else(PoisonError::into_inner)
}
