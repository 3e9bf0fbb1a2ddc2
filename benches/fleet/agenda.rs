//! What is to happen, in order of its time.

use bwvdock::{
    dock::Event,
    transfer::{Answer, Call, StoreError},
    types::{BayName, ObjectId},
};
use std::{cmp::Reverse, collections::BinaryHeap};

pub enum Due {
    Arrive(usize),
    /// Tell the dock.
    Tell(Box<Event>),
    /// A call of an upload is answered.
    Answered(ObjectId, Box<(Call, Result<Answer, StoreError>)>),
    Wake(ObjectId),
    Erase(BayName),
    Tick,
}

struct Later {
    at: i64,
    /// Things of one time happen in the order they were put down.
    order: u64,
    due: Due,
}

impl PartialEq for Later {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}
impl Eq for Later {}
impl PartialOrd for Later {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Later {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}

#[derive(Default)]
pub struct Agenda {
    heap: BinaryHeap<Reverse<Later>>,
    order: u64,
}

impl Agenda {
    pub fn add(&mut self, at: i64, due: Due) {
        self.order += 1;
        self.heap.push(Reverse(Later { at, order: self.order, due }));
    }

    /// When the next thing is due.
    pub fn next(&self) -> Option<i64> {
        self.heap.peek().map(|Reverse(later)| later.at)
    }

    pub fn pop(&mut self) -> Option<(i64, Due)> {
        self.heap.pop().map(|Reverse(later)| (later.at, later.due))
    }
}
