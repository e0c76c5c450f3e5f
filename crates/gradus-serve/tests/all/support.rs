//! Packages, a running server and a client.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use gradus_data::{
    ColumnTransform, ImagePreprocessing, Preprocessing, TablePreprocessing, TargetEncoding, Transform,
    ValueColumn,
};
use gradus_evaluate::Predictor;
use gradus_nn::ModelConfig;
use gradus_nn::families::MlpConfig;
use gradus_package::{Encoding, Lineage, Manifest, Package, PackageContents, Signature, TensorSpec};
use gradus_serve::{Result, ServerConfig, Shutdown, ShutdownHandle, serve};
use gradus_tensor::{DType, Tensor};
use serde_json::Value;

/// Colour pictures, so that the order of the axes shows.
pub const IMAGE_SHAPE: [usize; 3] = [3, 4, 5];
pub const PIXELS: usize = 60;

/// A classifier of small colour pictures.
pub fn picture_package() -> PackageContents {
    let image = ImagePreprocessing {
        shape: IMAGE_SHAPE,
        scale: 1.0 / 255.0,
        mean: vec![0.5, 0.4, 0.3],
        std: vec![0.25, 0.3, 0.5],
    };
    package(Preprocessing::Image(image), &["ant", "bee", "cat"])
}

/// A classifier of rows with a number and a word.
pub fn table_package() -> PackageContents {
    package(table(None), &["no", "yes"])
}

/// A regression of two targets from such rows.
pub fn regression_package() -> PackageContents {
    let column = |name: &str, mean, std| ValueColumn {
        name: name.to_owned(),
        mean,
        std,
    };
    let columns = vec![column("price", 1000.0, 50.0), column("age", -3.0, 0.25)];
    package(table(Some(TargetEncoding::Values { columns })), &["price", "age"])
}

/// Three labels of such rows.
pub fn label_package() -> PackageContents {
    let names = ["warm", "loud", "new"];
    let columns = names.map(str::to_owned).to_vec();
    package(table(Some(TargetEncoding::Labels { columns })), &names)
}

fn table(targets: Option<TargetEncoding>) -> Preprocessing {
    let column = |name: &str, transform| ColumnTransform {
        name: name.to_owned(),
        transform,
    };
    let values = vec!["blue".to_owned(), "red".to_owned()];
    let columns = vec![
        column(
            "size",
            Transform::Numeric {
                mean: 2.0,
                std: 0.5,
                fill: 1.0,
            },
        ),
        column("colour", Transform::Categorical { values }),
    ];
    Preprocessing::Table(TablePreprocessing {
        label: "kind".to_owned(),
        columns,
        targets,
    })
}

fn package(preprocessing: Preprocessing, labels: &[&str]) -> PackageContents {
    let shape = preprocessing.sample_shape();
    let config = ModelConfig::Mlp(MlpConfig {
        input_shape: shape.clone(),
        hidden_sizes: vec![16],
        num_classes: labels.len(),
        ..MlpConfig::default()
    });
    let model = config.build(5).unwrap();
    let spec = |name: &str, shape: &[usize]| TensorSpec {
        name: name.to_owned(),
        dtype: DType::F32,
        shape: std::iter::once(None)
            .chain(shape.iter().map(|&len| Some(len)))
            .collect(),
    };
    let signature = Signature {
        inputs: vec![spec("input", &shape)],
        outputs: vec![spec("logits", &[labels.len()])],
        labels: labels.iter().map(|label| (*label).to_owned()).collect(),
    };
    PackageContents {
        config: serde_json::to_value(&config).unwrap(),
        tensors: model.state_dict(),
        manifest: Manifest::new(
            preprocessing.target_kind().name(),
            signature,
            preprocessing,
            Lineage::by_this_build(),
        ),
        encoding: Encoding::default(),
        files: Default::default(),
    }
}

/// A server in this process; stopped and checked when dropped.
pub struct Server {
    pub address: SocketAddr,
    pub predictor: Predictor,
    pub handle: ShutdownHandle,
    thread: Option<JoinHandle<Result<()>>>,
    _folder: Option<tempfile::TempDir>,
}

impl Server {
    /// Serves these contents as the model `m`.
    pub fn of(contents: &PackageContents) -> Server {
        Server::configured(contents, |_| ())
    }

    pub fn configured(contents: &PackageContents, change: impl FnOnce(&mut ServerConfig)) -> Server {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m");
        Package::save(&path, contents).unwrap();
        let mut server = Server::at(&path, change);
        server._folder = Some(folder);
        server
    }

    /// Serves a package or a folder of versions.
    pub fn at(path: &Path, change: impl FnOnce(&mut ServerConfig)) -> Server {
        Server::at_with(path, &gradus_package::resolve(path).unwrap(), change)
    }

    /// The same, where another package than the newest is expected to answer.
    pub fn at_with(path: &Path, answering: &Path, change: impl FnOnce(&mut ServerConfig)) -> Server {
        let mut config = ServerConfig::new(path);
        config.address.set_port(0);
        change(&mut config);
        let predictor = Predictor::open(answering).unwrap();
        let (shutdown, handle) = Shutdown::by_hand();
        let (ready, address) = mpsc::channel();
        let thread =
            std::thread::spawn(move || serve(config, shutdown, |address| ready.send(address).unwrap()));
        let Ok(address) = address.recv() else {
            panic!("the server did not start: {:?}", thread.join())
        };
        Server {
            address,
            predictor,
            handle,
            thread: Some(thread),
            _folder: None,
        }
    }

    /// Stops the server and gives what `serve` returned.
    pub fn stop(mut self) -> Result<()> {
        self.handle.stop();
        self.thread.take().unwrap().join().unwrap()
    }

    pub fn get(&self, path: &str) -> Reply {
        Reply::from(agent().get(self.url(path)).call())
    }

    pub fn post(&self, path: &str, body: &str) -> Reply {
        Reply::from(agent().post(self.url(path)).send(body))
    }

    pub fn post_bytes(&self, path: &str, body: &[u8]) -> Reply {
        Reply::from(agent().post(self.url(path)).send(body))
    }

    /// The rows under `field` of the answer to a body.
    pub fn rows(&self, path: &str, body: &Value, field: &str) -> Vec<Vec<f32>> {
        let reply = self.post(path, &body.to_string());
        assert_eq!(reply.status, 200, "{}", reply.text);
        serde_json::from_value(reply.json()[field].clone()).unwrap()
    }

    /// What the predictor itself answers to samples given as JSON.
    pub fn expected(&self, samples: &[Value]) -> Vec<Vec<f32>> {
        self.probabilities(&self.predictor.encode_json(samples).unwrap())
    }

    pub fn probabilities(&self, inputs: &Tensor) -> Vec<Vec<f32>> {
        let values = self
            .predictor
            .predict_answers(inputs)
            .unwrap()
            .to_vec::<f32>()
            .unwrap();
        values
            .chunks_exact(self.predictor.labels().len())
            .map(<[f32]>::to_vec)
            .collect()
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.handle.stop();
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            if !std::thread::panicking() {
                ended.unwrap().unwrap();
            }
        }
    }
}

pub struct Reply {
    pub status: u16,
    pub text: String,
}

impl Reply {
    fn from(result: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Reply {
        let mut response = result.unwrap();
        let text = response.body_mut().read_to_string().unwrap();
        Reply {
            status: response.status().as_u16(),
            text,
        }
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    /// The error message, after checking the status.
    pub fn error(&self, status: u16) -> String {
        assert_eq!(self.status, status, "{}", self.text);
        self.json()["error"].as_str().expect("an `error`").to_owned()
    }
}

fn agent() -> ureq::Agent {
    let config = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(Duration::from_secs(20)));
    config.build().into()
}

/// Sample `n`: raw pixels, channel by channel.
pub fn pixels(n: usize) -> Vec<u32> {
    (0..PIXELS).map(|i| ((i * 37 + n * 91) % 256) as u32).collect()
}
