//! The journal of a phone's endpoint in a file.

use core::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

use sansip::endpoint::{Config, Endpoint};
use sansip::journal::{Recorded, Setup};
use sansip::storage::Storage;

use crate::phone::Settings;

/// The endpoint of a phone, with a journal where the settings want one.
pub(crate) fn endpoint(
    config: Config,
    seed: [u8; 32],
    settings: &Settings,
) -> io::Result<Recorded<'static, JournalFile>> {
    let Settings { limits, journal, journal_secrets: secrets, .. } = settings;
    let (limits, secrets) = (*limits, *secrets);
    Ok(match journal {
        Some(path) => {
            let build = concat!("sansip-tokio ", env!("CARGO_PKG_VERSION"));
            let setup = Setup { config, seed, limits, secrets, build };
            Recorded::begin(&setup, JournalFile::create(path)?)
        }
        None => Recorded::plain(Endpoint::new(config, seed, Storage::heap(limits))),
    })
}

/// Each line is written at once, so that what ends the process is in the file.
pub(crate) struct JournalFile(File);

impl JournalFile {
    fn create(path: &Path) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(path).map(Self)
    }
}

impl fmt::Write for JournalFile {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.write_all(text.as_bytes()).map_err(|_| fmt::Error)
    }
}
