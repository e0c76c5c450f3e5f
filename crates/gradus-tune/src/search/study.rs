//! A study: a search on the disk.
//!
//! A trial is written when it begins, after each measurement and when it ends, each time in one transaction that is on
//! the disk before anything else happens. What a kill interrupts is therefore either all there or not at all: a finished
//! trial stays finished, and one that was being trained keeps its settings and its measurements.

use super::pruners::Pruner;
use super::samplers::Sampler;
use super::space::Space;
use super::trial::{History, Trial};
use crate::{Error, Result};
use gradus_train::monitor::Direction;
use redb::{Database, DatabaseError, ReadableDatabase, ReadableTable, TableDefinition};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// What the search is about, under [`SETTINGS_KEY`].
const ABOUT: TableDefinition<&str, &[u8]> = TableDefinition::new("about");
const SETTINGS_KEY: &str = "settings";

/// The trials by number, each as JSON.
const TRIALS: TableDefinition<u64, &[u8]> = TableDefinition::new("trials");

/// Which way a metric improves, by its name: losses and errors down, shares of what is right up; `None` where the name
/// does not tell.
pub fn known_direction(metric: &str) -> Option<Direction> {
    const DOWN: [&str; 6] = ["loss", "error", "perplexity", "bits_per", "mse", "mae"];
    const UP: [&str; 7] = ["accuracy", "f1", "auc", "precision", "recall", "r2", "kappa"];
    let has = |words: &[&str]| words.iter().any(|word| metric.contains(word));
    match (has(&DOWN), has(&UP)) {
        (true, false) => Some(Direction::Minimize),
        (false, true) => Some(Direction::Maximize),
        (true, true) | (false, false) => None,
    }
}

/// Everything that decides what a search does, but for how long.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// The recipe that varies, resolved.
    pub recipe: String,
    /// What varies: [`Space::describe`].
    pub space: Vec<String>,
    /// Which points are tried.
    pub sampler: Sampler,
    /// Which trials are stopped before their end.
    pub pruner: Pruner,
    /// What is measured: `validation_accuracy`.
    pub metric: String,
    /// Which way it improves.
    pub direction: Direction,
    /// Seeds everything that is drawn.
    pub seed: u64,
}

impl Settings {
    /// Names of what differs in `other`.
    fn differences(&self, other: &Settings) -> Vec<&'static str> {
        let Settings {
            recipe,
            space,
            sampler,
            pruner,
            metric,
            direction,
            seed,
        } = self;
        let parts = [
            ("the recipe", recipe == &other.recipe),
            ("the space", space == &other.space),
            ("--sampler", sampler == &other.sampler),
            ("--pruner", pruner == &other.pruner),
            ("--metric", metric == &other.metric),
            ("--direction", direction == &other.direction),
            ("--seed", seed == &other.seed),
        ];
        let changed = parts.into_iter().filter(|(_, is_same)| !is_same);
        changed.map(|(name, _)| name).collect()
    }
}

/// A search on the disk, held by this process alone.
pub struct Study {
    path: PathBuf,
    database: Database,
    settings: Settings,
    space: Space,
    trials: Vec<Trial>,
}

impl Study {
    /// Opens the study at a path, or begins one there.
    ///
    /// # Errors
    /// [`Error::StudyInUse`] while another process has it open, [`Error::StudyChanged`] for one that began with other
    /// settings, [`Error::Study`] and [`Error::StudyContent`] when it cannot be read or written.
    pub fn open(path: &Path, space: Space, settings: Settings) -> Result<Study> {
        if !path.exists() {
            create(path, &settings)?;
        }
        let database = Database::open(path).map_err(|error| opening(path, error))?;
        let (found, trials) = read(path, &database)?;
        let changed = found.differences(&settings);
        if !changed.is_empty() {
            return Err(Error::StudyChanged {
                path: path.to_owned(),
                what: changed.join(", "),
            });
        }
        Ok(Study {
            path: path.to_owned(),
            database,
            settings,
            space,
            trials,
        })
    }

    /// What the search is about.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// What varies.
    pub fn space(&self) -> &Space {
        &self.space
    }

    /// All trials, by number.
    pub fn trials(&self) -> &[Trial] {
        &self.trials
    }

    /// What samplers and pruners judge by.
    pub fn history(&self) -> History<'_> {
        History {
            space: &self.space,
            direction: self.settings.direction,
            seed: self.settings.seed,
            trials: &self.trials,
        }
    }

    /// Writes a trial, new or changed, and returns once it is on the disk.
    pub(super) fn put(&mut self, trial: Trial) -> Result<()> {
        write(&self.path, &self.database, |transaction| {
            let bytes = serde_json::to_vec(&trial).expect("bug: a trial is plain data");
            transaction
                .open_table(TRIALS)?
                .insert(trial.number, bytes.as_slice())?;
            Ok(())
        })?;
        let at = trial.number as usize;
        match self.trials.get_mut(at) {
            Some(place) => *place = trial,
            None => self.trials.push(trial),
        }
        Ok(())
    }
}

/// Reads the trials of a study that nobody has open.
///
/// # Errors
/// As [`Study::open`].
pub fn read_study(path: &Path) -> Result<(Settings, Vec<Trial>)> {
    let database = Database::open(path).map_err(|error| opening(path, error))?;
    read(path, &database)
}

fn opening(path: &Path, error: DatabaseError) -> Error {
    match error {
        DatabaseError::DatabaseAlreadyOpen => Error::StudyInUse {
            path: path.to_owned(),
        },
        other => failed(path)(other.into()),
    }
}

fn failed(path: &Path) -> impl FnOnce(redb::Error) -> Error {
    move |source| Error::Study {
        path: path.to_owned(),
        source: Box::new(source),
    }
}

/// Makes a study under another name first, so that a kill leaves none or a whole one.
fn create(path: &Path, settings: &Settings) -> Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let io = |source| failed(path)(redb::Error::Io(source));
    std::fs::create_dir_all(folder).map_err(io)?;
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let fresh = folder.join(name);
    if fresh.exists() {
        std::fs::remove_file(&fresh).map_err(io)?;
    }
    let database = Database::create(&fresh).map_err(|error| opening(path, error))?;
    write(path, &database, |transaction| {
        let bytes = serde_json::to_vec(settings).expect("bug: settings are plain data");
        transaction
            .open_table(ABOUT)?
            .insert(SETTINGS_KEY, bytes.as_slice())?;
        transaction.open_table(TRIALS)?;
        Ok(())
    })?;
    drop(database);
    std::fs::rename(&fresh, path).map_err(io)?;
    std::fs::File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(io)
}

fn write(
    path: &Path,
    database: &Database,
    change: impl FnOnce(&redb::WriteTransaction) -> Result<(), redb::Error>,
) -> Result<()> {
    let transact = || -> Result<(), redb::Error> {
        let transaction = database.begin_write()?;
        change(&transaction)?;
        Ok(transaction.commit()?)
    };
    transact().map_err(failed(path))
}

/// The settings and the trials, as they are stored.
type Contents = (Option<Vec<u8>>, Vec<Vec<u8>>);

fn read(path: &Path, database: &Database) -> Result<(Settings, Vec<Trial>)> {
    let contents = || -> Result<Contents, redb::Error> {
        let transaction = database.begin_read()?;
        let about = transaction.open_table(ABOUT)?;
        let settings = about.get(SETTINGS_KEY)?.map(|bytes| bytes.value().to_vec());
        let trials = transaction.open_table(TRIALS)?;
        let rows = trials.iter()?.map(|row| Ok(row?.1.value().to_vec()));
        Ok((settings, rows.collect::<Result<_, redb::Error>>()?))
    };
    let (settings, trials) = contents().map_err(failed(path))?;
    let content = |source| Error::StudyContent {
        path: path.to_owned(),
        source,
    };
    let settings = serde_json::from_slice(&settings.unwrap_or_default()).map_err(content)?;
    let trials: Vec<Trial> = trials
        .iter()
        .map(|bytes| serde_json::from_slice(bytes).map_err(content))
        .collect::<Result<_>>()?;
    Ok((settings, trials))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::search::State;

    fn settings(seed: u64) -> (Space, Settings) {
        let space = Space::parse("a.b = { low = 0.0, high = 1.0 }").unwrap();
        let settings = Settings {
            recipe: "x".into(),
            space: space.describe(),
            sampler: Sampler::Random,
            pruner: Pruner::None,
            metric: "validation_loss".into(),
            direction: Direction::Minimize,
            seed,
        };
        (space, settings)
    }

    fn open(path: &Path, seed: u64) -> Result<Study> {
        let (space, settings) = settings(seed);
        Study::open(path, space, settings)
    }

    #[test]
    fn trials_are_there_again_and_nobody_else_gets_in_meanwhile() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/study.db");
        let mut study = open(&path, 1).unwrap();
        study.put(Trial::new(0, vec![0.25])).unwrap();
        let finished = Trial {
            state: State::Pruned,
            ..Trial::new(1, vec![0.5])
        };
        study.put(finished.clone()).unwrap();
        assert!(matches!(open(&path, 1), Err(Error::StudyInUse { .. })));
        drop(study);
        let study = open(&path, 1).unwrap();
        assert_eq!(study.trials(), [Trial::new(0, vec![0.25]), finished]);
    }

    #[test]
    fn a_study_goes_on_only_as_it_began() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("study.db");
        drop(open(&path, 1).unwrap());
        let Err(Error::StudyChanged { what, .. }) = open(&path, 2) else {
            panic!("another seed")
        };
        assert_eq!(what, "--seed");
        std::fs::write(&path, b"no study at all, but long enough to look at").unwrap();
        assert!(matches!(open(&path, 1), Err(Error::Study { .. })));
    }
}
