//! Batches of a data set, shuffled anew each epoch, assembled by the caller or ahead of it.

use std::ops::Range;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::{Builder, JoinHandle, available_parallelism};

use gradus_kernels::pool;
use gradus_tensor::{Rng, Tensor};

use crate::dataset::Dataset;
use crate::error::{Error, Result};

/// Batches waiting in front of the caller when a thread assembles them: one to take, one to cover a late wake-up.
/// More would only hold more memory, as assembling is far quicker than any use of a batch.
const BATCHES_AHEAD: usize = 2;

/// The stream of random numbers below a shuffle seed that orders the samples.
const STREAM_ORDER: u64 = 2;

/// How a [`Loader`] draws batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoaderConfig {
    /// Samples of a batch; at least 1.
    pub batch_size: usize,
    /// Shuffles each epoch with this seed; `None` keeps the order of the data set. Default: `None`.
    pub shuffle_seed: Option<u64>,
    /// Leaves out a last batch that is not full. Default: `false`, the last batch may be smaller.
    pub drop_last: bool,
    /// Who assembles the batches. Default: [`Prefetch::Auto`].
    pub prefetch: Prefetch,
}

impl LoaderConfig {
    /// Batches of `batch_size` with the defaults of the other fields.
    pub fn new(batch_size: usize) -> LoaderConfig {
        LoaderConfig {
            batch_size,
            shuffle_seed: None,
            drop_last: false,
            prefetch: Prefetch::Auto,
        }
    }
}

/// Who assembles the batches. The batches are the same either way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Prefetch {
    /// [`Inline`](Self::Inline) when the pool of compute threads already uses every core, else
    /// [`Thread`](Self::Thread).
    ///
    /// With the data in memory a batch of 64 pictures of 28×28 takes 6 µs to assemble with two threads and 10 µs with
    /// one (two cores of an AMD EPYC with AVX-512, bytes in memory); to have it assembled by a thread and handed over takes
    /// 23 to 31 µs there, most of it waking up, and when all cores compute that thread takes one of them away. It pays
    /// only on a core that would otherwise idle.
    #[default]
    Auto,
    /// A thread assembles batches ahead of the caller, alone, and waits when it is a few batches ahead.
    Thread,
    /// The caller assembles a batch when it asks for one, with the help of the compute pool.
    Inline,
}

impl Prefetch {
    /// What `Auto` stands for on this machine, with the compute pool as it is set now.
    fn resolve(self) -> Prefetch {
        match self {
            Prefetch::Auto if pool::threads() >= available_parallelism().map_or(1, usize::from) => {
                Prefetch::Inline
            }
            Prefetch::Auto => Prefetch::Thread,
            Prefetch::Thread | Prefetch::Inline => self,
        }
    }
}

/// Draws batches from a data set.
#[derive(Clone, Debug)]
pub struct Loader {
    dataset: Arc<Dataset>,
    config: LoaderConfig,
}

/// One batch.
#[derive(Clone, Debug)]
pub struct Batch {
    /// Prepared inputs, f32 `[batch, ..sample_shape]`.
    pub inputs: Tensor,
    /// What is to be learnt: classes, i64 `[batch]`; numbers, standardised, f32 `[batch, outputs]`; or labels, f32
    /// `[batch, labels]` of 0 and 1.
    pub targets: Tensor,
    order: Arc<Vec<usize>>,
    range: Range<usize>,
}

impl Batch {
    /// Where in the data set the samples come from.
    pub fn indices(&self) -> &[usize] {
        &self.order[self.range.clone()]
    }

    /// Number of samples.
    pub fn len(&self) -> usize {
        self.range.len()
    }

    /// Whether there are none; a loader gives no such batch.
    pub fn is_empty(&self) -> bool {
        self.range.is_empty()
    }
}

impl Loader {
    /// A loader for `dataset`.
    ///
    /// # Errors
    /// When there would be no batch: no samples, a batch size of 0, or fewer samples than a batch and `drop_last`.
    pub fn new(dataset: Arc<Dataset>, config: LoaderConfig) -> Result<Loader> {
        let (batch_size, samples) = (config.batch_size, dataset.len());
        let smallest = if config.drop_last { batch_size } else { 1 };
        if batch_size == 0 || samples < smallest {
            return Err(Error::NoBatch { batch_size, samples });
        }
        Ok(Loader { dataset, config })
    }

    /// The data set.
    pub fn dataset(&self) -> &Arc<Dataset> {
        &self.dataset
    }

    /// Batches of an epoch.
    pub fn num_batches(&self) -> usize {
        if self.config.drop_last {
            self.dataset.len() / self.config.batch_size
        } else {
            self.dataset.len().div_ceil(self.config.batch_size)
        }
    }

    /// The batches of an epoch after the first `skip_batches`, which a resumed run has already seen.
    ///
    /// The order is a function of the seed and `epoch` alone: two loaders with the same data and configuration give the
    /// same batches, on any number of threads and whatever was drawn before.
    pub fn epoch(&self, epoch: u64, skip_batches: usize) -> Epoch {
        let assembler = Assembler::new(self, epoch, skip_batches);
        match self.config.prefetch.resolve() {
            Prefetch::Thread => Epoch {
                source: Source::spawn(assembler),
            },
            Prefetch::Inline | Prefetch::Auto => Epoch {
                source: Source::Inline(assembler),
            },
        }
    }

    /// The order of an epoch's samples.
    fn order(&self, epoch: u64) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.dataset.len()).collect();
        if let Some(seed) = self.config.shuffle_seed {
            Rng::derive(seed, &[STREAM_ORDER, epoch]).shuffle(&mut order);
        }
        order
    }
}

/// The batches of one epoch, in order.
///
/// An error ends it. Dropping it stops and joins the thread that assembles ahead.
#[derive(Debug)]
pub struct Epoch {
    source: Source,
}

impl Iterator for Epoch {
    type Item = Result<Batch>;

    fn next(&mut self) -> Option<Result<Batch>> {
        match &mut self.source {
            Source::Inline(assembler) => assembler.next_batch(Threads::Pool).map(Ok),
            Source::Ahead { assembled, left, .. } => {
                *left = left.checked_sub(1)?;
                let batch = assembled.as_ref().and_then(|assembled| assembled.recv().ok());
                if batch.is_none() {
                    *left = 0;
                }
                // The thread sends all batches unless it panicked.
                Some(batch.ok_or(Error::LoaderThread { source: None }))
            }
            Source::Failed(error) => error
                .take()
                .map(|source| Err(Error::LoaderThread { source: Some(source) })),
        }
    }
}

#[derive(Debug)]
enum Source {
    Inline(Assembler),
    Ahead {
        assembled: Option<Receiver<Batch>>,
        left: usize,
        thread: Option<JoinHandle<()>>,
    },
    Failed(Option<std::io::Error>),
}

impl Source {
    fn spawn(mut assembler: Assembler) -> Source {
        let left = assembler.batches.len();
        let (sender, receiver) = sync_channel(BATCHES_AHEAD);
        let work = move || {
            while let Some(batch) = assembler.next_batch(Threads::One) {
                // The receiver is gone when the epoch was dropped.
                if sender.send(batch).is_err() {
                    return;
                }
            }
        };
        match Builder::new().name("gradus-loader".to_owned()).spawn(work) {
            Ok(thread) => Source::Ahead {
                assembled: Some(receiver),
                left,
                thread: Some(thread),
            },
            Err(error) => Source::Failed(Some(error)),
        }
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        if let Source::Ahead {
            assembled, thread, ..
        } = self
        {
            // A thread that waits to send learns from this that nobody will receive.
            drop(assembled.take());
            if let Some(thread) = thread.take() {
                // Its panic, if any, was reported as an error already.
                let _ = thread.join();
            }
        }
    }
}

/// Who may work on one batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Threads {
    /// The threads of the compute pool.
    Pool,
    /// This thread alone, so that the pool stays free for the caller's computation.
    One,
}

/// Makes one batch after the other.
#[derive(Debug)]
struct Assembler {
    dataset: Arc<Dataset>,
    order: Arc<Vec<usize>>,
    batch_size: usize,
    batches: Range<usize>,
    /// `[batch, ..sample_shape]`, kept so that a batch does not allocate its shape.
    shape: Vec<usize>,
}

impl Assembler {
    fn new(loader: &Loader, epoch: u64, skip_batches: usize) -> Assembler {
        let batch_size = loader.config.batch_size;
        Assembler {
            dataset: Arc::clone(&loader.dataset),
            order: Arc::new(loader.order(epoch)),
            batch_size,
            batches: skip_batches.min(loader.num_batches())..loader.num_batches(),
            shape: loader.dataset.samples().batch_shape(batch_size),
        }
    }

    fn next_batch(&mut self, threads: Threads) -> Option<Batch> {
        let start = self.batches.next()? * self.batch_size;
        let range = start..self.order.len().min(start + self.batch_size);
        let indices = &self.order[range.clone()];
        self.shape[0] = indices.len();
        let samples = self.dataset.samples();
        let inputs = Tensor::build(&self.shape, |out: &mut [f32]| match threads {
            Threads::Pool => samples.gather(indices, out),
            Threads::One => samples.gather_alone(indices, out),
        });
        let targets = self.dataset.targets().batch(indices);
        Some(Batch {
            inputs,
            targets,
            order: Arc::clone(&self.order),
            range,
        })
    }
}
