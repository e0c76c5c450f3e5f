//! How much memory this process may still take.

use std::fs;
use std::path::{Path, PathBuf};

/// Bytes that can be allocated before the system swaps or kills: what the machine has available, or what is left of the
/// strictest control group around this process. `None` where the system does not say (it is not Linux).
pub fn available_bytes() -> Option<u64> {
    let machine = fs::read_to_string("/proc/meminfo")
        .ok()
        .and_then(|text| machine_available(&text));
    let membership = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let group = group_left(Path::new("/sys/fs/cgroup"), &membership);
    machine.into_iter().chain(group).min()
}

/// `MemAvailable` of `/proc/meminfo`, which is in KiB.
fn machine_available(meminfo: &str) -> Option<u64> {
    let line = meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"))?;
    Some(line.split_whitespace().next()?.parse::<u64>().ok()? * 1024)
}

/// The least that is left in any control group of the process, up to the root of what it sees.
fn group_left(root: &Path, membership: &str) -> Option<u64> {
    let unified = membership.lines().find_map(|line| line.strip_prefix("0::"));
    let legacy = membership
        .lines()
        .find_map(|line| line.split_once(":memory:"))
        .map(|(_, path)| path);
    let second = unified.into_iter().flat_map(|path| ancestors(root, path));
    let first = legacy
        .into_iter()
        .flat_map(|path| ancestors(&root.join("memory"), path));
    let second = second.filter_map(|folder| left(&folder, ["memory.max", "memory.current"], "inactive_file"));
    let first = first.filter_map(|folder| {
        let files = ["memory.limit_in_bytes", "memory.usage_in_bytes"];
        left(&folder, files, "total_inactive_file")
    });
    second.chain(first).min()
}

/// The folder of a group and those of all above it.
fn ancestors(root: &Path, group: &str) -> Vec<PathBuf> {
    let inner = Path::new(group.trim_start_matches('/'));
    inner.ancestors().map(|part| root.join(part)).collect()
}

/// Limit less usage of one group. Cached files that nobody uses are taken back when memory is wanted, so they do not
/// count as used.
fn left(folder: &Path, [limit, usage]: [&str; 2], reclaimable: &str) -> Option<u64> {
    let number =
        |name: &str| -> Option<u64> { fs::read_to_string(folder.join(name)).ok()?.trim().parse().ok() };
    // A group without a limit says "max", which is no number.
    let (limit, usage) = (number(limit)?, number(usage)?);
    let statistics = fs::read_to_string(folder.join("memory.stat")).unwrap_or_default();
    let cached = statistics
        .lines()
        .find_map(|line| line.strip_prefix(reclaimable)?.trim().parse::<u64>().ok());
    Some(limit.saturating_sub(usage.saturating_sub(cached.unwrap_or(0))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_the_machine_has() {
        let text = "MemTotal:       24621740 kB\nMemFree:   1 kB\nMemAvailable:   18000000 kB\n";
        assert_eq!(machine_available(text), Some(18_000_000 * 1024));
        assert_eq!(machine_available("MemTotal: 5 kB"), None);
    }

    #[test]
    fn the_strictest_group_decides_and_idle_cache_is_not_used() {
        let root = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("a/memory.max", "1000\n");
        write("a/memory.current", "700\n");
        write("a/memory.stat", "anon 500\ninactive_file 150\n");
        write("a/b/memory.max", "max\n");
        write("a/b/memory.current", "300\n");
        assert_eq!(group_left(root.path(), "0::/a/b\n"), Some(450));
        assert_eq!(group_left(root.path(), "0::/c\n"), None);
        write("memory/x/memory.limit_in_bytes", "90");
        write("memory/x/memory.usage_in_bytes", "100");
        assert_eq!(group_left(root.path(), "4:cpu:/\n3:memory:/x\n"), Some(0));
    }

    #[test]
    fn this_machine_has_some() {
        if cfg!(target_os = "linux") {
            assert!(available_bytes().is_some_and(|bytes| bytes > 0));
        }
    }
}
