//! A station's line: what is on its way shares it equally.

pub struct Line<T> {
    bytes_per_ms: f64,
    /// Bytes left, and whose they are.
    moving: Vec<(f64, T)>,
    at: f64,
}

impl<T> Line<T> {
    pub fn new(bits_per_second: f64) -> Self {
        Self { bytes_per_ms: bits_per_second / 8e3, moving: Vec::new(), at: 0.0 }
    }

    pub fn start(&mut self, now: i64, bytes: u64, what: T) {
        self.advance(now as f64);
        self.moving.push((bytes as f64, what));
    }

    /// When the next one will be through, rounded up.
    pub fn next(&self) -> Option<i64> {
        let least = self.moving.iter().map(|(left, _)| *left).min_by(f64::total_cmp)?;
        let each = self.bytes_per_ms / self.moving.len() as f64;
        Some((self.at + least / each).ceil() as i64)
    }

    /// What is through by now.
    pub fn finish(&mut self, now: i64) -> Vec<T> {
        self.advance(now as f64);
        let through = |left: f64| left <= 1e-6;
        let mut done = Vec::new();
        let mut at = 0;
        while at < self.moving.len() {
            if through(self.moving[at].0) {
                done.push(self.moving.swap_remove(at).1);
            } else {
                at += 1;
            }
        }
        done
    }

    pub fn is_idle(&self) -> bool {
        self.moving.is_empty()
    }

    fn advance(&mut self, now: f64) {
        if !self.moving.is_empty() {
            let each = self.bytes_per_ms / self.moving.len() as f64;
            let moved = (now - self.at).max(0.0) * each;
            self.moving.iter_mut().for_each(|(left, _)| *left = (*left - moved).max(0.0));
        }
        self.at = self.at.max(now);
    }
}
