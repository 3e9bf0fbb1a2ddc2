//! What fleet is simulated. Everything that is assumed stands here and can be said otherwise.

/// A station's line: megabits a second towards the store, and the share of docks that have it.
pub type Line = (u32, f64);

#[derive(Debug, Clone)]
pub struct Options {
    pub docks: u32,
    /// Of the whole fleet; each is docked once in the day, at the end of its shift.
    pub cameras: u32,
    /// Simulate only every so many-th dock and multiply: docks meet in the store only.
    pub every: u32,
    pub seed: u64,
    /// Footage of one camera in a shift, hours: the mean; single cameras from half to one and a half.
    pub hours: f64,
    /// Least and most gigabytes of an hour of video.
    pub gb_per_hour: (f64, f64),
    pub recording_minutes: f64,
    pub segment_minutes: f64,
    /// Share of recordings that are marked as evidence.
    pub evidential: f64,
    /// Share of cameras with signed manifests: three more files a recording.
    pub signed: f64,
    pub lines: Vec<Line>,
    /// Share of the line that carries request bodies; the rest is TCP, TLS and others.
    pub goodput: f64,
    /// From a request to its answer, besides moving its bytes, milliseconds.
    pub round_trip_ms: i64,
    /// One camera's reading speed, megabytes a second.
    pub camera_mb_s: f64,
    /// Ends of shifts: hour of the day, share of cameras; what is left comes at any time.
    pub shifts: Vec<(f64, f64)>,
    /// Standard deviation of when cameras come after the end of their shift, minutes.
    pub spread_minutes: f64,
    /// Object lock and legal holds.
    pub lock: bool,
    pub prices: Prices,
    pub json: bool,
    /// Write the scrapes of the simulated docks here, as OpenMetrics with times.
    pub scrapes: Option<String>,
    pub interval_s: u32,
    /// Write each simulated dock's fullest exposition into this folder, to be served to a Prometheus.
    pub exposition: Option<String>,
    pub retention_days: f64,
    /// Bytes a sample takes in Prometheus's blocks: as measured, see benches/README.md.
    pub bytes_per_sample: f64,
    /// Bytes of memory for a series in its head: twice what was measured, for two hours of samples.
    pub bytes_per_series: f64,
}

/// Per thousand requests, and per gigabyte and month. The defaults are assumptions in the range of
/// public clouds' list prices for their standard class; say what yours asks.
#[derive(Debug, Clone, Copy)]
pub struct Prices {
    pub writes_per_1000: f64,
    pub reads_per_1000: f64,
    pub gb_month: f64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            docks: 800,
            cameras: 22_000,
            every: 10,
            seed: 1,
            hours: 3.0,
            gb_per_hour: (1.4, 5.0),
            recording_minutes: 15.0,
            segment_minutes: 5.0,
            evidential: 0.05,
            signed: 0.5,
            lines: vec![(20, 0.1), (50, 0.2), (100, 0.4), (300, 0.2), (1000, 0.1)],
            goodput: 0.94,
            round_trip_ms: 40,
            camera_mb_s: 30.0,
            shifts: vec![(15.0, 0.45), (23.0, 0.40)],
            spread_minutes: 20.0,
            lock: false,
            prices: Prices { writes_per_1000: 0.005, reads_per_1000: 0.0004, gb_month: 0.023 },
            json: false,
            scrapes: None,
            interval_s: 60,
            exposition: None,
            retention_days: 31.0,
            bytes_per_sample: 1.25,
            bytes_per_series: 4096.0,
        }
    }
}

impl Options {
    /// Reads `--name value` pairs; what cargo itself adds is passed over.
    ///
    /// # Errors
    /// In words, an option that is not known or has no good value.
    pub fn parse(args: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Self::default();
        let mut args = args.filter(|arg| arg != "--bench");
        while let Some(name) = args.next() {
            match name.as_str() {
                "--json" => options.json = true,
                "--lock" => options.lock = true,
                _ => {
                    let value = args.next().ok_or_else(|| format!("{name} needs a value"))?;
                    options.set(&name, &value)?;
                }
            }
        }
        match options.docks {
            0 => Err("there is no fleet without docks".into()),
            _ => Ok(options),
        }
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        let bad = || format!("{name} does not take {value}");
        let number = || value.parse::<f64>().ok().filter(|n| n.is_finite() && *n >= 0.0);
        let positive = || number().filter(|n| *n > 0.0).ok_or_else(bad);
        let whole = || value.parse::<u32>().ok().filter(|n| *n > 0).ok_or_else(bad);
        match name {
            "--docks" => self.docks = whole()?,
            "--cameras" => self.cameras = whole()?,
            "--every" => self.every = whole()?,
            "--seed" => self.seed = u64::from(whole()?),
            "--hours" => self.hours = positive()?,
            "--gb-per-hour" => self.gb_per_hour = (positive()?, positive()?),
            "--recording-minutes" => self.recording_minutes = positive()?,
            "--segment-minutes" => self.segment_minutes = positive()?,
            "--evidential" => self.evidential = number().ok_or_else(bad)?,
            "--signed" => self.signed = number().ok_or_else(bad)?,
            "--line" => self.lines = vec![(whole()?, 1.0)],
            "--round-trip-ms" => self.round_trip_ms = i64::from(whole()?),
            "--camera-mb-s" => self.camera_mb_s = positive()?,
            "--write-price" => self.prices.writes_per_1000 = number().ok_or_else(bad)?,
            "--read-price" => self.prices.reads_per_1000 = number().ok_or_else(bad)?,
            "--gb-month-price" => self.prices.gb_month = number().ok_or_else(bad)?,
            "--scrapes" => self.scrapes = Some(value.to_owned()),
            "--exposition" => self.exposition = Some(value.to_owned()),
            "--interval" => self.interval_s = whole()?,
            "--retention-days" => self.retention_days = positive()?,
            "--bytes-per-sample" => self.bytes_per_sample = positive()?,
            "--bytes-per-series" => self.bytes_per_series = positive()?,
            _ => return Err(format!("there is no option {name}; see benches/README.md")),
        }
        Ok(())
    }
}
