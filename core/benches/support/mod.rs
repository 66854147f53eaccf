//! Two endpoints in one process that call each other, without sockets.

use sansip::endpoint::{
    Account, AccountId, Action, CallId, Config, Endpoint, Event, Input, OutgoingCall,
};
use sansip::path::Path;
use sansip::sdp::LocalMedia;
use sansip::storage::{Limits, Storage};
use sansip::time::{Duration, Instant};

pub(crate) struct Side {
    pub(crate) endpoint: Endpoint<'static>,
    address: core::net::SocketAddr,
    incoming: Option<CallId>,
    out: Vec<u8>,
    ends: Vec<usize>,
}

impl Side {
    fn new(address: &str, seed: u8, calls: usize) -> Self {
        let address = address.parse().unwrap();
        let config = Config { local: Some(address), ..Config::default() };
        let limits = Limits {
            transactions: calls * 2 + 8192,
            buffers: calls * 2 + 8192,
            message_bytes: 1500,
            text_bytes: 512,
            ..Limits::calls(calls + 64)
        };
        let endpoint = Endpoint::new(config, [seed; 32], Storage::heap(limits));
        Self { endpoint, address, incoming: None, out: Vec::new(), ends: Vec::new() }
    }

    fn account(&mut self, now: Instant, identity: &str) -> AccountId {
        let account = Account { identity, user_agent: "bench/1", ..Account::default() };
        self.endpoint.add_account(now, account).unwrap()
    }

    fn drain(&mut self, now: Instant) {
        while let Some(action) = self.endpoint.poll_action(now) {
            match action {
                Action::Transmit { bytes, .. } => {
                    self.out.extend_from_slice(bytes);
                    self.ends.push(self.out.len());
                }
                Action::Event(Event::Incoming { call, .. }) => self.incoming = Some(call),
                _ => {}
            }
        }
    }
}

pub(crate) struct Pair {
    now: Instant,
    pub(crate) a: Side,
    b: Side,
    account: AccountId,
}

impl Pair {
    pub(crate) fn new(live: usize) -> Self {
        let now = Instant::from_millis(1);
        let mut a = Side::new("192.0.2.1:5060", 1, live);
        let mut b = Side::new("192.0.2.2:5060", 2, live);
        let account = a.account(now, "sip:alice@192.0.2.1");
        b.account(now, "sip:bob@192.0.2.2");
        let mut pair = Self { now, a, b, account };
        for _ in 0..live {
            pair.establish();
        }
        pair
    }

    /// Carry messages to and fro until nobody says anything more.
    fn exchange(&mut self) {
        loop {
            self.a.drain(self.now);
            let sent = deliver(self.now, &mut self.a, &mut self.b);
            self.b.drain(self.now);
            if !sent & !deliver(self.now, &mut self.b, &mut self.a) {
                return;
            }
        }
    }

    fn establish(&mut self) -> CallId {
        let call = self
            .a
            .endpoint
            .call(
                self.now,
                OutgoingCall {
                    account: self.account,
                    target: "sip:bob@192.0.2.2",
                    media: LocalMedia::new("192.0.2.1:4000".parse().unwrap()),
                    late_offer: false,
                    headers: &[],
                },
            )
            .unwrap();
        self.exchange();
        let incoming = self.b.incoming.take().expect("the call arrived");
        let media = LocalMedia::new("192.0.2.2:4000".parse().unwrap());
        self.b.endpoint.answer(self.now, incoming, media).unwrap();
        self.exchange();
        call
    }

    /// A whole call: INVITE, 200, ACK, BYE, 200.
    pub(crate) fn call(&mut self) {
        self.now += Duration::from_millis(10);
        let call = self.establish();
        self.a.endpoint.hang_up(self.now, call).unwrap();
        self.exchange();
    }
}

fn deliver(now: Instant, from: &mut Side, to: &mut Side) -> bool {
    let mut start = 0;
    let path = Path::udp(to.address, from.address);
    for end in &from.ends {
        let bytes = from.out.get(start..*end).unwrap();
        to.endpoint.handle(now, Input::Message { path, bytes });
        to.drain(now);
        start = *end;
    }
    from.ends.clear();
    from.out.clear();
    start > 0
}
