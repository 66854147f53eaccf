//! Hosts on an in-memory Ethernet, in virtual time: no sockets, no root, no sleeping.
//!
//! [`World`] owns the clock (embassy-time's mock driver, one a process, hence the lock), the
//! Ethernet with its faults and all tasks. Time advances by a millisecond whenever no task has
//! anything to do.
#![allow(dead_code)] // each suite uses a part

pub(crate) mod pbx;
pub(crate) mod servers;

use core::cell::RefCell;
use core::future::Future;
use core::pin::Pin;
use core::sync::atomic::{AtomicBool, Ordering};
use core::task::{Context, Poll, Waker};
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Wake;

use embassy_net::{Ipv4Address, Ipv4Cidr, Stack, StackResources, StaticConfigV4};
use embassy_net_driver::{Capabilities, Driver, HardwareAddress, LinkState, RxToken, TxToken};
use embassy_time::{Duration, Instant, MockDriver};
use sansip_embassy::trace::Lines;
use sansip_embassy::{Event, Phone, Resources, Settings};

static CLOCK: Mutex<()> = Mutex::new(());

/// What the Ethernet does to frames.
#[derive(Clone, Copy, Default)]
pub(crate) struct Weather {
    /// Frames lost of a thousand.
    pub(crate) loss_permille: u64,
    /// Each frame takes 1 ms and up to this much more, so frames overtake each other.
    pub(crate) jitter_ms: u64,
}

pub(crate) struct World {
    ethernet: Rc<RefCell<Ethernet>>,
    tasks: Vec<Task>,
    _clock: MutexGuard<'static, ()>,
}

struct Task {
    future: Pin<Box<dyn Future<Output = ()>>>,
    flag: Arc<Flag>,
}

struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl World {
    pub(crate) fn new(seed: u64, weather: Weather) -> Self {
        let clock = CLOCK.lock().unwrap_or_else(PoisonError::into_inner);
        MockDriver::get().reset();
        let ethernet = Ethernet { seed, weather, ports: Vec::new(), under_way: Vec::new() };
        Self { ethernet: Rc::new(RefCell::new(ethernet)), tasks: Vec::new(), _clock: clock }
    }

    pub(crate) fn set_weather(&mut self, weather: Weather) {
        self.ethernet.borrow_mut().weather = weather;
    }

    /// Pulls the cable of the host with this number, or puts it back.
    pub(crate) fn set_link(&mut self, number: u8, up: bool) {
        let mut ethernet = self.ethernet.borrow_mut();
        let port = &mut ethernet.ports[usize::from(number) - 1];
        port.up = up;
        port.waker.wake_by_ref();
    }

    /// A host at 10.0.0.N, N counting from 1.
    pub(crate) fn host(&mut self) -> Stack<'static> {
        let number = self.ethernet.borrow().ports.len() as u8 + 1;
        self.host_with(embassy_net::Config::ipv4_static(StaticConfigV4 {
            address: Ipv4Cidr::new(Ipv4Address::new(10, 0, 0, number), 24),
            gateway: None,
            dns_servers: Default::default(),
        }))
    }

    /// A host that gets its address in another way.
    pub(crate) fn host_with(&mut self, config: embassy_net::Config) -> Stack<'static> {
        let number = self.ethernet.borrow().ports.len() as u8 + 1;
        self.ethernet.borrow_mut().ports.push(Port {
            arrived: VecDeque::new(),
            waker: Waker::noop().clone(),
            up: true,
        });
        let nic = Nic { ethernet: self.ethernet.clone(), number, frame: Vec::new() };
        let resources = Box::leak(Box::new(StackResources::<16>::new()));
        let (stack, mut runner) = embassy_net::new(nic, config, resources, u64::from(number));
        self.spawn(async move { runner.run().await });
        stack
    }

    pub(crate) fn spawn(&mut self, future: impl Future<Output = ()> + 'static) {
        let flag = Arc::new(Flag(AtomicBool::new(true)));
        self.tasks.push(Task { future: Box::pin(future), flag });
    }

    /// Runs everything until `main` ends; panics after `limit` of virtual time.
    pub(crate) fn run<T: 'static>(
        &mut self,
        limit: Duration,
        main: impl Future<Output = T> + 'static,
    ) -> T {
        let result = Rc::new(RefCell::new(None));
        let place = result.clone();
        self.spawn(async move { *place.borrow_mut() = Some(main.await) });
        let end = Instant::now() + limit;
        loop {
            self.settle();
            if let Some(result) = result.borrow_mut().take() {
                return result;
            }
            assert!(
                Instant::now() < end,
                "not done after {} ms of virtual time",
                limit.as_millis()
            );
            MockDriver::get().advance(Duration::from_millis(1));
            self.ethernet.borrow_mut().deliver();
        }
    }

    /// Polls what is woken until nothing is.
    fn settle(&mut self) {
        let mut busy = true;
        let mut rounds = 0;
        while busy {
            rounds += 1;
            assert!(rounds < 10_000, "tasks wake each other without end");
            busy = false;
            self.tasks.retain_mut(|task| {
                if !task.flag.0.swap(false, Ordering::Relaxed) {
                    return true;
                }
                busy = true;
                let waker = Waker::from(task.flag.clone());
                task.future.as_mut().poll(&mut Context::from_waker(&waker)) == Poll::Pending
            });
        }
    }
}

/// A phone on a new host.
pub(crate) fn phone(world: &mut World) -> Phone<'static> {
    phone_with_stack(world).0
}

/// The same, with the host's network.
pub(crate) fn phone_with_stack(world: &mut World) -> (Phone<'static>, Stack<'static>) {
    let stack = world.host();
    (phone_on(world, stack, Settings::default()).0, stack)
}

/// A phone on a host, and what it tells: each event with its message.
pub(crate) fn phone_on(
    world: &mut World,
    stack: Stack<'static>,
    settings: Settings,
) -> (Phone<'static>, Rc<RefCell<Vec<String>>>) {
    let number = world.ethernet.borrow().ports.len() as u8;
    let resources = Box::leak(Box::new(<Resources<'static>>::new()));
    let (phone, runner) = Phone::bind(stack, resources, settings, [number; 32]);
    let sink = Lines(move |bytes: &[u8]| {
        if std::env::var_os("SANSIP_TEST_TRACE").is_some() {
            eprint!("{}", String::from_utf8_lossy(bytes));
        }
    });
    let events = Rc::new(RefCell::new(Vec::new()));
    let told = events.clone();
    let events_sink = move |event: &Event<'_>| told.borrow_mut().push(in_words(event));
    let runner = runner.with_trace(Box::leak(Box::new(sink)));
    let mut runner = runner.with_events(Box::leak(Box::new(events_sink)));
    world.spawn(async move { runner.run().await });
    (phone, events)
}

/// The kind of an event, and the message that it lends.
fn in_words(event: &Event<'_>) -> String {
    let (kind, message) = match event {
        Event::Registered { message, .. } => ("registered", *message),
        Event::RegistrationFailed { message, .. } => ("registration failed", *message),
        Event::Incoming { message, .. } => ("incoming", *message),
        Event::Progress { message, .. } => ("progress", *message),
        Event::Established { message, .. } => ("established", *message),
        Event::Response { message, .. } => ("response", *message),
        Event::Ended { message, .. } => ("ended", *message),
        _ => ("other", None),
    };
    let text = message.map(|message| String::from_utf8_lossy(message.bytes()).into_owned());
    format!("{kind}\n{}", text.unwrap_or_default())
}

struct Ethernet {
    seed: u64,
    weather: Weather,
    ports: Vec<Port>,
    under_way: Vec<(Instant, usize, Vec<u8>)>,
}

struct Port {
    arrived: VecDeque<Vec<u8>>,
    waker: Waker,
    up: bool,
}

impl Ethernet {
    /// A frame leaves host `from`: to the host that it names, or to all others.
    fn send(&mut self, from: u8, frame: &[u8]) {
        for number in 1..=self.ports.len() as u8 {
            let wanted = frame.starts_with(&[0xff; 6]) || frame.starts_with(&mac(number));
            if number == from || !wanted || !self.ports[usize::from(from) - 1].up {
                continue;
            }
            if self.random(1000) < self.weather.loss_permille {
                continue;
            }
            let delay = Duration::from_millis(1 + self.random(self.weather.jitter_ms + 1));
            self.under_way.push((Instant::now() + delay, usize::from(number) - 1, frame.to_vec()));
        }
    }

    fn deliver(&mut self) {
        let now = Instant::now();
        let due: Vec<_> = self.under_way.extract_if(.., |(at, ..)| *at <= now).collect();
        for (_, to, frame) in due {
            let port = &mut self.ports[to];
            if port.up {
                port.arrived.push_back(frame);
                port.waker.wake_by_ref();
            }
        }
    }

    /// SplitMix64, below `bound`.
    fn random(&mut self, bound: u64) -> u64 {
        self.seed = self.seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.seed;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ mixed >> 31) % bound
    }
}

fn mac(number: u8) -> [u8; 6] {
    [2, 0, 0, 0, 0, number]
}

struct Nic {
    ethernet: Rc<RefCell<Ethernet>>,
    number: u8,
    frame: Vec<u8>,
}

struct Receive<'a>(&'a mut Vec<u8>);

impl RxToken for Receive<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, read: F) -> R {
        read(self.0)
    }
}

struct Transmit<'a>(&'a RefCell<Ethernet>, u8);

impl TxToken for Transmit<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, fill: F) -> R {
        let mut frame = vec![0; length];
        let result = fill(&mut frame);
        self.0.borrow_mut().send(self.1, &frame);
        result
    }
}

impl Driver for Nic {
    type RxToken<'a> = Receive<'a>;
    type TxToken<'a> = Transmit<'a>;

    fn receive(&mut self, cx: &mut Context<'_>) -> Option<(Receive<'_>, Transmit<'_>)> {
        let mut ethernet = self.ethernet.borrow_mut();
        let port = &mut ethernet.ports[usize::from(self.number) - 1];
        port.waker = cx.waker().clone();
        self.frame = port.arrived.pop_front()?;
        drop(ethernet);
        Some((Receive(&mut self.frame), Transmit(&self.ethernet, self.number)))
    }

    fn transmit(&mut self, _: &mut Context<'_>) -> Option<Transmit<'_>> {
        Some(Transmit(&self.ethernet, self.number))
    }

    fn link_state(&mut self, cx: &mut Context<'_>) -> LinkState {
        let mut ethernet = self.ethernet.borrow_mut();
        let port = &mut ethernet.ports[usize::from(self.number) - 1];
        port.waker = cx.waker().clone();
        if port.up { LinkState::Up } else { LinkState::Down }
    }

    fn capabilities(&self) -> Capabilities {
        let mut capabilities = Capabilities::default();
        capabilities.max_transmission_unit = 1514;
        capabilities
    }

    fn hardware_address(&self) -> HardwareAddress {
        HardwareAddress::Ethernet(mac(self.number))
    }
}
