//! What was seen of it all: faults by kind, facts by kind, obstacles, states.

use std::{collections::BTreeMap, fmt};

#[derive(Debug, Default, Clone)]
pub struct Tally {
    pub shifts: u64,
    pub segments: u64,
    pub stored: u64,
    pub erased: u64,
    pub quarantined: u64,
    pub crashes: u64,
    pub power_cuts: u64,
    pub requests: u64,
    pub events: u64,
    pub simulated_seconds: i64,
    /// The store lost it by its own restore, after the dock had lawfully emptied the camera.
    pub lost_by_the_store: u64,
    pub faults: BTreeMap<String, u64>,
    pub facts: BTreeMap<String, u64>,
    pub obstacles: BTreeMap<String, u64>,
    pub calls: BTreeMap<String, u64>,
    pub stages: BTreeMap<String, u64>,
    pub commands: BTreeMap<String, u64>,
}

pub fn count(map: &mut BTreeMap<String, u64>, what: &str) {
    match map.get_mut(what) {
        Some(n) => *n += 1,
        None => drop(map.insert(what.to_owned(), 1)),
    }
}

/// `Stored { object: .. }` -> `Stored`.
pub fn name_of(value: &impl fmt::Debug) -> String {
    let text = format!("{value:?}");
    text.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default().to_owned()
}

impl Tally {
    pub fn fault(&mut self, what: &str) {
        count(&mut self.faults, what);
    }

    pub fn add(&mut self, other: Self) {
        self.shifts += other.shifts;
        self.segments += other.segments;
        self.stored += other.stored;
        self.erased += other.erased;
        self.quarantined += other.quarantined;
        self.crashes += other.crashes;
        self.power_cuts += other.power_cuts;
        self.requests += other.requests;
        self.events += other.events;
        self.simulated_seconds += other.simulated_seconds;
        self.lost_by_the_store += other.lost_by_the_store;
        for (mine, theirs) in [
            (&mut self.faults, other.faults),
            (&mut self.facts, other.facts),
            (&mut self.obstacles, other.obstacles),
            (&mut self.calls, other.calls),
            (&mut self.stages, other.stages),
            (&mut self.commands, other.commands),
        ] {
            for (what, n) in theirs {
                *mine.entry(what).or_default() += n;
            }
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "shifts            {}", self.shifts)?;
        writeln!(f, "simulated time    {} days", self.simulated_seconds / 86_400)?;
        writeln!(f, "events            {}", self.events)?;
        writeln!(f, "files seen        {}", self.segments)?;
        writeln!(f, "objects stored    {}", self.stored)?;
        writeln!(f, "files erased      {}", self.erased)?;
        writeln!(f, "quarantined       {}", self.quarantined)?;
        writeln!(f, "crashes           {}, power cuts {}", self.crashes, self.power_cuts)?;
        writeln!(f, "calls to stores   {}", self.requests)?;
        writeln!(f, "lost by a store's restore, after a lawful erase: {}", self.lost_by_the_store)?;
        for (title, map) in [
            ("faults", &self.faults),
            ("facts", &self.facts),
            ("obstacles to an erase", &self.obstacles),
            ("calls", &self.calls),
            ("stages at the end", &self.stages),
            ("people", &self.commands),
        ] {
            writeln!(f, "{title}")?;
            for (what, n) in map {
                writeln!(f, "  {n:>10}  {what}")?;
            }
        }
        Ok(())
    }
}
