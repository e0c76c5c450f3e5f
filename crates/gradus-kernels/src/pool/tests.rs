use super::*;
use std::sync::atomic::AtomicU64;

/// Tests change the number of threads, which is global to the process.
static SETTING: Mutex<()> = Mutex::new(());

fn with_threads(n: usize, test: impl FnOnce()) {
    let _guard = SETTING.lock().unwrap_or_else(PoisonError::into_inner);
    set_threads(n);
    test();
    set_threads(2);
}

#[test]
fn runs_every_task_once_for_any_thread_and_task_count() {
    for n in [1, 2, 3, 4, 7] {
        with_threads(n, || {
            for tasks in [0, 1, 2, 3, 5, 8, 100] {
                let seen: Vec<AtomicUsize> = (0..tasks).map(|_| AtomicUsize::new(0)).collect();
                parallel_for(tasks, |task| {
                    seen[task].fetch_add(1, Ordering::Relaxed);
                });
                assert!(
                    seen.iter().all(|count| count.load(Ordering::Relaxed) == 1),
                    "{n} threads, {tasks} tasks"
                );
            }
        });
    }
}

#[test]
fn survives_a_hundred_thousand_hand_offs_with_changing_teams_and_pauses() {
    let _guard = SETTING.lock().unwrap_or_else(PoisonError::into_inner);
    let total = AtomicU64::new(0);
    for round in 0..100_000_u64 {
        set_threads(1 + (round % 4) as usize);
        parallel_for(5, |task| {
            total.fetch_add(round * task as u64, Ordering::Relaxed);
        });
        if round % 5_000 == 0 {
            // Long enough for every worker to park, so that waking is tested too.
            std::thread::sleep(SPIN * 3);
        }
    }
    assert_eq!(total.into_inner(), 10 * (0..100_000_u64).sum::<u64>());
    set_threads(2);
}

#[test]
fn leader_parks_when_a_worker_takes_long() {
    with_threads(2, || {
        let slept = AtomicUsize::new(0);
        for _ in 0..20 {
            parallel_for(2, |task| {
                if task == 1 {
                    std::thread::sleep(SPIN * 4);
                    slept.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        assert_eq!(slept.into_inner(), 20);
    });
}

#[test]
fn nested_and_concurrent_calls_run_inline() {
    with_threads(2, || {
        let count = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    for _ in 0..500 {
                        parallel_for(4, |_| {
                            parallel_for(3, |_| {
                                count.fetch_add(1, Ordering::Relaxed);
                            });
                        });
                    }
                });
            }
        });
        assert_eq!(count.into_inner(), 3 * 500 * 12);
    });
}

#[test]
fn panics_propagate_from_either_side_and_leave_the_pool_usable() {
    with_threads(2, || {
        for bad in [0, 1] {
            let result = catch_unwind(|| parallel_for(2, |task| assert!(task != bad, "task {task} fails")));
            let payload = result.unwrap_err();
            assert_eq!(
                payload.downcast_ref::<String>().unwrap(),
                &format!("task {bad} fails")
            );
            let ok = AtomicUsize::new(0);
            parallel_for(2, |_| {
                ok.fetch_add(1, Ordering::Relaxed);
            });
            assert_eq!(ok.into_inner(), 2);
        }
    });
}

#[test]
fn the_same_thread_gets_the_same_tasks_every_time() {
    with_threads(2, || {
        let owners = || {
            let ids: Mutex<Vec<_>> = Mutex::new(vec![None; 8]);
            parallel_for(8, |task| {
                ids.lock().unwrap()[task] = Some(std::thread::current().id())
            });
            ids.into_inner().unwrap()
        };
        // A test thread of another module may hold the pool, then everything runs here: look for a shared run.
        // The worker may also come too late to take its share; again, look on.
        let shared = || {
            (0..100_000)
                .map(|_| owners())
                .find(|ids| ids[0] != ids[7])
                .unwrap()
        };
        let first = shared();
        assert_eq!(first, shared());
        assert!(first[..4].iter().all(|id| *id == first[0]) && first[4..].iter().all(|id| *id == first[7]));
    });
}

#[test]
fn chunks_cover_the_slice_with_a_short_last_one() {
    let mut out = vec![0_u32; 103];
    parallel_chunks_mut(&mut out, 10, |index, chunk| {
        assert_eq!(chunk.len(), if index == 10 { 3 } else { 10 });
        chunk.fill(index as u32 + 1);
    });
    assert!(out.iter().enumerate().all(|(i, &v)| v == (i / 10) as u32 + 1));
}
