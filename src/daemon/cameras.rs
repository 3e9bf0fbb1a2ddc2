//! Docked cameras: a thread each, born when a bay fills and gone when it empties.
//!
//! The thread recognises the camera, reports its arrival, and then carries out one order at a
//! time. Copies that a pulled camera or a full spool interrupted wait in [`Paused`].

use super::{
    attach::{Opened, open, unanswered},
    charging::Batteries,
    condition::{battery_percent, condition},
    copy::{Begun, Copy, CopyJob, CopyOutcome, Patience, Pause, SecondRead, Watch, second_read},
    core::Core,
    erasing::erase_all,
    ports::Ports,
    progress::Progress,
    still::{Identity, Still},
    uploads::Asking,
};
use crate::{
    camera::{Camera, CameraError, FolderBay, Listing},
    clock::Clock,
    config::{Bay, BaySource},
    dock::event::{Arrival, CopyResult, Event, Listed},
    evidence::{self, IdentityFrom, KeyRing, Known, Profile},
    release::Approval,
    seal::{self, Recipients},
    spool::FolderSpool,
    types::{
        BayName, CameraId, Condition, ObjectId, SegmentId, SourcePath,
        fact::{ClockOffset, ClockReading, Fact, Source},
    },
};
use jiff::tz::TimeZone;
use std::{
    collections::{BTreeMap, VecDeque},
    error::Error,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// Interrupted copies kept in memory at most: each holds its share of the spool and 400 KiB.
const PAUSED_MAX: usize = 16;
/// How long an interrupted copy waits for its camera or for room.
const PAUSED_FOR: Duration = Duration::from_secs(3600);
/// How often an idle camera is asked whether it is still there.
const PRESENCE_EVERY: Duration = Duration::from_secs(1);
/// How long after a camera could not be recognised it is tried again.
const RETRY_EVERY: Duration = Duration::from_secs(5);

/// How long the look that recognised a camera is good for as its first listing.
const FIRST_LOOK_LASTS: Duration = Duration::from_secs(10);

/// What a camera is told to do.
#[derive(Debug)]
pub enum Order {
    List,
    Copy {
        segment: SegmentId,
        object: ObjectId,
        source: Source,
    },
    SecondRead {
        segment: SegmentId,
        source: Source,
    },
    /// The watch is known to the dock before the order is given: a hold stops it at any time.
    Erase {
        approvals: Vec<Approval>,
        watch: Arc<Watch>,
    },
}

/// What every camera thread shares.
pub struct World {
    pub core: Core,
    pub clock: Arc<dyn Clock>,
    pub profiles: Vec<Profile>,
    pub keys: KeyRing,
    pub recipients: Recipients,
    pub spool: Arc<FolderSpool>,
    pub part_bytes: u64,
    pub progress: Arc<Progress>,
    pub paused: Paused,
    pub ports: Arc<Ports>,
    pub batteries: Batteries,
    /// Asked before anything is erased.
    pub store: Asking,
    /// Set cameras' clocks to the time of this zone, once their offset is on disk.
    pub set_clock: Option<TimeZone>,
    pub poll: Duration,
    pub stop: AtomicBool,
}

/// Interrupted copies, oldest first. Beyond [`PAUSED_MAX`], and after [`PAUSED_FOR`], the oldest
/// is given up: its room in the spool comes back, and its segment is read from its start.
#[derive(Default)]
pub struct Paused(Mutex<VecDeque<Waiting>>);

struct Waiting {
    segment: SegmentId,
    copy: Box<Copy>,
    since: Instant,
}

impl Paused {
    fn put(&self, segment: SegmentId, copy: Box<Copy>) {
        let mut copies = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        copies.retain(|waiting| waiting.segment != segment);
        if copies.len() == PAUSED_MAX {
            copies.pop_front();
        }
        copies.push_back(Waiting { segment, copy, since: Instant::now() });
    }

    fn take(&self, segment: SegmentId) -> Option<Box<Copy>> {
        let mut copies = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = copies.iter().position(|waiting| waiting.segment == segment)?;
        copies.remove(at).map(|waiting| waiting.copy)
    }

    fn give_up_old(&self) {
        let mut copies = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while copies.front().is_some_and(|waiting| waiting.since.elapsed() > PAUSED_FOR) {
            copies.pop_front();
        }
    }

    /// Lets one go, to make room in a full spool for the copies that are running.
    pub fn give_up_oldest(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop_front().is_some()
    }
}

/// The threads, by bay.
#[derive(Default)]
pub struct Bays(Mutex<BTreeMap<BayName, Thread>>);

struct Thread {
    camera: Option<CameraId>,
    orders: SyncSender<Order>,
    handle: JoinHandle<()>,
}

impl Bays {
    /// Hands an order to the camera it is for; lost if that camera has just gone, which the core
    /// then hears anyway.
    pub fn order(&self, bay: &BayName, camera: &CameraId, order: Order) {
        let threads = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let meant = threads.get(bay).filter(|thread| thread.camera.as_ref() == Some(camera));
        if let Some(thread) = meant {
            // The core gives one order at a time, so there is always room.
            let _ = thread.orders.try_send(order);
        }
    }

    fn recognised(&self, bay: &BayName, camera: &CameraId) {
        let mut threads = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(thread) = threads.get_mut(bay) {
            thread.camera = Some(camera.clone());
        }
    }

    /// Watches the configured bays until told to stop; runs on a thread of its own.
    pub fn watch(self: &Arc<Self>, world: &Arc<World>, bays: &[Bay]) {
        while !world.stop.load(Ordering::Relaxed) {
            for bay in bays {
                self.look_at(world, bay);
            }
            world.paused.give_up_old();
            world.ports.wait_for_news(world.poll);
        }
        let threads = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        for (_, thread) in threads {
            drop(thread.orders);
            // A camera thread that panicked has nothing left to say.
            let _ = thread.handle.join();
        }
    }

    fn look_at(self: &Arc<Self>, world: &Arc<World>, bay: &Bay) {
        let mut threads = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if threads.get(&bay.name).is_some_and(|thread| !thread.handle.is_finished()) {
            return;
        }
        threads.remove(&bay.name);
        if !is_present(world, bay) {
            return;
        }
        let (orders, inbox) = sync_channel(4);
        let (bays, world, settings) = (self.clone(), world.clone(), bay.clone());
        let name = format!("bay-{}", bay.name);
        let spawned = thread::Builder::new().name(name).spawn(move || {
            serve(&bays, &world, &settings, &inbox);
        });
        match spawned {
            Ok(handle) => {
                threads.insert(bay.name.clone(), Thread { camera: None, orders, handle });
            }
            Err(error) => tracing::error!(bay = %bay.name, %error, "no thread for this bay"),
        }
    }
}

/// Whether there is something in a bay that may be spoken to.
fn is_present(world: &World, bay: &Bay) -> bool {
    match &bay.source {
        BaySource::Folder(folder) => FolderBay::new(folder).is_present(),
        BaySource::Port(_) => world.ports.camera_in(&bay.name).is_some(),
    }
}

/// A camera's life in a bay.
fn serve(bays: &Bays, world: &World, bay: &Bay, inbox: &Receiver<Order>) {
    match recognise(world, bay) {
        Ok(Found::Camera(mut docked, arrival)) => {
            bays.recognised(&bay.name, &arrival.camera);
            if world.core.report(Event::CameraArrived(*arrival)).is_ok() {
                docked.set_clock();
                docked.serve(inbox);
            }
        }
        Ok(Found::EmptyCard(noted)) => {
            let event = Event::EmptyCard { bay: bay.name.clone(), noted };
            wait_and_look_again(world, bay, event);
        }
        // The next look is at what is there now.
        Ok(Found::Swapped) => {}
        // It went while it was looked at: the bay is empty, and nothing is wrong.
        Err(_) if !is_present(world, bay) => {
            let _ = world.core.report(Event::CameraGone { bay: bay.name.clone() });
        }
        Err(words) => {
            wait_and_look_again(world, bay, Event::BayTrouble { bay: bay.name.clone(), words });
        }
    }
}

/// Reports what cannot be served; the thread ends after a while, and the bay is looked at anew.
fn wait_and_look_again(world: &World, bay: &Bay, event: Event) {
    if world.core.report(event).is_err() {
        return;
    }
    let mut left = RETRY_EVERY;
    while left > Duration::ZERO && is_present(world, bay) {
        thread::sleep(world.poll.min(left));
        left = left.saturating_sub(world.poll);
        if world.stop.load(Ordering::Relaxed) {
            return;
        }
    }
    // An emptied bay is no trouble any more.
    if !is_present(world, bay) {
        let _ = world.core.report(Event::CameraGone { bay: bay.name.clone() });
    }
}

struct Docked<'a> {
    world: &'a World,
    bay: &'a BayName,
    who: Identity,
    /// Another camera was found in its place: this one is gone.
    replaced: bool,
    profile: Profile,
    camera: Box<dyn Camera>,
    /// Of a camera on USB: which docking of its port this is.
    docking: Option<u64>,
    clock: Option<ClockOffset>,
    /// What recognising the camera read; the first listing that is asked for.
    first: Option<Look>,
}

/// A complete look at a camera, with the small files that say what it means.
struct Look {
    listing: Listing,
    small: BTreeMap<SourcePath, Vec<u8>>,
    at: Instant,
}

/// What lies in a bay.
enum Found<'a> {
    Camera(Box<Docked<'a>>, Box<Arrival>),
    /// A card with no file that could say whose it is, and what else lies on it.
    EmptyCard(Vec<String>),
    /// Another folder was put in its place while it was looked at.
    Swapped,
}

/// Opens the camera in a bay and finds out which one it is, reading only what that needs.
fn recognise<'a>(world: &'a World, bay: &'a Bay) -> Result<Found<'a>, String> {
    let Opened { mut camera, usb } = open(world, bay)?;
    let listing = match camera.list() {
        Ok(listing) => listing,
        Err(error) => return Err(unanswered(world, bay, usb.is_some(), chain(&error))),
    };
    if usb.is_some() {
        world.ports.answered(&bay.name);
    }
    let device = usb.as_ref().map(|usb| &usb.device);
    let profile = match &bay.profile {
        Some(name) => world.profiles.iter().find(|profile| profile.name() == name),
        None => evidence::choose(&world.profiles, &listing, device),
    };
    let profile = match (profile, &bay.profile) {
        (Some(profile), _) => profile.clone(),
        // Unknown cameras are kept whole, in quarantine, and never erased.
        (None, None) => Profile::unrecognised(),
        (None, Some(name)) => {
            return Err(format!(
                "the camera profile {name} of this bay does not exist; nothing was read. Correct \
                 [[bays]], or add the profile to `profiles_dir`"
            ));
        }
    };
    let small = read_small(&mut *camera, &profile, &listing);
    // What was listed and what was read must be of one camera.
    if usb.is_none() && !camera.is_present() && is_present(world, bay) {
        return Ok(Found::Swapped);
    }
    // A serial that would not be safe as a name is none.
    let serial = device.and_then(|device| CameraId::new(device.serial.clone()?).ok());
    let known = Known { configured: bay.camera_id.as_ref(), usb_serial: serial.as_ref() };
    let id = match evidence::identify(&profile, &listing, &small, known) {
        Ok(id) => id,
        Err(error) if evidence::is_empty_card(&profile, &listing, &error) => {
            let ignored = evidence::left_out(&profile, &listing);
            return Ok(Found::EmptyCard(ignored.into_iter().chain(listing.caveats).collect()));
        }
        Err(error) => return Err(format!("{}; nothing was copied", chain(&error))),
    };
    let now = world.clock.now();
    let (clock, clock_reading) = match camera.clock_offset(now, world.clock.is_synchronised()) {
        Ok(Some(offset)) => (Some(offset), ClockReading::Measured),
        Ok(None) => (None, ClockReading::None),
        Err(error) => {
            tracing::warn!(bay = %bay.name, "the camera's clock: {}", chain(&error));
            (None, ClockReading::Failed)
        }
    };
    let plan = evidence::plan(&profile, &listing, &small, &id, &world.keys);
    let condition = condition(&mut *camera, &profile, &bay.name, plan.firmware);
    let arrival = Arrival {
        bay: bay.name.clone(),
        camera: id.clone(),
        profile: profile.name().to_owned(),
        model: plan.model.or_else(|| device.and_then(|device| device.product.clone())),
        clock,
        clock_reading,
        condition,
        again: usb.as_ref().is_some_and(|usb| usb.again),
        erase_allowed: bay.allow_erase,
    };
    let docking = usb.map(|usb| usb.docking);
    let by_card =
        matches!(profile.identity(), IdentityFrom::Card(card) if small.contains_key(card));
    let who = Identity { id, configured: bay.camera_id.clone(), usb_serial: serial, by_card };
    let first = Some(Look { listing, small, at: Instant::now() });
    let (bay, replaced) = (&bay.name, false);
    let docked = Docked { world, bay, who, replaced, profile, camera, docking, clock, first };
    Ok(Found::Camera(Box::new(docked), Box::new(arrival)))
}

fn read_small(
    camera: &mut dyn Camera,
    profile: &Profile,
    listing: &crate::camera::Listing,
) -> BTreeMap<SourcePath, Vec<u8>> {
    let wanted = profile.small_files(listing);
    let mut small = BTreeMap::new();
    for (path, bytes_max) in wanted {
        match camera.read_small(&path, bytes_max) {
            Ok(bytes) => {
                small.insert(path, bytes);
            }
            // The plan treats it as absent and says so; the file itself is still copied.
            Err(error) => tracing::warn!(%path, "cannot be read: {}", chain(&error)),
        }
    }
    small
}

impl Docked<'_> {
    /// Sets the camera's clock if that is wanted, the dock's own is synchronised, and the offset
    /// was measured; what was measured is on disk before anything is set.
    fn set_clock(&mut self) {
        let (Some(zone), Some(_)) = (&self.world.set_clock, self.clock) else { return };
        let clock = &self.world.clock;
        if !clock.is_synchronised() {
            return;
        }
        let Ok(Some(before)) = self.camera.clock_offset(clock.now(), true) else { return };
        let (bay, camera) = (self.bay.clone(), self.who.id.clone());
        let setting = Fact::ClockSetting { bay: bay.clone(), camera: camera.clone(), before };
        if self.world.core.remember_blocking(vec![setting]).is_err() {
            return;
        }
        let now = clock.now();
        let (after, words) = match self.camera.set_clock(now, zone.to_offset(now), true) {
            Ok(Some(set)) => (Some(set.after), None),
            Ok(None) => (None, Some("this camera's clock cannot be set".to_owned())),
            Err(error) => (None, Some(chain(&error))),
        };
        // The daemon is stopping if nobody hears it; the line before says what was begun.
        let _ =
            self.world.core.remember_blocking(vec![Fact::ClockSet { bay, camera, after, words }]);
    }

    /// Between two orders, and only as often as is wanted.
    fn hear_battery(&mut self) {
        let batteries = &self.world.batteries;
        if !batteries.is_due(self.bay) {
            return;
        }
        let heard = match self.profile.battery() {
            // It tells of the moment of docking only, which stands in the log.
            Some(battery) if !battery.live => self.camera.battery_percent(),
            Some(_) | None => battery_percent(&mut *self.camera, &self.profile),
        };
        match heard {
            Ok(percent) => {
                batteries.heard(self.bay, &self.who.id, percent);
                self.tell(percent);
            }
            // Whether it is gone is found out in its own way; what it said before still stands.
            Err(error) => {
                batteries.failed(self.bay);
                tracing::debug!(bay = %self.bay, "its battery: {}", chain(&error));
            }
        }
    }

    /// Keeps at the core what the log is to say when the camera is taken.
    fn tell(&self, battery_percent: Option<u8>) {
        let percent_per_hour = self.world.progress.percent_per_hour(self.bay);
        if battery_percent.is_some() || percent_per_hour.is_some() {
            let condition = Condition { battery_percent, percent_per_hour, ..Condition::default() };
            let (bay, camera) = (self.bay.clone(), self.who.id.clone());
            // The daemon is stopping if nobody hears it.
            let _ = self.world.core.report(Event::CameraTold { bay, camera, condition });
        }
    }

    fn serve(&mut self, inbox: &Receiver<Order>) {
        self.world.batteries.forget(self.bay);
        loop {
            let order = match inbox.recv_timeout(PRESENCE_EVERY) {
                Ok(order) => Some(order),
                Err(RecvTimeoutError::Timeout) => {
                    self.hear_battery();
                    None
                }
                Err(RecvTimeoutError::Disconnected) => return,
            };
            let answer = order.map(|order| self.carry_out(order));
            let present = self.is_present();
            // The departure first: an order that failed by it must not be given again.
            if !present && self.world.core.report(self.gone()).is_err() {
                return;
            }
            if answer.is_some_and(|answer| self.world.core.report(answer).is_err()) || !present {
                return;
            }
        }
    }

    /// A camera on USB that was enumerated anew is another docking, even if it answers.
    fn is_present(&mut self) -> bool {
        let ports = &self.world.ports;
        if self.replaced {
            return false;
        }
        let Some(docking) = self.docking else { return self.camera.is_present() };
        if !ports.is_still(self.bay, docking) {
            return false;
        }
        let present = self.camera.is_present();
        if !present {
            ports.doubt(self.bay, docking);
        }
        present
    }

    fn gone(&self) -> Event {
        Event::CameraGone { bay: self.bay.clone() }
    }

    fn carry_out(&mut self, order: Order) -> Event {
        let bay = self.bay.clone();
        match order {
            Order::List => match self.list() {
                Ok(listed) => Event::Listed { bay, listed },
                Err(error) => Event::ListFailed { bay, words: chain(&error) },
            },
            Order::Copy { segment, object, source } => {
                let (object, result) = self.copy(segment, object, &source);
                Event::Copied { bay, segment, object, result }
            }
            Order::SecondRead { segment, source } => {
                Event::SecondRead { bay, segment, result: self.read_again(&source) }
            }
            Order::Erase { approvals, watch } => {
                let ask = |object| self.world.store.ask(object);
                let patience = Patience::default();
                let results = erase_all(&mut *self.camera, approvals, patience, &watch, &ask);
                self.world.progress.read_ends(self.bay, &watch);
                Event::Erased { bay, results }
            }
        }
    }

    fn list(&mut self) -> Result<Listed, CameraError> {
        // What recognising it read a moment ago need not be read again.
        let fresh = self.first.take().filter(|look| look.at.elapsed() < FIRST_LOOK_LASTS);
        let Look { listing, small, .. } = match fresh {
            Some(look) => look,
            None => {
                let listing = self.camera.list()?;
                let small = read_small(&mut *self.camera, &self.profile, &listing);
                Look { listing, small, at: Instant::now() }
            }
        };
        if self.who.is_another(&self.profile, &listing, &small) {
            self.replaced = true;
            return Err(CameraError::Gone);
        }
        let (keys, clock) = (&self.world.keys, &self.world.clock);
        let mut plan = evidence::plan(&self.profile, &listing, &small, &self.who.id, keys);
        if clock.is_synchronised() {
            plan.compare_clock(clock.now());
        }
        let files = listing.files.len() as u64;
        let bytes = listing.files.iter().map(|file| file.size).sum();
        Ok(Listed { plan, files, bytes })
    }

    fn copy(
        &mut self,
        segment: SegmentId,
        object: ObjectId,
        source: &Source,
    ) -> (ObjectId, CopyResult) {
        let world = self.world;
        // A camera on USB is another docking when it is another camera.
        let still = match self.docking {
            None => self.who.still(&self.profile, &mut *self.camera),
            Some(_) => Still::Same,
        };
        match still {
            Still::Same => {}
            Still::Another => {
                self.replaced = true;
                return (object, CopyResult::Gone);
            }
            Still::Silent => {
                let words = "what says whose camera this is cannot be read; it is listed again";
                return (object, CopyResult::Changed { words: words.into() });
            }
        }
        let copy = match world.paused.take(segment) {
            Some(copy) if copy.job().path == source.path && copy.job().size == source.size => copy,
            _ => match self.begin(object, source) {
                Ok(copy) => copy,
                Err(result) => return (object, *result),
            },
        };
        let object = copy.job().object;
        let watch = Arc::new(Watch::default());
        let from = copy.offset();
        world.progress.copy_starts(self.bay, watch.clone());
        let outcome = copy.run(&mut *self.camera, &watch);
        let read = watch.progress.load(Ordering::Relaxed).saturating_sub(from);
        world.progress.copy_ends(self.bay, read);
        let result = match outcome {
            CopyOutcome::Sealed(sealed) => CopyResult::Sealed {
                plain: sealed.plain,
                sealed: sealed.sealed,
                table: sealed.table,
                read_failed: None,
            },
            CopyOutcome::Unreadable { readable, offset, words } => CopyResult::Sealed {
                plain: readable.plain,
                sealed: readable.sealed,
                table: readable.table,
                read_failed: Some(format!("cannot be read past byte {offset}: {words}")),
            },
            CopyOutcome::Paused(copy, pause) => {
                world.paused.put(segment, copy);
                match pause {
                    Pause::CameraGone | Pause::Cancelled => CopyResult::Gone,
                    Pause::SpoolFull => CopyResult::SpoolFull,
                }
            }
            CopyOutcome::Refused(CameraError::Gone) => CopyResult::Gone,
            CopyOutcome::Refused(
                error @ (CameraError::Changed { .. } | CameraError::NoSuchFile(_)),
            ) => CopyResult::Changed { words: chain(&error) },
            CopyOutcome::Refused(error) => CopyResult::Failed { words: chain(&error) },
            CopyOutcome::TooLong { read } => CopyResult::Changed {
                words: format!(
                    "it grew while it was read, past {read} bytes: somebody still writes to the \
                     camera; it is listed again, and read as it is then"
                ),
            },
            CopyOutcome::SealBroken(error) => CopyResult::Failed {
                words: format!(
                    "what lies in the spool is not what was sealed ({}); nothing was kept. If \
                     this repeats, this dock's memory or disk is failing",
                    chain(&error)
                ),
            },
            CopyOutcome::SpoolBroken(error) => {
                world.progress.spool_failed();
                CopyResult::Failed { words: chain(&error) }
            }
        };
        (object, result)
    }

    fn begin(&self, object: ObjectId, source: &Source) -> Result<Box<Copy>, Box<CopyResult>> {
        let world = self.world;
        let job = CopyJob {
            object,
            path: source.path.clone(),
            size: source.size,
            part_size: seal::part_size(source.size, world.part_bytes),
        };
        let failed = |words: String| Box::new(CopyResult::Failed { words });
        match Copy::begin(job, &world.recipients, &*world.spool, Patience::default()) {
            Ok(Begun::Started(copy)) => Ok(copy),
            Ok(Begun::Wait(_)) => {
                // Interrupted copies must not keep running ones out for ever.
                world.paused.give_up_oldest();
                Err(Box::new(CopyResult::SpoolFull))
            }
            Ok(Begun::TooLarge { bytes_max }) => Err(failed(format!(
                "it is larger than the whole spool ({bytes_max} bytes): raise `bytes_max` under \
                 [spool]"
            ))),
            Err(error) => {
                world.progress.spool_failed();
                Err(failed(chain(&error)))
            }
        }
    }

    fn read_again(&mut self, source: &Source) -> Result<crate::types::fact::Hashed, String> {
        let (progress, watch) = (&self.world.progress, Arc::new(Watch::default()));
        progress.read_starts(self.bay, watch.clone());
        let (path, size) = (&source.path, source.size);
        let read = second_read(&mut *self.camera, path, size, Patience::default(), &watch);
        progress.read_ends(self.bay, &watch);
        match read {
            SecondRead::Read(hashed) => Ok(hashed),
            SecondRead::Paused(_) => Err("the camera was taken during the second read".into()),
            SecondRead::Unreadable { words, .. } => Err(format!("the second read failed: {words}")),
            SecondRead::Refused(error) => Err(format!("the second read failed: {}", chain(&error))),
        }
    }
}

/// An error with all that caused it, in one line.
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        words.push_str(": ");
        words.push_str(&error.to_string());
        cause = error.source();
    }
    words
}
