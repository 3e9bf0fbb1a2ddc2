//! Opening: the lock, the torn end, the damage, the index, the thread.

use super::{
    Damage, FoldFn, Journal, JournalError, JournalView,
    append::{self, Appender},
    commit::Requests,
    committer::Committer,
    damage::Proved,
    files,
    index::Index,
    media::{Media, make_read_only},
    prune::records,
    recover::{Recovered, recover},
    shared::Shared,
    snapshot::Snapshot,
    survey::{Survey, Torn},
};
use crate::{
    custody::chain::Head,
    types::{
        DockId,
        fact::{Fact, NewFact},
    },
};
use jiff::Timestamp;
use std::{
    fs::{self, File, OpenOptions, TryLockError},
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

/// How often, and how long apart, a lock held by another process is asked for: half a second.
const LOCK_TRIES: u32 = 50;
const LOCK_PAUSE: Duration = Duration::from_millis(10);

/// Where the journal lives and how it behaves.
#[derive(Debug, Clone)]
pub struct JournalOptions {
    /// The log. Made if missing.
    pub dir: PathBuf,
    /// The index: a folder of its own, outside `dir`. Made if missing.
    pub index_dir: PathBuf,
    pub dock: DockId,
    /// The kernel's boot id: tells a crash of the program from a power cut.
    pub boot: String,
    /// How long progress facts may wait for their sync.
    pub progress_lag_ms_max: u64,
    /// A log file is ended before it grows larger.
    pub file_bytes_max: u64,
    /// Whole files are pruned no earlier; at least 365.
    pub keep_days: u32,
    /// Lines that the log must have, as something outside it says: the heads in receipts.
    pub witnesses: Vec<Proved>,
    /// The index's cache; sled takes up to three times as much memory.
    pub cache_bytes: u64,
}

impl JournalOptions {
    pub const KEEP_DAYS_MIN: u32 = 365;

    /// One second of lag, 64 MiB a file, 365 days, 1 MiB of cache.
    pub fn new(dir: PathBuf, index_dir: PathBuf, dock: DockId, boot: String) -> Self {
        Self {
            dir,
            index_dir,
            dock,
            boot,
            progress_lag_ms_max: 1000,
            file_bytes_max: 64 << 20,
            keep_days: Self::KEEP_DAYS_MIN,
            witnesses: Vec::new(),
            cache_bytes: 1 << 20,
        }
    }
}

/// What opening found and did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenReport {
    /// The line the log goes on from: its last one, or the last that is proved.
    pub head: Head,
    /// Lines folded into the index to bring it up to the log.
    pub lines_folded: u64,
    /// An unfinished end of the log that was cut off.
    pub cut: Option<Cut>,
    /// In words, why the index was made again.
    pub rebuilt: Option<String>,
    /// The first bad line, if the log is damaged.
    pub damage: Option<Damage>,
    /// The damage was not known before this open.
    pub damage_is_news: bool,
}

/// Bytes cut off the end of the log, never part of an acknowledged line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    pub bytes: u64,
    /// The file, beside the log, that holds them now.
    pub kept_as: String,
}

impl OpenReport {
    /// What the custody log should say of this open; commit them before anything else.
    pub fn facts(&self) -> Vec<NewFact> {
        let cut = self.cut.clone().map(|Cut { bytes, kept_as }| {
            NewFact::from(Fact::LogRepaired { cut_bytes: bytes, kept_as })
        });
        let rebuilt = self.rebuilt.clone().map(|words| NewFact::from(Fact::IndexRebuilt { words }));
        let damage = self.damage.as_ref().filter(|_| self.damage_is_news);
        let damage = damage.map(|damage| {
            NewFact::from(Fact::LogDamaged {
                first_seq: damage.first_seq,
                last_seq: damage.last_seq,
                proved_hash: damage.proved.as_ref().map(|proved| proved.head.hash),
                words: damage.to_string(),
            })
        });
        cut.into_iter().chain(rebuilt).chain(damage).collect()
    }
}

pub(super) fn open(
    options: JournalOptions,
    fold: FoldFn,
    now: Timestamp,
    mut media: Box<dyn Media>,
) -> Result<(Journal, OpenReport), JournalError> {
    if options.keep_days < JournalOptions::KEEP_DAYS_MIN {
        return Err(JournalError::Options("the custody log is kept at least 365 days"));
    }
    let dir = &options.dir;
    if !dir.is_dir() {
        fs::create_dir_all(dir).map_err(|source| JournalError::io("make", dir, source))?;
    }
    // Always: the run that made it may have been killed just before this.
    files::sync_dir(files::folder_of(dir))?;
    let lock = take_lock(dir)?;
    check_index_is_free(&options.index_dir)?;
    // Before anything is read: neither the index nor the head may show what is not on the device.
    let newest = append::settle_newest(dir, &mut *media)?;
    let mut survey = Survey::take(dir, &options.witnesses)?;
    let cut = survey.torn.as_ref().map(cut_off).transpose()?;
    for (_, finished) in survey.files.iter().rev().skip(1) {
        // A crash may have come between beginning a file and marking the one before.
        make_read_only(finished).map_err(|source| JournalError::io("end", finished, source))?;
    }
    let Recovered { index, rebuilt, lines_folded, damage: found, proved } =
        recover(&options, &survey, fold, now)?;
    found.map_or(Ok(()), |found| survey.add(dir, found))?;
    if let Some(head) = proved {
        let by = format!("the index, which had seen line {}", head.seq);
        survey.add_proved(dir, Proved { head, by })?;
        if head.seq > survey.head.seq {
            rescue(dir, head, &index)?;
        }
    }
    let appender = Appender::new(dir, media, newest, options.file_bytes_max, &survey, now)?;
    let (head, damage) = (survey.tail(), survey.damage().cloned());
    let damage_is_news = survey.is_news;
    let report =
        OpenReport { head, lines_folded, cut, rebuilt, damage: damage.clone(), damage_is_news };
    let shared = Shared::new(options.index_dir.clone(), options.boot.clone(), head, damage);
    let journal = start(options, fold, lock, appender, index, Arc::new(shared))?;
    Ok((journal, report))
}

/// Puts what the index alone remembers beside the log, where it outlives the index.
fn rescue(dir: &Path, through: Head, index: &Index) -> Result<(), JournalError> {
    if Snapshot::rescued(dir)?.is_some_and(|found| found.through == through) {
        return Ok(());
    }
    let count = records(index.tree()).count() as u64;
    Snapshot::rescue(dir, through, count, records(index.tree()))?;
    Ok(())
}

fn start(
    options: JournalOptions,
    fold: FoldFn,
    lock: File,
    appender: Appender,
    index: Index,
    shared: Arc<Shared>,
) -> Result<Journal, JournalError> {
    let (requests, receiver) = Requests::channel();
    let view = JournalView::new(index.tree(), Arc::clone(&shared));
    let committer = Committer::new(
        receiver,
        appender,
        index,
        fold,
        options.dock.clone(),
        Arc::clone(&shared),
        Duration::from_millis(options.progress_lag_ms_max),
    );
    let committer = std::thread::Builder::new()
        .name("journal".into())
        .spawn(move || {
            committer.run();
            // Held for as long as anything may be written. Unlocked by word and not by closing:
            // a child process just being started may still hold a copy of the descriptor.
            let _ = lock.unlock();
        })
        .map_err(|source| JournalError::io("start writing", &options.dir, source))?;
    Ok(Journal {
        options,
        fold,
        shared,
        view: Mutex::new(Some(view)),
        requests,
        committer: Mutex::new(Some(committer)),
    })
}

fn take_lock(dir: &Path) -> Result<File, JournalError> {
    let path = dir.join("lock");
    let opened = OpenOptions::new().write(true).create(true).truncate(false).open(&path);
    let file = opened.map_err(|source| JournalError::io("open", &path, source))?;
    lock_soon(&file, dir)?;
    Ok(file)
}

/// Locks a file, waiting a moment for a process that is just going away.
fn lock_soon(file: &File, dir: &Path) -> Result<(), JournalError> {
    for _ in 0..LOCK_TRIES {
        match file.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::WouldBlock) => std::thread::sleep(LOCK_PAUSE),
            Err(TryLockError::Error(source)) => return Err(JournalError::io("lock", dir, source)),
        }
    }
    Err(JournalError::InUse(dir.to_owned()))
}

/// Makes sure nobody has the index open: sled's words for that are no different from those for a
/// damaged one, and a healthy index would be set aside.
fn check_index_is_free(index_dir: &Path) -> Result<(), JournalError> {
    // A missing file is for the recovery to deal with.
    let Ok(file) = File::open(index_dir.join("sled/db")) else { return Ok(()) };
    lock_soon(&file, index_dir)?;
    file.unlock().map_err(|source| JournalError::io("unlock", index_dir, source))
}

/// Saves the unfinished bytes beside the log, durably, and only then cuts them off.
fn cut_off(torn: &Torn) -> Result<Cut, JournalError> {
    let failed = |source| JournalError::io("cut", &torn.path, source);
    let file = OpenOptions::new().read(true).write(true).open(&torn.path).map_err(failed)?;
    let size = usize::try_from(torn.bytes).map_err(|error| failed(std::io::Error::other(error)))?;
    let mut bytes = vec![0; size];
    file.read_exact_at(&mut bytes, torn.at).map_err(failed)?;
    let name = files::name_of(&torn.path);
    let kept = (1u32..)
        .map(|n| torn.path.with_file_name(format!("{name}.torn-{n}")))
        .find(|path| !path.exists())
        .expect("fewer than 2^32 repairs");
    files::write_whole(&kept, &bytes)?;
    file.set_len(torn.at).and_then(|()| file.sync_all()).map_err(failed)?;
    Ok(Cut { bytes: torn.bytes, kept_as: files::name_of(&kept) })
}
