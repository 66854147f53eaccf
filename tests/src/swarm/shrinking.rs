//! The shortest run that still fails.

use super::{Outcome, Profile, run};

/// Drops one fault after the other, and halves the calls, as long as the run still breaks the same
/// invariant: the shortest such run.
pub fn shrink(failed: &Outcome) -> Outcome {
    let invariant = failed.failures.first().map(|failure| failure.invariant);
    let mut best = failed.clone();
    let attempt = |best: &mut Outcome, profile: Profile| {
        let outcome = run(&profile, false);
        let same = outcome.failures.iter().any(|failure| Some(failure.invariant) == invariant);
        if same {
            *best = outcome;
        }
        same
    };
    for fault in failed.profile.faults.clone() {
        let mut profile = best.profile.clone();
        profile.faults.retain(|kept| *kept != fault);
        attempt(&mut best, profile);
    }
    while best.profile.calls > 1 {
        let mut profile = best.profile.clone();
        profile.calls /= 2;
        if !attempt(&mut best, profile) {
            break;
        }
    }
    best
}
