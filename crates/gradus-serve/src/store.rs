//! What there is to serve: a package, or a folder of numbered ones.
//!
//! Every version is loaded when the server starts; the newest that loaded answers where a request names none. A version
//! that cannot be loaded is reported and does not keep the others from answering.

use std::path::Path;

use gradus_evaluate::Predictor;
use gradus_package::{Package, is_package, versions};
use gradus_tensor::{DType, Tensor};

use crate::config::ServerConfig;
use crate::error::{Error, Result};

/// The folder in a run that holds its package; the run's name says more.
const RUN_PACKAGE: &str = "model";

/// A model with its versions.
pub(crate) struct ModelStore {
    /// The model's name in addresses.
    pub name: String,
    /// Every version there is, oldest first; at least one is available.
    pub versions: Vec<Version>,
    /// Place of the newest available one.
    latest: usize,
}

/// One version of a model.
pub(crate) struct Version {
    /// Its number.
    pub number: u64,
    /// Whether it answers.
    pub state: VersionState,
}

/// Where a version is in its life. There are no other states: versions are loaded before the server listens to
/// requests and live as long as it does.
pub(crate) enum VersionState {
    /// Loaded and tried; it answers requests. TensorFlow Serving's `AVAILABLE`.
    Available(Box<Servable>),
    /// It could not be loaded; requests for it are refused. TensorFlow Serving's `END`, with an error.
    Failed {
        /// Why not, with all causes.
        reason: String,
    },
}

/// A version that answers.
pub(crate) struct Servable {
    /// The model with its preparation.
    pub predictor: Predictor,
    /// The package's identity.
    pub fingerprint: String,
}

impl Servable {
    /// Opens a package and answers one sample of zeros, which finds weights that do not fit and fills caches.
    fn open(path: &Path) -> Result<Servable> {
        let package = Package::open(path)?;
        let failed = |source| Error::Load {
            path: path.to_path_buf(),
            source: Box::new(source),
        };
        let predictor = Predictor::from_package(&package).map_err(failed)?;
        let shape = [&[1], predictor.preprocessing().sample_shape().as_slice()].concat();
        predictor
            .predict_answers(&Tensor::zeros(shape, DType::F32))
            .map_err(failed)?;
        Ok(Servable {
            predictor,
            fingerprint: package.fingerprint().to_owned(),
        })
    }
}

impl Version {
    fn load(number: u64, path: &Path) -> Version {
        let state = match Servable::open(path) {
            Ok(servable) => VersionState::Available(Box::new(servable)),
            Err(error) => {
                let reason = error.chain();
                tracing::warn!(version = number, path = %path.display(), reason, "a version cannot be served");
                VersionState::Failed { reason }
            }
        };
        Version { number, state }
    }

    fn servable(&self) -> Option<&Servable> {
        match &self.state {
            VersionState::Available(servable) => Some(servable),
            VersionState::Failed { .. } => None,
        }
    }
}

impl ModelStore {
    /// Loads the package, or the versions, that the configuration names.
    ///
    /// # Errors
    /// [`Error::Unnamed`] for a path without a last part, [`Error::Package`] and [`Error::Load`] when there is nothing
    /// that can be served.
    pub(crate) fn open(config: &ServerConfig) -> Result<ModelStore> {
        // Resolving the path first gives `.` and `model/` a name, too.
        let path = std::fs::canonicalize(&config.model).unwrap_or_else(|_| config.model.clone());
        let (name, own_number) = name_and_number(&path);
        let name = config.name.clone().or(name);
        let name = name.ok_or(Error::Unnamed { path: path.clone() })?;
        let newest = gradus_package::resolve(&path)?;
        let versions = if is_package(&path) {
            let servable = Servable::open(&path)?;
            let state = VersionState::Available(Box::new(servable));
            vec![Version {
                number: own_number.unwrap_or(1),
                state,
            }]
        } else {
            let found = versions(&path)?;
            found
                .iter()
                .map(|version| Version::load(version.number, &version.path))
                .collect()
        };
        Self::with_versions(name, versions, &newest)
    }

    /// At least one version must answer; when none does, the newest one's reason is told.
    fn with_versions(name: String, versions: Vec<Version>, newest: &Path) -> Result<ModelStore> {
        match versions.iter().rposition(|version| version.servable().is_some()) {
            Some(latest) => Ok(ModelStore {
                name,
                versions,
                latest,
            }),
            None => Err(Servable::open(newest).err().unwrap_or(Error::NoVersion {
                path: newest.to_path_buf(),
            })),
        }
    }

    /// The number and the model of the newest version that answers.
    pub(crate) fn latest(&self) -> (u64, &Servable) {
        let version = &self.versions[self.latest];
        let servable = version
            .servable()
            .expect("bug: the latest version was available when the store was made");
        (version.number, servable)
    }

    /// The place of the version that a request means; the latest where it names none.
    ///
    /// # Errors
    /// [`Error::UnknownModel`], [`Error::UnknownVersion`], [`Error::FailedVersion`].
    pub(crate) fn find(&self, name: &str, version: Option<&str>) -> Result<usize> {
        self.check_name(name)?;
        let Some(version) = version else {
            return Ok(self.latest);
        };
        let at = self.place(version)?;
        match &self.versions[at].state {
            VersionState::Available(_) => Ok(at),
            VersionState::Failed { .. } => Err(Error::FailedVersion {
                name: self.name.clone(),
                version: self.versions[at].number,
            }),
        }
    }

    /// The place of the latest version.
    pub(crate) fn latest_place(&self) -> usize {
        self.latest
    }

    /// The version at a place that [`find`](Self::find) gave.
    pub(crate) fn servable(&self, at: usize) -> &Servable {
        self.versions[at]
            .servable()
            .expect("bug: only places of available versions are handed out")
    }

    /// The versions that a status request asks about: one, or all.
    ///
    /// # Errors
    /// [`Error::UnknownModel`], and [`Error::UnknownVersion`] for a version that is not in the folder.
    pub(crate) fn listed(&self, name: &str, version: Option<&str>) -> Result<&[Version]> {
        self.check_name(name)?;
        let Some(version) = version else {
            return Ok(&self.versions);
        };
        let at = self.place(version)?;
        Ok(&self.versions[at..=at])
    }

    fn place(&self, version: &str) -> Result<usize> {
        let number: Option<u64> = version.parse().ok();
        let place = self
            .versions
            .iter()
            .position(|known| Some(known.number) == number);
        place.ok_or_else(|| Error::UnknownVersion {
            name: self.name.clone(),
            version: version.to_owned(),
            known: self
                .versions
                .iter()
                .map(|known| known.number.to_string())
                .collect::<Vec<_>>()
                .join(", "),
        })
    }

    fn check_name(&self, name: &str) -> Result<()> {
        match name == self.name {
            true => Ok(()),
            false => Err(Error::UnknownModel {
                name: name.to_owned(),
                served: self.name.clone(),
            }),
        }
    }
}

/// A folder's name; for one version of a model, `name/3`, the model's name and the number; for the package of a run,
/// the run's name.
fn name_and_number(path: &Path) -> (Option<String>, Option<u64>) {
    let part = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned());
    let own = part(path);
    let number = own
        .as_deref()
        .and_then(|name| name.parse().ok())
        .filter(|_| is_package(path));
    let above = || path.parent().and_then(part);
    match own.as_deref() {
        Some(_) if number.is_some() => (above().or(own), number),
        Some(RUN_PACKAGE) => (above().or(own), None),
        Some(_) | None => (own, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_is_no_package_keeps_its_name() {
        assert_eq!(
            name_and_number(Path::new("/models/fashion")),
            (Some("fashion".to_owned()), None)
        );
        assert_eq!(
            name_and_number(Path::new("/models/7")),
            (Some("7".to_owned()), None)
        );
        assert_eq!(
            name_and_number(Path::new("runs/fashion/model")),
            (Some("fashion".to_owned()), None)
        );
        assert_eq!(name_and_number(Path::new("/")), (None, None));
    }
}
