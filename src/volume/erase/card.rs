//! Erasing as a card offers it: one file, or one of many.

use super::{Erasure, Survey};
use crate::{
    types::SourcePath,
    volume::{Card, FileReader, ReadAt, VolumeError, card::Volume, entry::Entry},
};

impl Card {
    /// What has to be written to erase one file that still has this size and, if given, time.
    ///
    /// # Errors
    /// [`VolumeError`]: nothing is written when anything is not as it should be.
    pub fn erasure(
        &self,
        dev: &dyn ReadAt,
        path: &SourcePath,
        size: u64,
        modified_ms: Option<i64>,
    ) -> Result<Erasure, VolumeError> {
        let (volume, entry) = self.find(dev, path)?;
        self.erasure_of(dev, volume, path, &entry, (size, modified_ms), None)
    }

    /// The same for one file of many: the walk over everything else is made once and kept in
    /// `survey`, as long as nobody but the caller can have written to the card. The caller throws it
    /// away when anything fails, and tells it what it erased.
    ///
    /// # Errors
    /// As [`Card::erasure`].
    pub fn erasure_by(
        &self,
        survey: &mut Option<Survey>,
        dev: &dyn ReadAt,
        path: &SourcePath,
        size: u64,
        modified_ms: Option<i64>,
    ) -> Result<Erasure, VolumeError> {
        let volume = self.volume_of(path)?;
        if survey.as_ref().is_none_or(|survey| !survey.is_of(volume)) {
            *survey = Survey::take(dev, volume)?;
        }
        let known = survey.as_ref().map(|survey| survey.entry(dev, volume, path));
        match (known.transpose()?.flatten(), &*survey) {
            (Some(entry), Some(survey)) => {
                let size = (size, modified_ms);
                self.erasure_of(dev, volume, path, &entry, size, Some(survey))
            }
            (Some(_) | None, _) => self.erasure(dev, path, size, modified_ms),
        }
    }

    /// A reader as [`Card::read`], which looks for the file where a survey found it.
    ///
    /// # Errors
    /// As [`Card::read`].
    pub fn read_by<D: ReadAt>(
        &self,
        survey: &Survey,
        dev: D,
        path: &SourcePath,
        offset: u64,
    ) -> Result<FileReader<D>, VolumeError> {
        let volume = self.volume_of(path)?;
        let known = if survey.is_of(volume) { survey.entry(&dev, volume, path) } else { Ok(None) };
        match known {
            Ok(Some(entry)) => FileReader::new(dev, volume.geometry(), &entry, offset)
                .map_err(|source| VolumeError::Io { doing: format!("read {path}"), source }),
            Ok(None) | Err(_) => self.read(dev, path, offset),
        }
    }

    fn erasure_of(
        &self,
        dev: &dyn ReadAt,
        volume: &Volume,
        path: &SourcePath,
        entry: &Entry,
        (size, modified_ms): (u64, Option<i64>),
        survey: Option<&Survey>,
    ) -> Result<Erasure, VolumeError> {
        let changed = |words: String| VolumeError::Changed { path: path.clone(), words };
        if entry.size != size {
            return Err(changed(format!("it has {} bytes now and had {size}", entry.size)));
        }
        if modified_ms.is_some() && modified_ms != entry.modified_ms {
            return Err(changed("its time is another now".into()));
        }
        Erasure::plan(dev, volume, path, entry, survey)
    }
}
