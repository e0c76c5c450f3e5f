//! One process-wide fork-join pool: spin for a moment, then park.
//!
//! What is here: [`parallel_for`] and [`parallel_chunks_mut`], which split a job into contiguous ranges of tasks, one
//! range per thread. Thread `t` of `n` always gets the same share of the same number of tasks, so data that stays
//! between calls (a weight matrix, its gradient, its optimiser state) stays in the cache of the core that used it last.
//!
//! What is not here: work stealing. Kernels know the cost of their tasks; equal static shares cost one hand-off
//! of about a microsecond where a stealing join costs ten, which decides steps that last less than a hundred. The one
//! exception: a share that its thread has not begun when the caller is done with its own is run by the caller, so a
//! busy machine costs the gain of the second core and not a wait for it.
//!
//! The caller is thread 0 and works too. A call made while the pool is busy, from inside a task or from another
//! thread, runs on its caller alone, so nesting and concurrent servers neither deadlock nor oversubscribe.
//! Results must never depend on the number of threads: that is the duty of each kernel, which splits by problem size.

use std::any::Any;
use std::cell::UnsafeCell;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use std::thread::Thread;
use std::time::{Duration, Instant};

/// How long a thread spins before it parks. Longer than the serial gaps inside a training step of a small network
/// (2-20 µs), shorter than what a neighbour on a shared core would notice; a park and unpark pair costs 5-50 µs.
const SPIN: Duration = Duration::from_micros(60);

/// Spins between two looks at the clock, which costs as much as a few pauses.
const SPINS_PER_CLOCK: u32 = 32;

/// More threads than this are never started; a guard against a mistyped setting, not a tuning.
const MAX_THREADS: usize = 256;

/// Zero means "not chosen yet": the machine's parallelism.
static THREADS: AtomicUsize = AtomicUsize::new(0);

/// The workers started so far. Whoever holds the lock is the leader of the one job that may run.
static WORKERS: Mutex<Vec<&'static Worker>> = Mutex::new(Vec::new());

/// Sets how many threads share each parallel job from now on, the caller included; at least 1.
///
/// Workers start when first needed and stay parked when the number is lowered.
pub fn set_threads(threads: usize) {
    THREADS.store(threads.clamp(1, MAX_THREADS), Ordering::Relaxed);
}

/// How many threads share each parallel job, the caller included; the machine's parallelism unless set.
pub fn threads() -> usize {
    match THREADS.load(Ordering::Relaxed) {
        0 => {
            set_threads(std::thread::available_parallelism().map_or(1, usize::from));
            THREADS.load(Ordering::Relaxed)
        }
        threads => threads,
    }
}

/// Runs `body(task)` once for every task in `0..tasks`, in contiguous ranges per thread, and waits for all.
///
/// # Panics
/// If a task panics, the first panic goes on in the caller after every thread has left the job.
///
/// ```
/// use std::sync::atomic::{AtomicUsize, Ordering};
/// let sum = AtomicUsize::new(0);
/// gradus_kernels::pool::parallel_for(10, |task| {
///     sum.fetch_add(task, Ordering::Relaxed);
/// });
/// assert_eq!(sum.into_inner(), 45);
/// ```
pub fn parallel_for(tasks: usize, body: impl Fn(usize) + Sync) {
    parallel_ranges(tasks, |range| range.for_each(&body));
}

/// Splits `out` into chunks of `chunk` elements (the last may be shorter) and runs `body(chunk_index, chunk)` on each.
///
/// # Panics
/// If `chunk` is zero, or as [`parallel_for`].
pub fn parallel_chunks_mut<T: Send>(out: &mut [T], chunk: usize, body: impl Fn(usize, &mut [T]) + Sync) {
    assert!(chunk > 0, "parallel_chunks_mut: chunk must not be zero");
    let len = out.len();
    let base = SharedMut(out.as_mut_ptr());
    parallel_for(len.div_ceil(chunk), |index| {
        let start = index * chunk;
        // SAFETY: chunks of different indices do not overlap, each index runs once, and `out` outlives the call.
        let part = unsafe { base.slice(start..len.min(start + chunk)) };
        body(index, part);
    });
}

/// As [`parallel_for`], but each thread gets its whole range of tasks in one call.
///
/// For kernels that can do a range better than task by task; the results must not depend on where ranges end.
pub(crate) fn parallel_ranges(tasks: usize, body: impl Fn(Range<usize>) + Sync) {
    let parts = threads().min(tasks);
    if parts > 1
        && let Some(mut workers) = lead()
    {
        start_missing(&mut workers, parts - 1);
        return fork_join(&workers[..workers.len().min(parts - 1)], tasks, &body);
    }
    if tasks > 0 {
        body(0..tasks);
    }
}

/// Becomes the leader, or `None` if a job is running.
fn lead() -> Option<MutexGuard<'static, Vec<&'static Worker>>> {
    match WORKERS.try_lock() {
        Ok(workers) => Some(workers),
        // A poisoned lock only says that some task panicked; `fork_join` had left the workers idle before that.
        Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}

/// Starts workers up to `wanted`; if the system refuses a thread, the job runs with those there are.
fn start_missing(workers: &mut Vec<&'static Worker>, wanted: usize) {
    while workers.len() < wanted {
        let worker: &'static Worker = Box::leak(Box::default());
        let name = format!("gradus-{}", workers.len() + 1);
        match std::thread::Builder::new().name(name).spawn(|| worker.run()) {
            Ok(handle) => worker.set_thread(&worker.thread, handle.thread()),
            Err(_) => return,
        }
        workers.push(worker);
    }
}

fn fork_join<F: Fn(Range<usize>) + Sync>(workers: &[&'static Worker], tasks: usize, body: &F) {
    let parts = workers.len() + 1;
    let share = |part: usize| part * tasks / parts..(part + 1) * tasks / parts;
    for (index, worker) in workers.iter().enumerate() {
        worker.post(Job {
            call: call_body::<F>,
            body: std::ptr::from_ref(body).cast(),
            range: share(index + 1),
        });
    }
    // The workers borrow `body`: they must be done before this frame goes, even when a share panics.
    let mut panic = catch_unwind(AssertUnwindSafe(|| body(share(0)))).err();
    for worker in workers {
        let later = match worker.reclaim() {
            Some(job) => job.run(),
            None => worker.join(),
        };
        panic = panic.or(later);
    }
    if let Some(payload) = panic {
        resume_unwind(payload);
    }
}

/// A borrowed closure with its type erased, and the tasks to run it on.
struct Job {
    call: unsafe fn(*const (), Range<usize>),
    body: *const (),
    range: Range<usize>,
}

type Panic = Box<dyn Any + Send>;

impl Job {
    /// Runs the tasks; returns the payload if one panics.
    fn run(self) -> Option<Panic> {
        // SAFETY: `fork_join` made the pointer for this function and stays until every job is done.
        catch_unwind(AssertUnwindSafe(|| unsafe { (self.call)(self.body, self.range) })).err()
    }
}

/// # Safety
/// `body` must point to a live `F`.
unsafe fn call_body<F: Fn(Range<usize>) + Sync>(body: *const (), range: Range<usize>) {
    // SAFETY: the caller's promise.
    unsafe { (*body.cast::<F>())(range) }
}

/// No job; the worker spins, looking for one. Leaves to `POSTED` (leader) or `PARKED` (worker).
const IDLE: u8 = 0;
/// No job; the worker sleeps or is about to, and whoever posts must unpark it. Leaves to `POSTED` (leader) or, after a
/// wake-up, `IDLE` (worker).
const PARKED: u8 = 1;
/// A job lies in the slot. Leaves to `RUNNING` (worker) or back to where it came from (leader, taking the job away).
const POSTED: u8 = 2;
/// The worker runs the job. Leaves to `IDLE` (worker) or `AWAITED` (leader).
const RUNNING: u8 = 3;
/// As `RUNNING`, and the leader sleeps; the worker must unpark it. Leaves to `IDLE` (worker).
const AWAITED: u8 = 4;

/// A worker's mailbox, on cache lines of its own.
///
/// Every hand-over is one read-modify-write of `state`, so its modification order alone decides who owns the slot:
/// no pair of variables has to be seen in a certain order, and acquire/release is enough. In `RUNNING` and `AWAITED` the
/// worker owns `job` and `panic`; in every other state the leader does, except that the worker may take a `POSTED` job
/// by moving to `RUNNING`. A wake-up cannot be lost: whoever leaves `PARKED` or `AWAITED` by replacing it unparks the
/// sleeper, and `park` returns at once if that came first.
#[repr(align(128))]
#[derive(Default)]
struct Worker {
    state: AtomicU8,
    /// What `POSTED` replaced; the leader's own note.
    replaced: AtomicU8,
    job: UnsafeCell<Option<Job>>,
    panic: UnsafeCell<Option<Panic>>,
    thread: Mutex<Option<Thread>>,
    leader: Mutex<Option<Thread>>,
}

// SAFETY: `job` and `panic` are touched only by the side that owns the slot (see above), and ownership passes by
// release/acquire on `state`. The raw pointer in `job` is to a `Sync` closure that `fork_join` keeps alive.
unsafe impl Sync for Worker {}

impl Worker {
    /// Moves from one state to another, if it is still in the first.
    ///
    /// AcqRel on success: what this side wrote to the slot is published, what the other wrote is visible.
    fn moves(&self, from: u8, to: u8) -> bool {
        self.state
            .compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
    }

    /// Leader: hands over a job; the worker must be out of its last one.
    fn post(&self, job: Job) {
        // SAFETY: the last leader saw IDLE or PARKED in `join` or `reclaim`, so the slot is ours.
        unsafe { *self.job.get() = Some(job) };
        let replaced = self.state.swap(POSTED, Ordering::AcqRel);
        // Relaxed: the lock on `WORKERS` orders leaders, and no worker reads it.
        self.replaced.store(replaced, Ordering::Relaxed);
        if replaced == PARKED {
            unpark(&self.thread);
        }
    }

    /// Leader, its own share done: takes the job back if the worker has still not started it.
    ///
    /// A worker that has to be woken, or whose core is busy with another process, would take longer to come than
    /// most jobs last.
    fn reclaim(&self) -> Option<Job> {
        let waiting = || self.state.load(Ordering::Acquire) == POSTED;
        for _ in 0..SPINS_PER_CLOCK {
            if !waiting() {
                return None;
            }
            std::hint::spin_loop();
        }
        // Restoring the replaced state keeps the worker's promise: if it slept, the next post wakes it again.
        if !self.moves(POSTED, self.replaced.load(Ordering::Relaxed)) {
            return None;
        }
        // SAFETY: we have left POSTED before the worker did, so the slot is ours.
        unsafe { (*self.job.get()).take() }
    }

    /// Leader: waits until the worker has done the job; returns the payload if it panicked.
    fn join(&self) -> Option<Panic> {
        let done = || matches!(self.state.load(Ordering::Acquire), IDLE | PARKED);
        if !spin_until(done) {
            self.set_thread(&self.leader, &std::thread::current());
            // On failure the worker has finished. On success it will find our handle.
            self.moves(RUNNING, AWAITED);
            while !done() {
                std::thread::park();
            }
        }
        // SAFETY: `done` acquired IDLE or PARKED: the slot is ours again and the worker's writes are visible.
        unsafe { (*self.panic.get()).take() }
    }

    /// Worker: the life of its thread. Each move may fail because the leader moved first; then it looks again.
    fn run(&self) {
        loop {
            match self.state.load(Ordering::Acquire) {
                IDLE if !spin_until(|| self.state.load(Ordering::Acquire) != IDLE) => {
                    self.moves(IDLE, PARKED);
                }
                PARKED => {
                    std::thread::park();
                    // Woken for a job that has been taken back: there is work about, so spin for a while.
                    self.moves(PARKED, IDLE);
                }
                POSTED if self.moves(POSTED, RUNNING) => self.work(),
                _ => {}
            }
        }
    }

    /// Worker: runs the job it has taken and gives the slot back.
    fn work(&self) {
        // SAFETY: we have moved to RUNNING, so the slot is ours and the job is visible.
        unsafe { *self.panic.get() = (*self.job.get()).take().and_then(Job::run) };
        // The release publishes what the job wrote. The slot and the leader's borrow are not touched after this.
        if self.state.swap(IDLE, Ordering::AcqRel) == AWAITED {
            // The handle may already be that of the next leader; a stray unpark only makes it look once more.
            unpark(&self.leader);
        }
    }

    fn set_thread(&self, cell: &Mutex<Option<Thread>>, thread: &Thread) {
        *cell.lock().unwrap_or_else(PoisonError::into_inner) = Some(thread.clone());
    }
}

fn unpark(cell: &Mutex<Option<Thread>>) {
    // Cloned, not taken: the handle must stay for the sleep that follows a stray wake-up.
    if let Some(thread) = &*cell.lock().unwrap_or_else(PoisonError::into_inner) {
        thread.unpark();
    }
}

/// Spins until `done`, for `SPIN` at most; returns whether it came true.
fn spin_until(done: impl Fn() -> bool) -> bool {
    // The first rounds are free of the clock: hot hand-offs end here.
    let mut start = None;
    loop {
        for _ in 0..SPINS_PER_CLOCK {
            if done() {
                return true;
            }
            std::hint::spin_loop();
        }
        let start = *start.get_or_insert_with(Instant::now);
        if start.elapsed() > SPIN {
            return done();
        }
    }
}

/// A pointer that several threads may use for writing to places that do not overlap.
pub(crate) struct SharedMut<T>(pub *mut T);

// SAFETY: the pointer is only turned into access by `unsafe` code that proves that no two threads share a place.
unsafe impl<T: Send> Send for SharedMut<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for SharedMut<T> {}

impl<T> SharedMut<T> {
    /// The pointer; a method, so that closures capture the wrapper and not the bare field.
    pub(crate) fn get(&self) -> *mut T {
        self.0
    }

    /// # Safety
    /// `range` must lie in the live allocation, and nothing else may use it while the slice lives.
    pub(crate) unsafe fn slice<'a>(&self, range: Range<usize>) -> &'a mut [T] {
        // SAFETY: passed on to the caller.
        unsafe { std::slice::from_raw_parts_mut(self.0.add(range.start), range.end - range.start) }
    }
}

#[cfg(test)]
mod tests;
