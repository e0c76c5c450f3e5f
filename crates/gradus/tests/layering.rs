//! Crate dependencies point one way: the table in docs/ARCHITECTURE.md, run.

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, MetadataCommand};

/// What each room's row names; it may also use whatever those use.
const ROOMS: [(&str, &[&str]); 12] = [
    ("gradus-kernels", &[]),
    ("gradus-tensor", &["gradus-kernels"]),
    ("gradus-derive", &[]),
    ("gradus-nn", &["gradus-derive", "gradus-tensor"]),
    ("gradus-data", &["gradus-tensor"]),
    ("gradus-package", &["gradus-tensor", "gradus-data"]),
    ("gradus-evaluate", &["gradus-nn", "gradus-data", "gradus-package"]),
    (
        "gradus-train",
        &["gradus-evaluate", "gradus-package", "gradus-nn", "gradus-data"],
    ),
    (
        "gradus-tune",
        &[
            "gradus-train",
            "gradus-evaluate",
            "gradus-package",
            "gradus-nn",
            "gradus-data",
        ],
    ),
    ("gradus-compress", &["gradus-train", "gradus-evaluate"]),
    (
        "gradus-serve",
        &["gradus-evaluate", "gradus-package", "gradus-nn", "gradus-data"],
    ),
    (
        "gradus",
        &["gradus-compress", "gradus-serve", "gradus-train", "gradus-tune"],
    ),
];

/// Crates that only move shapes and bytes about need no `unsafe`; these two may.
const MAY_USE_UNSAFE: [&str; 2] = ["gradus-kernels", "gradus-tensor"];

/// What a room may use: what its row names, and what those may use. Rows only name rooms above them.
fn allowed() -> BTreeMap<&'static str, BTreeSet<&'static str>> {
    let mut all: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (room, uses) in ROOMS {
        let reach = uses
            .iter()
            .flat_map(|used| all[used].iter().copied().chain([*used]))
            .collect();
        all.insert(room, reach);
    }
    all
}

#[test]
fn crates_use_only_the_rooms_above_them() {
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.toml");
    let metadata = MetadataCommand::new()
        .manifest_path(manifest)
        .other_options(["--offline".to_owned()])
        .no_deps()
        .exec()
        .unwrap();
    let allowed = allowed();
    let mut found = BTreeSet::new();
    for package in &metadata.packages {
        let name = package.name.as_str();
        let may_use = allowed
            .get(name)
            .unwrap_or_else(|| panic!("`{name}` has no row in the table of rooms"));
        found.insert(name);
        for dependency in &package.dependencies {
            let used = dependency.name.as_str();
            let is_ours = used == "gradus" || used.starts_with("gradus-");
            if is_ours && dependency.kind != DependencyKind::Development {
                assert!(may_use.contains(used), "`{name}` may not use `{used}`");
            }
        }
    }
    assert_eq!(
        found,
        allowed.keys().copied().collect(),
        "the table names rooms that do not exist"
    );
}

#[test]
fn unsafe_code_is_forbidden_outside_kernels_and_the_memory_map() {
    for (room, _) in ROOMS.iter().filter(|(room, _)| !MAY_USE_UNSAFE.contains(room)) {
        let path = format!("{}/../{room}/src/lib.rs", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(
            text.contains("#![forbid(unsafe_code)]"),
            "{path} does not forbid unsafe code"
        );
    }
}
