//! A registry that is filled once and written out.

use prometheus_client::{
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::{Registry, Unit},
};
use std::sync::atomic::AtomicU64;

/// Names and values that tell series of one figure apart.
pub type Labels = Vec<(&'static str, String)>;
type Gauges = Family<Labels, Gauge<f64, AtomicU64>>;
type Counters = Family<Labels, Counter<u64>>;

/// All figures of one scrape.
pub struct Sheet(Registry);

impl Sheet {
    pub fn new() -> Self {
        Self(Registry::with_prefix("bwvdock"))
    }

    /// A figure that goes up and down. Without rows it is not told at all.
    pub fn gauge(
        &mut self,
        name: &str,
        help: &str,
        unit: Option<Unit>,
        rows: impl IntoIterator<Item = (Labels, f64)>,
    ) {
        let family = Gauges::default();
        let mut told = false;
        for (labels, value) in rows {
            family.get_or_create(&labels).set(value);
            told = true;
        }
        match unit {
            _ if !told => {}
            Some(unit) => self.0.register_with_unit(name, help, unit, family),
            None => self.0.register(name, help, family),
        }
    }

    /// A figure that only rises; `_total` is put behind its name.
    pub fn counter(
        &mut self,
        name: &str,
        help: &str,
        unit: Option<Unit>,
        rows: impl IntoIterator<Item = (Labels, u64)>,
    ) {
        let family = Counters::default();
        let mut told = false;
        for (labels, value) in rows {
            family.get_or_create(&labels).inc_by(value);
            told = true;
        }
        match unit {
            _ if !told => {}
            Some(unit) => self.0.register_with_unit(name, help, unit, family),
            None => self.0.register(name, help, family),
        }
    }

    pub fn registry(&self) -> &Registry {
        &self.0
    }
}
