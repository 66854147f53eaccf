//! The machine: endpoint, registrar and lines joined.

use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::collections::VecDeque;

use sansip::endpoint::{
    self, Account, AccountId, CallId, Command, Config, CustomHeader, Endpoint, Event, Methods,
    OutgoingCall, QueryId, Reason, RequestId, Stage,
};
use sansip::path::{Path, Transport};
use sansip::sdp::{LocalMedia, MediaPlan};
use sansip::sip::{HeaderName, Message};
use sansip::storage::{Limits, Storage};
use sansip::time::Instant;

use super::line::{Deed, Line, Order, Role};
use super::registrar::{Registrar, Ruling, uri_user};

/// How a PBX is set up.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where SIP is received; a wildcard address is replaced for each peer by the driver.
    pub local: SocketAddr,
    /// Local ports for RTP, one a call, each with RTCP on the next port. They bound the calls.
    pub media_ports: Vec<u16>,
    /// Different at each start.
    pub seed: [u8; 32],
    /// Whether a call from one of the accounts must prove that it is, as with a real PBX.
    pub challenge_calls: bool,
    /// Longest registration that is granted, seconds.
    pub expires_max_s: u32,
    /// Shortest registration that is granted, seconds; a shorter one is answered 423.
    pub expires_min_s: u32,
}

impl Options {
    /// The defaults: calls are challenged, registrations live 1 s to an hour.
    pub fn new(local: SocketAddr, media_ports: Vec<u16>, seed: [u8; 32]) -> Self {
        Self {
            local,
            media_ports,
            seed,
            challenge_calls: true,
            expires_max_s: 3600,
            expires_min_s: 1,
        }
    }
}

/// What a driver feeds to the PBX.
#[derive(Clone, Copy, Debug)]
pub enum Input<'m> {
    /// For the signalling: a SIP message, the answer to a look-up, a failed transmission.
    Sip(endpoint::Input<'m>),
    /// A datagram on the RTP or RTCP port of a call.
    Media {
        /// The local RTP port of the call, also for a packet on the RTCP port after it.
        port: u16,
        /// Whether it came on the RTCP port, `port + 1`.
        rtcp: bool,
        /// Who sent it.
        remote: SocketAddr,
        /// Every byte.
        bytes: &'m [u8],
    },
}

/// What a driver must do.
#[derive(Clone, Debug)]
pub enum Action {
    /// Send a SIP message.
    Sip {
        /// The way.
        path: Path,
        /// Every byte.
        bytes: Vec<u8>,
    },
    /// Look a host up and answer with [`endpoint::Input::Resolved`].
    Resolve {
        /// To be named in the answer.
        query: QueryId,
        /// A name or an address.
        host: String,
        /// The port, where one was named.
        port: Option<u16>,
        /// The transport, where one was named.
        transport: Option<Transport>,
    },
    /// Send an RTP packet, or an RTCP packet from the port after.
    Media {
        /// The local RTP port of the call.
        port: u16,
        /// Whether it leaves from the RTCP port, `port + 1`.
        rtcp: bool,
        /// The peer.
        remote: SocketAddr,
        /// Every byte.
        bytes: Vec<u8>,
    },
    /// One line for standard output: something happened.
    Report(String),
    /// Sound that 604 records, mono.
    Record {
        /// Names the recording, `604-1`, `604-2`, ...
        name: String,
        /// Its sample rate, hertz.
        rate_hz: u32,
        /// The next samples; none when the recording is over.
        samples: Vec<i16>,
    },
}

/// The PBX.
pub struct Pbx {
    options: Options,
    endpoint: Endpoint<'static>,
    account: Option<AccountId>,
    registrar: Registrar,
    lines: Vec<Line>,
    ports: VecDeque<u16>,
    todo: VecDeque<Task>,
    out: VecDeque<Action>,
    /// Where the message that is being handled came in: the address to advertise to its sender.
    path: Option<Path>,
    recordings: u32,
    /// Calls that had media so far: no two of them have the same random numbers.
    streams: u64,
}

/// What is to be done in a turn of its own.
enum Task {
    Incoming { call: CallId, number: String, caller: String, local: IpAddr, allowed: bool },
    Respond { request: RequestId, ruling: Ruling },
    Order { call: CallId, order: Order },
}

impl Pbx {
    /// A PBX without calls or registrations.
    pub fn new(options: Options) -> Self {
        let calls = options.media_ports.len().max(1);
        let wildcard = options.local.ip().is_unspecified();
        let config = Config {
            local: (!wildcard).then_some(options.local),
            methods: Methods::REGISTER.and(Methods::INFO),
            catch_all: true,
            ..Config::default()
        };
        let mut endpoint = Endpoint::new(config, options.seed, Storage::heap(Limits::calls(calls)));
        let host = if wildcard { IpAddr::V4(Ipv4Addr::LOCALHOST) } else { options.local.ip() };
        let identity = format!("sip:pbx@{}", SocketAddr::new(host, options.local.port()));
        let account =
            Account { identity: &identity, user_agent: "sansip-pbx", ..Account::default() };
        let account = endpoint.add_account(Instant::ZERO, account).ok();
        Self {
            registrar: Registrar::new(&options),
            ports: options.media_ports.iter().copied().collect(),
            options,
            endpoint,
            account,
            lines: Vec::new(),
            todo: VecDeque::new(),
            out: VecDeque::new(),
            path: None,
            recordings: 0,
            streams: 0,
        }
    }

    /// Feeds one packet or answer in. Never fails: what nobody understands is dropped.
    pub fn handle(&mut self, now: Instant, input: Input<'_>) {
        match input {
            Input::Sip(input) => {
                self.path = match input {
                    endpoint::Input::Message { path, .. } => Some(path),
                    _ => None,
                };
                self.endpoint.handle(now, input);
            }
            Input::Media { port, rtcp, remote, bytes } => {
                if let Some(line) = self.lines.iter_mut().find(|line| line.port == port) {
                    line.receive(now, remote, rtcp, bytes);
                }
            }
        }
        self.settle(now);
    }

    /// The next thing to do; also does what is due.
    pub fn poll_action(&mut self, now: Instant) -> Option<Action> {
        if self.out.is_empty() {
            self.path = None;
            self.run_lines(now);
            self.settle(now);
        }
        self.out.pop_front()
    }

    /// When to call [`poll_action`](Self::poll_action) at the latest; `None`: only after an input.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let lines = self.lines.iter().filter_map(Line::deadline);
        lines.chain(self.endpoint.poll_timeout()).min()
    }

    /// Calls that live, either way.
    pub fn calls(&self) -> usize {
        self.lines.len()
    }

    /// The contacts that live at `now` for an account, such as `100`.
    pub fn bindings(&mut self, now: Instant, account: &str) -> Vec<String> {
        self.registrar.contacts(now, account)
    }

    /// Drains the endpoint, then runs what came up, each in its own turn, until nothing is left.
    fn settle(&mut self, now: Instant) {
        loop {
            self.drain(now);
            let Some(task) = self.todo.pop_front() else { return };
            match task {
                Task::Incoming { call, number, caller, local, allowed } => {
                    self.take_call(now, call, number, caller, local, allowed);
                }
                Task::Respond { request, ruling } => self.respond(now, request, &ruling),
                Task::Order { call, order } => self.carry_out(now, call, order),
            }
        }
    }

    fn drain(&mut self, now: Instant) {
        while let Some(action) = self.endpoint.poll_action(now) {
            match action {
                endpoint::Action::Transmit { path, bytes } => {
                    self.out.push_back(Action::Sip { path, bytes: bytes.to_vec() });
                }
                endpoint::Action::Resolve { query, host, port, transport } => {
                    let host = host.to_owned();
                    self.out.push_back(Action::Resolve { query, host, port, transport });
                }
                endpoint::Action::Event(event) => {
                    let mut desk = Desk {
                        options: &self.options,
                        registrar: &mut self.registrar,
                        lines: &mut self.lines,
                        todo: &mut self.todo,
                        out: &mut self.out,
                        ports: &mut self.ports,
                        path: self.path,
                        streams: &mut self.streams,
                    };
                    desk.event(now, event);
                }
                _ => {}
            }
        }
    }

    fn run_lines(&mut self, now: Instant) {
        let mut index = 0;
        while let Some(line) = self.lines.get_mut(index) {
            let (call, port) = (line.call, line.port);
            let mut deeds = Vec::new();
            line.run(now, &mut deeds);
            let partner = line.partner;
            for deed in deeds {
                self.carry_on(call, port, partner, deed);
            }
            index += 1;
        }
    }

    fn carry_on(&mut self, call: CallId, port: u16, partner: Option<CallId>, deed: Deed) {
        let partner = self.lines.iter_mut().find(|line| Some(line.call) == partner);
        match deed {
            Deed::Send { rtcp, remote, bytes } => {
                self.out.push_back(Action::Media { port, rtcp, remote, bytes });
            }
            Deed::Report(text) => self.out.push_back(Action::Report(text)),
            Deed::Record { name, rate_hz, samples } => {
                self.out.push_back(Action::Record { name, rate_hz, samples });
            }
            Deed::Order(order) => self.todo.push_back(Task::Order { call, order }),
            Deed::Relay(samples) => {
                if let Some(line) = partner {
                    line.speak(&samples);
                }
            }
            Deed::Digit(digit) => {
                if let Some(line) = partner {
                    line.send_digit(digit);
                }
            }
        }
    }

    fn take_call(
        &mut self,
        now: Instant,
        call: CallId,
        number: String,
        caller: String,
        local: IpAddr,
        allowed: bool,
    ) {
        if !allowed {
            let challenges = self.registrar.challenges(now, false);
            let headers = custom(&challenges);
            let command = Command::Reject { call, status: 401, headers: &headers };
            let _ = self.endpoint.command(now, command);
            return;
        }
        self.out.push_back(Action::Report(format!("call from {caller} to {number}")));
        let Some(port) = self.ports.pop_front() else {
            let _ = self.endpoint.reject(now, call, 486);
            return;
        };
        let media = LocalMedia::new(SocketAddr::new(local, port));
        let mut line = Line::new(call, number, caller, media, port);
        if line.number == "604" {
            self.recordings += 1;
            line.recording = Some(format!("604-{}", self.recordings));
        }
        let order = match line.role {
            Role::Through => return self.call_through(now, line),
            _ => line.begin(now),
        };
        self.lines.push(line);
        self.carry_out(now, call, order);
    }

    /// The other half of a call from phone to phone: both are lines that feed each other.
    fn call_through(&mut self, now: Instant, mut line: Line) {
        let call = line.call;
        let target = self.registrar.newest(now, &line.number);
        let status = match (&target, Registrar::knows(&line.number)) {
            (Some(_), _) => 180,
            (None, true) => 480, // RFC 3261 s21.4.18: known, but not logged in
            (None, false) => 404,
        };
        let (Some((target, path)), Some(account), Some(port)) =
            (target, self.account, self.ports.pop_front())
        else {
            let status = if status == 180 { 486 } else { status };
            self.ports.push_back(line.port);
            let _ = self.endpoint.reject(now, call, status);
            return;
        };
        let local = SocketAddr::new(path.local.ip(), port);
        let from = format!("<sip:{}@{}>", line.caller, path.local);
        let headers = [CustomHeader::new("From", &from)];
        let media = LocalMedia::new(local);
        let outgoing = OutgoingCall {
            account,
            target: &target,
            media: media.clone(),
            late_offer: false,
            headers: &headers,
        };
        match self.endpoint.call(now, outgoing) {
            Ok(second) => {
                let mut other =
                    Line::new(second, line.number.clone(), line.caller.clone(), media, port);
                other.role = Role::Through;
                other.outgoing = true;
                other.partner = Some(call);
                line.partner = Some(second);
                self.lines.push(line);
                self.lines.push(other);
            }
            Err(_) => {
                self.ports.push_back(port);
                self.ports.push_back(line.port);
                let _ = self.endpoint.reject(now, call, 480);
            }
        }
    }

    fn respond(&mut self, now: Instant, request: RequestId, ruling: &Ruling) {
        let headers = custom(&ruling.headers);
        let _ = self.endpoint.respond(now, request, ruling.status, &headers, None);
    }

    fn carry_out(&mut self, now: Instant, call: CallId, order: Order) {
        let media = self.lines.iter().find(|line| line.call == call).map(|line| &line.media);
        let Some(media) = media.cloned() else { return };
        let outcome = match order {
            Order::Nothing => Ok(()),
            Order::Ring => self.endpoint.progress(now, call, 180, None),
            Order::EarlyMedia => self.endpoint.progress(now, call, 183, Some(media)),
            Order::Answer => self.endpoint.answer(now, call, media),
            Order::Refuse(status) => self.endpoint.reject(now, call, status),
            Order::HangUp => self.endpoint.hang_up(now, call),
            Order::Silent => self.endpoint.media_silent(now, call),
        };
        if outcome.is_err() {
            // The offer had nothing for us, or the call ended meanwhile; then this is refused too.
            let _ = self.endpoint.reject(now, call, 488);
        }
    }
}

/// The parts that an event may touch while the endpoint lends its message.
struct Desk<'p> {
    options: &'p Options,
    registrar: &'p mut Registrar,
    lines: &'p mut Vec<Line>,
    todo: &'p mut VecDeque<Task>,
    out: &'p mut VecDeque<Action>,
    ports: &'p mut VecDeque<u16>,
    path: Option<Path>,
    streams: &'p mut u64,
}

impl Desk<'_> {
    fn event(&mut self, now: Instant, event: Event<'_>) {
        match event {
            Event::Incoming { call, message: Some(message), .. } => {
                self.incoming(now, call, &message);
            }
            Event::Request { request, message: Some(message), .. } => {
                let ruling = match message.method().map(|method| method.as_bytes()) {
                    Some(b"REGISTER") => self.registrar.register(now, self.path, &message),
                    _ => Ruling::status(200),
                };
                self.out.extend(ruling.report.clone().map(Action::Report));
                self.todo.push_back(Task::Respond { request, ruling });
            }
            Event::Progress { call, status, .. } => self.progress(call, status),
            Event::Media { call, stage, plan, .. } => self.media(now, call, stage, &plan),
            Event::Established { call, .. } => self.established(now, call),
            Event::Ended { call, reason, .. } => self.ended(call, reason),
            _ => {}
        }
    }

    fn incoming(&mut self, now: Instant, call: CallId, message: &Message<'_>) {
        let number = message.uri().and_then(uri_user).unwrap_or_default();
        let caller = message.header(HeaderName::From).and_then(uri_user).unwrap_or_default();
        let challenged = self.options.challenge_calls && Registrar::knows(&caller);
        let allowed = !challenged || self.registrar.proves(now, &caller, message);
        let local = self.path.map_or(self.options.local.ip(), |path| path.local.ip());
        self.todo.push_back(Task::Incoming { call, number, caller, local, allowed });
    }

    /// What the called phone says goes on to the caller.
    fn progress(&mut self, call: CallId, status: u16) {
        let Some(line) = self.lines.iter().find(|line| line.call == call) else { return };
        if let Some(partner) = line.partner
            && line.outgoing
            && status != 100
        {
            self.todo.push_back(Task::Order { call: partner, order: Order::Ring });
        }
    }

    fn media(&mut self, now: Instant, call: CallId, stage: Stage, plan: &MediaPlan) {
        if let Some(line) = self.lines.iter_mut().find(|line| line.call == call)
            && stage != Stage::Offered
        {
            line.start_media(now, plan, self.options.seed, *self.streams);
            *self.streams += 1;
        }
    }

    fn established(&mut self, now: Instant, call: CallId) {
        let Some(line) = self.lines.iter_mut().find(|line| line.call == call) else { return };
        let order = line.established(now);
        self.todo.push_back(Task::Order { call, order });
        if let (true, Some(partner)) = (line.outgoing, line.partner) {
            self.todo.push_back(Task::Order { call: partner, order: Order::Answer });
        }
    }

    fn ended(&mut self, call: CallId, reason: Reason) {
        let Some(index) = self.lines.iter().position(|line| line.call == call) else { return };
        let mut line = self.lines.remove(index);
        self.ports.push_back(line.port);
        if let Some(report) = line.last_report() {
            self.out.push_back(Action::Report(report));
        }
        if let Some(name) = line.recording.take() {
            self.out.push_back(Action::Record { name, rate_hz: 8000, samples: Vec::new() });
        }
        if !line.outgoing {
            let text = format!("end of {} from {}: {reason:?}", line.number, line.caller);
            self.out.push_back(Action::Report(text));
        }
        let Some(partner) = line.partner else { return };
        let Some(other) = self.lines.iter_mut().find(|other| other.call == partner) else { return };
        other.partner = None;
        let order = match reason {
            _ if other.outgoing || other.is_established() => Order::HangUp,
            Reason::Rejected(status @ 400..) if status != 401 && status != 407 => {
                Order::Refuse(status)
            }
            Reason::TimedOut | Reason::NoAnswer => Order::Refuse(408),
            _ => Order::Refuse(480),
        };
        self.todo.push_back(Task::Order { call: partner, order });
    }
}

fn custom<'h>(headers: &'h [(&'static str, String)]) -> Vec<CustomHeader<'h>> {
    headers.iter().map(|(name, value)| CustomHeader::new(name, value)).collect()
}
