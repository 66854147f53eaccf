//! A whole call through two endpoints in one process: INVITE, 200, ACK, BYE, 200, with real SDP.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use criterion::{Criterion, criterion_group, criterion_main};
use support::Pair;

fn calls(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("endpoint");
    for live in [10, 1_000, 10_000] {
        let mut pair = Pair::new(live);
        group.bench_function(format!("whole call, {live} live"), |bencher| {
            bencher.iter(|| pair.call());
        });
        assert_eq!(pair.a.endpoint.usage().calls, live);
    }
    group.finish();
}

criterion_group!(benches, calls);
criterion_main!(benches);
