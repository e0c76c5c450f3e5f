//! The threads that compute, behind a bounded queue.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use tokio::sync::oneshot;

use crate::error::{Error, Result};

type Job = Box<dyn FnOnce() + Send>;

/// A fixed number of threads and the queue they take jobs from. Dropping it finishes what is queued and joins them.
pub(crate) struct Workers {
    queue: Arc<Queue>,
    threads: Vec<JoinHandle<()>>,
}

struct Queue {
    state: Mutex<State>,
    changed: Condvar,
    capacity: usize,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    closed: bool,
}

impl Workers {
    /// Starts `threads` threads; at most `capacity` jobs wait for one.
    ///
    /// # Errors
    /// [`Error::Spawn`] when the system gives no thread.
    pub(crate) fn start(threads: usize, capacity: usize) -> Result<Workers> {
        let queue = Arc::new(Queue {
            state: Mutex::default(),
            changed: Condvar::new(),
            capacity,
        });
        let mut workers = Workers {
            queue,
            threads: Vec::new(),
        };
        for index in 0..threads {
            let queue = workers.queue.clone();
            let builder = std::thread::Builder::new().name(format!("gradus-worker-{index}"));
            let thread = builder
                .spawn(move || queue.work())
                .map_err(|source| Error::Spawn { source })?;
            workers.threads.push(thread);
        }
        Ok(workers)
    }

    /// Runs `work` on a worker.
    ///
    /// # Errors
    /// [`Error::QueueFull`] at once when too many jobs wait; [`Error::Panicked`] when `work` panics.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T> {
        let (answer, answered) = oneshot::channel();
        self.queue.push(Box::new(move || {
            // A caller who has gone away needs no answer, so none is computed; one who goes now gets none.
            if !answer.is_closed() {
                let _ = answer.send(work());
            }
        }))?;
        answered.await.map_err(|_| Error::Panicked)
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.queue.lock().closed = true;
        self.queue.changed.notify_all();
        for thread in self.threads.drain(..) {
            // A worker catches its jobs' panics, so it has none of its own to pass on.
            let _ = thread.join();
        }
    }
}

impl Queue {
    fn push(&self, job: Job) -> Result<()> {
        let mut state = self.lock();
        if state.jobs.len() >= self.capacity {
            return Err(Error::QueueFull {
                capacity: self.capacity,
            });
        }
        state.jobs.push_back(job);
        drop(state);
        self.changed.notify_one();
        Ok(())
    }

    /// Takes and runs jobs until the queue is closed and empty.
    fn work(&self) {
        while let Some(job) = self.pop() {
            // The job's answer channel is dropped by a panic, which tells its caller; the thread goes on.
            let _ = catch_unwind(AssertUnwindSafe(job));
        }
    }

    fn pop(&self) -> Option<Job> {
        let mut state = self.lock();
        loop {
            if let Some(job) = state.jobs.pop_front() {
                return Some(job);
            }
            if state.closed {
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Jobs run outside the lock, so a panic cannot leave the queue half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap()
            .block_on(future)
    }

    #[test]
    fn a_full_queue_refuses_at_once_and_takes_jobs_again_later() {
        let workers = Workers::start(1, 1).unwrap();
        let (release, gate) = mpsc::channel::<()>();
        let (entered, inside) = mpsc::channel();
        block_on(async {
            let held = workers.run(move || {
                entered.send(()).unwrap();
                gate.recv().unwrap();
            });
            let mut held = Box::pin(held);
            assert!(futures_poll(&mut held).is_none(), "the worker holds it");
            inside.recv().unwrap();
            let mut waiting = Box::pin(workers.run(|| 2));
            assert!(futures_poll(&mut waiting).is_none(), "it waits in the queue");
            assert!(matches!(
                workers.run(|| 3).await,
                Err(Error::QueueFull { capacity: 1 })
            ));
            release.send(()).unwrap();
            held.await.unwrap();
            assert_eq!(waiting.await.unwrap(), 2);
            assert_eq!(workers.run(|| 4).await.unwrap(), 4);
        });
    }

    fn futures_poll<T>(future: &mut std::pin::Pin<Box<impl Future<Output = T>>>) -> Option<T> {
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        match future.as_mut().poll(&mut context) {
            std::task::Poll::Ready(value) => Some(value),
            std::task::Poll::Pending => None,
        }
    }

    #[test]
    fn a_panic_is_an_error_and_the_worker_lives_on() {
        let workers = Workers::start(1, 4).unwrap();
        block_on(async {
            assert!(matches!(
                workers.run(|| panic!("on purpose")).await,
                Err(Error::Panicked)
            ));
            assert_eq!(workers.run(|| 7).await.unwrap(), 7);
        });
    }
}
