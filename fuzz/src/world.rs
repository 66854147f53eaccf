//! The simulated world, its network, faults and users governed by the bytes.

use sansip::storage::Limits;
use sansip::time::Duration;
use sansip_sim::network::Link;
use sansip_sim::phone::{Operation, PhoneOptions};
use sansip_sim::server::ServerOptions;
use sansip_sim::world::{NodeId, SIP_PORT, World};

use crate::Program;

/// Two phones and a registrar, any users, any network: the simulator's oracle with all of its
/// invariants finds nothing, neither on the way nor once the network is good, everything was hung
/// up and time has passed; then a call succeeds.
pub fn world(data: &[u8]) {
    let mut program = Program::new(data);
    let setup = program.byte().unwrap_or(0);
    let mut scene = Scene::new(setup);
    let mut spent_ms = 0;
    while let Some(choice) = program.byte()
        && spent_ms < SPAN_MAX_MS
    {
        match choice % 8 {
            0..=2 => scene.perform(choice, program.byte().unwrap_or(0)),
            3 | 4 => {
                // mostly the rhythm of repetitions, sometimes that of registrations
                let unit_ms = if choice & 0x80 == 0 { 10 } else { 500 };
                let span_ms = u64::from(program.byte().unwrap_or(0)) * unit_ms;
                spent_ms += span_ms;
                scene.world.run(Duration::from_millis(span_ms));
            }
            5 => scene.world.network().set_default(Link {
                loss: f64::from(choice >> 3) / 64.0,
                duplicate: f64::from(program.byte().unwrap_or(0)) / 512.0,
                reorder: f64::from(program.byte().unwrap_or(0)) / 512.0,
                spike: Duration::from_millis(u64::from(program.byte().unwrap_or(0)) * 8),
                ..Link::GOOD
            }),
            6 => scene.part(choice),
            _ => {
                let span = Duration::from_millis(u64::from(program.byte().unwrap_or(0)) * 200);
                scene.world.pause(scene.phone(choice), span);
            }
        }
    }
    scene.end();
    scene.check("after a quiet time");
    scene.call();
    scene.end();
    scene.check("after a call on a good network");
}

/// Longest time before the network heals, milliseconds.
const SPAN_MAX_MS: u64 = 300_000;

/// Most calls and requests of a program: all find room, so that nothing is forgotten early.
const OPENED_MAX: usize = 16;

/// Longer than any transaction, registration and limit of the phones here.
const QUIET: Duration = Duration::from_secs(700);

struct Scene {
    world: World,
    server: NodeId,
    phones: [NodeId; 2],
    opened: usize,
}

impl Scene {
    fn new(setup: u8) -> Self {
        let mut world = World::new(setup.into());
        let address = std::net::SocketAddr::from(([10, 0, 0, 1], SIP_PORT));
        let server = world.add_server(ServerOptions {
            challenges_calls: setup & 1 != 0,
            record_route: setup & 2 != 0,
            ..ServerOptions::new(address)
        });
        let address = world.address(server);
        let phones = ["100", "101"].map(|user| {
            world.add_account(server, user, "secret");
            world.add_phone(PhoneOptions {
                media: setup & 4 != 0,
                limits: Limits::calls(2 * OPENED_MAX),
                ..PhoneOptions::registered(user, "secret", address)
            })
        });
        for phone in phones {
            world.perform(phone, Operation::Register).expect("room for a first registration");
        }
        world.run(Duration::from_secs(1));
        Self { world, server, phones, opened: 0 }
    }

    fn phone(&self, choice: u8) -> NodeId {
        self.phones[usize::from(choice >> 3 & 1)]
    }

    /// One of the users does something; what makes no sense now is refused, and that is all.
    fn perform(&mut self, choice: u8, what: u8) {
        let phone = self.phone(choice);
        let other = if phone == self.phones[0] { "101" } else { "100" };
        let opens = (2..=5).contains(&(what % 14));
        self.opened += usize::from(opens);
        if opens && self.opened > OPENED_MAX {
            return;
        }
        let operation = match (what % 14, self.world.current_call(phone)) {
            (0, _) => Operation::Register,
            (1, _) => Operation::Unregister,
            (2, _) => Operation::Query,
            (3 | 4, _) => {
                Operation::Call { target: other.to_owned(), late_offer: what & 0x80 != 0 }
            }
            (5, _) => Operation::Request { method: "MESSAGE", target: other.to_owned() },
            (6, Some(call)) => Operation::Ring(call),
            (7, Some(call)) => Operation::EarlyMedia(call),
            (8, Some(call)) => Operation::Answer(call),
            (9, Some(call)) => Operation::Reject(call, 486),
            (10, Some(call)) => Operation::HangUp(call),
            (11, Some(call)) => Operation::Hold(call),
            (12, Some(call)) => Operation::Resume(call),
            (13, Some(call)) => Operation::Digits(call, "1#".to_owned()),
            _ => return,
        };
        let _ = self.world.perform(phone, operation);
    }

    /// Nothing passes one way or both ways between a phone and the server, or all is whole again.
    fn part(&mut self, choice: u8) {
        let (phone, server) =
            (self.world.address(self.phone(choice)), self.world.address(self.server));
        let network = self.world.network();
        match choice >> 4 & 3 {
            0 => network.part(phone.ip(), server.ip()),
            1 => network.cut(phone.ip(), server.ip()),
            2 => network.cut(server.ip(), phone.ip()),
            _ => network.mend(),
        }
    }

    /// A good network; everybody hangs up and leaves, until nothing is under way.
    fn end(&mut self) {
        self.world.network().heal(Link::GOOD);
        self.world.run(Duration::from_secs(60));
        for phone in self.phones {
            while let Some(call) = self.world.current_call(phone) {
                if self.world.perform(phone, Operation::HangUp(call)).is_err() {
                    break;
                }
            }
            let _ = self.world.perform(phone, Operation::Unregister);
        }
        self.world.run(QUIET);
    }

    fn check(&mut self, when: &str) {
        let failures: Vec<String> = self.world.settle().iter().map(ToString::to_string).collect();
        assert!(failures.is_empty(), "{when}: {failures:#?}");
    }

    fn call(&mut self) {
        let [caller, callee] = self.phones;
        for phone in self.phones {
            self.world.perform(phone, Operation::Register).expect("room to register");
        }
        let registered = |world: &World| {
            [caller, callee]
                .iter()
                .all(|phone| world.phone(*phone).is_some_and(|p| p.is_registered()))
        };
        assert!(self.world.run_until(Duration::from_secs(60), registered), "both register again");
        let call = Operation::Call { target: "101".to_owned(), late_offer: false };
        self.world.perform(caller, call).expect("room for a call");
        let rings = |world: &World| world.current_call(callee).is_some();
        assert!(self.world.run_until(Duration::from_secs(40), rings), "the callee rings");
        let call = self.world.current_call(callee).expect("it rings");
        self.world.perform(callee, Operation::Answer(call)).expect("an incoming call is answered");
        let up = |world: &World| {
            world.phone(callee).and_then(|phone| phone.call(call)).is_some_and(|talk| talk.is_up())
        };
        assert!(self.world.run_until(Duration::from_secs(40), up), "the call is up");
    }
}
