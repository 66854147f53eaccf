//! Some random runs, in a debug build with all its checks; `--bin sim` runs thousands.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use sansip_sim::swarm::{Profile, run};

#[test]
fn random_runs_with_signalling_find_nothing() {
    for seed in 0..30 {
        let outcome = run(&Profile::draw(seed, 12, false), false);
        assert_eq!(outcome.failures, [], "seed {seed}");
        assert!(outcome.established > 0, "seed {seed}: nobody ever talked");
    }
}

#[test]
fn random_runs_with_sound_and_digits_find_nothing() {
    for seed in 0..3 {
        let outcome = run(&Profile::draw(seed, 4, true), false);
        assert_eq!(outcome.failures, [], "seed {seed}");
    }
}

#[test]
fn a_run_repeats_bit_for_bit_and_another_seed_differs() {
    let hash = |seed| run(&Profile::draw(seed, 8, false), false).hash;
    for seed in 100..110 {
        assert_eq!(hash(seed), hash(seed));
        assert_ne!(hash(seed), hash(seed + 1));
    }
}
